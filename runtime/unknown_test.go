package runtime_test

import (
	"context"
	"fmt"
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

// TestAnUnknownOutcomeStaysUnknownWhileTheStoreIsUnavailable: a store that answers nothing any more has not said that it did not
// store what it was sent before. Whatever append that happens to, what follows from it happens.
func TestAnUnknownOutcomeStaysUnknownWhileTheStoreIsUnavailable(t *testing.T) {
	tried := 0
	work := activity.Define("work", func(ctx context.Context, _ workflow.None) (int, error) {
		if tried++; activity.Info(ctx).Number == 1 {
			<-ctx.Done()
			return 0, context.Cause(ctx)
		}
		return tried, nil
	}, activity.StartToClose(time.Minute))
	w := workflow.Define("w", func(ctx workflow.Context, in workflow.None) (int, error) { return workflow.Do(ctx, work, in) })
	for _, fault := range []storetest.Fault{storetest.Stored, storetest.NotStored, storetest.StoredLater} {
		for at := range 3 {
			t.Run(fmt.Sprint(fault, " ", at), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					world := newWorld(t, runtime.Config{})
					n := 0
					world.c.Log = storetest.Faulty(world.disk.Open(), &storetest.Faults{Steps: 2, Append: func(history.ID, []history.Entry) storetest.Fault {
						defer func() { n++ }()
						switch n - at {
						case 0:
							return fault
						case 1, 2, 3:
							return storetest.Failed
						}
						return storetest.None
					}})
					world.openOn(w, work)
					h, err := runtime.Start(world.ctx(), world.rt, "w", w, workflow.None{})
					require.NoError(t, err)
					began := time.Now()
					_, err = h.Result(world.ctx())
					require.NoError(t, err)
					assert.Less(t, time.Since(began), 2*time.Minute)
					world.close()
					world.verify(w, work)
				})
			})
		}
	}
}

// TestAProcessBeginsThoughTheStoreIsUnavailableForAMoment: what its predecessor had in hand is recorded as lost when it can be.
func TestAProcessBeginsThoughTheStoreIsUnavailableForAMoment(t *testing.T) {
	once := activity.Define("once", func(ctx context.Context, _ workflow.None) (int, error) {
		<-ctx.Done()
		return 0, context.Cause(ctx)
	}, activity.MaxAttempts(1))
	w := workflow.Define("w", func(ctx workflow.Context, in workflow.None) (int, error) { return workflow.Do(ctx, once, in) })
	synctest.Test(t, func(t *testing.T) {
		world := newWorld(t, runtime.Config{Drain: 1})
		world.open(w, once)
		_, err := runtime.Start(world.ctx(), world.rt, "w", w, workflow.None{})
		require.NoError(t, err)
		time.Sleep(time.Second)
		world.close()
		failures := 3
		world.c.Log = storetest.Faulty(world.disk.Open(), &storetest.Faults{Append: func(history.ID, []history.Entry) storetest.Fault {
			if failures--; failures >= 0 {
				return storetest.Failed
			}
			return storetest.None
		}})
		world.openOn(w, once)
		_, err = runtime.Result(world.ctx(), world.rt, "w", w)
		require.ErrorContains(t, err, "the process that made the attempt died")
		require.Negative(t, failures)
		world.close()
		world.verify(w, once)
	})
}
