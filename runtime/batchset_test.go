package runtime_test

import (
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/runtime"
	"github.com/clewflow/clew/system"
)

// TestABatchIsAboutExecutions: a run that its execution has gone on from is not one more.
func TestABatchIsAboutExecutions(t *testing.T) {
	var c counts
	var down atomic.Bool
	down.Store(true)
	code, definitions := payments(&c, &down)
	synctest.Test(t, func(t *testing.T) {
		world := newWorld(t, runtime.Config{})
		world.open(definitions...)
		ctx := world.ctx()
		for i := range 4 {
			_, err := runtime.Start(ctx, world.rt, fmt.Sprint("p", i), code, fmt.Sprint(i))
			require.NoError(t, err)
		}
		time.Sleep(time.Minute)
		for _, id := range []string{"p0", "p1"} { // they fail again, each with a second run
			_, err := world.rt.Retry(ctx, id)
			require.NoError(t, err)
		}
		time.Sleep(time.Minute)
		down.Store(false)
		_, err := world.rt.Retry(ctx, "p0") // with a third, which completes
		require.NoError(t, err)
		time.Sleep(time.Minute)
		h, err := world.rt.Batch(ctx, "b", system.Batch{Query: "type = payment and status = failed", Operation: []byte(`{"do":"retry"}`)})
		require.NoError(t, err)
		report, err := h.Result(ctx)
		require.NoError(t, err)
		require.Equal(t, system.Report{Found: 3, Older: 3, Done: 3}, report)
		world.close()
		world.verify(append(definitions, system.Batches)...)
	})
}

// TestTheSetOfABatchIsThatOfItsBeginning: what begins to fit later, because it changes or because time passes, is left alone; over many pages.
func TestTheSetOfABatchIsThatOfItsBeginning(t *testing.T) {
	if testing.Short() {
		t.Skip("a batch of more than a thousand is done by another test too")
	}
	var c counts
	var down atomic.Bool
	down.Store(true)
	code, definitions := payments(&c, &down)
	const n = 2100
	synctest.Test(t, func(t *testing.T) {
		world := newWorld(t, runtime.Config{})
		world.open(definitions...)
		ctx := world.ctx()
		for i := range n {
			_, err := runtime.Start(ctx, world.rt, fmt.Sprint("p", i), code, fmt.Sprint(i))
			require.NoError(t, err)
			if i == 99 {
				time.Sleep(time.Hour)
			}
		}
		time.Sleep(time.Minute)
		down.Store(false)
		// The first hundred are old enough, and the others would be within the hour that the batch takes.
		young := system.Batch{Query: "type = payment and status = failed and started < now-30m", Operation: []byte(`{"do":"retry"}`), Rate: 0.025}
		_, err := world.rt.Batch(ctx, "old", young)
		require.NoError(t, err)
		_, err = world.rt.Batch(ctx, "all", system.Batch{Query: "type = payment and status = failed and started > now-30m", Operation: []byte(`{"do":"retry"}`), Rate: 20, Most: n})
		require.NoError(t, err)
		report, err := runtime.Result(ctx, world.rt, "all", system.Batches)
		require.NoError(t, err)
		require.Equal(t, system.Report{Found: n - 100, Done: n - 100}, report)
		report, err = runtime.Result(ctx, world.rt, "old", system.Batches)
		require.NoError(t, err)
		require.Equal(t, system.Report{Found: 100, Done: 100}, report)
		time.Sleep(time.Second) // the last is begun, and is to be made
		for i := range n {
			require.Equal(t, 1, c.of(fmt.Sprint(i)), "p%d", i)
		}
		world.close()
		world.verify(append(definitions, system.Batches)...)
	})
}

// TestABatchThatIsCancelledDoesNoMore: what was done stays done.
func TestABatchThatIsCancelledDoesNoMore(t *testing.T) {
	var c counts
	var down atomic.Bool
	down.Store(true)
	code, definitions := payments(&c, &down)
	synctest.Test(t, func(t *testing.T) {
		world := newWorld(t, runtime.Config{})
		world.open(definitions...)
		ctx := world.ctx()
		for i := range 300 {
			_, err := runtime.Start(ctx, world.rt, fmt.Sprint("p", i), code, fmt.Sprint(i))
			require.NoError(t, err)
		}
		time.Sleep(time.Minute)
		down.Store(false)
		_, err := world.rt.Batch(ctx, "b", system.Batch{Query: "type = payment and status = failed", Operation: []byte(`{"do":"retry"}`), Rate: 10})
		require.NoError(t, err)
		time.Sleep(15 * time.Second)
		require.NoError(t, world.rt.Cancel(ctx, "b"))
		time.Sleep(time.Second)
		done := c.total()
		require.InDelta(t, 150, done, 20)
		time.Sleep(time.Hour)
		require.Equal(t, done, c.total())
		d, err := world.rt.Describe(ctx, "b")
		require.NoError(t, err)
		require.Equal(t, history.StatusCancelled, d.Status)
		world.close()
		world.verify(append(definitions, system.Batches)...)
	})
}
