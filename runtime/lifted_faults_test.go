package runtime_test

import (
	"context"
	"errors"
	"sync/atomic"
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

// What was halted goes on when the rule is lifted, also where the log could not be read, or took nothing, when it was to be taken up.
func TestWhatWasHaltedGoesOnThoughTheLogWasAway(t *testing.T) {
	more := workflow.NewSignal[int]("more")
	work := activity.Define("work", func(_ context.Context, n int) (int, error) {
		if n < 0 {
			return 0, errors.New("no")
		}
		return n, nil
	}, activity.Retry{Initial: time.Minute})
	code := workflow.Define("rests", func(ctx workflow.Context, _ int) (int, error) {
		n, err := more.Receive(ctx)
		if err != nil {
			return 0, err
		}
		return workflow.Do(ctx, work, n)
	})
	for _, memory := range []int{0, runtime.Forget} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, runtime.Config{Memory: memory})
			var away atomic.Bool
			var failed atomic.Int64
			w.c.Log = storetest.Faulty(w.disk.Open(), &storetest.Faults{
				Append: func(id history.ID, _ []history.Entry) storetest.Fault {
					if id.Family() == "" && away.Load() {
						failed.Add(1)
						return storetest.Failed
					}
					return storetest.None
				},
				Read: func(id history.ID, _ uint64) int {
					if id.Family() == "" && away.Load() {
						failed.Add(1)
						return 0
					}
					return -1
				},
			})
			w.openOn(code, work)
			ctx := w.ctx()
			_, err := runtime.Start(ctx, w.rt, "before", code, 0)
			require.NoError(t, err)
			require.NoError(t, w.rt.PausePolicy(ctx, runtime.OfWorkflow("rests")))
			_, err = runtime.Start(ctx, w.rt, "after", code, 0)
			require.NoError(t, err)
			for _, id := range []string{"before", "after"} {
				require.NoError(t, w.rt.Signal(ctx, id, more.With(7)))
			}
			synctest.Wait()
			away.Store(true)
			require.NoError(t, w.rt.UnpausePolicy(ctx, runtime.OfWorkflow("rests")))
			time.Sleep(10 * time.Second)
			require.Positive(t, failed.Load(), "it was tried while the log was away")
			away.Store(false)
			for _, id := range []string{"before", "after"} {
				within, stop := context.WithTimeout(ctx, time.Hour)
				out, err := runtime.Result(within, w.rt, id, code)
				require.NoError(t, err, "%s, with memory %d", id, memory)
				require.Equal(t, 7, out)
				stop()
			}
			w.close()
		})
	}
}
