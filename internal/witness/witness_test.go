package witness

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var (
	seedFlag  = flag.Uint64("witness.seed", 0, "of the random rounds; 0: a new one")
	killsFlag = flag.Int("witness.kills", 12, "how often the process is killed")
)

// Limits of a test.
const (
	readyWithin  = 5 * time.Second
	answerWithin = 30 * time.Second // after which a process is taken for stuck
	atOnce       = 24               // requests that wait for an answer
	pace         = 4 * time.Millisecond
)

// TestKilledProcessLosesNothing kills a working process again and again, and holds what is left against what was
// acknowledged.
func TestKilledProcessLosesNothing(t *testing.T) {
	w := newWitness(t)
	for w.kills < *killsFlag && !t.Failed() {
		w.round()
	}
	w.finish()
	if !w.giveUp {
		w.judge()
	}
	w.report()
}

// A witness knows what processes acknowledged and did.
type witness struct {
	t     *testing.T
	seed  uint64
	rand  *rand.Rand
	dir   string
	clock uint64 // counts what happened to the witness

	executions map[string]*execution
	order      []*execution     // as they were thought up
	demands    []*demand        // all
	waiting    map[int]*demand  // by the number of the request, those that this life has not answered
	attempts   map[string]*step // by idempotency key
	tokens     []*token
	lives      []*life
	recent     []string // the last things that happened
	numbers    int
	busy       *execution // that gets several signals in a row
	open       []string   // as listed last
	listed     bool

	kills, recoveries, closings, acknowledged int
	slowest                                   time.Duration
	giveUp                                    bool
	wrongs                                    int
	seen                                      map[string]int // entries, by kind
}

// An execution as the witness asked for it.
type execution struct {
	id, kind string
	starts   []*demand
	notes    []*demand
	updates  []*demand
	cancels  []*demand
	ends     []*demand // terminations
	last     *demand   // the note that opens a gate
	child    bool      // of another: nobody asked the runtime for it
}

func newWitness(t *testing.T) *witness {
	w := &witness{
		t: t, seed: *seedFlag, executions: map[string]*execution{}, waiting: map[int]*demand{}, attempts: map[string]*step{},
		seen: map[string]int{},
	}
	if w.seed == 0 {
		w.seed = rand.Uint64()
	}
	w.rand = rand.New(rand.NewPCG(w.seed, 0))
	fmt.Printf("seed %d; again with -witness.seed=%d -witness.kills=%d\n", w.seed, w.seed, *killsFlag) // at once, whatever follows
	dir, err := os.MkdirTemp("", "witness-")
	require.NoError(t, err)
	w.dir = dir
	t.Cleanup(func() {
		for _, l := range w.lives {
			l.kill()
		}
		if !t.Failed() {
			_ = os.RemoveAll(dir)
			return
		}
		t.Logf("the last that happened:\n%s", strings.Join(w.recent, "\n"))
		t.Logf("seed %d; the directory is kept: %s", w.seed, dir)
	})
	return w
}

// wrong notes something that must not be. The first of them tell enough.
func (w *witness) wrong(format string, args ...any) {
	w.t.Helper()
	if w.wrongs++; w.wrongs <= 40 {
		w.t.Errorf(format, args...)
	}
}

func (w *witness) note(format string, args ...any) {
	const most = 60
	if len(w.recent) == most {
		w.recent = slices.Delete(w.recent, 0, 1)
	}
	w.recent = append(w.recent, time.Now().Format("05.000 ")+fmt.Sprintf(format, args...))
}

func (w *witness) upTo(d time.Duration) time.Duration {
	return time.Duration(w.rand.Int64N(int64(d) + 1))
}

// round is the life of a process that is killed.
func (w *witness) round() {
	l := w.bear()
	switch dice := w.rand.IntN(100); {
	case dice < 25:
		w.recoveries++
		w.drive(l, w.load, func() bool { return l.opening }, answerWithin)
		w.drive(l, w.load, never, w.upTo(150*time.Millisecond))
	case dice < 45:
		w.closings++
		w.untilRandomEvent(l)
		w.note("SIGTERM")
		l.close()
		w.drive(l, w.load, never, w.upTo(50*time.Millisecond))
	default:
		w.untilRandomEvent(l)
	}
	w.note("SIGKILL")
	l.kill()
	w.kills++
	w.bury(l)
}

