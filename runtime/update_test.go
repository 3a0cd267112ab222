package runtime_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clewflow/clew/activity"
	"github.com/clewflow/clew/runtime"
	"github.com/clewflow/clew/store"
	"github.com/clewflow/clew/workflow"
)

var (
	add       = workflow.NewUpdate[int, int]("add")
	total     = workflow.NewQuery[int]("total")
	finish    = workflow.NewSignal[string]("finish")
	errOdd    = activity.NewError("update.odd", "the number is odd")
	errTooBig = activity.NewError("update.too-big", "the number is too big")

	// counter adds what it is asked to, after a while.
	counter = workflow.Define("counter", func(ctx workflow.Context, sum int) (int, error) {
		total.Handle(ctx, func() int { return sum })
		add.Handle(ctx, func(ctx workflow.Context, n int) (int, error) {
			if n > 100 {
				return 0, fmt.Errorf("adding %d: %w", n, errTooBig)
			}
			if n == 42 {
				if err := workflow.Await(ctx, func() bool { return false }); err != nil {
					return 0, err
				}
			}
			if err := workflow.Sleep(ctx, time.Minute); err != nil {
				return 0, err
			}
			sum += n
			return sum, nil
		}, func(n int) error {
			if n%2 == 1 {
				return errOdd
			}
			return nil
		})
		how, err := finish.Receive(ctx)
		switch {
		case err != nil:
			return 0, err
		case how == "again":
			return 0, workflow.ContinueAsNew(ctx, sum)
		case how == "in order":
			if err := workflow.Await(ctx, func() bool { return workflow.AllHandlersFinished(ctx) }); err != nil {
				return 0, err
			}
		}
		return sum, nil
	})
)

func TestUpdates(t *testing.T) {
	inWorld(t, func(w *world) {
		_, err := runtime.Start(w.ctx(), w.rt, "c", counter, 0)
		require.NoError(t, err)
		got, err := runtime.Update(w.ctx(), w.rt, "c", add, 2)
		require.NoError(t, err)
		assert.Equal(t, 2, got)

		before := len(w.entries("c"))
		_, err = runtime.Update(w.ctx(), w.rt, "c", add, 3)
		assert.ErrorIs(t, err, runtime.ErrRefused)
		assert.ErrorIs(t, err, errOdd)
		_, err = runtime.Update(w.ctx(), w.rt, "c", workflow.NewUpdate[int, int]("multiply"), 3)
		assert.ErrorIs(t, err, runtime.ErrInvalid)
		assert.ErrorContains(t, err, "add")
		_, err = runtime.Update(w.ctx(), w.rt, "c", workflow.NewUpdate[string, int]("add"), "three")
		assert.ErrorContains(t, err, "input of update add")
		assert.Len(t, w.entries("c"), before, "what is refused leaves no trace")

		_, err = runtime.Update(w.ctx(), w.rt, "c", add, 200)
		assert.ErrorIs(t, err, errTooBig)
		_, err = runtime.Update(w.ctx(), w.rt, "none", add, 2)
		assert.ErrorIs(t, err, runtime.ErrNotFound)

		for range 3 {
			got, err = runtime.Update(w.ctx(), w.rt, "c", add, 10, runtime.RequestID("ten"))
			require.NoError(t, err)
			assert.Equal(t, 12, got)
		}
		h, err := runtime.BeginUpdate(w.ctx(), w.rt, "c", add, 4)
		require.NoError(t, err)
		cut, err := runtime.BeginUpdate(w.ctx(), w.rt, "c", add, 42)
		require.NoError(t, err)
		time.Sleep(2 * time.Minute)
		got, err = h.Result(w.ctx())
		require.NoError(t, err)
		assert.Equal(t, 16, got)

		require.NoError(t, w.rt.Signal(w.ctx(), "c", finish.With("now")))
		out, err := runtime.Result(w.ctx(), w.rt, "c", counter)
		require.NoError(t, err)
		assert.Equal(t, 16, out)
		_, err = cut.Result(w.ctx())
		assert.ErrorIs(t, err, runtime.ErrRunClosed)
		_, err = runtime.Update(w.ctx(), w.rt, "c", add, 2)
		assert.ErrorIs(t, err, runtime.ErrNotRunning)
		got, err = runtime.Update(w.ctx(), w.rt, "c", add, 10, runtime.RequestID("ten"))
		require.NoError(t, err, "the same id gives the same answer also after the end")
		assert.Equal(t, 12, got)
	}, counter)
}

