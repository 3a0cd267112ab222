package runtime_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clewflow/clew/runtime"
	"github.com/clewflow/clew/workflow"
)

// collected is what a run of the collecting workflow hands to the next.
type collected struct {
	Run, Seen int
	Child     bool // one is begun before the run ends
}

// collecting counts signals in a coroutine of its own, beside the code that says when the run ends.
var collecting = workflow.Define("collecting", func(ctx workflow.Context, c collected) (collected, error) {
	workflow.Go(ctx, func(ctx workflow.Context) {
		for range number.All(ctx) {
			c.Seen++
		}
	})
	add.Handle(ctx, func(ctx workflow.Context, n int) (int, error) {
		return n, workflow.Await(ctx, func() bool { return c.Run > 0 })
	})
	how, err := finish.Receive(ctx)
	if err != nil || how != "again" {
		return c, err
	}
	if c.Child {
		workflow.BeginChild(ctx, parcel, "nothing")
	}
	next := c
	next.Run++
	return c, workflow.ContinueAsNew(ctx, next)
})

// idle opens a runtime that does not run, for what it records alone.
func (w *world) idle(f func(rt *runtime.Runtime), definitions ...workflow.Definition) {
	w.t.Helper()
	w.c.Log = w.disk.Open()
	rt, err := runtime.Open(w.t.Context(), w.c, definitions...)
	require.NoError(w.t, err)
	f(rt)
	require.NoError(w.t, rt.Close())
}

// TestWhatComesAfterTheEndOfTheCodeTravelsOn: what is recorded when the code has returned, and its end not yet, is the next run's.
func TestWhatComesAfterTheEndOfTheCodeTravelsOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, runtime.Config{})
		w.idle(func(rt *runtime.Runtime) {
			_, err := runtime.Start(w.ctx(), rt, "c", collecting, collected{})
			require.NoError(t, err)
			for i := range 3 {
				require.NoError(t, rt.Signal(w.ctx(), "c", number.With(i)))
			}
			require.NoError(t, rt.Signal(w.ctx(), "c", finish.With("again")))
			for i := range 5 {
				require.NoError(t, rt.Signal(w.ctx(), "c", number.With(i)))
			}
		}, collecting, parcel)
		w.open(collecting, parcel)
		time.Sleep(time.Second)
		require.NoError(t, w.rt.Signal(w.ctx(), "c", finish.With("now")))
		out, err := runtime.Result(w.ctx(), w.rt, "c", collecting)
		require.NoError(t, err)
		assert.Equal(t, collected{Run: 1, Seen: 8}, out)
		w.close()
		w.verify(collecting, parcel)
	})
}

// TestACancellationAfterTheEndOfTheCodeIsToldToTheNextRun: it was accepted, and nobody else will act on it.
func TestACancellationAfterTheEndOfTheCodeIsToldToTheNextRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, runtime.Config{})
		w.idle(func(rt *runtime.Runtime) {
			_, err := runtime.Start(w.ctx(), rt, "c", collecting, collected{})
			require.NoError(t, err)
			require.NoError(t, rt.Signal(w.ctx(), "c", finish.With("again")))
			require.NoError(t, rt.Cancel(w.ctx(), "c", runtime.Reason("enough")))
		}, collecting, parcel)
		w.open(collecting, parcel)
		ctx, cancel := context.WithTimeout(w.ctx(), hour)
		defer cancel()
		_, err := runtime.Result(ctx, w.rt, "c", collecting)
		assert.ErrorIs(t, err, workflow.ErrCancelled)
		w.close()
		w.verify(collecting, parcel)
	})
}

// TestASignalWhileARunWaitsForItsChildrenToBeginTravelsOn: the code has returned, and what it hands on is fixed.
func TestASignalWhileARunWaitsForItsChildrenToBeginTravelsOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, runtime.Config{})
		hold := make(chan struct{})
		w.c.Hooks.Errands = func(e runtime.Errand) {
			go func() {
				<-hold
				e.Do()
			}()
		}
		w.open(collecting, parcel)
		_, err := runtime.Start(w.ctx(), w.rt, "c", collecting, collected{Child: true})
		require.NoError(t, err)
		require.NoError(t, w.rt.Signal(w.ctx(), "c", number.With(1)))
		require.NoError(t, w.rt.Signal(w.ctx(), "c", finish.With("again")))
		for i := range 5 { // the child has not begun, so the run has not ended
			require.NoError(t, w.rt.Signal(w.ctx(), "c", number.With(i)))
		}
		h, err := runtime.BeginUpdate(w.ctx(), w.rt, "c", add, 6)
		require.NoError(t, err)
		close(hold)
		got, err := h.Result(w.ctx())
		require.NoError(t, err)
		assert.Equal(t, 6, got)
		require.NoError(t, w.rt.Signal(w.ctx(), "c", finish.With("now")))
		out, err := runtime.Result(w.ctx(), w.rt, "c", collecting)
		require.NoError(t, err)
		assert.Equal(t, collected{Run: 1, Seen: 6, Child: true}, out)
		time.Sleep(time.Second)
		w.close()
		w.verify(collecting, parcel)
	})
}

// TestAnUpdateWhoseHandlerReturnsAfterTheCodeIsAnsweredByTheNextRun: its answer was never recorded.
func TestAnUpdateWhoseHandlerReturnsAfterTheCodeIsAnsweredByTheNextRun(t *testing.T) {
	stopping := workflow.Define("stopping", func(ctx workflow.Context, run int) (int, error) {
		over := run > 0
		add.Handle(ctx, func(ctx workflow.Context, n int) (int, error) {
			return n, workflow.Await(ctx, func() bool { return over })
		})
		if _, err := finish.Receive(ctx); err != nil || run > 0 {
			return run, err
		}
		over = true
		return run, workflow.ContinueAsNew(ctx, run+1)
	})
	inWorld(t, func(w *world) {
		_, err := runtime.Start(w.ctx(), w.rt, "s", stopping, 0)
		require.NoError(t, err)
		h, err := runtime.BeginUpdate(w.ctx(), w.rt, "s", add, 6)
		require.NoError(t, err)
		require.NoError(t, w.rt.Signal(w.ctx(), "s", finish.With("now")))
		got, err := h.Result(w.ctx())
		require.NoError(t, err)
		assert.Equal(t, 6, got)
		require.NoError(t, w.rt.Signal(w.ctx(), "s", finish.With("now")))
	}, stopping)
}
