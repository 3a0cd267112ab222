package query

import (
	"encoding/json"
	"math"
	"time"
)

// The wire form of attributes that JSON has no type for is an object with one member, which names the type.
const (
	timeKey     = "time"
	durationKey = "duration"
)

// AttributeJSON is the wire form of an attribute: text, number, true or false, a list of texts, or for a time and a
// duration an object that says so.
func AttributeJSON(v any) json.RawMessage {
	switch t := v.(type) {
	case time.Time:
		v = map[string]string{timeKey: t.UTC().Format(time.RFC3339Nano)}
	case time.Duration:
		v = map[string]string{durationKey: t.String()}
	case []string:
		if t == nil {
			v = []string{}
		}
	case float64:
		if math.IsNaN(t) || math.IsInf(t, 0) {
			return json.RawMessage("null") // it cannot be searched for
		}
	}
	data, err := json.Marshal(v)
	if err != nil {
		return json.RawMessage("null")
	}
	return data
}

// Typed is an attribute as JSON decodes it, with numbers, times, durations and lists of texts as what they are. What is none of
// the known types is left as it is, but for the numbers in it.
func Typed(v any) any {
	switch v := v.(type) {
	case json.Number:
		return number(v)
	case []any:
		return list(v)
	case map[string]any:
		return object(v)
	}
	return v
}

// number is a whole number where that is exact, because a float64 holds fewer.
func number(n json.Number) any {
	if i, err := n.Int64(); err == nil {
		return i
	}
	f, _ := n.Float64() // too large is infinite
	return f
}

func list(all []any) any {
	typed, texts := make([]any, len(all)), make([]string, 0, len(all))
	for i, v := range all {
		typed[i] = Typed(v)
		if text, ok := v.(string); ok {
			texts = append(texts, text)
		}
	}
	if len(texts) < len(all) {
		return typed
	}
	return texts
}

func object(members map[string]any) any {
	if text, ok := members[timeKey].(string); ok && len(members) == 1 {
		if t, err := time.Parse(time.RFC3339Nano, text); err == nil {
			return t.UTC()
		}
	}
	if text, ok := members[durationKey].(string); ok && len(members) == 1 {
		if d, err := time.ParseDuration(text); err == nil {
			return d
		}
	}
	typed := make(map[string]any, len(members))
	for name, v := range members {
		typed[name] = Typed(v)
	}
	return typed
}

// AttributeOf is the value of an attribute in a row, as a T; ok is false if it is of another type.
func AttributeOf[T any](v any) (out T, ok bool) {
	if out, ok = v.(T); ok {
		return out, true
	}
	data, err := json.Marshal(v)
	if err != nil {
		return out, false
	}
	switch any(out).(type) {
	case time.Time, time.Duration: // of a row that was itself decoded from JSON
		typed, isIt := Typed(v).(T)
		if isIt {
			return typed, true
		}
	}
	if json.Unmarshal(data, &out) != nil {
		var none T
		return none, false
	}
	return out, true
}
