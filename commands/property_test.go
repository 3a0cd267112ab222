package commands

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clewflow/clew/history"
)

// A world is an execution in which commands are decided and what follows is recorded, while all that must always hold is
// checked.
type world struct {
	t       testing.TB
	now     time.Time
	live    *history.State // commands are decided on it
	shadow  *history.State // the same entries, nothing was ever decided on it
	entries []history.Entry
	settled map[string]string // outcomes by run and step
	begun   time.Time         // the run, or it was told that it waits for a slot
	did     []any
	sealed  bool // entries are written too
}

func newWorld(t testing.TB) *world {
	return &world{t: t, now: base, live: new(history.State), shadow: new(history.State), settled: map[string]string{}}
}

func (w *world) failed(format string, args ...any) {
	w.t.Helper()
	var did strings.Builder
	for _, d := range w.did {
		fmt.Fprintf(&did, "%T%+v\n", d, d)
	}
	w.t.Fatalf("%s\nafter:\n%s", fmt.Sprintf(format, args...), did.String())
}

// do decides c and records what follows. Whether deciding changed the state is seen by [world.unchanged].
func (w *world) do(c Command) ([]history.Event, error) {
	w.did = append(w.did, w.now.Sub(base), c)
	events, err := Decide(w.live, c, w.now)
	if err != nil && len(events) > 0 {
		w.failed("%d events follow from what was refused", len(events))
	}
	for i, e := range events {
		w.together(events[i:])
		w.record(e)
	}
	return events, err
}

func (w *world) record(event history.Event) {
	w.did = append(w.did, event)
	w.once(event)
	e := history.Entry{Seq: w.live.Seq + 1, At: w.now, Event: event}
	if w.sealed {
		e = entry(w.live, w.now, event)
		w.entries = append(w.entries, e)
	}
	if e.At.Before(w.live.At) || e.Seq != w.live.Seq+1 {
		w.failed("entry %d at %s follows %d at %s", e.Seq, e.At, w.live.Seq, w.live.At)
	}
	left := w.left()
	w.live.Evolve(e)
	switch event.(type) {
	case *history.Started, *history.Begun, *history.Postponed:
		w.begun = e.At
	case *history.Unpaused:
		if e.At.Equal(w.now) { // else the time was set back
			w.kept(left)
		}
	}
	w.shadow.Evolve(e)
	if wake := earliest(w.live); !wake.Equal(w.live.Wake()) {
		w.failed("the state is to be woken at %s, what is due first is at %s", w.live.Wake(), wake)
	}
	if !w.sealed {
		return
	}
	if open := len(w.live.Waiting()) > 0; open != w.live.Open() {
		w.failed("a state that is %s waits for %v", w.live.Status, w.live.Waiting())
	}
}

// unchanged checks that deciding left no trace in the state.
func (w *world) unchanged() {
	if !reflect.DeepEqual(w.live, w.shadow) {
		w.failed("deciding changed the state")
	}
}

// reread checks that the entries amount to the same when they are read again.
func (w *world) reread() {
	again, err := history.Unmarshal(history.Marshal(w.entries))
	require.NoError(w.t, err)
	var chain history.Chain
	for _, e := range again {
		require.NoError(w.t, chain.Check(e))
	}
	if s := history.Fold(again...); !reflect.DeepEqual(s, w.shadow) {
		w.failed("read again, the entries amount to something else:\n%+v\n%+v", s, w.shadow)
	}
}

// An arrival is something that happens in an activity's life.
type arrival struct {
	what   string
	serial history.Serial
}

var arrivals = []arrival{
	{"complete", 7}, {"complete", 8}, {"fail", 7}, {"fail", 8}, {"beat", 7}, {"beat", 8}, {"lose", 7}, {"lose", 8}, {"pending", 7},
	{"pending", 8}, {"begin", 7}, {"begin", 8}, {"cancel", 0}, {"wake", 0}, {"wake", 7}, {"gone", 0},
}

