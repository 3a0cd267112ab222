package query

import (
	"fmt"
	"strconv"
	"time"
)

// AsOf says of which moment a question is: of a place in the log, or of a time. The zero AsOf is now.
type AsOf struct {
	Position uint64    // with all that the log had up to it; see [Page.Position]
	Time     time.Time // with all that had happened by then, so far as the log still has it
}

// IsZero reports whether a is now.
func (a AsOf) IsZero() bool { return a == AsOf{} }

func (a AsOf) String() string {
	switch {
	case a.Position > 0:
		return "position " + strconv.FormatUint(a.Position, 10)
	case !a.Time.IsZero():
		return a.Time.UTC().Format(time.RFC3339Nano)
	}
	return "now"
}

// Has reports whether an entry at a place of the log belongs to what a asks of.
func (a AsOf) Has(position uint64, at time.Time) bool {
	return (a.Position == 0 || position <= a.Position) && (a.Time.IsZero() || !at.After(a.Time))
}

// ParseAsOf reads a position, which is a whole number, or a time: 2026-01-02, 2026-01-02T15:04:05Z, or now-24h, which is held against now.
// Empty is now. Else the error is an [*Invalid].
func ParseAsOf(text string, now time.Time) (AsOf, error) {
	if text == "" {
		return AsOf{}, nil
	}
	wrong := &Invalid{Field: "AsOf", Value: strconv.Quote(text), Want: "a position of the log, which is a whole number, or a time: 2026-01-02, 2026-01-02T15:04:05Z, now-24h"}
	if n, err := strconv.ParseUint(text, 10, 64); err == nil {
		if n == 0 {
			return AsOf{}, wrong
		}
		return AsOf{Position: n}, nil
	}
	if _, err := strconv.ParseFloat(text, 64); err == nil { // and no milliseconds since 1970
		return AsOf{}, wrong
	}
	n, err := ParseWhere("started = " + text) // the language knows what times are
	if c, is := n.(Compare); err == nil && is {
		if t, is := Resolve(c.Value, now).(time.Time); is {
			return AsOf{Time: t.UTC()}, nil
		}
	}
	return AsOf{}, wrong
}

// check refuses two moments.
func (a AsOf) check() error {
	if a.Position > 0 && !a.Time.IsZero() {
		return &Invalid{Field: "AsOf", Value: fmt.Sprintf("the position %d and the time %s", a.Position, a.Time.Format(time.RFC3339Nano)), Want: "one of them"}
	}
	return nil
}
