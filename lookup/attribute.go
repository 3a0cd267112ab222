package lookup

import (
	"bytes"
	"context"
	"database/sql/driver"
	"encoding/json"
	"maps"
	"slices"

	"github.com/clewflow/clew/store"
)

// The kinds of attributes that can be searched for. Others are shown in rows and no more.
const (
	kindText   = "text"
	kindNumber = "number"
	kindBool   = "bool"
	kindList   = "list" // of texts
)

// writeAttributes puts the attributes of a new run, a JSON object, into their table.
func writeAttributes(ctx context.Context, c *conn, run store.Position, object []byte) error {
	decoder := json.NewDecoder(bytes.NewReader(object))
	decoder.UseNumber()
	var all map[string]any
	if err := decoder.Decode(&all); err != nil {
		return nil // it was compacted before, so it is an object and this cannot be
	}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		put := func(place int, kind string, text, num driver.Value) error {
			return c.exec(ctx, insertAttribute, int64(run), name, int64(place), kind, text, num)
		}
		if err := writeAttribute(all[name], put); err != nil {
			return err
		}
	}
	return nil
}

func writeAttribute(value any, put func(place int, kind string, text, num driver.Value) error) error {
	switch value := value.(type) {
	case string:
		return put(0, kindText, value, nil)
	case json.Number:
		return put(0, kindNumber, nil, exact(value))
	case bool:
		n := int64(0)
		if value {
			n = 1
		}
		return put(0, kindBool, nil, n)
	case []any:
		for i, element := range value {
			element, ok := element.(string)
			if !ok {
				continue
			}
			if err := put(i, kindList, element, nil); err != nil {
				return err
			}
		}
	}
	return nil
}

// exact keeps whole numbers whole; SQLite compares them with others rightly.
func exact(n json.Number) driver.Value {
	if i, err := n.Int64(); err == nil {
		return i
	}
	f, _ := n.Float64() // too large is infinite, which compares as it should
	return f
}
