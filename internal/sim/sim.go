// Package sim runs whole worlds of clew from one seed.
//
// A [World] is a log in memory, processes that open it one after the other, clients that ask things of them, activities, and a
// director. All run in one bubble of testing/synctest, on the goroutines on which they always run; but whoever is about to do
// something that others could notice (an append, an attempt, an errand, a request) waits at a stage until the director, who
// draws from the seed, lets it go on. What happens follows from the seed alone, and the [Report] has a hash of it.
//
// A world goes through three phases. In the first everything goes wrong that can: the faults of the log, deaths at any point and
// while a process recovers, clocks that are wrong, code that changes and changes back. In the second all is well, and everything
// that was begun must end. In the third what is left is judged. What may never happen is looked for at each append and whenever all
// rests.
package sim

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// Report is what happened in a world.
type Report struct {
	Seed    uint64
	Trace   string         // a hash of all that happened; the same seed has the same
	Appends int            // that were tried
	Entries int            // in the log in the end
	Moves   int            // of the director
	Virtual time.Duration  // how long it took in the world
	Faults  map[string]int // by kind
	Seen    map[string]int // what must happen now and then, see sometimes
	Wrong   []string       // what may not happen and did; empty: nothing
	Diary   []string       // everything that happened
}

func newReport(seed uint64) *Report {
	r := &Report{Seed: seed, Faults: map[string]int{}, Seen: map[string]int{}}
	return r
}

// Run runs the world of a seed to its end.
func Run(t *testing.T, seed uint64) (r *Report) {
	r = newReport(seed)
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		w := newWorld(t, r)
		w.live()
		r.Virtual = time.Since(began)
		r.Trace = hex.EncodeToString(w.trace.Sum(nil))[:16]
	})
	return r
}

// wrong takes note of what may not happen.
func (w *World) wrong(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.report.Wrong) < 20 {
		w.report.Wrong = append(w.report.Wrong, fmt.Sprintf(format, args...))
	}
}

// isWrong reports whether something was.
func (w *World) isWrong() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.report.Wrong) > 0
}

// sometimes takes note of what has to happen now and then in a campaign.
func (w *World) sometimes(what string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.report.Seen[what]++
}

// fault takes note of a fault.
func (w *World) fault(what string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.report.Faults[what]++
}

// note makes something part of the trace.
func (w *World) note(format string, args ...any) {
	line := fmt.Sprintf("%s %s", time.Since(w.began), fmt.Sprintf(format, args...))
	w.mu.Lock()
	defer w.mu.Unlock()
	_, _ = w.trace.Write([]byte(line + "\n")) // never fails
	w.report.Diary = append(w.report.Diary, line)
}

// lastMoves is how many of the last moves a report shows.
const lastMoves = 60

// newTrace is an empty trace.
func newTrace() hash.Hash { return sha256.New() }

// String is a report for people.
func (r *Report) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "seed %d: %d moves, %d appends, %d entries, %s, trace %s\n", r.Seed, r.Moves, r.Appends, r.Entries, r.Virtual, r.Trace)
	for _, wrong := range r.Wrong {
		fmt.Fprintf(&b, "  WRONG: %s\n", wrong)
	}
	if len(r.Wrong) > 0 {
		fmt.Fprintf(&b, "the last moves:\n  %s\n", strings.Join(r.Diary[max(0, len(r.Diary)-lastMoves):], "\n  "))
	}
	return b.String()
}

// Campaign is the sum of many reports.
type Campaign struct {
	Seeds, Appends, Entries int
	Virtual                 time.Duration
	Faults, Seen            map[string]int
	Broken                  []*Report
}

// Add adds a report.
func (c *Campaign) Add(r *Report) {
	if c.Faults == nil {
		c.Faults, c.Seen = map[string]int{}, map[string]int{}
	}
	c.Seeds++
	c.Appends += r.Appends
	c.Entries += r.Entries
	c.Virtual += r.Virtual
	for what, n := range r.Faults {
		c.Faults[what] += n
	}
	for what, n := range r.Seen {
		c.Seen[what] += n
	}
	if len(r.Wrong) > 0 {
		c.Broken = append(c.Broken, r)
	}
}

// Never is what must happen now and then and never did.
func (c *Campaign) Never() (never []string) {
	for _, what := range Sometimes {
		if c.Seen[what] == 0 {
			never = append(never, what)
		}
	}
	for _, f := range faults {
		if c.Faults[string(f)] == 0 {
			never = append(never, "fault: "+string(f))
		}
	}
	return never
}

// String is the campaign for people.
func (c *Campaign) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d seeds, %d appends, %d entries, %.1f simulated years, %d broken\n", c.Seeds, c.Appends, c.Entries, c.Virtual.Hours()/24/365, len(c.Broken))
	for _, table := range []struct {
		name string
		of   map[string]int
	}{{"faults", c.Faults}, {"sometimes", c.Seen}} {
		fmt.Fprintf(&b, "%s:\n", table.name)
		for _, what := range slices.Sorted(maps.Keys(table.of)) {
			fmt.Fprintf(&b, "%8d  %s\n", table.of[what], what)
		}
	}
	return b.String()
}
