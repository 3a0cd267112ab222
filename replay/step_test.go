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

// makes makes the attempt of a local step, and records how it ended.
func (w *world) makes(step history.Step) error {
	w.t.Helper()
	h := w.machine.LocalOf(step)
	require.NotNil(w.t, h, "step %d is no open local step", step)
	p, err := h(context.Background(), history.Payload{})
	if err != nil {
		w.fail(step, err)
		return err
	}
	w.give(commands.CompleteActivity{Attempt: w.attempt(step), Result: p})
	return nil
}

func TestALocalStepIsAnActivityOfTheCodesOwn(t *testing.T) {
	made := 0
	w := yields(t, func(ctx workflow.Context) (string, error) {
		return workflow.Step(ctx, "load", func(context.Context) (string, error) {
			made++
			return fmt.Sprint("row ", made), nil
		})
	})
	scheduled := w.entries[1].Event.(*history.ActivityScheduled)
	assert.True(t, scheduled.Local)
	assert.Equal(t, "load", scheduled.Name)
	assert.Equal(t, 10*time.Second, scheduled.Policy.StartToClose)
	assert.Zero(t, made, "it is not made in the turn")
	require.NoError(t, w.makes(1))
	assert.Nil(t, w.machine.LocalOf(1), "what is settled has no function")
	assert.Equal(t, "row 1", result[string](w))
	w.replays()
	assert.Equal(t, 1, made, "nor when the run is remembered")
}

func TestALocalStepIsThereAgainWhenTheRunIsRemembered(t *testing.T) {
	w := yields(t, func(ctx workflow.Context) (int, error) {
		return workflow.Step(ctx, "load", func(context.Context) (int, error) { return 4, nil }, activity.StartToClose(time.Minute), activity.MaxAttempts(3))
	})
	assert.Equal(t, time.Minute, w.entries[1].Event.(*history.ActivityScheduled).Policy.StartToClose)
	w.foreign()
	w.recall()
	require.NoError(t, w.makes(1))
	assert.Equal(t, 4, result[int](w))
}

func TestALocalStepFailsByItsPolicy(t *testing.T) {
	gone := activity.NewError("gone", "gone for good")
	var got error
	w := run(t, func(ctx workflow.Context) error {
		_, got = workflow.Step(ctx, "load", func(context.Context) (int, error) { return 0, gone }, activity.MaxAttempts(2))
		return nil
	})
	require.Error(t, w.makes(1))
	require.True(t, w.state.Open(), "another attempt is made")
	require.NotNil(t, w.machine.LocalOf(1))
	w.pass(time.Minute)
	require.Error(t, w.makes(1))
	assert.ErrorIs(t, got, gone)
	assert.EqualError(t, got, "activity load after 2 attempts: gone for good")
}

func TestAResultThatCannotBeEncodedIsFinal(t *testing.T) {
	var got error
	w := run(t, func(ctx workflow.Context) error {
		_, got = workflow.Step(ctx, "load", func(context.Context) (func(), error) { return func() {}, nil })
		return nil
	})
	require.Error(t, w.makes(1))
	assert.Error(t, got)
	assert.Equal(t, history.StatusCompleted, w.state.Status)
}

func TestWhatNoStepCanBeIsNotBegun(t *testing.T) {
	var errs []error
	w := run(t, func(ctx workflow.Context) error {
		ended, cancel := workflow.WithCancel(ctx)
		cancel()
		step := func(ctx workflow.Context, name string, opts ...activity.Option) {
			_, err := workflow.Step(ctx, name, func(context.Context) (int, error) { return 0, nil }, opts...)
			errs = append(errs, err)
		}
		step(ctx, "load", activity.StartToClose(-1))
		step(ended, "load")
		return nil
	})
	require.Len(t, errs, 2)
	assert.ErrorIs(t, errs[0], commands.ErrInvalid)
	assert.ErrorContains(t, errs[0], "was not begun")
	assert.ErrorIs(t, errs[1], workflow.ErrCancelled)
	assert.Equal(t, []string{"started", "completed"}, w.kinds())
}

func TestALocalStepThatIsGivenUpHasNoFunction(t *testing.T) {
	w := run(t, func(ctx workflow.Context) error {
		_, err := workflow.Step(ctx, "load", func(context.Context) (int, error) { return 0, nil })
		_, _ = halt.Receive(workflow.WithoutCancel(ctx))
		return err
	})
	w.cancel()
	assert.Nil(t, w.machine.LocalOf(1))
	w.signal(halt.With(1))
	assert.Equal(t, history.StatusCancelled, w.state.Status)
}

func TestALocalStepIsNoActivity(t *testing.T) {
	load := activity.Declare[workflow.None, int]("load", activity.StartToClose(10*time.Second))
	local := func(ctx workflow.Context, _ int) (int, error) {
		return workflow.Step(ctx, "load", func(context.Context) (int, error) { return 0, nil })
	}
	remote := func(ctx workflow.Context, _ int) (int, error) { return workflow.Do(ctx, load, workflow.None{}) }
	got := held(begin(t, local, 0), replay.Names, remote)
	require.NotNil(t, got)
	assert.Equal(t, []string{"the code now asks for activity load (step 1), where the history asks for local step load", "local step load, step 1", "activity load, step 1, input {}"}, []string{got.Why, got.Recorded, got.Asked})
	got = held(begin(t, remote, 0), replay.Names, local)
	require.NotNil(t, got)
	assert.Equal(t, "local step load, step 1", got.Asked)
	got = held(begin(t, local, 0), replay.Names, func(ctx workflow.Context, _ int) (int, error) {
		return workflow.Step(ctx, "store", func(context.Context) (int, error) { return 0, nil })
	})
	require.NotNil(t, got)
	assert.Equal(t, "the code now asks for local step store (step 1), where the history asks for local step load; was it renamed?", got.Why)
}

func TestAwaitExternalHandsOutAndWaits(t *testing.T) {
	answer := activity.External[string]("answer", activity.ScheduleToClose(time.Hour))
	fail := errors.New("the mail is down")
	var handed error
	w := yields(t, func(ctx workflow.Context) (string, error) {
		return workflow.AwaitExternal(ctx, answer, func(context.Context, string) error { return handed })
	})
	scheduled := w.entries[1].Event.(*history.ActivityScheduled)
	assert.True(t, scheduled.Local)
	assert.Equal(t, time.Hour, scheduled.Policy.ScheduleToClose)
	h := w.machine.LocalOf(1)
	handed = fail
	_, err := h(context.Background(), history.Payload{})
	assert.ErrorIs(t, err, fail)
	handed = nil
	_, err = h(context.Background(), history.Payload{})
	assert.ErrorIs(t, err, activity.Pending, "it goes on outside")
	w.give(commands.LeavePending{Attempt: w.attempt(1)})
	a := w.state.Activities[1]
	w.give(commands.CompleteActivity{Attempt: commands.Attempt{Run: "run1", Step: 1, Serial: a.Serial}, Result: history.JSON([]byte(`"yes"`))})
	assert.Equal(t, "yes", result[string](w))
}

// TestAStepWithABadNameStalls: it is a slip of the author's, which better code mends.
func TestAStepWithABadNameStalls(t *testing.T) {
	for _, name := range []string{"no spaces", ""} {
		w := run(t, func(ctx workflow.Context) error {
			_, err := workflow.Step(ctx, name, func(context.Context) (int, error) { return 0, nil })
			return err
		})
		var stalled *replay.Stalled
		require.ErrorAs(t, w.err, &stalled)
		assert.Contains(t, stalled.Reason, "the name of a step")
	}
}
