package lookup

import (
	"context"
	"database/sql/driver"
	"maps"
	"slices"
	"time"

	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/store"
)

// The kinds of attributes that can be searched for. Others are shown in rows and no more.
const (
	kindText     = "text"
	kindNumber   = "number"
	kindBool     = "bool"
	kindTime     = "time"     // nanoseconds since 1970
	kindDuration = "duration" // nanoseconds
	kindList     = "list"     // of texts
)

// writeAttributes puts the attributes of a run into their table.
func writeAttributes(ctx context.Context, c *conn, run store.Position, attributes history.Attributes) error {
	all := typed(attributes)
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
	case int64:
		return put(0, kindNumber, nil, value)
	case float64:
		return put(0, kindNumber, nil, value) // too large is infinite, which compares as it should
	case time.Time:
		return put(0, kindTime, nil, value.UnixNano())
	case time.Duration:
		return put(0, kindDuration, nil, int64(value))
	case bool:
		n := int64(0)
		if value {
			n = 1
		}
		return put(0, kindBool, nil, n)
	case []string:
		for i, element := range value {
			if err := put(i, kindList, element, nil); err != nil {
				return err
			}
		}
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
