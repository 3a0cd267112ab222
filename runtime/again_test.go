package runtime_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clewflow/clew/activity"
	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/runtime"
	"github.com/clewflow/clew/store/storetest"
	"github.com/clewflow/clew/workflow"
)

// failing is a log that cannot record the first entry of a kind.
func (w *world) failing(kind string) *storetest.Faults {
	failed := false
	return &storetest.Faults{Append: func(_ history.ID, entries []history.Entry) storetest.Fault {
		for _, e := range entries {
			if e.Event.Kind() == kind && !failed {
				failed = true
				return storetest.Failed
			}
		}
		return storetest.None
	}}
}

// TestWhatCouldNotBeRecordedIsTriedAgain: nobody waits for the answer to what the runtime itself asks, so it must see to it.
func TestWhatCouldNotBeRecordedIsTriedAgain(t *testing.T) {
	fails := body(func(context.Context, string) (string, error) { return "", errors.New("no") },
		activity.Retry{Initial: hour, Max: day}, activity.OnCancel(activity.WaitCancelled))
	caller := calling(fails)
	for _, memory := range []int{0, runtime.Forget} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, runtime.Config{Memory: memory})
			w.c.Log = storetest.Faulty(w.disk.Open(), w.failing("activity-cancelled"))
			w.openOn(fails, caller)
			h, err := runtime.Start(w.ctx(), w.rt, "a", caller, "")
			require.NoError(t, err)
			time.Sleep(time.Minute)
			began := time.Now()
			require.NoError(t, w.rt.Cancel(w.ctx(), "a"))
			_, err = h.Result(w.ctx())
			for errors.Is(err, runtime.ErrUnavailable) { // who asks while it cannot be recorded is told so
				_, err = h.Result(w.ctx())
			}
			assert.ErrorIs(t, err, workflow.ErrCancelled)
			assert.Less(t, time.Since(began), time.Minute, "memory %d", memory)
			w.close()
		})
	}
}

func TestTriesOfAStalledExecutionBecomeRarer(t *testing.T) {
	var tries atomic.Int64
	bad := define(func(workflow.Context, string) (string, error) {
		tries.Add(1)
		panic("bug")
	})
	for _, memory := range []int{0, runtime.Forget} {
		tries.Store(0)
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, runtime.Config{Memory: memory})
			w.open(bad)
			_, err := runtime.Start(w.ctx(), w.rt, "a", bad, "")
			require.NoError(t, err)
			time.Sleep(hour)
			assert.Greater(t, tries.Load(), int64(10))
			assert.Less(t, tries.Load(), int64(30))
			w.close()
		})
	}
}
