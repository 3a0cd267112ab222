package sim

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/clewflow/clew/runtime"
)

// Plan is which world is run.
type Plan struct {
	Seed    uint64
	Without []string // parts of the weather that it is spared, see parts
	Moves   int      // of its first phase; 0: as the seed says
}

// String is how to run it again.
func (p Plan) String() string {
	again := fmt.Sprintf("go test ./internal/sim -run TestWorlds -seed %d -seeds 1", p.Seed)
	if p.Moves > 0 {
		again += fmt.Sprintf(" -moves %d", p.Moves)
	}
	if len(p.Without) > 0 {
		again += fmt.Sprintf(" -without %q", strings.Join(p.Without, ","))
	}
	return again
}

// parts are what a world can be spared, in the order in which that is tried.
func parts() (all []string) {
	for _, f := range faults {
		all = append(all, string(f))
	}
	return append(all, "death", "pause", "clock", "code", "favourites", "forgetting", "few hands", "troubles", "clocks apart", "makers apart", "pauses", "reruns", "limits", "slots", "crowd")
}

// spare takes parts out of the weather.
func (f *weather) spare(p Plan) {
	for _, part := range p.Without {
		switch part {
		case "death":
			f.deaths = 0
		case "pause":
			f.pause = 0
		case "clock":
			f.offset = 0
		case "code":
			f.changes = false
		case "favourites":
			f.ranks = false
		case "forgetting":
			f.memory = 0
		case "few hands":
			f.hands = 0
		case "troubles":
			f.troubles = 0
		case "clocks apart":
			f.skew = 0
		case "makers apart":
			f.apart = false
		case "pauses":
			f.pauses = false
		case "crowd":
			f.crowded = false
		case "limits":
			f.limits = false
		case "slots":
			f.slots = false
		case "reruns":
			f.reruns = false
		default:
			delete(f.rates, fault(part))
		}
	}
	if p.Moves > 0 {
		f.moves = p.Moves
	}
}

// has reports whether there is a part in the weather.
func (f *weather) has(part string) bool {
	switch part {
	case "death":
		return f.deaths > 0
	case "pause":
		return f.pause > 0
	case "clock":
		return f.offset > 0
	case "code":
		return f.changes
	case "favourites":
		return f.ranks
	case "forgetting":
		return f.memory == runtime.Forget || f.memory > 0
	case "few hands":
		return f.hands > 0
	case "troubles":
		return f.troubles > 0
	case "clocks apart":
		return f.skew > 0
	case "makers apart":
		return f.apart
	case "pauses":
		return f.pauses
	case "crowd":
		return f.crowded
	case "limits":
		return f.limits
	case "slots":
		return f.slots
	case "reruns":
		return f.reruns
	}
	return f.rates[fault(part)] > 0
}

// Shrink looks for a smaller world that is wrong too: it is spared one part of its weather after the other, and its first phase
// is cut short. What is left is what it takes.
func Shrink(t *testing.T, r *Report) *Report {
	for _, part := range parts() {
		if !slices.Contains(r.Weather, part) {
			continue
		}
		less := r.Plan
		less.Without = append(slices.Clone(less.Without), part)
		r = wrongOf(r, Run(t, less))
	}
	for shorter := r.Made * 3 / 4; shorter > 4; shorter = min(shorter*3/4, r.Made*3/4) {
		less := r.Plan
		less.Moves = shorter
		r = wrongOf(r, Run(t, less))
	}
	return r
}

// wrongOf is the smaller of two worlds if that is wrong, else the other.
func wrongOf(r, smaller *Report) *Report {
	if len(smaller.Wrong) > 0 {
		return smaller
	}
	return r
}
