package query

import "strings"

// Measure is what the numbers of one group of runs come to. Durations are in seconds. A percentile is the least number that at least so many of a
// hundred do not exceed. Numbers are float64, so whole ones beyond 2^53 are rounded.
type Measure struct {
	Keys    []any   `json:"keys"`           // as in [Group]
	Count   int     `json:"count"`          // of the numbers; runs without one are not in it
	Unit    string  `json:"unit,omitempty"` // "s" for durations
	Min     float64 `json:"min"`
	Max     float64 `json:"max"`
	Sum     float64 `json:"sum"`
	Average float64 `json:"average"`
	P50     float64 `json:"p50"`
	P90     float64 `json:"p90"`
	P95     float64 `json:"p95"`
	P99     float64 `json:"p99"`
}

// Seconds is the unit of durations in a [Measure].
const Seconds = "s"

// Measures is an answer: the groups with the most numbers first, those of one size in the order of their keys. Numbers and durations under one name
// are two groups.
type Measures struct {
	Of       string    `json:"of"`
	By       []string  `json:"by"`
	Measures []Measure `json:"measures"`
	More     bool      `json:"more,omitempty"` // there are more than [MaxGroups]
	Position uint64    `json:"position"`       // in the log, up to which the answer holds

	Unknown []string `json:"unknown,omitempty"` // as in [Page]
}

// ParseMeasured reads of what there can be a [Measure]: duration, a field that is a number, an attribute, a member of the memo, a field of
// the input. Else the error is an [*Invalid].
func ParseMeasured(of string) (Field, error) {
	var names []string
	for _, name := range Fields() {
		if k := facts[name].kind; k == KindNumber || k == KindDuration {
			names = append(names, name)
		}
	}
	f, err := ParseField(of)
	if k := f.Kind(); err != nil || k != KindNumber && k != KindDuration && k != KindAny {
		return f, &Invalid{Field: "what is measured", Value: quoted(of), Want: "one of " + strings.Join(names, ", ") + ", attr.NAME, memo.NAME, input.NAME"}
	}
	return f, nil
}