func TestUpdatesAcrossRuns(t *testing.T) {
	inWorld(t, func(w *world) {
		_, err := runtime.Start(w.ctx(), w.rt, "c", counter, 0)
		require.NoError(t, err)
		got, err := runtime.Update(w.ctx(), w.rt, "c", add, 6, runtime.RequestID("six"))
		require.NoError(t, err)
		assert.Equal(t, 6, got)
		cut, err := runtime.BeginUpdate(w.ctx(), w.rt, "c", add, 8)
		require.NoError(t, err)
		waits, err := runtime.BeginUpdate(w.ctx(), w.rt, "c", add, 42) // it has asked for nothing
		require.NoError(t, err)
		answered := make(chan error, 1)
		go func() { _, err := waits.Result(w.ctx()); answered <- err }()
		require.NoError(t, w.rt.Signal(w.ctx(), "c", finish.With("again")))
		_, err = cut.Result(w.ctx())
		assert.ErrorIs(t, err, runtime.ErrRunClosed)
		synctest.Wait()
		select {
		case err := <-answered:
			t.Errorf("an update that travels on was answered %v", err)
		default:
		}
		got, err = runtime.Update(w.ctx(), w.rt, "c", add, 6, runtime.RequestID("six"))
		require.NoError(t, err)
		assert.Equal(t, 6, got, "it was answered in the run before")
		d, err := w.rt.Describe(w.ctx(), "c")
		require.NoError(t, err)
		assert.Contains(t, fmt.Sprint(d.Waiting), "the code's answer to update")
		require.NoError(t, w.rt.Cancel(w.ctx(), "c"))
		assert.Error(t, <-answered)
	}, counter)
}

func TestUpdateAndSignalWithStart(t *testing.T) {
	inWorld(t, func(w *world) {
		h, err := runtime.UpdateWithStart(w.ctx(), w.rt, "c", counter, 100, add, 2)
		require.NoError(t, err)
		got, err := h.Result(w.ctx())
		require.NoError(t, err)
		assert.Equal(t, 102, got)
		h, err = runtime.UpdateWithStart(w.ctx(), w.rt, "c", counter, 100, add, 4)
		require.NoError(t, err)
		got, err = h.Result(w.ctx())
		require.NoError(t, err)
		assert.Equal(t, 106, got)
		assert.Equal(t, 1, count(w.kinds("c"), "started"))

		_, err = runtime.UpdateWithStart(w.ctx(), w.rt, "never", counter, 100, add, 3)
		assert.ErrorIs(t, err, errOdd)
		_, err = w.rt.Describe(w.ctx(), "never")
		assert.ErrorIs(t, err, runtime.ErrNotFound, "what is refused leaves nothing half-done")

		for range 2 {
			_, err := runtime.Start(w.ctx(), w.rt, "t", tallying, tally{Every: 5, Until: 2}, runtime.IfRunning(runtime.UseExisting), runtime.AndSignal(number.With(1)))
			require.NoError(t, err)
		}
		assert.Equal(t, []string{"started", "signaled", "signaled", "completed"}, w.kinds("t"))
		require.NoError(t, w.rt.Terminate(w.ctx(), "c"))
	}, counter, tallying)
}

func count(all []string, what string) (n int) {
	for _, s := range all {
		if s == what {
			n++
		}
	}
	return n
}

// TestDeathAtEachAppendOfUpdates: what was accepted is answered, once.
func TestDeathAtEachAppendOfUpdates(t *testing.T) {
	most := 0
	for n := 0; n <= most; n++ {
		for _, stored := range []bool{false, true} {
			inFaulty(t, n, stored, func(w *world, appends func() int) {
				require.NoError(t, w.rt.Signal(w.ctx(), "c", finish.With("in order")))
				out, err := runtime.Result(w.ctx(), w.rt, "c", counter)
				require.NoError(t, err)
				assert.Equal(t, 30, out, "death at append %d (stored: %v)", n, stored)
				most = max(most, appends())
			}, func(w *world) {
				ctx := context.WithoutCancel(w.ctx())
				_, err := runtime.Start(ctx, w.rt, "c", counter, 0, runtime.RequestID("start"))
				for i := 1; i < 6 && err == nil; i++ {
					_, err = runtime.Update(ctx, w.rt, "c", add, 2*i, runtime.RequestID(fmt.Sprint("u", i)))
				}
				if err != nil && !errors.Is(err, runtime.ErrClosed) && !errors.Is(err, store.ErrClosed) {
					t.Errorf("death at append %d (stored: %v): %v", n, stored, err)
				}
			}, counter)
		}
	}
	assert.Greater(t, most, 8)
}