// A life is what the rules say of an activity, in their own words.
type life struct {
	history.Policy
	settled, closed  bool
	cancel, pending  bool
	overdue          bool
	attempt, lost    int
	over             history.Serial // attempts up to this one have ended
	current          history.Serial // of the attempt whose start is recorded; 0: none
	started, beat    time.Time
	scheduled, began time.Time // began: of serial 7
}

func (l *life) facts(serial history.Serial) (started time.Time) {
	if serial == 8 {
		return base.Add(2 * time.Second)
	}
	return l.began
}

const (
	isSettled = "settled"
	isStale   = "stale"
)

// expect says what must follow from an arrival, and takes it as having happened.
func (l *life) expect(a arrival, now time.Time) string {
	switch a.what {
	case "wake":
		return l.wake(a.serial, now)
	case "gone":
		if l.settled || l.closed || !l.cancel {
			return ""
		}
		return l.settle("activity-cancelled")
	case "cancel":
		switch {
		case l.settled || l.closed || l.cancel:
			return ""
		case l.OnCancel == history.WaitCancelled:
			l.cancel = true
			return "activity-cancel-requested"
		}
		return l.settle("activity-cancel-requested")
	}
	switch {
	case l.settled, l.closed:
		return isSettled
	case a.serial <= l.over, a.serial < l.current:
		return isStale
	}
	switch a.what {
	case "complete":
		return l.settle("activity-completed")
	case "fail":
		switch {
		case l.cancel:
			return l.settle("activity-cancelled")
		case l.MaxAttempts() && l.attempt >= l.Retry.MaxAttempts, !now.Add(time.Second).Before(l.scheduled.Add(l.ScheduleToClose)):
			return l.settle("activity-failed")
		}
		l.end(a.serial)
		l.lost = 0
		return "attempt-failed"
	case "lose":
		switch {
		case l.pending:
			return ""
		case l.cancel:
			return l.settle("activity-cancelled")
		case l.MaxAttempts() && l.attempt >= l.Retry.MaxAttempts, l.lost == 2:
			return l.settle("activity-failed")
		}
		l.end(a.serial)
		l.lost++
		return "attempt-lost"
	case "begin":
		if a.serial == l.current {
			return ""
		}
		l.begin(a.serial, false, l.facts(a.serial))
		return "attempt-started"
	case "pending":
		if a.serial == l.current && l.pending {
			return ""
		}
		l.begin(a.serial, true, now)
		return "attempt-started"
	case "beat":
		if !now.After(l.beat) {
			return ""
		}
		return l.live(a.serial, now)
	}
	panic(a.what)
}

func (l *life) MaxAttempts() bool { return l.Retry.MaxAttempts > 0 }

func (l *life) settle(kind string) string { l.settled = true; return kind }

func (l *life) end(serial history.Serial) {
	l.over = max(l.over, l.current, serial)
	l.current, l.started, l.beat, l.pending, l.overdue = 0, time.Time{}, time.Time{}, false, false
	l.attempt++
}

func (l *life) begin(serial history.Serial, pending bool, beat time.Time) {
	if serial != l.current {
		l.overdue = false
	}
	l.current, l.started, l.beat, l.pending = serial, l.facts(serial), beat, pending
}

func (l *life) live(serial history.Serial, beat time.Time) string {
	if l.current != 0 && serial != l.current {
		l.begin(serial, false, beat)
	}
	l.beat = beat
	return "heartbeat"
}

