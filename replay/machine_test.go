package replay_test

import (
	"bytes"
	"errors"
	"log/slog"
	"math/rand/v2"
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

func TestLiveExecutionEqualsReplay(t *testing.T) {
	w := run(t, func(ctx workflow.Context) error {
		for range 3 {
			within, cancel := workflow.WithTimeout(ctx, time.Hour)
			a, b := workflow.Begin(within, charge, 1), workflow.Begin(within, ship, 2)
			workflow.Go(ctx, func(ctx workflow.Context) { _, _ = a.Get(ctx) })
			got, err := workflow.Select(within, a, b, poke)
			switch got {
			case poke:
				poke.TryReceive(ctx)
			case a:
				_, _ = b.Get(within)
			}
			cancel()
			if err != nil && !errors.Is(err, workflow.ErrTimeout) {
				return err
			}
		}
		return errors.New("enough")
	})
	w.signal(poke.With(1))
	w.complete(5, 0)
	w.fail(6, activity.NonRetryable(errors.New("no")))
	w.pass(2 * time.Hour)
	assert.EqualError(t, w.failure(), "enough")
	assert.Equal(t, []string{
		"started", "timer-started 1", "activity-scheduled 2", "activity-scheduled 3",
		"signaled", "timer-cancelled 1", "activity-cancel-requested 2", "activity-cancel-requested 3", "timer-started 4", "activity-scheduled 5", "activity-scheduled 6",
		"activity-completed 5", "activity-failed", "timer-cancelled 4", "timer-started 7", "activity-scheduled 8", "activity-scheduled 9",
		"timer-fired 7", "activity-cancel-requested 8", "activity-cancel-requested 9", "failed",
	}, w.kinds())
}

func TestTimerStoppedInItsTurnLeavesBothEntries(t *testing.T) {
	w := run(t, func(ctx workflow.Context) error {
		workflow.NewTimer(ctx, time.Hour).Stop()
		return nil
	})
	assert.Equal(t, []string{"started", "timer-started 1", "timer-cancelled 1", "completed"}, w.kinds())
}

func TestCancelOfWhatIsSettledLeavesNoEntry(t *testing.T) {
	w := run(t, func(ctx workflow.Context) error {
		within, cancel := workflow.WithCancel(ctx)
		workflow.Begin(within, charge, 1)
		timer := workflow.NewTimer(within, time.Hour)
		if _, err := poke.Receive(ctx); err != nil {
			return err
		}
		timer.Stop()
		cancel()
		_, err := halt.Receive(ctx)
		return err
	})
	// Somebody who does not run the code records the signal, and the outcomes, before the code can answer the signal.
	w.foreign(&history.Signaled{Name: "poke", Value: history.JSON([]byte("1"))}, &history.TimerFired{Step: 2},
		&history.ActivityCompleted{Try: history.Try{Step: 1, Serial: 1, Attempt: 1}, Result: history.JSON([]byte("1"))})
	w.recall()
	assert.Equal(t, []string{"started", "activity-scheduled 1", "timer-started 2", "signaled", "timer-fired 2", "activity-completed 1", "told"}, w.kinds())
	assert.False(t, w.state.Due(), "the mark has moved")
	w.signal(halt.With(1))
	assert.Equal(t, history.StatusCompleted, w.state.Status)
}

func TestCancelOfWhatSettlesLaterIsRecordedAtItsPlace(t *testing.T) {
	w := run(t, func(ctx workflow.Context) error {
		timer, other := workflow.NewTimer(ctx, time.Hour), workflow.NewTimer(ctx, time.Hour)
		if _, err := poke.Receive(ctx); err != nil {
			return err
		}
		timer.Stop()
		other.Stop()
		_, err := halt.Receive(ctx)
		return err
	})
	// The first cancel leaves no entry, the second one does.
	w.foreign(&history.Signaled{Name: "poke", Value: history.JSON([]byte("1"))}, &history.TimerFired{Step: 1})
	w.recall()
	assert.Equal(t, []string{"started", "timer-started 1", "timer-started 2", "signaled", "timer-fired 1", "timer-cancelled 2"}, w.kinds())
	assert.Equal(t, uint64(5), w.state.Told)
	w.signal(halt.With(1))
}

func TestAnswersToSeveralInputsCarryTheirMarks(t *testing.T) {
	w := run(t, func(ctx workflow.Context) error {
		for range 3 {
			v, err := poke.Receive(ctx)
			if err != nil {
				return err
			}
			workflow.Begin(ctx, charge, v)
			workflow.Begin(ctx, ship, v)
		}
		return nil
	})
	w.foreign(&history.Signaled{Name: "poke", Value: history.JSON([]byte("1"))}, &history.Signaled{Name: "poke", Value: history.JSON([]byte("2"))})
	w.recall()
	var told []uint64
	for _, e := range w.entries {
		told = append(told, e.Told)
	}
	assert.Equal(t, []uint64{1, 0, 0, 0, 2, 0, 3}, told)
	w.signal(poke.With(3))
}

func TestNothingIsAskedAfterTheEnd(t *testing.T) {
	w := run(t, func(ctx workflow.Context) error {
		workflow.Go(ctx, func(ctx workflow.Context) {
			_ = workflow.Await(ctx, func() bool { return poke.Unread(ctx) > 0 })
			workflow.Begin(ctx, charge, 1)
			workflow.Value(ctx, "late", func() int { return 1 })
			workflow.Patched(ctx, "later")
		})
		_, err := halt.Receive(ctx)
		workflow.Go(ctx, func(ctx workflow.Context) { _ = workflow.Sleep(ctx, time.Hour) })
		return err
	})
	w.foreign(&history.Signaled{Name: "halt"}, &history.Signaled{Name: "poke"})
	w.recall()
	assert.Equal(t, []string{"started", "signaled", "signaled", "completed"}, w.kinds())
	assert.Equal(t, []uint64{3}, w.entries[3].Event.(*history.Completed).Unread, "what nobody has received is listed")
}

func TestDeadlockSaysWhoWaitsForWhat(t *testing.T) {
	for name, c := range map[string]struct {
		code func(workflow.Context) error
		want string
	}{
		"channel": {func(ctx workflow.Context) error {
			_, err := workflow.NewChannel[int](0).Receive(ctx)
			return err
		}, "deadlock: main waits for a value from a channel"},
		"condition": {func(ctx workflow.Context) error {
			return workflow.Await(ctx, func() bool { return false })
		}, "deadlock: main waits for a condition"},
		"two": {func(ctx workflow.Context) error {
			var m workflow.Mutex
			_ = m.Lock(ctx)
			workflow.Go(ctx, func(ctx workflow.Context) { _ = m.Lock(ctx) })
			return workflow.Await(ctx, func() bool { return false })
		}, "deadlock: main waits for a condition; coroutine 1 waits for a mutex"},
		"stopped timer": {func(ctx workflow.Context) error {
			timer := workflow.NewTimer(ctx, time.Hour)
			timer.Stop()
			_, err := workflow.Select(ctx, timer)
			return err
		}, "deadlock: main waits for a timer of 1h0m0s (step 1)"},
	} {
		t.Run(name, func(t *testing.T) {
			w := run(t, c.code)
			assert.EqualError(t, w.machine.Deadlock(), c.want)
			w.cancel() // and still it can be ended
			assert.Equal(t, history.StatusCancelled, w.state.Status)
			assert.NoError(t, w.machine.Deadlock())
		})
	}
}

func TestWhatMayComeFromOutsideIsNoDeadlock(t *testing.T) {
	for name, code := range map[string]func(workflow.Context) error{
		"signal":   func(ctx workflow.Context) error { _, err := poke.Receive(ctx); return err },
		"timer":    func(ctx workflow.Context) error { return workflow.Sleep(ctx, time.Hour) },
		"activity": func(ctx workflow.Context) error { _, err := workflow.Do(ctx, charge, 1); return err },
		"a condition on signals": func(ctx workflow.Context) error {
			return workflow.Await(ctx, func() bool { return poke.Unread(ctx) > 0 })
		},
	} {
		t.Run(name, func(t *testing.T) { assert.NoError(t, run(t, code).machine.Deadlock()) })
	}
}

func TestStopUnwindsDeferredCalls(t *testing.T) {
	var done []string
	w := run(t, func(ctx workflow.Context) error {
		defer func() { done = append(done, "main") }()
		workflow.Go(ctx, func(ctx workflow.Context) {
			defer func() { done = append(done, "coroutine") }()
			defer func() { _ = workflow.Sleep(workflow.WithoutCancel(ctx), time.Hour) }()
			defer workflow.Begin(workflow.WithoutCancel(ctx), charge, 1)
			_, _ = halt.Receive(ctx)
		})
		_, err := poke.Receive(ctx)
		return err
	})
	before := len(w.entries)
	w.machine.Stop()
	w.machine.Stop()
	assert.Equal(t, []string{"main", "coroutine"}, done)
	assert.Empty(t, w.machine.Asks(), "what deferred calls ask is not the run's")
	assert.Len(t, w.entries, before)
}

func TestFencedMachinePanicsAtEveryCall(t *testing.T) {
	for name, call := range map[string]func(workflow.Context){
		"begin":  func(ctx workflow.Context) { workflow.Begin(ctx, charge, 1) },
		"timer":  func(ctx workflow.Context) { workflow.NewTimer(ctx, time.Hour) },
		"value":  func(ctx workflow.Context) { workflow.Value(ctx, "v", func() int { return 1 }) },
		"gate":   func(ctx workflow.Context) { workflow.Patched(ctx, "p") },
		"now":    func(ctx workflow.Context) { workflow.Now(ctx) },
		"info":   func(ctx workflow.Context) { workflow.Info(ctx) },
		"signal": func(ctx workflow.Context) { halt.TryReceive(ctx) },
		"rand":   func(ctx workflow.Context) { workflow.Rand(ctx) },
		"logger": func(ctx workflow.Context) { workflow.Logger(ctx) },
		"go":     func(ctx workflow.Context) { workflow.Go(ctx, func(workflow.Context) {}) },
		"query":  func(ctx workflow.Context) { workflow.NewQuery[int]("q").Handle(ctx, func() int { return 1 }) },
	} {
		t.Run(name, func(t *testing.T) {
			var m *replay.Machine
			returned := false
			w := run(t, func(ctx workflow.Context) error {
				_, err := poke.Receive(ctx)
				m.Fence()
				call(ctx)
				returned = true
				return err
			})
			m = w.machine
			w.record(&history.Signaled{Name: "poke"})
			var stalled *replay.Stalled
			require.ErrorAs(t, w.err, &stalled)
			assert.False(t, returned)
			assert.Equal(t, "panic: replay: this run of the code was given up because it did not yield", stalled.Reason)
		})
	}
}

func TestPanicStallsWithItsPlace(t *testing.T) {
	w := run(t, func(ctx workflow.Context) error {
		workflow.Begin(ctx, charge, 1)
		panic("oh")
	})
	var stalled *replay.Stalled
	require.ErrorAs(t, w.err, &stalled)
	assert.Equal(t, "panic: oh", stalled.Reason)
	assert.Contains(t, stalled.Stack, "TestPanicStallsWithItsPlace")
	assert.Equal(t, []string{"started"}, w.kinds(), "what the panicking turn asked is not recorded")
}

func TestRunThatIsToBeginLaterIsToldThen(t *testing.T) {
	begun := time.Time{}
	w := untold(t, replay.Config{Code: codeOf(workflow.NoResult(func(ctx workflow.Context, n int) error {
		begun = workflow.Now(ctx)
		return ctx.Err()
	}))})
	s := start(t, 1)
	s.After = time.Hour
	w.give(s)
	assert.True(t, begun.IsZero())
	w.pass(time.Hour)
	assert.Equal(t, dawn.Add(time.Hour), begun)
	assert.Equal(t, []string{"started", "begun", "completed"}, w.kinds())
	w.replays()
}

var (
	level  = workflow.NewQuery[int]("level")
	double = workflow.NewQueryOf[int, int]("double")
	bad    = workflow.NewQueryOf[string, int]("bad")
)

func ask[Out any](w *world, q workflow.Query[Out]) (out Out, err error) {
	name, arg, err := q.Asked()
	require.NoError(w.t, err)
	p, err := w.machine.Query(name, arg)
	if err == nil {
		err = p.Decode(&out)
	}
	return out, err
}

func TestQueryAnswersFromTheState(t *testing.T) {
	w := run(t, func(ctx workflow.Context) error {
		n := 0
		level.Handle(ctx, func() int { return n })
		double.Handle(ctx, func(v int) (int, error) {
			if v < 0 {
				return 0, errors.New("too little")
			}
			return 2 * v, nil
		})
		for v := range poke.All(ctx) {
			n += v
		}
		return ctx.Err()
	})
	w.signal(poke.With(3))
	v, err := ask(w, level)
	require.NoError(t, err)
	assert.Equal(t, 3, v)
	v, err = ask(w, double.With(4))
	require.NoError(t, err)
	assert.Equal(t, 8, v)
	_, err = ask(w, double.With(-1))
	assert.EqualError(t, err, "too little")
	_, err = ask(w, workflow.NewQueryOf[string, int]("double").With("x"))
	assert.ErrorContains(t, err, "the argument of query double")
	_, err = ask(w, workflow.NewQuery[int]("other"))
	assert.ErrorIs(t, err, commands.ErrInvalid)
	assert.ErrorContains(t, err, "one of those that the workflow answers: double, level")
}

func TestFaultsOfAQueryAreItsCallersAlone(t *testing.T) {
	var cancel workflow.CancelFunc
	faults := map[string]func(workflow.Context){
		"asking":             func(ctx workflow.Context) { workflow.Begin(ctx, charge, 1) },
		"a timer":            func(ctx workflow.Context) { workflow.NewTimer(ctx, time.Hour) },
		"a value":            func(ctx workflow.Context) { workflow.Value(ctx, "v", func() int { return 1 }) },
		"waiting":            func(ctx workflow.Context) { _, _ = halt.Receive(ctx) },
		"a condition":        func(ctx workflow.Context) { _ = workflow.Await(ctx, func() bool { return false }) },
		"a panic":            func(workflow.Context) { panic("oh") },
		"another handler":    func(ctx workflow.Context) { level.Handle(ctx, func() int { return 9 }) },
		"dice":               func(ctx workflow.Context) { workflow.Rand(ctx).Int() },
		"a UUID":             func(ctx workflow.Context) { workflow.NewUUID(ctx) },
		"a coroutine":        func(ctx workflow.Context) { workflow.Go(ctx, func(workflow.Context) {}) },
		"taking a signal":    func(ctx workflow.Context) { poke.TryReceive(ctx) },
		"cancelling a scope": func(workflow.Context) { cancel() },
	}
	w := run(t, func(ctx workflow.Context) error {
		var inner workflow.Context
		inner, cancel = workflow.WithCancel(ctx)
		workflow.NewTimer(inner, time.Hour)
		bad.Handle(ctx, func(what string) (int, error) {
			faults[what](ctx)
			return 1, nil
		})
		_, err := halt.Receive(ctx)
		if err == nil && workflow.Rand(ctx).Uint64() != rand.New(rand.NewPCG(seed, 0)).Uint64() {
			err = errors.New("the dice were touched")
		}
		if v, ok := poke.TryReceive(ctx); err == nil && (!ok || v != 5 || inner.Err() != nil) {
			err = errors.New("the run was touched")
		}
		return err
	})
	w.signal(poke.With(5))
	for what := range faults {
		_, err := ask(w, bad.With(what))
		assert.ErrorContains(t, err, "query bad panicked", what)
	}
	assert.Empty(t, w.machine.Asks())
	w.signal(halt.With(1))
	assert.Equal(t, history.StatusCompleted, w.state.Status, "%s", w.state.Outcome.Failure.Data)
}

func TestLoggerIsSilentInReplay(t *testing.T) {
	var out bytes.Buffer
	logger := slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}}))
	lines := func() string {
		defer out.Reset()
		return out.String()
	}
	w := untold(t, replay.Config{Logger: logger, Code: codeOf(func(ctx workflow.Context, _ int) (int, error) {
		log := workflow.Logger(ctx).With("by", "me")
		defer log.Info("unwound")
		log.Info("begun")
		v, err := poke.Receive(ctx)
		log.WithGroup("g").Info("poked", "v", v)
		if err == nil {
			v, err = halt.Receive(ctx)
		}
		return v, err
	})})
	w.give(start(t, 1))
	assert.Equal(t, "level=INFO msg=begun namespace=ns id=w1 run=run1 workflow=test by=me\n", lines())
	w.signal(poke.With(1))
	assert.Equal(t, "level=INFO msg=poked namespace=ns id=w1 run=run1 workflow=test by=me g.v=1\n", lines())

	w.foreign()
	assert.Empty(t, lines(), "forgetting is not the run's end")
	w.recall()
	assert.Empty(t, lines(), "what was told before is not told again")
	w.foreign(&history.Signaled{Name: "halt"})
	lines()
	w.recall()
	assert.Equal(t, "level=INFO msg=unwound namespace=ns id=w1 run=run1 workflow=test by=me\n", lines(), "an input that was not told before is live")
	whole, err := replay.Remember(w.config, w.entries)
	require.NoError(t, err)
	whole.Stop()
	assert.Empty(t, lines())
}
