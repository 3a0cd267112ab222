package workflowtest

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// broken is a schedule that broke something.
type broken struct {
	seed   uint64
	twists []twist
	what   string // which invariant
	why    string
	ran    Performed
}

// shrink leaves out twists until each of those that are left is needed.
func (x *explorer) shrink(b *broken) *broken {
	tries := 0
	for size := len(b.twists); size >= 1; size /= 2 {
		for i := 0; i+size <= len(b.twists); {
			if tries++; tries > 500 {
				return b
			}
			fewer := slices.Delete(slices.Clone(b.twists), i, i+size)
			smaller := x.try(plotWith(fewer))
			if smaller == nil || smaller.what != b.what {
				i += size
				continue
			}
			smaller.seed = b.seed
			b = smaller // its twists are those that were met
		}
	}
	return b
}

// tell shows the history of the schedule, and what was done.
func (b *broken) tell() string {
	p := b.ran.performed()
	var s strings.Builder
	for _, id := range slices.Sorted(maps.Keys(p.all)) {
		if len(p.all) > 1 {
			fmt.Fprintf(&s, "%s:\n", id)
		}
		s.WriteString(table(p.all[id], p.notes(id)...))
	}
	if len(p.effects) > 0 {
		s.WriteString("effects:\n")
	}
	for _, e := range p.effects {
		fmt.Fprintf(&s, "  %s  %s step %d attempt %d of %s: %s → %s\n",
			e.at.Sub(began(p)).Round(time.Microsecond), e.place.What, e.place.Step, e.place.Number, e.place.Execution, brief(e.input), brief(e.output))
	}
	if p.logged != "" {
		fmt.Fprintf(&s, "logged:\n%s", p.logged)
	}
	return s.String()
}

func began(p *performance) (t time.Time) {
	for _, entries := range p.all {
		if first := entries[0].At; t.IsZero() || first.Before(t) {
			t = first
		}
	}
	return t
}

// kindOf is what a problem is about, whatever it says in detail.
func kindOf(problem string) string {
	for _, kind := range []string{"stalls", "waits for what never comes", "does not end", "nobody expected"} {
		if strings.Contains(problem, kind) {
			return kind
		}
	}
	return "something else"
}
