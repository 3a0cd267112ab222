package runtime_test

import (
	"context"
	"errors"
	"maps"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/clewflow/clew/activity"
	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/runtime"
	"github.com/clewflow/clew/store/storetest"
	"github.com/clewflow/clew/workflow"
)

// mourned are failures that a failure workflow was told.
type mourned struct {
	mu  sync.Mutex
	all map[string]workflow.Failure
}

// told are they so far.
func (m *mourned) told() map[string]workflow.Failure {
	m.mu.Lock()
	defer m.mu.Unlock()
	return maps.Clone(m.all)
}

func (m *mourned) forget() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.all = nil
}

func (m *mourned) workflow() workflow.Type[workflow.Failure, int] {
	return workflow.Define("mourn", func(ctx workflow.Context, f workflow.Failure) (int, error) {
		m.mu.Lock()
		defer m.mu.Unlock()
		if m.all == nil {
			m.all = map[string]workflow.Failure{}
		}
		m.all[workflow.Info(ctx).ID] = f // replayed code does it again, with the same
		return 0, errors.New("failure workflows have none of their own")
	})
}

func TestAFailureWorkflowIsToldOfEachRunThatFails(t *testing.T) {
	var told mourned
	mourn := told.workflow()
	pay := activity.Define("pay", func(context.Context, string) (int, error) {
		return 0, activity.NonRetryable(errors.New("the bank is down"))
	})
	order := workflow.Define("order", func(ctx workflow.Context, what string) (int, error) {
		if what == "wait" {
			return 0, workflow.Sleep(ctx, 24*time.Hour)
		}
		return workflow.Do(ctx, pay, what)
	}, workflow.OnFailure(mourn, workflow.AndWhenTerminated()))
	quiet := workflow.Define("quiet", func(ctx workflow.Context, what string) (int, error) {
		return 0, workflow.Sleep(ctx, 24*time.Hour)
	}, workflow.OnFailure(mourn))
	inWorld(t, func(world *world) {
		t, w, ctx := world.t, world.rt, world.ctx()
		told.forget()
		_, err := runtime.Do(ctx, w, "o", order, "lamp", workflow.CorrelationID("c9"))
		require.Error(t, err)
		_, err = runtime.Start(ctx, w, "slow", order, "wait", workflow.RunTimeout(time.Minute))
		require.NoError(t, err)
		for _, id := range []string{"t", "q"} {
			code := order
			if id == "q" {
				code = quiet
			}
			_, err = runtime.Start(ctx, w, id, code, "wait")
			require.NoError(t, err)
			require.NoError(t, w.Terminate(ctx, id, runtime.Reason("ordered twice")))
		}
		time.Sleep(time.Hour)
		_, err = w.Retry(ctx, "o")
		require.NoError(t, err)
		time.Sleep(time.Hour)
		all := told.told()
		require.Len(t, all, 4)
		f := all["o~failure.1"]
		require.Equal(t, []any{"o", "order", "failed", uint64(1), "pay", `"lamp"`}, []any{f.ID, f.Workflow, f.Status, f.Step, f.Activity, string(f.Input)})
		require.Contains(t, f.Reason, "the bank is down")
		require.Equal(t, uint64(2), all["o~failure.2"].Number)
		require.Equal(t, "the limit of the run has passed", all["slow~failure.1"].Reason)
		require.Equal(t, "ordered twice", all["t~failure.1"].Reason)
		d, err := w.Describe(ctx, "o~failure.1")
		require.NoError(t, err)
		require.Equal(t, "failed", d.StatusName)
	}, order, quiet, mourn, pay)
}

// TestAFailureIsNotForgottenByWhoDies: whoever saw it dies before the failure workflow has started.
func TestAFailureIsNotForgottenByWhoDies(t *testing.T) {
	var told mourned
	mourn := told.workflow()
	order := workflow.Define("order", func(ctx workflow.Context, what string) (int, error) { return 0, errors.New("no") }, workflow.OnFailure(mourn))
	synctest.Test(t, func(t *testing.T) {
		world, sick := newWorld(t, runtime.Config{}), true
		faults := &storetest.Faults{Append: func(id history.ID, _ []history.Entry) storetest.Fault {
			if sick && id.Workflow == "o~failure.1" {
				return storetest.Failed
			}
			return storetest.None
		}}
		open := func() {
			world.c.Log = storetest.Faulty(world.disk.Open(), faults)
			world.openOn(order, mourn)
		}
		open()
		_, err := runtime.Do(world.ctx(), world.rt, "o", order, "")
		require.Error(t, err)
		time.Sleep(time.Minute)
		_, err = world.rt.Describe(world.ctx(), "o~failure.1")
		require.ErrorIs(t, err, runtime.ErrNotFound)
		world.close()
		time.Sleep(72 * time.Hour)
		sick = false
		open()
		time.Sleep(time.Minute)
		require.Equal(t, []string{"started", "failed"}, world.kinds("o~failure.1"))
		world.close()
		open()
		time.Sleep(time.Minute)
		require.Equal(t, []string{"started", "failed"}, world.kinds("o~failure.1"), "once")
		world.close()
	})
}

func TestVariablesAreChangedWhileARunIsOpen(t *testing.T) {
	rate := workflow.NewVariable[int]("rate")
	code := workflow.Define("order", func(ctx workflow.Context, _ int) (int, error) {
		now := rate.Declare(ctx, 3, func(n int) error {
			if n < 0 {
				return errors.New("a rate is not negative")
			}
			return nil
		})
		err := workflow.Await(ctx, func() bool { return now() > 10 })
		return now(), err
	})
	inWorld(t, func(world *world) {
		t, w, ctx := world.t, world.rt, world.ctx()
		_, err := runtime.Start(ctx, w, "o", code, 0)
		require.NoError(t, err)
		before, err := runtime.SetVariable(ctx, w, "o", rate, 5, runtime.Operator("ann"))
		require.NoError(t, err)
		require.Equal(t, 3, before)
		_, err = runtime.SetVariable(ctx, w, "o", rate, -5)
		require.ErrorIs(t, err, runtime.ErrRefused)
		value, err := runtime.Variable(ctx, w, "o", rate)
		require.NoError(t, err)
		require.Equal(t, 5, value)
		_, err = runtime.SetVariable(ctx, w, "o", workflow.NewVariable[int]("other"), 5)
		require.ErrorIs(t, err, runtime.ErrInvalid)
		_, err = w.Operate(ctx, "o", runtime.Operation{Do: "set-variable", Variable: "rate", Input: []byte("-1")})
		require.ErrorIs(t, err, runtime.ErrRefused)
		_, err = w.Operate(ctx, "o", runtime.Operation{Do: "set-variable", Variable: "rate", Input: []byte("11")}, runtime.RequestID("v"))
		require.NoError(t, err)
		out, err := runtime.Result(ctx, w, "o", code)
		require.NoError(t, err)
		require.Equal(t, 11, out)
		require.Contains(t, string(history.Marshal(world.entries("o"))), "operator:ann")
	}, code)
}
