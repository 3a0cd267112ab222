package runtime_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clewflow/clew/runtime"
	"github.com/clewflow/clew/workflow"
)

// remade is a workflow that is changed so that its runs do not fit any more; the changed one restarts them.
func remade(changed bool) workflow.Type[int, string] {
	var opts []workflow.Option
	if changed {
		opts = append(opts, workflow.OnMismatch(workflow.RestartRun))
	}
	return workflow.Define("remade", func(ctx workflow.Context, run int) (string, error) {
		got := 0
		add.Handle(ctx, func(ctx workflow.Context, n int) (int, error) {
			return n, workflow.Await(ctx, func() bool { return got >= 2 })
		})
		if changed {
			workflow.SetAttributes(ctx, workflow.NewAttribute[int]("run").Set(run))
		}
		if run == 0 {
			if _, err := finish.Receive(ctx); err != nil {
				return "", err
			}
			return "", workflow.ContinueAsNew(ctx, 1)
		}
		for got < 2 {
			if _, err := number.Receive(ctx); err != nil {
				if !changed { // it takes its time
					return "", workflow.Sleep(workflow.WithoutCancel(ctx), day)
				}
				return "", err
			}
			got++
		}
		err := workflow.Await(ctx, func() bool { return workflow.AllHandlersFinished(ctx) })
		return fmt.Sprint("changed ", changed), err
	}, opts...)
}

// TestARestartedRunKeepsWhatWasCarriedToIt: updates that came with a run go on with it.
func TestARestartedRunKeepsWhatWasCarriedToIt(t *testing.T) {
	before, after := remade(false), remade(true)
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, runtime.Config{})
		w.open(before)
		_, err := runtime.Start(w.ctx(), w.rt, "r", before, 0)
		require.NoError(t, err)
		_, err = runtime.BeginUpdate(w.ctx(), w.rt, "r", add, 8, runtime.RequestID("eight"))
		require.NoError(t, err)
		require.NoError(t, w.rt.Signal(w.ctx(), "r", finish.With("again")))
		require.NoError(t, w.rt.Signal(w.ctx(), "r", number.With(1)))
		w.close()
		w.open(after)
		time.Sleep(time.Second)
		require.NoError(t, w.rt.Signal(w.ctx(), "r", number.With(2)))
		out, err := runtime.Result(w.ctx(), w.rt, "r", after)
		require.NoError(t, err)
		assert.Equal(t, "changed true", out)
		got, err := runtime.Update(w.ctx(), w.rt, "r", add, 8, runtime.RequestID("eight"))
		require.NoError(t, err)
		assert.Equal(t, 8, got)
		w.close()
	})
}

// TestARestartedRunIsStillToEnd if somebody wanted that of the run before.
func TestARestartedRunIsStillToEnd(t *testing.T) {
	before, after := remade(false), remade(true)
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, runtime.Config{})
		w.open(before)
		_, err := runtime.Start(w.ctx(), w.rt, "r", before, 1)
		require.NoError(t, err)
		require.NoError(t, w.rt.Cancel(w.ctx(), "r"))
		w.close()
		w.open(after)
		ctx, cancel := context.WithTimeout(w.ctx(), hour)
		defer cancel()
		_, err = runtime.Result(ctx, w.rt, "r", after)
		assert.ErrorIs(t, err, workflow.ErrCancelled)
		w.close()
	})
}

// TestTheParentOfARestartedRunWaitsForTheNext: the chain of the child has not ended.
func TestTheParentOfARestartedRunWaitsForTheNext(t *testing.T) {
	before, after := remade(false), remade(true)
	parent := workflow.Define("parent", func(ctx workflow.Context, _ workflow.None) (string, error) {
		return workflow.Child(ctx, before, 1, workflow.ID("r"))
	})
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, runtime.Config{})
		w.open(parent, before)
		h, err := runtime.Start(w.ctx(), w.rt, "p", parent, workflow.None{})
		require.NoError(t, err)
		time.Sleep(time.Second)
		require.NoError(t, w.rt.Signal(w.ctx(), "r", number.With(1)))
		w.close()
		w.open(parent, after)
		time.Sleep(time.Second)
		require.NoError(t, w.rt.Signal(w.ctx(), "r", number.With(2)))
		out, err := runtime.Result(w.ctx(), w.rt, "p", parent)
		require.NoError(t, err)
		assert.Equal(t, "changed true", out)
		_ = h
		w.close()
	})
}
