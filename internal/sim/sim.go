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
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// Report is what happened in a world.
type Report struct {
	Plan
	Weather []string       // parts that were in it
	Trace   string         // a hash of all that happened; the same seed has the same
	Appends int            // that were tried
	Entries int            // in the log in the end
	Made    int            // moves of the director
	Virtual time.Duration  // how long it took in the world
	Faults  map[string]int // by kind
	Seen    map[string]int // what must happen now and then, see sometimes
	Wrong   []string       // what may not happen and did; empty: nothing
	Diary   []string       // everything that happened
	done    string         // what was done, see judge.done
}

// Run runs a world to its end.
func Run(t *testing.T, p Plan) *Report { return run(t, p, nil) }

func run(t *testing.T, p Plan, s *script) *Report {
	r := &Report{Plan: p, Faults: map[string]int{}, Seen: map[string]int{}}
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		w := newWorld(t, r, s)
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
	fmt.Fprintf(&b, "seed %d: %d moves, %d appends, %d entries, %s, trace %s\n", r.Seed, r.Made, r.Appends, r.Entries, r.Virtual, r.Trace)
	fmt.Fprintf(&b, "weather: %s\n", strings.Join(r.Weather, ", "))
	for _, wrong := range r.Wrong {
		fmt.Fprintf(&b, "  WRONG: %s\n", wrong)
	}
	if len(r.Wrong) > 0 {
		fmt.Fprintf(&b, "the last moves:\n  %s\n", strings.Join(r.Diary[max(0, len(r.Diary)-lastMoves):], "\n  "))
	}
	return b.String()
}
