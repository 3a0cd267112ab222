package replay_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clewflow/clew/activity"
	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/workflow"
)

func TestSagaUndoesInReverseOrder(t *testing.T) {
	w := run(t, func(ctx workflow.Context) error {
		_, err := workflow.Saga(ctx, func(undo *workflow.Undo) (int, error) {
			for i := range 3 {
				if _, err := workflow.Do(ctx, work, i); err != nil {
					return 0, err
				}
				undo.Add(workflow.Call(charge, i))
			}
			return workflow.Do(ctx, ship, 1)
		})
		return err
	})
	for step := range 3 {
		w.complete(history.Step(step+1), 0)
	}
	w.fail(4, errNo)
	for i, step := range []history.Step{5, 6, 7} {
		scheduled := w.entries[w.state.Activities[step].Seq-1].Event.(*history.ActivityScheduled)
		assert.Equal(t, "charge", scheduled.Name)
		assert.Equal(t, fmt.Sprint(2-i), string(scheduled.Input.Data), "the last is undone first, one after the other")
		require.Len(t, w.state.Activities, 1)
		w.complete(step, 0)
	}
	assert.EqualError(t, w.failure(), "activity ship: no")
}

func TestSagaGoesOnAfterUndoingFails(t *testing.T) {
	w := run(t, func(ctx workflow.Context) error {
		_, err := workflow.Saga(ctx, func(undo *workflow.Undo) (int, error) {
			for i := range 3 {
				undo.Add(workflow.Call(charge, i))
			}
			return 0, errors.New("oh")
		})
		return err
	})
	w.fail(1, activity.NonRetryable(errors.New("first")))
	w.complete(2, 0)
	w.fail(3, activity.NonRetryable(errors.New("last")))
	err := w.failure()
	assert.EqualError(t, err, "oh\nundoing: activity charge: first\nundoing: activity charge: last")
}

func TestSagaUndoesThoughItsScopeEnded(t *testing.T) {
	var got error
	w := run(t, func(ctx workflow.Context) error {
		within, _ := workflow.WithTimeout(ctx, time.Hour)
		_, got = workflow.Saga(within, func(undo *workflow.Undo) (int, error) {
			undo.Add(workflow.Call(charge, 1))
			undo.Add(func(ctx workflow.Context) error { return workflow.Sleep(ctx, time.Minute) })
			return workflow.Do(within, work, 1)
		})
		return ctx.Err()
	})
	w.cancel()
	w.pass(time.Minute)
	w.complete(4, 0)
	assert.ErrorIs(t, got, workflow.ErrCancelled)
	assert.Equal(t, history.StatusCancelled, w.state.Status)
	assert.Equal(t, []string{
		"started", "timer-started 1", "activity-scheduled 2", "cancel-requested", "timer-cancelled 1", "activity-cancel-requested 2", "timer-started 3",
		"timer-fired 3", "activity-scheduled 4", "activity-completed 4", "cancelled",
	}, w.kinds())
}

func TestSagaThatSucceedsUndoesNothing(t *testing.T) {
	w := yields(t, func(ctx workflow.Context) (int, error) {
		return workflow.Saga(ctx, func(undo *workflow.Undo) (int, error) {
			undo.Add(workflow.Call(charge, 1))
			return workflow.Do(ctx, work, 1)
		})
	})
	w.complete(1, 7)
	assert.Equal(t, 7, result[int](w))
	assert.Equal(t, []string{"started", "activity-scheduled 1", "activity-completed 1", "completed"}, w.kinds())
}

func TestAPanicInASagaUndoesNothing(t *testing.T) {
	undone := false
	w := run(t, func(ctx workflow.Context) error {
		_, err := workflow.Saga(ctx, func(undo *workflow.Undo) (int, error) {
			undo.Add(func(workflow.Context) error { undone = true; return nil })
			panic("oh")
		})
		return err
	})
	assert.EqualError(t, w.err, "panic: oh")
	w.machine.Stop()
	assert.False(t, undone)
}

func TestForgettingASagaUndoesNothing(t *testing.T) {
	undone := false
	w := run(t, func(ctx workflow.Context) error {
		_, err := workflow.Saga(ctx, func(undo *workflow.Undo) (int, error) {
			undo.Add(func(workflow.Context) error { undone = true; return nil })
			return workflow.Do(ctx, work, 1)
		})
		return err
	})
	w.machine.Stop()
	assert.False(t, undone)
}

func TestContinuingAsNewInASagaUndoesNothing(t *testing.T) {
	w := begin(t, func(ctx workflow.Context, n int) (int, error) {
		return workflow.Saga(ctx, func(undo *workflow.Undo) (int, error) {
			undo.Add(workflow.Call(charge, 1))
			if n == 2 {
				return n, nil
			}
			return 0, workflow.ContinueAsNew(ctx, 2)
		})
	}, 1)
	assert.Equal(t, 2, result[int](w))
	assert.Equal(t, []string{"started", "continued", "started", "completed"}, w.kinds())
}

func TestSagasNest(t *testing.T) {
	var undone []string
	add := func(undo *workflow.Undo, what string) {
		undo.Add(func(workflow.Context) error { undone = append(undone, what); return nil })
	}
	run(t, func(ctx workflow.Context) error {
		undone = nil
		_, err := workflow.Saga(ctx, func(undo *workflow.Undo) (int, error) {
			add(undo, "outer")
			_, err := workflow.Saga(ctx, func(undo *workflow.Undo) (int, error) {
				add(undo, "inner 1")
				add(undo, "inner 2")
				return 0, errors.New("oh")
			})
			return 0, err
		})
		return err
	})
	assert.Equal(t, []string{"inner 2", "inner 1", "outer"}, undone)
}

func TestCallIsDoneOnlyWhenItIsCalled(t *testing.T) {
	w := run(t, func(ctx workflow.Context) error {
		call := workflow.Call(work, 1)
		if _, err := poke.Receive(ctx); err != nil {
			return err
		}
		return call(ctx)
	})
	assert.Equal(t, []string{"started"}, w.kinds())
	w.signal(poke.With(1))
	w.fail(1, errNo)
	assert.EqualError(t, w.failure(), "activity work: no")
}