func never() bool { return false }

func (w *witness) untilRandomEvent(l *life) {
	if !w.drive(l, w.load, func() bool { return l.ready }, answerWithin) {
		w.wrong("process %d is not ready after %s; it has begun to open the store: %v", l.number, answerWithin, l.opening)
	}
	enough := w.acknowledged + 1 + w.rand.IntN(150)
	w.drive(l, w.load, func() bool { return w.acknowledged >= enough }, answerWithin)
	w.drive(l, w.load, never, w.upTo(500*time.Millisecond))
}

// bear starts a process, asks it for an execution by whose end it is known to be ready, and puts some of the demands
// again that were never answered.
func (w *witness) bear() *life {
	var variables []string
	for _, v := range []struct {
		text string
		odds int
	}{{closeVariable + "=yes", 2}, {forgetVariable + "=yes", 4}, {"GOMAXPROCS=1", 4}} {
		if w.rand.IntN(v.odds) == 0 {
			variables = append(variables, v.text)
		}
	}
	l := born(w.t, w.dir, len(w.lives), variables...)
	w.lives = append(w.lives, l)
	w.note("process %d", l.number)
	w.put(l, w.beginning(fmt.Sprint("ready-", l.number), await, sequenceKind, 0))
	for _, d := range w.demands {
		if d.unknown && d.done == 0 && w.rand.IntN(2) == 0 && d.again() {
			w.put(l, d)
		}
	}
	return l
}

// again reports whether a demand may be put again. A request id stands for its first answer within one run.
func (d *demand) again() bool {
	return d.What != ask && d.What != list && d.What != describe && d.What != await && (d.of == nil || len(d.of.starts) <= 1)
}

// drive does load, and takes what the process tells, until a condition holds, or the process has ended, or time is up.
func (w *witness) drive(l *life, load func(*life), until func() bool, within time.Duration) bool {
	over := time.NewTimer(within)
	defer over.Stop()
	next := time.NewTicker(pace)
	defer next.Stop()
	for !until() {
		select {
		case told, ok := <-l.lines:
			if !ok {
				l.lines = nil // select it no more
				l.died = !l.killed && !l.asked
				return false
			}
			w.take(l, told)
		case <-next.C:
			load(l)
		case <-over.C:
			return false
		}
	}
	return true
}

func tail(s string) string { return s[max(0, len(s)-4000):] }

// bury receives what a dying process still told.
func (w *witness) bury(l *life) {
	if l.lines != nil {
		for told := range l.lines {
			w.take(l, told)
		}
	}
	err := l.end()
	w.note("process %d ended: %v", l.number, err)
	if l.died {
		w.wrong("process %d ended by itself, %v:\n%s", l.number, err, tail(l.stderr.String()))
		w.giveUp = true
	}
	for _, d := range w.waiting {
		d.unknown = true
	}
	clear(w.waiting)
	for text := range strings.Lines(l.stderr.String()) {
		if strings.Contains(text, "level=ERROR") || strings.HasPrefix(text, "panic") || strings.HasPrefix(text, "fatal") || strings.Contains(text, "DATA RACE") {
			w.wrong("process %d (asked to close: %v) logged: %s", l.number, l.asked, text)
		}
	}
}

// take takes what a process tells.
func (w *witness) take(l *life, told line) {
	w.clock++
	switch told.What {
	case openingLine:
		l.opening = true
	case openLine:
	case readyLine:
		l.ready = true
		took := time.Duration(told.Millis) * time.Millisecond
		w.slowest = max(w.slowest, took)
		if took > readyWithin {
			w.wrong("process %d was ready after %s, the promise is %s", l.number, took, readyWithin)
		}
	case answerLine:
		w.answered(l, told)
	case acceptedLine:
		w.agrees(l, told)
	case beginLine:
		w.meet(told)
		s := w.step(told)
		s.activity = told.Value
		s.begun = append(s.begun, attempt{number: told.Number, from: told.Count, life: l})
	case endLine, failLine:
		s := w.step(told)
		for i := range s.begun {
			if a := &s.begun[i]; a.life == l && a.number == told.Number {
				a.ended = true
			}
		}
		if told.What == endLine {
			s.ends[told.Value] = told.Number
		}
	case tokenLine:
		w.tokens = append(w.tokens, &token{id: told.ID, key: told.Key, text: told.Value, number: told.Number})
	case closedLine:
		l.closed = true
	default: // refused, unclosed, garbage
		w.wrong("process %d: %s: %s %s", l.number, told.What, told.Error, told.Text)
	}
	if told.What != answerLine {
		w.note("  %s %s %d %s", told.What, told.Key, told.Number, told.Value[:min(20, len(told.Value))])
	}
}

