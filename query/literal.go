package query

import (
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// latest is the word for [Latest].
const latest = "latest"

// value is what stands there, nil if it cannot be kept, and its text.
func (g *gValue) value() (v any, shown string) {
	switch {
	case g.Text != nil:
		return unquote(*g.Text), *g.Text
	case g.Word != nil:
		return *g.Word, *g.Word
	case g.Bool != nil:
		return strings.EqualFold(*g.Bool, "TRUE"), *g.Bool
	case g.Relative != nil:
		return relativeOf(*g.Relative), *g.Relative
	case g.Time != nil:
		if t, ok := parseTime(*g.Time); ok {
			return t, *g.Time
		}
		return nil, *g.Time
	case g.Duration != nil:
		if d, ok := parseDuration(*g.Duration); ok {
			return d, *g.Duration
		}
		return nil, *g.Duration
	}
	return numberOf(*g.Number), *g.Number
}

var space = regexp.MustCompile(`\s+`)

func relativeOf(text string) any {
	text = space.ReplaceAllString(text, "")[len("now"):]
	if text == "" {
		return Relative(0)
	}
	d, ok := parseDuration(text[1:])
	switch {
	case !ok:
		return nil
	case text[0] == '-':
		d = -d
	}
	return Relative(d)
}

func numberOf(text string) any {
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return n
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsInf(f, 0) {
		return nil
	}
	return f
}

// timeOf is a value as a time: one, a text that holds one, or milliseconds since 1970.
func timeOf(v any) (any, bool) {
	switch v := v.(type) {
	case time.Time, Relative:
		return v, true
	case int64:
		return time.UnixMilli(v).UTC(), v > -62_135_596_800_000 && v < 253_402_300_800_000
	case string:
		if regexp.MustCompile(`^(?i:now)(?:\s*[+-]\s*` + units + `+)?$`).MatchString(v) {
			r := relativeOf(v)
			return r, r != nil
		}
		t, ok := parseTime(v)
		return t, ok
	}
	return nil, false
}
