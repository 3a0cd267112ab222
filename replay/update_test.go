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

var (
	plus = workflow.NewUpdate[int, int]("plus")
	less = workflow.NewUpdate[int, int]("less")
)

// update asks for an update as a runtime does: it is accepted only if the code agrees.
func (w *world) update(id string, name string, in any) error {
	w.t.Helper()
	p, err := history.Encode(in)
	require.NoError(w.t, err)
	if err := w.machine.Validate(name, p); err != nil {
		return err
	}
	w.give(commands.Update{Update: id, Name: name, Input: p})
	return nil
}

// answers are the answers to updates, in their order.
func (w *world) answers() (all []string) {
	for _, e := range w.entries {
		switch e := e.Event.(type) {
		case *history.UpdateCompleted:
			all = append(all, fmt.Sprint(e.Update, " ", string(e.Result.Data)))
		case *history.UpdateFailed:
			all = append(all, fmt.Sprint(e.Update, " ", history.ReadFailure(e.Failure).Message))
		}
	}
	return all
}

// counter answers plus until it is told to halt.
func counter(ctx workflow.Context, n int) (int, error) {
	plus.Handle(ctx, func(_ workflow.Context, by int) (int, error) {
		if by == 13 {
			return 0, errors.New("unlucky")
		}
		n += by
		return n, nil
	}, func(by int) error {
		if by < 0 {
			return errors.New("too little")
		}
		return nil
	})
	_, err := halt.Receive(ctx)
	return n, err
}

func TestUpdatesAreAnsweredInTheTurnInWhichTheyAreAccepted(t *testing.T) {
	w := begin(t, counter, 10)
	require.NoError(t, w.update("u1", "plus", 5))
	require.NoError(t, w.update("u2", "plus", 13))
	require.NoError(t, w.update("u3", "plus", 7))
	assert.Equal(t, []string{"u1 15", "u2 unlucky", "u3 22"}, w.answers())
	assert.NoError(t, w.machine.Deadlock(), "another may come")
	w.signal(halt.With(1))
	assert.Equal(t, 22, result[int](w))
	assert.Equal(t, []string{
		"started", "update-accepted u1", "update-completed u1", "update-accepted u2", "update-failed u2", "update-accepted u3", "update-completed u3", "signaled", "completed",
	}, w.kinds())
}

func TestWhatIsRefusedLeavesNoTrace(t *testing.T) {
	w := begin(t, counter, 10)
	assert.EqualError(t, w.update("u1", "plus", -1), "too little")
	assert.ErrorContains(t, w.update("u1", "plus", "x"), "the input of update plus")
	err := w.update("u1", "minus", 1)
	assert.ErrorIs(t, err, commands.ErrInvalid)
	assert.ErrorContains(t, err, "one of those that the workflow answers: plus")
	assert.Equal(t, []string{"started"}, w.kinds())
	w.signal(halt.With(1))
	assert.Equal(t, 10, result[int](w))
}

