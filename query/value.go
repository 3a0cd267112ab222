package query

import (
	"cmp"
	"fmt"
	"math"
	"math/big"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Relative is a moment of now plus itself. Now is that of the question, and the same on all its pages.
type Relative time.Duration

// Resolve is a value of the tree with what is relative resolved against now.
func Resolve(v any, now time.Time) any {
	if r, ok := v.(Relative); ok {
		return now.Add(time.Duration(r))
	}
	return v
}

// Latest is, compared with version, the highest version that any run of the same namespace and type has, as of the answer.
type Latest struct{}

var firstNano, lastNano = time.Unix(0, math.MinInt64), time.Unix(0, math.MaxInt64)

// Nanos is a time in nanoseconds since 1970. Those that are too early or too late for that are the first or the last.
func Nanos(t time.Time) int64 {
	switch {
	case t.Before(firstNano):
		return math.MinInt64
	case t.After(lastNano):
		return math.MaxInt64
	}
	return t.UnixNano()
}

// compareValues compares values of one kind; ok is false if they are of two.
func compareValues(a, b any) (c int, ok bool) {
	switch a := a.(type) {
	case string:
		b, ok := b.(string)
		return cmp.Compare(a, b), ok
	case bool:
		b, ok := b.(bool)
		return cmp.Compare(truth(a), truth(b)), ok
	case time.Time:
		b, ok := b.(time.Time)
		return cmp.Compare(Nanos(a), Nanos(b)), ok
	case time.Duration:
		b, ok := b.(time.Duration)
		return cmp.Compare(a, b), ok
	case int64, float64:
		return compareNumbers(a, b)
	}
	return 0, false
}

func truth(b bool) int {
	if b {
		return 1
	}
	return 0
}

// compareNumbers compares exactly, also where a float64 holds less than an int64.
func compareNumbers(a, b any) (int, bool) {
	switch b.(type) {
	case int64, float64:
	default:
		return 0, false
	}
	switch x := a.(type) {
	case int64:
		if y, ok := b.(int64); ok {
			return cmp.Compare(x, y), true
		}
	case float64:
		if y, ok := b.(float64); ok {
			return cmp.Compare(x, y), true
		}
	}
	return exactly(a).Cmp(exactly(b)), true
}

func exactly(v any) *big.Float {
	if n, ok := v.(int64); ok {
		return new(big.Float).SetInt64(n)
	}
	return new(big.Float).SetFloat64(v.(float64))
}

func quoted(text string) string { return "'" + strings.ReplaceAll(text, "'", "''") + "'" }

var plainKey = regexp.MustCompile(`^[\pL_][\pL\pN_-]*(\.[\pL_][\pL\pN_-]*)*$`)

func keyText(key string) string {
	if plainKey.MatchString(key) {
		return key
	}
	return quoted(key)
}

// valueText is a value as it is written in the language.
func valueText(v any) string {
	switch v := v.(type) {
	case string:
		return quoted(v)
	case float64:
		return strconv.FormatFloat(v, 'g', -1, 64)
	case bool:
		return strings.ToUpper(strconv.FormatBool(v))
	case time.Time:
		return v.UTC().Format(time.RFC3339Nano)
	case Relative:
		switch {
		case v == 0:
			return "now"
		case v < 0:
			return "now-" + strings.TrimPrefix(time.Duration(v).String(), "-")
		}
		return "now+" + time.Duration(v).String()
	case Status:
		return quoted(v.String())
	case Latest:
		return latest
	}
	return fmt.Sprint(v) // int64, time.Duration
}

const units = `(?:\d+(?:\.\d+)?(?:ns|us|µs|ms|s|m|h|d|w))`

var longUnit = regexp.MustCompile(`(\d+(?:\.\d+)?)(d|w)`)

// parseDuration reads durations such as 90s, 1h30m, 14d and 2w. A day has 24 hours.
func parseDuration(text string) (time.Duration, bool) {
	whole := true
	text = longUnit.ReplaceAllStringFunc(text, func(part string) string {
		n, err := strconv.ParseFloat(part[:len(part)-1], 64)
		whole = whole && err == nil
		if part[len(part)-1] == 'w' {
			n *= 7
		}
		return strconv.FormatFloat(n*24, 'f', -1, 64) + "h"
	})
	d, err := time.ParseDuration(text)
	return d, whole && err == nil
}

var layouts = []string{time.RFC3339Nano, "2006-01-02T15:04:05", "2006-01-02T15:04", "2006-01-02"}

// parseTime reads RFC 3339 and parts of it, which are in UTC.
func parseTime(text string) (time.Time, bool) {
	for _, layout := range layouts {
		if t, err := time.Parse(layout, strings.ToUpper(text)); err == nil {
			return t.UTC(), true
		}
	}
	return time.Time{}, false
}
