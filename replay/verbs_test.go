package replay_test

import (
	"context"
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

// verbs are what code can ask for without waiting, by what it is called in a mismatch.
var verbs = map[string]func(workflow.Context){
	"activity work, step 1, input 1":        func(ctx workflow.Context) { workflow.Begin(ctx, work, 1) },
	"timer of 1h0m0s, step 1":               func(ctx workflow.Context) { workflow.NewTimer(ctx, time.Hour) },
	"child x (parcel), step 1, input 1":     func(ctx workflow.Context) { workflow.BeginChild(ctx, parcel, 1, workflow.ID("x")) },
	`attributes {"a1":1}`:                   func(ctx workflow.Context) { workflow.SetAttributes(ctx, attr(1)) },
	"view 1":                                func(ctx workflow.Context) { workflow.Publish(ctx, 1) },
	"signal poke to other, step 1, value 1": beside(func(ctx workflow.Context) { _ = workflow.Send(ctx, "other", poke.With(1)) }),
	"ask other to end, step 1":              beside(func(ctx workflow.Context) { _ = workflow.SendCancel(ctx, "other") }),
	"local step load, step 1": beside(func(ctx workflow.Context) {
		_, _ = workflow.Step(ctx, "load", func(context.Context) (int, error) { return 0, nil })
	}),
}

// beside runs what waits in a coroutine of its own.
func beside(fn func(workflow.Context)) func(workflow.Context) {
	return func(ctx workflow.Context) { workflow.Go(ctx, fn) }
}

// doing asks for something and then waits.
func doing(what ...func(workflow.Context)) shopFn {
	return func(ctx workflow.Context, n int) (int, error) {
		for _, do := range what {
			do(ctx)
		}
		_, err := halt.Receive(ctx)
		return n, err
	}
}

func TestEachVerbIsHeldAgainstEachOther(t *testing.T) {
	for recorded, did := range verbs {
		w := begin(t, doing(did), 0)
		require.Len(t, w.entries, 2)
		for asked, does := range verbs {
			got := held(w, replay.Names, doing(does))
			if recorded == asked {
				assert.Nil(t, got)
				continue
			}
			require.NotNil(t, got, "%s instead of %s", asked, recorded)
			assert.Equal(t, replay.Mismatch{Seq: 2, Change: replay.Replaced, Recorded: recorded, Asked: asked, Agreed: 1}, core(got))
			assert.Regexp(t, `verbs_test\.go:\d+ `, got.Place)
		}
	}
}

func TestAskingMoreOrLessThanIsRecordedIsAMismatch(t *testing.T) {
	for what, does := range verbs {
		less := begin(t, doing(), 0)
		less.signal(poke.With(1)) // its mark stands at the second input
		got := held(less, replay.Names, doing(does))
		require.NotNil(t, got, what)
		assert.Equal(t, replay.Mismatch{Seq: 1, Change: replay.Added, Asked: what}, core(got))

		more := begin(t, doing(does), 0)
		got = held(more, replay.Names, doing())
		require.NotNil(t, got, what)
		assert.Equal(t, replay.Mismatch{Seq: 2, Change: replay.Removed, Recorded: what, Agreed: 1}, core(got))
	}
}

func TestCancelsOfChildrenAreHeld(t *testing.T) {
	code := func(cancels ...int) shopFn {
		return func(ctx workflow.Context, n int) (int, error) {
			var ends []workflow.CancelFunc
			for i := range 2 {
				within, cancel := workflow.WithCancel(ctx)
				ends = append(ends, cancel)
				workflow.BeginChild(within, parcel, i)
			}
			for _, i := range cancels {
				ends[i]()
			}
			_, err := halt.Receive(workflow.WithoutCancel(ctx))
			return n, err
		}
	}
	w := begin(t, code(0, 1), 0)
	for _, c := range []struct {
		code       shopFn
		seq        uint64
		why, asked string
	}{
		{code(1, 0), 4, "the code asks in another order: the cancel of step 1 and the cancel of step 2 have changed places", "cancel child of step 2"},
		{code(0), 5, "the code no longer cancels the child of step 2, which is recorded; it waits for signal halt", ""},
		{code(), 4, "the code no longer cancels the child of step 1, which is recorded; it waits for signal halt", ""},
	} {
		got := held(w, replay.Names, c.code)
		require.NotNil(t, got)
		assert.Equal(t, []any{c.seq, c.why, c.asked}, []any{got.Seq, got.Why, got.Asked})
	}
	got := held(begin(t, code(0), 0), replay.Names, code(0, 1))
	require.NotNil(t, got)
	assert.Equal(t, []string{"the code now cancels the child of step 2, where nothing more is recorded", "cancel child of step 2"}, []string{got.Why, got.Asked})
	w.childTold(1)
	w.childTold(2)
}

func TestWarningsNameWhatHasChanged(t *testing.T) {
	w := begin(t, func(ctx workflow.Context, n int) (int, error) {
		workflow.BeginChild(ctx, parcel, 1)
		workflow.SetAttributes(ctx, attr(1))
		workflow.Publish(ctx, 1)
		beside(func(ctx workflow.Context) { _ = workflow.Send(ctx, "a", poke.With(1)) })(ctx)
		_, err := halt.Receive(ctx)
		return n, err
	}, 0)
	m, err := replay.Remember(replay.Config{Code: codeOf(func(ctx workflow.Context, n int) (int, error) {
		workflow.BeginChild(ctx, parcel, 2, workflow.ID("x"))
		workflow.SetAttributes(ctx, attr(2))
		workflow.Publish(ctx, 2)
		beside(func(ctx workflow.Context) { _ = workflow.Send(ctx, "b", poke.With(2)) })(ctx)
		_, err := halt.Receive(ctx)
		return n, err
	})}, w.entries)
	require.NoError(t, err)
	defer m.Stop()
	assert.Equal(t, []string{
		"the code asks for a child parcel with the id x, recorded is w1~1.1 (step 1)",
		"child parcel (step 1) is called with another input",
		"the code sets other attributes",
		"the code publishes another view",
		"the code sends to b, recorded is a (step 2)",
		"signal poke (step 2) is sent with another value",
	}, m.Warnings())
	w.sent(2, "")
}

// forbidden are things that neither queries nor code that was given up may do.
var forbidden = map[string]func(workflow.Context){
	"child":      func(ctx workflow.Context) { workflow.BeginChild(ctx, parcel, 1) },
	"send":       func(ctx workflow.Context) { _ = workflow.Send(ctx, "other", poke.With(1)) },
	"cancel":     func(ctx workflow.Context) { _ = workflow.SendCancel(ctx, "other") },
	"attributes": func(ctx workflow.Context) { workflow.SetAttributes(ctx, attr(1)) },
	"view":       func(ctx workflow.Context) { workflow.Publish(ctx, 1) },
	"step": func(ctx workflow.Context) {
		_, _ = workflow.Step(ctx, "load", func(context.Context) (int, error) { return 0, nil })
	},
	"latest": func(ctx workflow.Context) { workflow.Latest(ctx, "v", func() int { return 1 }) },
	"update": func(ctx workflow.Context) {
		plus.Handle(ctx, func(workflow.Context, int) (int, error) { return 1, nil })
	},
	"map":        func(ctx workflow.Context) { _, _ = workflow.Map(ctx, upTo(3), doWork) },
	"continuing": func(ctx workflow.Context) { _ = workflow.ContinueAsNew(ctx, workflow.None{}) },
	"progress":   func(ctx workflow.Context) { workflow.BeginWatched[int](ctx, work, 1) },
}

func TestAQueryAsksForNothingNew(t *testing.T) {
	w := run(t, func(ctx workflow.Context) error {
		bad.Handle(ctx, func(what string) (int, error) {
			forbidden[what](ctx)
			return 1, nil
		})
		_, err := halt.Receive(ctx)
		return err
	})
	for what := range forbidden {
		_, err := ask(w, bad.With(what))
		assert.ErrorContains(t, err, "query bad panicked", what)
	}
	assert.Empty(t, w.machine.Asks())
	assert.Error(t, w.update("u1", "plus", 1), "no handler was set")
	w.signal(halt.With(1))
	assert.Equal(t, history.StatusCompleted, w.state.Status, "%v", w.err)
}

func TestCodeThatWasGivenUpAsksForNothingNew(t *testing.T) {
	for what, call := range forbidden {
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
		w.record(&history.Signaled{Name: "poke", Value: history.JSON([]byte("1"))})
		assert.EqualError(t, w.err, "panic: replay: this run of the code was given up because it did not yield", what)
		assert.False(t, returned, what)
	}
}

func TestDeadlocksAroundWhatIsNew(t *testing.T) {
	block := func(ctx workflow.Context) error { return workflow.Await(ctx, func() bool { return false }) }
	t.Run("an update may come", func(t *testing.T) {
		w := run(t, func(ctx workflow.Context) error {
			plus.Handle(ctx, func(ctx workflow.Context, _ int) (int, error) { return 0, block(ctx) })
			return block(ctx)
		})
		assert.NoError(t, w.machine.Deadlock())
		require.NoError(t, w.update("u1", "plus", 1))
		assert.NoError(t, w.machine.Deadlock(), "another may come")
		w.cancel()
	})
	t.Run("all that was begun has ended", func(t *testing.T) {
		w := run(t, func(ctx workflow.Context) error {
			_, err := workflow.Child(ctx, parcel, 1)
			return errors.Join(err, workflow.Send(ctx, "other", poke.With(1)), block(ctx))
		})
		assert.NoError(t, w.machine.Deadlock())
		w.childCompletes(1, 1)
		assert.NoError(t, w.machine.Deadlock())
		w.sent(2, "")
		assert.EqualError(t, w.machine.Deadlock(), "deadlock: main waits for a condition")
		w.cancel()
	})
	t.Run("an item of Map", func(t *testing.T) {
		w := run(t, func(ctx workflow.Context) error {
			_, err := workflow.Map(ctx, upTo(1), func(ctx workflow.Context, _ int) (int, error) { return 0, block(ctx) })
			return err
		})
		assert.EqualError(t, w.machine.Deadlock(), "deadlock: main waits for other coroutines; coroutine 1 waits for a condition")
		w.cancel()
		assert.Equal(t, history.StatusCancelled, w.state.Status)
	})
}

func TestHeadersAndParentsAreKnownToTheCode(t *testing.T) {
	var got workflow.Run
	w := untold(t, replay.Config{Code: codeOf(func(ctx workflow.Context, n int) (int, error) {
		got = workflow.Info(ctx)
		if n == 1 {
			workflow.BeginChild(ctx, parcel, 1)
			return 0, workflow.ContinueAsNew(ctx, 2)
		}
		return n, nil
	})})
	s := start(t, 1)
	s.Headers, s.Root, s.Parent = history.JSON([]byte(`{"trace":"t-1"}`)), "w0", history.Parent{ID: "w-1", Run: "r", Chain: "c", Step: 3, OnClose: history.CancelChild}
	s.Version, s.Pinned, s.Budget = 3, true, history.Budget{Entries: 7}
	w.give(s)
	assert.Equal(t, map[string]string{"trace": "t-1"}, got.Headers)
	assert.Equal(t, `{"trace":"t-1"}`, string(w.entries[1].Event.(*history.ChildAsked).Headers.Data), "they travel to children")
	w.childStarts(1)
	assert.Equal(t, []any{"run2", "run1", "w-1", "w0", 3, uint64(2)}, []any{got.Run, got.Chain, got.Parent, got.Root, got.Version, got.Number})
	assert.Equal(t, map[string]string{"trace": "t-1"}, got.Headers, "and into the next run")
	assert.Equal(t, workflow.Budget{Entries: 7, Bytes: 16 << 20, Open: 1000}, got.Budget)
	w.replays()

	s.Headers = history.JSON([]byte("7"))
	w = untold(t, w.config)
	w.config.Carried = nil
	w.give(s)
	assert.Nil(t, got.Headers, "what is no object is not what the code depends on")
}

func TestHeadersOfAnOptionComeOnTop(t *testing.T) {
	fast := workflow.Declare[int, int]("fast", workflow.Header("lane", "fast"), workflow.Header("tenant", "none"))
	w := untold(t, replay.Config{Code: codeOf(func(ctx workflow.Context, n int) (int, error) {
		if n == 2 {
			return n, nil
		}
		workflow.BeginChild(ctx, fast, 1, workflow.Header("tenant", "eu"))
		return 0, workflow.ContinueAsNew(ctx, 2, workflow.Header("trace", "t-2"))
	})})
	s := start(t, 1)
	s.Headers = history.JSON([]byte(`{"trace":"t-1","user":"ann"}`))
	w.give(s)
	assert.JSONEq(t, `{"trace":"t-1","user":"ann","lane":"fast","tenant":"eu"}`, string(w.entries[1].Event.(*history.ChildAsked).Headers.Data))
	w.childStarts(1)
	assert.JSONEq(t, `{"trace":"t-2","user":"ann"}`, string(w.started().Headers.Data))
	w.replays()
}

func TestTheEndOfAParentReachesItsChild(t *testing.T) {
	parented := func(t *testing.T, p history.ParentClose) *world {
		w := untold(t, replay.Config{Code: codeOf(func(ctx workflow.Context, n int) (int, error) {
			_, err := halt.Receive(ctx)
			return n, err
		})})
		s := start(t, 1)
		s.Parent = history.Parent{ID: "w0", Run: "r", Chain: "c", Step: 1, OnClose: p}
		w.give(s)
		w.signal(poke.With(1))
		w.give(commands.FollowParent{Chain: "c", Run: "r"})
		return w
	}
	for p, want := range map[history.ParentClose]history.Status{
		history.CancelChild: history.StatusCancelled, history.TerminateChild: history.StatusTerminated, history.AbandonChild: history.StatusRunning,
	} {
		assert.Equal(t, want, parented(t, p).state.Status, "%s", p)
	}
	assert.Equal(t, []uint64{2}, parented(t, history.TerminateChild).entries[2].Event.(*history.Terminated).Unread)
}

func TestWeightFollowsWhatIsOpen(t *testing.T) {
	w := run(t, func(ctx workflow.Context) error {
		plus.Handle(ctx, func(ctx workflow.Context, _ int) (int, error) { return 0, workflow.Sleep(ctx, time.Hour) })
		_, err := workflow.Do(ctx, work, 1, activity.MaxAttempts(1))
		return err
	})
	weights := []int{w.machine.Weight()}
	require.NoError(t, w.update("u1", "plus", 1))
	weights = append(weights, w.machine.Weight())
	w.signal(poke.With(1))
	weights = append(weights, w.machine.Weight())
	assert.IsIncreasing(t, weights)
	w.pass(time.Hour)
	w.fail(1, fmt.Errorf("oh"))
	assert.Less(t, w.machine.Weight(), weights[0])
}