// wake says what must follow when the activity is looked at, by somebody who knows of the attempt with the given serial
// that its last sign of life was 4 s after the beginning.
func (l *life) wake(serial history.Serial, now time.Time) string {
	if l.settled || l.closed {
		return ""
	}
	due, limit := l.scheduled.Add(l.ScheduleToClose), history.ScheduleToClose
	passes := func(from time.Time, after time.Duration, name string) {
		if t := from.Add(after); after > 0 && t.Before(due) {
			due, limit = t, name
		}
	}
	if l.current == 0 && l.over == 0 {
		passes(l.scheduled, l.ScheduleToStart, history.ScheduleToStart)
	}
	if l.current != 0 && !l.overdue {
		if !l.pending || !l.Assumed {
			passes(l.started, l.StartToClose, history.StartToClose)
		}
		passes(l.beat, l.Heartbeat, history.HeartbeatLimit)
	}
	inHand, started, beat := l.current, l.started, l.beat
	known := serial != 0 && serial > l.over && serial >= l.current
	if known {
		inHand, started, beat = serial, l.facts(serial), base.Add(4*time.Second)
	}
	if due.After(now) {
		switch {
		case !known, l.overdue:
			return ""
		case l.StartToClose > 0 && !(l.pending && l.Assumed) && !started.Add(l.StartToClose).After(now):
			limit = history.StartToClose
		case l.Heartbeat > 0 && !beat.Add(l.Heartbeat).After(now):
			limit = history.HeartbeatLimit
		default:
			return ""
		}
	}
	switch {
	case limit == history.HeartbeatLimit && beat.Add(l.Heartbeat).After(now):
		return l.live(inHand, beat)
	case l.cancel:
		return l.settle("activity-cancelled")
	case limit == history.ScheduleToStart, limit == history.ScheduleToClose, l.OnTimeout == history.ThenReturn:
		return l.settle("activity-timed-out")
	case l.OnTimeout == history.ThenFailRun:
		l.closed = true
		return "timed-out"
	case l.OnTimeout == history.ThenAlert:
		if inHand != l.current {
			l.begin(inHand, false, started)
		}
		l.overdue = true
		return "attempt-overdue"
	case l.MaxAttempts() && l.attempt >= l.Retry.MaxAttempts, !now.Add(time.Second).Before(l.scheduled.Add(l.ScheduleToClose)):
		return l.settle("activity-timed-out")
	}
	l.end(inHand)
	l.lost = 0
	return "attempt-failed"
}

func (a arrival) command(now time.Time, l *life) Command {
	t := Attempt{Run: "r1", Step: 1, Serial: a.serial, Started: l.facts(a.serial), Beat: now}
	switch a.what {
	case "complete":
		return CompleteActivity{Attempt: t}
	case "fail":
		return FailActivity{Attempt: t}
	case "beat":
		return Beat{t}
	case "lose":
		return LoseAttempt{t}
	case "pending":
		return LeavePending{t}
	case "begin":
		return BeginAttempt{t}
	case "cancel":
		return CancelActivity{1}
	case "gone":
		return SettleCancelled{t}
	}
	if a.serial == 0 {
		return Wake{}
	}
	t.Beat = base.Add(4 * time.Second)
	return Wake{Overdue: []Attempt{t}}
}

// A setting is one way in which the lives are lived.
type setting struct {
	policy   history.Policy
	recorded bool            // the start of the attempt with serial 7
	at       []time.Duration // when things arrive
}

func settings() (all []setting) {
	retry := history.Retry{Backoff: history.Fixed, Initial: time.Second, Factor: 1}
	for _, then := range []history.Then{history.ThenRetry, history.ThenReturn, history.ThenFailRun, history.ThenAlert} {
		for _, onCancel := range []history.Cancel{history.TryCancel, history.WaitCancelled} {
			for _, heartbeat := range []time.Duration{0, 3 * time.Second} {
				for bits := range 8 {
					p := history.Policy{
						StartToClose: 5 * time.Second, ScheduleToClose: time.Minute, Heartbeat: heartbeat, Retry: retry, OnTimeout: then,
						OnCancel: onCancel,
					}
					if bits&1 != 0 {
						p.Retry.MaxAttempts = 1
					}
					p.Assumed = bits == 1 || bits == 2 || bits == 4
					if bits&4 != 0 {
						p.ScheduleToClose, p.ScheduleToStart = 7*time.Second, 3*time.Second
					}
					for _, at := range [][]time.Duration{{3, 3, 3}, {6, 6, 6}, {7, 7, 7}, {2, 4, 9}, {4, 6, 7}, {3, 5, 6}} {
						all = append(all, setting{policy: p, recorded: bits&2 != 0, at: at})
					}
				}
			}
		}
	}
	return all
}

