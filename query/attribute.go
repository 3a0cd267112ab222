package query

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"
)

// The wire form of attributes that JSON has no type for is an object with one member, which names the type.
const (
	timeKey     = "time"
	durationKey = "duration"
)

// AttributeJSON is the wire form of an attribute: text, number, true or false, a list of texts, or for a time and a
// duration an object that says so. What could not be read back as it was is refused with an [*Invalid].
func AttributeJSON(v any) (json.RawMessage, error) {
	if err := checkAttribute(v); err != nil {
		return nil, err
	}
	switch t := v.(type) {
	case time.Time:
		v = map[string]string{timeKey: t.UTC().Format(time.RFC3339Nano)}
	case time.Duration:
		v = map[string]string{durationKey: t.String()}
	case []string:
		if t == nil {
			v = []string{}
		}
	}
	data, err := json.Marshal(v)
	if err != nil {
		return nil, invalidAttribute(v, "a value that encodes as JSON")
	}
	return data, nil
}

func checkAttribute(v any) error {
	switch v := v.(type) {
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return invalidAttribute(v, "a finite number")
		}
	case time.Time:
		if year := v.UTC().Year(); year < 0 || year > 9999 {
			return invalidAttribute(year, "a time in a year from 0 to 9999")
		}
	case string:
		if !utf8.ValidString(v) {
			return invalidAttribute(strconv.Quote(v), "text in UTF-8")
		}
	case []string:
		if i := slices.IndexFunc(v, func(text string) bool { return !utf8.ValidString(text) }); i >= 0 {
			return invalidAttribute(strconv.Quote(v[i]), "texts in UTF-8")
		}
	}
	return nil
}

func invalidAttribute(v any, want string) error {
	return &Invalid{Field: "an attribute", Value: fmt.Sprint(v), Want: want}
}

// Typed is an attribute as JSON decodes it, with numbers, times, durations and lists of texts as what they are. What is none of
// the known types is left as it is, but for the numbers in it.
func Typed(v any) any {
	switch v := v.(type) {
	case []any:
		if texts, ok := textsOf(v); ok {
			return texts
		}
	case map[string]any:
		if named, ok := namedType(v); ok {
			return named
		}
	}
	return exact(v)
}

func textsOf(all []any) ([]string, bool) {
	texts := make([]string, len(all))
	for i, v := range all {
		var ok bool
		if texts[i], ok = v.(string); !ok {
			return nil, false
		}
	}
	return texts, true
}

// namedType reads an object that says which type its one member is.
func namedType(members map[string]any) (any, bool) {
	if len(members) != 1 {
		return nil, false
	}
	if text, ok := members[timeKey].(string); ok {
		t, err := time.Parse(time.RFC3339Nano, text)
		return t.UTC(), err == nil
	}
	if text, ok := members[durationKey].(string); ok {
		d, err := time.ParseDuration(text)
		return d, err == nil
	}
	return nil, false
}

// exact makes whole numbers what they are, because a float64 holds fewer. What no float64 comes near stays as it is written.
func exact(v any) any {
	switch v := v.(type) {
	case json.Number:
		if n, err := v.Int64(); err == nil {
			return n
		}
		if f, err := v.Float64(); err == nil {
			return f
		}
	case []any:
		all := make([]any, len(v))
		for i := range v {
			all[i] = exact(v[i])
		}
		return all
	case map[string]any:
		all := make(map[string]any, len(v))
		for name := range v {
			all[name] = exact(v[name])
		}
		return all
	}
	return v
}

// ReadAttribute is an attribute of the wire form, see [Typed].
func ReadAttribute(text json.RawMessage) (any, error) {
	var v any
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		return nil, fmt.Errorf("query: reading an attribute: %w", err)
	}
	return Typed(v), nil
}

// AttributeOf is the value of an attribute in a row, as a T; ok is false if it is of another type. Numbers are of one type:
// a whole one can be had as any, and each that is near enough as a float64.
func AttributeOf[T any](v any) (out T, ok bool) {
	switch to := any(&out).(type) {
	case *int64:
		*to, ok = whole(v)
	case *int:
		var n int64
		n, ok = whole(v)
		*to, ok = int(n), ok && int64(int(n)) == n
	case *float64:
		*to, ok = floating(v)
	default:
		out, ok = v.(T)
	}
	if !ok {
		var none T
		return none, false
	}
	return out, true
}

func whole(v any) (int64, bool) {
	switch v := v.(type) {
	case int64:
		return v, true
	case float64: // of one who wrote 1.0
		n := int64(v)
		return n, v >= math.MinInt64 && v < math.MaxInt64 && float64(n) == v
	}
	return 0, false
}

func floating(v any) (float64, bool) {
	switch v := v.(type) {
	case int64:
		return float64(v), true
	case float64:
		return v, true
	}
	return 0, false
}
