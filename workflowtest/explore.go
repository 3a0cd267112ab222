package workflowtest

import (
	"flag"
	"fmt"
	"maps"
	"os"
	goruntime "runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/workflow"
)

// exploration is what [Explore] is told.
type exploration struct {
	schedules  int
	given      []twist
	errs       []error
	codes      [][]workflow.Definition
	each       []func() []Option
	invariants []invariant
	inTurn     bool
	tried      func(map[string]int)
}

// asked reports whether there is something that only [Explore] looks at.
func (x exploration) asked() bool {
	return x.schedules > 0 || x.given != nil || x.codes != nil || x.each != nil || x.invariants != nil
}

// invariant is what has to hold of each workflow that was run.
type invariant struct {
	name  string
	holds func(Performed) error
}

const (
	schedulesFlag     = "schedules"
	schedulesVariable = "CLEW_SCHEDULES" // for go test ./..., in which not every package knows the flag
	seedFlag          = "schedule.seed"
)

func init() {
	if flag.Lookup(schedulesFlag) == nil {
		most, _ := strconv.Atoi(os.Getenv(schedulesVariable))
		flag.Int(schedulesFlag, most, "how many schedules each Explore of a workflow tries, instead of what the test says; default: $"+schedulesVariable)
	}
	if flag.Lookup(seedFlag) == nil {
		flag.Uint64(seedFlag, 0, "the seed of the first schedule that each Explore of a workflow tries, instead of 1")
	}
}

// Schedules sets how many schedules [Explore] tries. Default 200; go test -schedules, or the environment variable CLEW_SCHEDULES, sets
// it for all.
func Schedules(n int) Option { return option(func(s *settings) { s.exploration.schedules = n }) }

// Or is other code that may take over at any time, and be taken over again by that of the test or of another Or: the release
// before, or the one that is to come. Definitions replace those of the same name and version.
func Or(definitions ...workflow.Definition) Option {
	return option(func(s *settings) { s.exploration.codes = append(s.exploration.codes, definitions) })
}

// Each makes options anew for each schedule: activities that keep something in memory must not share it, because schedules are tried
// at the same time. Invariants among them can look at what was kept.
func Each(options func() []Option) Option {
	return option(func(s *settings) { s.exploration.each = append(s.exploration.each, options) })
}

// Schedule has [Explore] try only one schedule, whose twists are those that a failure printed.
func Schedule(twists ...string) Option {
	return option(func(s *settings) {
		for _, text := range twists {
			t, err := twistOf(text)
			if err != nil {
				s.exploration.errs = append(s.exploration.errs, err)
			}
			s.exploration.given = append(s.exploration.given, t)
		}
	})
}

// Explore runs a workflow under many schedules, in each of which other things go wrong: attempts fail, before or after their
// effect, fall silent, panic, take as long as a timer, come back late or twice; the process dies at an append or during an
// attempt, and comes back, perhaps with other code (see [Or]); appends fail or end without notice; acts are performed early, late,
// twice, and before or after what happens at the same moment; executions are forgotten after each turn.
//
// After each the invariants must hold, see [Invariant], [Within], [Once] and [Undoes], and what holds for each [Run]: the
// workflow ends, it does not stall, its history replays from each entry on and its hashes are whole. It must hold too where nothing goes
// otherwise. The first schedule that breaks one is cut down to the twists that it needs and printed as a test.
//
// Stubs repeat their last outcome, and need not be used up. Acts of this package are repeated when the process dies, as clients
// do, and it is no failure if the workflow has ended before. Acts of your own are to ask by [World.Try].
func Explore[In, Out any](t *testing.T, w workflow.Type[In, Out], in In, options ...Option) {
	t.Helper()
	s := settingsOf(options)
	x := &explorer{t: t, exploration: s.exploration}
	x.perform = func(p *plot) (Performed, *play, string) {
		all := options
		for _, each := range s.exploration.each {
			all = append(slices.Clip(all), each()...)
		}
		fresh := settingsOf(all)
		for i, stub := range fresh.stubs {
			fresh.stubs[i] = stub.copy()
		}
		play := playOf(w, in, fresh)
		memory := 0
		if p.forgets() {
			memory = forget
		}
		ran, problem := perform[In, Out](t, play, staging{memory: memory, plot: p})
		return ran, play, problem
	}
	x.explore()
}

// explorer tries schedules.
type explorer struct {
	exploration
	t       *testing.T
	perform func(*plot) (Performed, *play, string)
	hints   []time.Duration

	mu      sync.Mutex
	next    uint64
	broken  *broken
	counts  map[string]int // of twists, by their words
	entries int
}

