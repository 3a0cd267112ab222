package replay_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clewflow/clew/activity"
	"github.com/clewflow/clew/commands"
	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/replay"
	"github.com/clewflow/clew/workflow"
)

// A world drives one machine as a runtime does, without a store: a command is decided, its events become entries, the
// machine is told, and what the code asks becomes the entries after them.
type world struct {
	t       *testing.T
	config  replay.Config
	state   *history.State
	machine *replay.Machine
	entries []history.Entry
	began   int // where in entries the current run begins
	now     time.Time
	err     error // of the machine
	gated   bool  // the code has gates whose answers stand in the history as a whole, not in each prefix
}

var dawn = time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)

const seed = 42

func codeOf[In, Out any](fn func(workflow.Context, In) (Out, error)) workflow.Code {
	body, _ := workflow.BodyOf(workflow.Define("test", fn))
	return body.Code
}

// begin starts a run of fn. At the end of the test its history is held against fn in every way.
func begin[In, Out any](t *testing.T, fn func(workflow.Context, In) (Out, error), in In) *world {
	t.Helper()
	w := untold(t, replay.Config{Code: codeOf(fn)})
	w.give(start(t, in))
	t.Cleanup(func() {
		w.machine.Stop()
		if !t.Failed() && w.err == nil {
			w.replays()
		}
	})
	return w
}

// untold is a world in which nothing has happened.
func untold(t *testing.T, c replay.Config) *world {
	return &world{t: t, config: c, state: new(history.State), machine: replay.New(c), now: dawn}
}

func start(t *testing.T, in any) commands.Start {
	input, err := history.Encode(in)
	require.NoError(t, err)
	return commands.Start{ID: history.ID{Namespace: "ns", Workflow: "w1"}, Run: "run1", Type: "test", Input: input, Seed: seed}
}

// run runs fn, which has no input and no result, until it waits.
func run(t *testing.T, fn func(workflow.Context) error) *world {
	t.Helper()
	return begin(t, workflow.NoResult(func(ctx workflow.Context, _ workflow.None) error { return fn(ctx) }), workflow.None{})
}

// give decides a command and tells the machine what follows. It reports whether anything did.
func (w *world) give(c commands.Command) bool {
	w.t.Helper()
	switch a := c.(type) {
	case commands.Terminate:
		a.Unread = w.machine.Unread()
		c = a
	case commands.FollowParent:
		a.Unread = w.machine.Unread()
		c = a
	}
	events, err := commands.Decide(w.state, c, w.now)
	require.NoError(w.t, err)
	for _, e := range events {
		w.record(e)
	}
	return len(events) > 0
}

func (w *world) entry(event history.Event) history.Entry {
	return history.Entry{Seq: w.state.Seq + 1, At: w.now, Event: event}
}

func (w *world) push(e history.Entry) {
	history.Seal(w.state.Hash, &e)
	w.state.Evolve(e)
	w.entries = append(w.entries, e)
}

func (w *world) record(event history.Event) {
	w.t.Helper()
	e := w.entry(event)
	if w.err = w.machine.Observe(&e, w.state.Bytes); w.err != nil {
		w.push(e)
		return
	}
	asks := w.machine.Asks()
	if event.Role() == history.Input && len(asks) == 0 {
		e.Told = e.Seq
	}
	w.push(e)
	if event.Role() == history.Input {
		w.answer(asks)
	}
}

// answer records what the code asks.
func (w *world) answer(asks []replay.Ask) {
	w.t.Helper()
	told := w.state.Input
	for i, a := range asks {
		if c, ok := a.Command.(commands.ContinueAsNew); ok {
			w.goOn(c, told)
			return
		}
		events, err := commands.Decide(w.state, a.Command, w.now)
		require.NoError(w.t, err)
		require.Len(w.t, events, 1, "an ask has exactly one event: %T", a.Command)
		e := w.entry(events[0])
		switch {
		case i == len(asks)-1:
			e.Told = told
		case asks[i+1].Input != a.Input:
			e.Told = a.Input
		}
		w.push(e)
		if w.err = w.machine.Observe(&e, w.state.Bytes); w.err != nil {
			return
		}
	}
}

// goOn records that the run continues as new, and begins the next with what this one leaves.
func (w *world) goOn(c commands.ContinueAsNew, told uint64) {
	w.t.Helper()
	c.ID, c.Run, c.Seed = history.ID{Namespace: "ns", Workflow: "w1"}, fmt.Sprint("run", w.state.Run.Number+1), seed
	events, err := commands.Decide(w.state, c, w.now)
	require.NoError(w.t, err)
	require.Len(w.t, events, 2, "an end and a beginning")
	e := w.entry(events[0])
	e.Told = told
	w.config.Carried = w.machine.Carry()
	w.push(e)
	require.NoError(w.t, w.machine.Observe(&e, w.state.Bytes))
	w.machine.Stop()
	w.machine, w.began = replay.New(w.config), len(w.entries)
	w.record(events[1])
}

// current are the entries of the current run.
func (w *world) current() []history.Entry { return w.entries[w.began:] }

// foreign records events as somebody would who does not run the code. The machine forgets.
func (w *world) foreign(events ...history.Event) {
	w.machine.Stop()
	for _, e := range events {
		w.push(w.entry(e))
	}
}

// recall remembers the run, records what the code asks beyond it, and moves the mark if it asks nothing.
func (w *world) recall() {
	w.t.Helper()
	w.machine, w.err = replay.Remember(w.config, w.current())
	require.NoError(w.t, w.err)
	w.answer(w.machine.Asks())
	if !w.state.Due() {
		return
	}
	e := w.entry(&history.Told{})
	e.Told = w.state.Input
	w.push(e)
	require.NoError(w.t, w.machine.Observe(&e, w.state.Bytes))
}