func TestFaultsOfAValidatorAreItsCallersAlone(t *testing.T) {
	faults := map[int]func(workflow.Context){
		1: func(ctx workflow.Context) { workflow.Begin(ctx, charge, 1) },
		2: func(ctx workflow.Context) { workflow.BeginChild(ctx, parcel, 1) },
		3: func(ctx workflow.Context) { _ = workflow.Send(ctx, "other", poke.With(1)) },
		4: func(ctx workflow.Context) { workflow.SetAttributes(ctx, workflow.NewAttribute[int]("a").Set(1)) },
		5: func(ctx workflow.Context) { workflow.Publish(ctx, 1) },
		6: func(ctx workflow.Context) { _ = workflow.Sleep(ctx, time.Hour) },
		7: func(ctx workflow.Context) { workflow.Latest(ctx, "v", func() int { return 1 }) },
		8: func(ctx workflow.Context) { _ = workflow.ContinueAsNew(ctx, workflow.None{}) },
		9: func(ctx workflow.Context) {
			less.Handle(ctx, func(workflow.Context, int) (int, error) { return 1, nil })
		},
		10: func(workflow.Context) { panic("oh") },
		11: func(ctx workflow.Context) { poke.TryReceive(ctx) },
		12: func(ctx workflow.Context) { workflow.Go(ctx, func(workflow.Context) {}) },
		13: func(ctx workflow.Context) { _, _ = halt.Receive(ctx) },
	}
	w := run(t, func(ctx workflow.Context) error {
		plus.Handle(ctx, func(workflow.Context, int) (int, error) { return 0, nil }, func(n int) error {
			faults[n](ctx)
			return nil
		})
		_, err := halt.Receive(ctx)
		if _, ok := poke.TryReceive(ctx); err == nil && !ok {
			err = errors.New("the run was touched")
		}
		return err
	})
	w.signal(poke.With(1))
	for n := range faults {
		assert.ErrorContains(t, w.update("u", "plus", n), "the validator of update plus panicked", "%d", n)
	}
	assert.Empty(t, w.machine.Asks())
	w.signal(halt.With(1))
	assert.Equal(t, history.StatusCompleted, w.state.Status, "%v", w.err)
}

func TestAHandlerMayWaitLikeAnyOtherCode(t *testing.T) {
	w := yields(t, func(ctx workflow.Context) ([]int, error) {
		var order []int
		var lock workflow.Mutex
		plus.Handle(ctx, func(ctx workflow.Context, n int) (int, error) {
			if err := lock.Lock(ctx); err != nil {
				return 0, err
			}
			defer lock.Unlock()
			v, err := workflow.Do(ctx, work, n)
			order = append(order, n)
			return v, err
		})
		if _, err := halt.Receive(ctx); err != nil {
			return nil, err
		}
		err := workflow.Await(ctx, func() bool { return workflow.AllHandlersFinished(ctx) })
		return order, err
	})
	require.NoError(t, w.update("u1", "plus", 1))
	require.NoError(t, w.update("u2", "plus", 2))
	w.signal(halt.With(1))
	require.True(t, w.state.Open(), "two handlers have not finished")
	w.complete(1, 10)
	require.True(t, w.state.Open(), "one handler has not finished")
	w.complete(2, 20)
	assert.Equal(t, []int{1, 2}, result[[]int](w))
	assert.Equal(t, []string{"u1 10", "u2 20"}, w.answers())
}

func TestUpdatesAreAnsweredInTheOrderInWhichTheirHandlersEnd(t *testing.T) {
	w := run(t, func(ctx workflow.Context) error {
		plus.Handle(ctx, func(ctx workflow.Context, n int) (int, error) {
			return n, workflow.Sleep(ctx, time.Duration(n)*time.Minute)
		})
		_, err := halt.Receive(ctx)
		return err
	})
	for i, n := range []int{3, 1, 0, 2} {
		require.NoError(t, w.update(fmt.Sprint("u", i), "plus", n))
	}
	w.pass(3 * time.Minute)
	assert.Equal(t, []string{"u2 0", "u1 1", "u3 2", "u0 3"}, w.answers())
	w.signal(halt.With(1))
}

// answersInOrder answers two updates when it is poked, in the order of first.
func answersInOrder(first, second string) func(workflow.Context, int) (int, error) {
	return func(ctx workflow.Context, _ int) (int, error) {
		turn := ""
		wait := func(name string) func(workflow.Context, int) (int, error) {
			return func(ctx workflow.Context, n int) (int, error) {
				err := workflow.Await(ctx, func() bool { return turn == name })
				return n, err
			}
		}
		plus.Handle(ctx, wait("plus"))
		less.Handle(ctx, wait("less"))
		if _, err := poke.Receive(ctx); err != nil {
			return 0, err
		}
		turn = first
		_, err := workflow.Do(ctx, work, 1)
		turn = second
		if err == nil {
			_, err = halt.Receive(ctx)
		}
		return 0, err
	}
}

