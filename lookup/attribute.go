package lookup

import (
	"context"
	"database/sql/driver"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/query"
)

// The kinds of attributes that can be searched for. Others are shown in rows and no more.
const (
	kindText     = "text"
	kindNumber   = "number"
	kindBool     = "bool"     // 0 or 1
	kindTime     = "time"     // nanoseconds since 1970
	kindDuration = "duration" // nanoseconds
	kindList     = "list"     // of texts
)

// readAttributes reads what is in the table.
func readAttributes(text string) history.Attributes {
	return history.Attributes(nil).With(history.JSON([]byte(text)))
}

// How the names in the table of attributes begin, so that attributes, fields of the input and members of the memo are told apart.
const (
	attrPrefix = "attr."
	memoPrefix = "memo."
)

func attributeName(name string) string {
	if strings.HasPrefix(name, query.InputPrefix) {
		return name
	}
	return attrPrefix + name
}

// writeAttributes puts the attributes of a run into their table.
func writeAttributes(ctx context.Context, c *conn, run uint64, attributes history.Attributes) error {
	return writeAll(ctx, c, run, query.AttributesOf(attributes), attributeName)
}

// writeMemo puts the members of a memo there that can be searched for.
func writeMemo(ctx context.Context, c *conn, run uint64, memo []byte) error {
	var all map[string]any
	if err := json.Unmarshal(memo, &all); err != nil {
		return err
	}
	return writeAll(ctx, c, run, all, func(name string) string { return memoPrefix + name })
}

func writeAll(ctx context.Context, c *conn, run uint64, all map[string]any, as func(string) string) error {
	for _, name := range slices.Sorted(maps.Keys(all)) {
		put := func(place int, kind string, text, num driver.Value) error {
			return c.exec(ctx, insertAttribute, int64(run), as(name), int64(place), kind, text, num)
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
		return put(0, kindNumber, nil, value)
	case time.Time:
		return put(0, kindTime, nil, query.Nanos(value))
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
	case []any: // what is no text in a list is shown and no more
		for i, element := range value {
			if element, ok := element.(string); ok {
				if err := put(i, kindList, element, nil); err != nil {
					return err
				}
			}
		}
	}
	return nil
}