// pass lets time pass, and what is due happen.
func (w *world) pass(d time.Duration) {
	w.t.Helper()
	w.now = w.now.Add(d)
	for w.give(commands.Wake{}) {
	}
}

func (w *world) attempt(step history.Step) commands.Attempt {
	w.t.Helper()
	a := w.state.Activities[step]
	require.NotNil(w.t, a, "step %d is no open activity", step)
	return commands.Attempt{Run: w.state.Run.ID, Step: step, Serial: a.Serial + 1, Started: w.now, Beat: w.now}
}

func (w *world) complete(step history.Step, result any) {
	w.t.Helper()
	p, err := history.Encode(result)
	require.NoError(w.t, err)
	w.give(commands.CompleteActivity{Attempt: w.attempt(step), Result: p})
}

func (w *world) fail(step history.Step, err error) {
	w.t.Helper()
	v := activity.Judge(err)
	w.give(commands.FailActivity{Attempt: w.attempt(step), Failure: activity.Record(err).Payload(), Codes: v.Codes, Final: v.Final, RetryAfter: v.RetryAfter})
}

func (w *world) signal(m workflow.Message) {
	w.t.Helper()
	require.NoError(w.t, m.Err)
	w.give(commands.Signal{Name: m.Name, Value: m.Value})
}

func (w *world) cancel() { w.give(commands.RequestCancel{}) }

// kinds are the kinds of all entries, with their steps.
func (w *world) kinds() []string { return kindsOf(w.entries) }

func kindsOf(entries []history.Entry) (all []string) {
	for _, e := range entries {
		s := e.Event.Kind()
		switch v := e.Event.(type) {
		case *history.ActivityScheduled:
			s = fmt.Sprint(s, " ", v.Step)
		case *history.ActivityCompleted:
			s = fmt.Sprint(s, " ", v.Step)
		case *history.ActivityCancelRequested:
			s = fmt.Sprint(s, " ", v.Step)
		case *history.TimerStarted:
			s = fmt.Sprint(s, " ", v.Step)
		case *history.TimerFired:
			s = fmt.Sprint(s, " ", v.Step)
		case *history.TimerCancelled:
			s = fmt.Sprint(s, " ", v.Step)
		case *history.ChildAsked:
			s = fmt.Sprint(s, " ", v.Step)
		case *history.ChildCancelRequested:
			s = fmt.Sprint(s, " ", v.Step)
		case *history.SendAsked:
			s = fmt.Sprint(s, " ", v.Step)
		case *history.FindAsked:
			s = fmt.Sprint(s, " ", v.Step)
		case *history.UpdateAccepted:
			s = fmt.Sprint(s, " ", v.Update)
		case *history.UpdateCompleted:
			s = fmt.Sprint(s, " ", v.Update)
		case *history.UpdateFailed:
			s = fmt.Sprint(s, " ", v.Update)
		}
		all = append(all, s)
	}
	return all
}

// result is what the run completed with.
func result[T any](w *world) (v T) {
	w.t.Helper()
	require.Equal(w.t, history.StatusCompleted, w.state.Status, "failure: %s; entries: %v", w.state.Outcome.Failure.Data, w.kinds())
	require.NoError(w.t, w.state.Outcome.Result.Decode(&v))
	return v
}

// failure is what the run failed with.
func (w *world) failure() error {
	w.t.Helper()
	require.False(w.t, w.state.Outcome.Failure.Absent(), "the run is %s; entries: %v", w.state.Status, w.kinds())
	return activity.Recall(history.ReadFailure(w.state.Outcome.Failure))
}

func (w *world) codes(string, int) workflow.Code { return w.config.Code }

// replays holds the history against the code: whole, each prefix of each run, and each prefix told on.
func (w *world) replays() {
	w.t.Helper()
	require.NoError(w.t, replay.Verify(w.codes, replay.Strict, w.entries))
	gated := w.gated || hasGates(w.entries)
	for rest := w.entries; len(rest) > 0; {
		run := replay.FirstRun(rest)
		rest = rest[len(run):]
		config, err := replay.ConfigOf(w.config, w.entries, run)
		require.NoError(w.t, err)
		prefixes(w.t, config, run, gated)
	}
}

func prefixes(t *testing.T, config replay.Config, run []history.Entry, gated bool) {
	t.Helper()
	warm := replay.New(config)
	defer warm.Stop()
	sizes := make([]int, len(run)+1)
	for i, e := range run {
		sizes[i+1] = sizes[i] + e.Size()
	}
	for i := range run {
		cold, err := replay.Remember(config, run[:i+1])
		require.NoError(t, err, "the prefix of %d entries", i+1)
		if !gated {
			require.NoError(t, warm.Observe(&run[i], sizes[i]))
			assert.Equal(t, warm.Asks(), cold.Asks(), "what is asked after entry %d depends on the entries up to it alone", i+1)
		}
		for k := i + 1; k < len(run) && !gated; k++ {
			require.NoError(t, cold.Observe(&run[k], sizes[k]), "entry %d after the prefix of %d", k+1, i+1)
		}
		cold.Stop()
	}
}

func hasGates(entries []history.Entry) bool {
	for _, e := range entries {
		if _, kept := e.Event.(*history.Kept); kept {
			return true
		}
	}
	return false
}

// held is the mismatch of the history with other code.
func held[In, Out any](w *world, level replay.Level, fn func(workflow.Context, In) (Out, error)) *replay.Mismatch {
	w.t.Helper()
	code := codeOf(fn)
	err := replay.Verify(func(string, int) workflow.Code { return code }, level, w.entries)
	if err == nil {
		return nil
	}
	var m *replay.Mismatch
	require.True(w.t, errors.As(err, &m), "%v", err)
	return m
}