func TestAnotherOrderOfAnswersIsAMismatch(t *testing.T) {
	w := begin(t, answersInOrder("plus", "less"), 0)
	require.NoError(t, w.update("u1", "plus", 1))
	require.NoError(t, w.update("u2", "less", 2))
	w.signal(poke.With(1))
	w.complete(1, 1)
	require.Equal(t, []string{"u1 1", "u2 2"}, w.answers())
	got := held(w, replay.Names, answersInOrder("less", "plus"))
	require.NotNil(t, got)
	assert.Equal(t, "the code asks in another order: the answer to update u1 and the answer to update u2 have changed places", got.Why)
	assert.Equal(t, "answer update u1 with 1", got.Recorded)
	assert.Equal(t, "answer update u2 with 2", got.Asked)
	w.signal(halt.With(1))
}

func TestAnswersToUpdatesAreHeld(t *testing.T) {
	answer := func(v int, fail error) func(workflow.Context, int) (int, error) {
		return func(ctx workflow.Context, _ int) (int, error) {
			plus.Handle(ctx, func(workflow.Context, int) (int, error) { return v, fail })
			_, err := halt.Receive(ctx)
			return 0, err
		}
	}
	w := begin(t, answer(1, nil), 0)
	require.NoError(t, w.update("u1", "plus", 1))
	assert.Nil(t, held(w, replay.Names, answer(2, nil)), "another answer passes with a warning")
	got := held(w, replay.Strict, answer(2, nil))
	require.NotNil(t, got)
	assert.Equal(t, "the code gives another answer to update u1: recorded is 1, asked 2", got.Why)
	got = held(w, replay.Names, answer(0, errors.New("oh")))
	require.NotNil(t, got)
	assert.Equal(t, "the code now refuses update u1, where the history answers update u1", got.Why)
	assert.Equal(t, "refuse update u1 with oh", got.Asked)
	got = held(w, replay.Names, func(ctx workflow.Context, _ int) (int, error) {
		_, err := halt.Receive(ctx)
		return 0, err
	})
	require.NotNil(t, got)
	assert.Equal(t, replay.Removed, got.Change)
	assert.Equal(t, "the code no longer answers update u1, which is recorded; it waits for signal halt", got.Why)
}

func TestAnUpdateWaitsForItsHandler(t *testing.T) {
	w := yields(t, func(ctx workflow.Context) (int, error) {
		if _, err := poke.Receive(ctx); err != nil {
			return 0, err
		}
		n := 0
		plus.Handle(ctx, func(_ workflow.Context, by int) (int, error) { n += by; return n, nil })
		_, err := halt.Receive(ctx)
		return n, err
	})
	w.foreign(&history.UpdateAccepted{Update: "u1", Name: "plus", Input: history.JSON([]byte("2"))},
		&history.UpdateAccepted{Update: "u2", Name: "plus", Input: history.JSON([]byte("3"))})
	w.recall()
	assert.Empty(t, w.answers())
	w.signal(poke.With(1))
	assert.Equal(t, []string{"u1 2", "u2 5"}, w.answers(), "in the order in which they were accepted")
	w.signal(halt.With(1))
	assert.Equal(t, 5, result[int](w))
}

func TestAHandlerSetAgainAnswersWhatComesAfter(t *testing.T) {
	w := yields(t, func(ctx workflow.Context) (int, error) {
		set := func(v int) {
			plus.Handle(ctx, func(ctx workflow.Context, _ int) (int, error) {
				err := workflow.Sleep(ctx, time.Minute)
				return v, err
			})
		}
		set(1)
		if _, err := poke.Receive(ctx); err != nil {
			return 0, err
		}
		set(2)
		_, err := halt.Receive(ctx)
		return 0, err
	})
	require.NoError(t, w.update("u1", "plus", 0))
	w.signal(poke.With(1))
	require.NoError(t, w.update("u2", "plus", 0))
	w.pass(time.Minute)
	assert.Equal(t, []string{"u1 1", "u2 2"}, w.answers(), "what has begun is not begun again")
	w.signal(halt.With(1))
}