// live lives a life in which the given things arrive, and holds each against the rules.
func (set setting) live(t testing.TB, sequence ...arrival) {
	w := newWorld(t)
	w.record(&history.Started{Run: "r1", Chain: "r1", Number: 1, Type: "order"})
	w.record(&history.ActivityScheduled{Step: 1, Name: "charge", Policy: &set.policy})
	l := &life{Policy: set.policy, attempt: 1, scheduled: base, began: base.Add(time.Second)}
	w.now = l.began
	if set.recorded {
		w.record(&history.AttemptStarted{Try: history.Try{Step: 1, Serial: 7, Attempt: 1, Started: l.began}})
		l.begin(7, false, l.began)
	}
	for i, a := range sequence {
		w.now = base.Add(set.at[i] * time.Second)
		want := l.expect(a, w.now)
		events, err := w.do(a.command(w.now, l))
		got := ""
		switch {
		case errors.Is(err, ErrSettled):
			got = isSettled
		case errors.Is(err, ErrStale):
			got = isStale
		case err != nil:
			got = err.Error()
		case len(events) > 0:
			got = events[0].Kind()
		}
		if got != want || len(events) > 1 {
			w.failed("%v at %s: what followed is %q, the rules say %q; recorded=%v %+v", a, w.now.Sub(base), got, want, set.recorded, set.policy)
		}
	}
	w.unchanged()
}

// TestEveryPairOfArrivalsFollowsTheRules holds for every order, equal times, and every policy.
func TestEveryPairOfArrivalsFollowsTheRules(t *testing.T) {
	t.Parallel()
	for n, set := range settings() {
		for i, a := range arrivals {
			for j, b := range arrivals {
				if (n+n/6+i+j)%6 == 0 { // each pair with each policy; the times take turns
					set.live(t, a, b)
				}
			}
		}
	}
}

func TestEveryTripleOfArrivalsFollowsTheRules(t *testing.T) {
	t.Parallel()
	all, n := settings(), 0
	for _, a := range arrivals {
		for _, b := range arrivals {
			for _, c := range arrivals {
				for range 3 {
					n += 331 // prime, so that every setting comes with every kind of triple
					all[n%len(all)].live(t, a, b, c)
				}
			}
		}
	}
}

// TestLongLives draws longer sequences. To run one again, set its seed here.
func TestLongLives(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	dice := rand.New(rand.NewPCG(seed, 0))
	all := settings()
	for range 5_000 {
		set := all[dice.IntN(len(all))]
		set.at = nil
		sequence := make([]arrival, 4+dice.IntN(9))
		for i := range sequence {
			sequence[i] = arrivals[dice.IntN(len(arrivals))]
			set.at = append(set.at, time.Duration(2+dice.IntN(7)))
		}
		slices.Sort(set.at)
		set.live(t, sequence...)
	}
}

// TestRandomHistories plays random commands of all kinds, as FuzzDecide does.
func TestRandomHistories(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	dice := rand.New(rand.NewPCG(seed, 0))
	seen := map[string]bool{}
	for range 2000 {
		data := make([]byte, 40+dice.IntN(960))
		for i := range data {
			data[i] = byte(dice.Uint32())
		}
		for _, e := range playBytes(t, data).entries {
			seen[e.Event.Kind()] = true
		}
	}
	for kind := range happenings {
		assert.True(t, seen[kind], "no random history holds %q", kind)
	}
}

func TestDelayStaysWithinItsBounds(t *testing.T) {
	for _, backoff := range []history.Backoff{history.Exponential, history.Linear, history.Fixed} {
		for _, most := range []time.Duration{0, time.Second, time.Minute} {
			for n := range 2000 {
				r := history.Retry{Backoff: backoff, Initial: time.Second, Factor: 3, Max: most, Jitter: 0.5}
				low, mid, high := r.Delay(n+1, 0), r.Delay(n+1, 0.5), r.Delay(n+1, 0.999)
				require.True(t, 0 <= low && low <= mid && mid <= high, "%+v after %d: %s %s %s", r, n+1, low, mid, high)
				if most > 0 {
					require.LessOrEqual(t, mid, most)
				}
			}
		}
	}
	assert.Zero(t, history.Retry{Backoff: history.Exponential, Initial: time.Hour, Factor: 2, Jitter: 1}.Delay(1, 0))
}