func (x *explorer) explore() {
	t := x.t
	t.Helper()
	defer coverWritten(t)
	for _, err := range x.errs {
		t.Error(err)
	}
	if t.Failed() {
		return
	}
	if x.given != nil {
		x.tryGiven()
		return
	}
	if b := x.try(plotWith(nil)); b != nil {
		t.Errorf("it fails already where nothing goes otherwise: %s\n%s", b.why, b.tell())
		return
	}
	n, first := x.schedules, uint64(1)
	if n == 0 {
		n = 200
	}
	if all, _ := strconv.Atoi(flag.Lookup(schedulesFlag).Value.String()); all > 0 {
		n = all
	}
	if seed, _ := strconv.ParseUint(flag.Lookup(seedFlag).Value.String(), 10, 64); seed > 0 {
		first = seed
	}
	if x.all(first, n); x.broken != nil {
		b := x.shrink(x.broken)
		t.Errorf("the schedule of seed %d breaks it: %s\n\n%s\n%s", b.seed, b.why, b.paste(t.Name()), b.tell())
		return
	}
	if x.tried != nil {
		x.tried(x.counts)
	}
	t.Logf("%d schedules with %d entries hold. How often an attempt, an append, an act or who waited went otherwise:\n%s", n, x.entries, x.tell())
}

// tryGiven tries the schedule that was asked for.
func (x *explorer) tryGiven() {
	x.t.Helper()
	p := plotWith(x.given)
	b := x.try(p)
	if b != nil {
		x.t.Errorf("%s\n%s", b.why, b.tell())
	}
	met := p.twists()
	for _, twist := range x.given {
		if !slices.Contains(met, twist) {
			x.t.Errorf("it did not come to %q: what it is about was not there", twist)
		}
	}
}

// all tries the schedules of n seeds, some at once. Of those that break something the one with the smallest seed counts.
func (x *explorer) all(first uint64, n int) {
	x.next, x.counts = first, map[string]int{}
	var workers sync.WaitGroup
	at := goruntime.GOMAXPROCS(0)
	if x.inTurn {
		at = 1
	}
	for range at {
		workers.Go(func() {
			for {
				seed, ok := x.take(first + uint64(n))
				if !ok {
					return
				}
				p := plotOf(seed, len(x.codes), x.hints)
				b := x.try(p)
				x.count(p)
				if b != nil {
					b.seed = seed
					x.found(b)
				}
			}
		})
	}
	workers.Wait()
}

func (x *explorer) take(end uint64) (seed uint64, ok bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.broken != nil || x.next >= end || x.t.Failed() {
		return 0, false
	}
	x.next++
	return x.next - 1, true
}

func (x *explorer) found(b *broken) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.broken == nil || b.seed < x.broken.seed {
		x.broken = b
	}
}

func (x *explorer) count(p *plot) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, t := range p.twists() {
		x.counts[t.what]++
	}
}

// tell says how often what came to pass.
func (x *explorer) tell() string {
	var b strings.Builder
	var never []string
	for _, w := range words {
		if x.counts[w] == 0 {
			never = append(never, w)
			continue
		}
		fmt.Fprintf(&b, "%8d  %s\n", x.counts[w], w)
	}
	if len(never) > 0 {
		fmt.Fprintf(&b, "   never  %s", strings.Join(never, ", "))
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// fewObservations bounds how many entries the code is told to check a history of a schedule.
const fewObservations = 600

// try tries a plot; nil: all held.
func (x *explorer) try(p *plot) *broken {
	ran, play, problem := x.perform(p)
	all := ran.performed().all
	b := &broken{twists: p.twists(), ran: ran}
	if problem != "" {
		b.what, b.why = kindOf(problem), problem
		return b
	}
	for _, in := range play.exploration.invariants { // also those of Each
		if err := in.holds(ran); err != nil {
			b.what, b.why = in.name, fmt.Sprintf("%s: %v", in.name, err)
			return b
		}
	}
	codes := [][]workflow.Definition{play.last} // what was deployed last
	if len(x.codes) > 0 {
		codes = append([][]workflow.Definition{nil}, x.codes...) // each may be next
	}
	for _, code := range codes {
		play.last = code
		if wrong := play.check(all, fewObservations); wrong != "" {
			b.what, b.why = "the history replays", wrong
			return b
		}
	}
	play.last = codes[0]
	coverBound(slices.Concat(play.code(play.last), slices.Concat(x.codes...)))
	cover(play.codes, slices.Collect(maps.Values(all))...)
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.hints == nil {
		x.hints = hintsOf(all)
	}
	for _, entries := range all {
		x.entries += len(entries)
	}
	return nil
}

// hintsOf are moments at which something happened or was due, from the first entry on.
func hintsOf(all map[string][]history.Entry) []time.Duration {
	set := map[time.Duration]bool{0: true}
	for _, entries := range all {
		for _, e := range entries {
			at := e.At.Sub(entries[0].At)
			set[at] = true
			if timer, ok := e.Event.(*history.TimerStarted); ok {
				set[at+timer.After] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(set))
}