func TestPanicOfAHandlerStalls(t *testing.T) {
	w := run(t, func(ctx workflow.Context) error {
		plus.Handle(ctx, func(workflow.Context, int) (int, error) { panic("oh") })
		_, err := halt.Receive(ctx)
		return err
	})
	require.NoError(t, w.update("u1", "plus", 1))
	var stalled *replay.Stalled
	require.ErrorAs(t, w.err, &stalled)
	assert.Equal(t, "panic: oh", stalled.Reason)
	assert.Equal(t, []string{"started", "update-accepted u1"}, w.kinds(), "the update is kept")
}

func TestAnswerThatIsTooLargeStalls(t *testing.T) {
	w := untold(t, replay.Config{MaxPayload: 10, Code: codeOf(func(ctx workflow.Context, _ int) (int, error) {
		workflow.NewUpdate[int, string]("long").Handle(ctx, func(workflow.Context, int) (string, error) { return "much too long for this", nil })
		_, err := halt.Receive(ctx)
		return 0, err
	})})
	w.give(start(t, 1))
	require.NoError(t, w.update("u1", "long", 1))
	assert.ErrorContains(t, w.err, "the answer to update long: clew: too large")
}

func TestZeroUpdateStalls(t *testing.T) {
	w := run(t, func(ctx workflow.Context) error {
		workflow.Update[int, int]{}.Handle(ctx, func(workflow.Context, int) (int, error) { return 0, nil })
		return nil
	})
	assert.ErrorContains(t, w.err, "workflow.NewUpdate")
}

func TestCancellationReachesHandlers(t *testing.T) {
	w := run(t, func(ctx workflow.Context) error {
		plus.Handle(ctx, func(ctx workflow.Context, _ int) (int, error) { return 0, workflow.Sleep(ctx, time.Hour) })
		_, err := halt.Receive(ctx)
		_ = workflow.Await(workflow.WithoutCancel(ctx), func() bool { return workflow.AllHandlersFinished(ctx) })
		return err
	})
	require.NoError(t, w.update("u1", "plus", 1))
	w.cancel()
	assert.Equal(t, []string{"u1 cancelled"}, w.answers())
	assert.Equal(t, history.StatusCancelled, w.state.Status)
}

func TestRegisteredErrorsOfHandlersTravel(t *testing.T) {
	gone := activity.NewError("gone", "gone for good")
	w := run(t, func(ctx workflow.Context) error {
		plus.Handle(ctx, func(workflow.Context, int) (int, error) { return 0, fmt.Errorf("looking: %w", gone) })
		_, err := halt.Receive(ctx)
		return err
	})
	require.NoError(t, w.update("u1", "plus", 1))
	failed := w.entries[2].Event.(*history.UpdateFailed)
	assert.ErrorIs(t, activity.Recall(history.ReadFailure(failed.Failure)), gone)
	w.signal(halt.With(1))
}

func TestAnUpdateThatTheEndCutsOffIsNotAnswered(t *testing.T) {
	w := run(t, func(ctx workflow.Context) error {
		plus.Handle(ctx, func(ctx workflow.Context, _ int) (int, error) { return 0, workflow.Sleep(ctx, time.Hour) })
		_, err := halt.Receive(ctx)
		return err
	})
	require.NoError(t, w.update("u1", "plus", 1))
	w.signal(halt.With(1))
	assert.Empty(t, w.answers())
	assert.Equal(t, []string{"started", "update-accepted u1", "timer-started 1", "signaled", "completed"}, w.kinds())
}
