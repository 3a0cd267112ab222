package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// parseDuration reads 1h30m, 14d, 1d12h or PT1H30M. The error names the place that is wrong.
func parseDuration(text string) (time.Duration, error) {
	iso := strings.HasPrefix(text, "P")
	rest, inTime := text, !iso
	if iso {
		rest = text[1:]
	}
	wrong := func(want string) error {
		return fmt.Errorf("%q is no duration: at character %d want %s; durations are written 1h30m, 14d or PT1H30M", text, len(text)-len(rest)+1, want)
	}
	if rest == "" {
		return 0, wrong("a number")
	}
	total := time.Duration(0)
	for rest != "" {
		if iso && !inTime && rest[0] == 'T' {
			inTime = true
			if rest = rest[1:]; rest == "" {
				return 0, wrong("a number")
			}
		}
		digits := len(rest) - len(strings.TrimLeft(rest, "0123456789."))
		n, err := strconv.ParseFloat(rest[:digits], 64)
		if err != nil {
			return 0, wrong("a number")
		}
		rest = rest[digits:]
		length := len(rest) - len(strings.TrimLeft(rest, "nuµmshdwHMSDW"))
		unit, ok := unitOf(rest[:length], iso, inTime)
		if !ok {
			return 0, wrong("a unit, one of " + unitNames(iso, inTime))
		}
		sum := float64(total) + n*float64(unit)
		if sum > 1<<62 {
			return 0, wrong("less than 146 years in all")
		}
		total, rest = time.Duration(sum), rest[length:]
	}
	return total, nil
}

func unitNames(iso, inTime bool) string {
	switch {
	case !iso:
		return "w, d, h, m, s, ms, µs, ns"
	case inTime:
		return "H, M, S"
	}
	return "W, D, or T before H, M, S"
}

func unitOf(name string, iso, inTime bool) (time.Duration, bool) {
	const day = 24 * time.Hour
	units := map[string]time.Duration{
		"w": 7 * day, "d": day, "h": time.Hour, "m": time.Minute, "s": time.Second, "ms": time.Millisecond,
		"us": time.Microsecond, "µs": time.Microsecond, "ns": time.Nanosecond,
	}
	switch {
	case iso && inTime:
		units = map[string]time.Duration{"H": time.Hour, "M": time.Minute, "S": time.Second}
	case iso:
		units = map[string]time.Duration{"W": 7 * day, "D": day}
	}
	d, ok := units[name]
	return d, ok
}

// parseSince reads how long ago something began, or a moment.
func parseSince(text string, now time.Time) (time.Time, error) {
	for _, layout := range []string{time.RFC3339Nano, time.DateOnly} {
		if t, err := time.Parse(layout, text); err == nil {
			return t, nil
		}
	}
	d, err := parseDuration(text)
	if err != nil {
		return time.Time{}, fmt.Errorf("%w, moments 2026-01-02 or 2026-01-02T15:04:05Z", err)
	}
	return now.Add(-d), nil
}
