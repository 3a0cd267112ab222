package query

import "strings"

// GroupBy are the names that groups can have beside those of fields: the day on which runs began or closed, in UTC.
const (
	Day       = "day"
	ClosedDay = "closed-day"
)

// MaxGroups is the number of groups in an answer.
const MaxGroups = 1000

// Group is how many runs have the same values. Values that a run does not have are nil; runs with a list are in the group of each
// of its elements.
type Group struct {
	Keys  []any `json:"keys"` // in the order asked for: text, number, bool, or a day as "2026-01-02"; a status by its name; times and durations as texts
	Count int   `json:"count"`
}

// Groups is an answer: the greatest groups first, those of one size in the order of their keys.
type Groups struct {
	By       []string `json:"by"`
	Groups   []Group  `json:"groups"`
	More     bool     `json:"more,omitempty"` // there are more than [MaxGroups]
	Position uint64   `json:"position"`       // in the log, up to which the answer holds

	Unknown []string `json:"unknown,omitempty"` // as in [Page]
}

// Grouping is what to group by: a field, or a day.
type Grouping struct {
	Field Field
	Day   bool // of the time
}

// ParseGroups reads what to group by: none, one or two. Else the error is an [*Invalid].
func ParseGroups(by ...string) (all []Grouping, err error) {
	if len(by) > 2 {
		return nil, &Invalid{Field: "the grouping", Value: strings.Join(by, ", "), Want: "one or two fields"}
	}
	for _, name := range by {
		g := Grouping{}
		switch name {
		case Day:
			g = Grouping{Field{Name: "started"}, true}
		case ClosedDay:
			g = Grouping{Field{Name: "closed"}, true}
		default:
			if g.Field, err = ParseField(name); err != nil {
				return nil, &Invalid{Field: "the grouping", Value: quoted(name), Want: "a field, day or closed-day"}
			}
		}
		all = append(all, g)
	}
	return all, nil
}