func (w *witness) step(told line) *step {
	s := w.attempts[told.Key]
	if s == nil {
		s = &step{id: told.ID, ends: map[string]int{}}
		w.attempts[told.Key] = s
	}
	return s
}

// put puts a demand to a process.
func (w *witness) put(l *life, d *demand) {
	w.clock++
	w.numbers++
	if d.tries++; d.tries == 1 {
		d.first = w.clock
		w.demands = append(w.demands, d)
	}
	d.Number = w.numbers
	w.waiting[d.Number] = d
	l.ask(d.request)
}

func (w *witness) answered(l *life, told line) {
	d := w.waiting[told.Number]
	if d == nil {
		w.wrong("process %d answered %d, which it was not asked", l.number, told.Number)
		return
	}
	delete(w.waiting, told.Number)
	w.note("  %s %s %s: %s", d.What, d.ID, d.Request, cmpText(told.Error, "ok"))
	if told.Error != "" {
		w.denied(l, d, told)
		return
	}
	w.acknowledged++
	switch d.What {
	case list:
		w.open, w.listed = told.IDs, true
		return
	case describe:
		w.wrong("%s did not end: %s", d.ID, told.Text)
		return
	case ask:
		w.sees(d, told.Count)
	case update, startUpdate:
		w.holds(d, told)
	case start, await, startSend:
		if d.done > 0 && d.run != told.Run {
			w.wrong("start %s of %s was answered with run %s first and %s later", d.Request, d.ID, d.run, told.Run)
		}
		d.run = told.Run
	}
	if d.done == 0 {
		d.done = w.clock
	}
}

// sees holds the number of signals that the code of a gate knows of against what had been acknowledged before it was asked.
func (w *witness) sees(d *demand, got int) {
	want := 0
	for _, n := range d.of.notes {
		if n.done > 0 && n.done < d.first {
			want++
		}
	}
	if x := d.of; x.last == nil && len(x.cancels) == 0 && len(x.ends) == 0 && got < want {
		w.wrong("%s knows of %d signals, and %d had been acknowledged before it was asked", x.id, got, want)
	}
}

func cmpText(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

// denied holds a refusal against what may be refused.
func (w *witness) denied(l *life, d *demand, told line) {
	is := func(kinds ...error) bool {
		return slices.ContainsFunc(kinds, func(e error) bool { return e.Error() == told.Error })
	}
	if l.asked && is(errsOfClosing...) {
		d.unknown = true
		return
	}
	d.refused = told.Error
	unborn := d.of == nil || !d.of.child && !slices.ContainsFunc(d.of.starts, func(s *demand) bool { return s.done > 0 && s.done < d.first })
	may := false
	switch d.What {
	case send, cancel, terminate:
		may = is(errNotRunning) || unborn && is(errNotFound)
	case update:
		may = d.agreed == 0 && (is(errNotRunning) || unborn && is(errNotFound) || !l.ready && is(errNobody)) || w.closedUnanswered(d, told)
	case startUpdate:
		may = d.agreed == 0 && !l.ready && is(errNobody) || w.closedUnanswered(d, told)
	case complete:
		may = is(errSettled, errStale)
	case ask:
		may = unborn && is(errNotFound)
	}
	if !may {
		w.wrong("process %d (asked to close: %v): %s %s %s (acknowledged: %v) was refused: %s", l.number, l.asked, d.What, d.ID, d.Request, d.done > 0, told.Text)
	}
	if d.done > 0 && is(errNotFound) {
		w.wrong("%s %s %s had been acknowledged, and now: %s", d.What, d.ID, d.Request, told.Text)
	}
}
