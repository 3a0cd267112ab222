package lookup

import (
	"context"
	"database/sql/driver"
	"maps"
	"math"
	"slices"
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

// writeAttributes puts the attributes of a run into their table.
func writeAttributes(ctx context.Context, c *conn, run uint64, attributes history.Attributes) error {
	all := query.AttributesOf(attributes)
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
		return put(0, kindNumber, nil, value)
	case time.Time:
		return put(0, kindTime, nil, instant(value))
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

// The first and the last time that nanoseconds since 1970 reach.
var first, last = time.Unix(0, math.MinInt64), time.Unix(0, math.MaxInt64)

// instant is a time as the table has it. Those that are too early or too late for that are the first or the last, so that they
// compare as they should with all that are not.
func instant(t time.Time) int64 {
	switch {
	case t.Before(first):
		return math.MinInt64
	case t.After(last):
		return math.MaxInt64
	}
	return t.UnixNano()
}
