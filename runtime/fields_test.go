package runtime_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/clewflow/clew/activity"
	"github.com/clewflow/clew/query"
	"github.com/clewflow/clew/runtime"
	"github.com/clewflow/clew/workflow"
)

// TestDepthIsThatOfTheParentAndOneMore, also of what continues, and in an index that is built anew.
func TestDepthIsThatOfTheParentAndOneMore(t *testing.T) {
	var below workflow.Type[int, int]
	below = workflow.Define("below", func(ctx workflow.Context, n int) (int, error) {
		switch {
		case n > 3:
			return 0, workflow.Sleep(ctx, day)
		case workflow.Info(ctx).Number == 1:
			return 0, workflow.ContinueAsNew(ctx, n)
		}
		return workflow.Child(ctx, below, n+1, workflow.ID("below-"+string(rune('1'+n))))
	})
	inWorld(t, func(w *world) {
		_, err := runtime.Start(w.ctx(), w.rt, "below-0", below, 0)
		require.NoError(t, err)
		time.Sleep(time.Minute)
		for range 2 {
			for depth := range 5 {
				rows := w.rows(query.Where(query.Query{}, query.Runs.Depth.Is(depth)))
				require.Len(w.t, rows, min(2, 5-depth), "a run and the one that continues it")
				for _, row := range rows {
					require.Equal(w.t, "below-"+string(rune('0'+depth)), row.ID)
				}
			}
			require.Len(w.t, w.rows(query.Where(query.Query{}, query.All(query.Runs.Root.Is("below-0"), query.Runs.Depth.AtLeast(2)))), 5)
			w.close()
			w.open(below) // its index is in memory
		}
	}, below)
}

// TestUnreadSignalsAreCounted as the code receives them, and not as it is told of them.
func TestUnreadSignalsAreCounted(t *testing.T) {
	go2 := workflow.NewSignal[int]("go")
	taking := workflow.Define("taking", func(ctx workflow.Context, n int) (int, error) {
		for range n {
			if _, err := go2.Receive(ctx); err != nil {
				return 0, err
			}
			if _, err := number.Receive(ctx); err != nil {
				return 0, err
			}
		}
		return n, nil
	})
	inWorld(t, func(w *world) {
		t := w.t
		_, err := runtime.Start(w.ctx(), w.rt, "t", taking, 2)
		require.NoError(t, err)
		unread := func() int { return w.rows(query.Query{ID: "t"})[0].Unread }
		for n := range 3 {
			require.Equal(t, n, unread())
			require.NoError(t, w.rt.Signal(w.ctx(), "t", number.With(n)))
		}
		require.NoError(t, w.rt.Signal(w.ctx(), "t", go2.With(1)))
		require.Equal(t, 2, unread(), "one of each was received")
		require.NoError(t, w.rt.Pause(w.ctx(), "t"))
		require.NoError(t, w.rt.Signal(w.ctx(), "t", number.With(7)))
		require.Equal(t, 3, unread(), "nothing is told while it is paused")
		require.NoError(t, w.rt.Unpause(w.ctx(), "t"))
		w.close()
		w.open(taking)
		require.Equal(t, 3, unread())
		require.NoError(t, w.rt.Signal(w.ctx(), "t", go2.With(2)))
		_, err = runtime.Result(w.ctx(), w.rt, "t", taking)
		require.NoError(t, err)
		require.Equal(t, 2, unread(), "what a run has left over is unread for ever")
		require.Len(t, w.rows(query.Where(query.Query{Status: query.Closed}, query.Runs.Unread.Above(1))), 1)
	}, taking)
}

// TestRunsAreFoundByWhatIsPendingAndByTheirGates: queue, attempts, patch, version = latest and halted, of real runs.
func TestRunsAreFoundByWhatIsPendingAndByTheirGates(t *testing.T) {
	film := activity.Define("film", func(context.Context, string) (string, error) { return "", errors.New("no film left") },
		activity.Queue("gpu"), activity.Retry{Initial: time.Second, Factor: 1})
	filming := workflow.Define("filming", func(ctx workflow.Context, _ int) (int, error) {
		_ = workflow.Patched(ctx, "colour")
		_ = workflow.Variant(ctx, "sound", 2)
		_, err := workflow.Do(ctx, film, "x")
		return 0, err
	}, workflow.Version(3))
	inWorld(t, func(w *world) {
		t := w.t
		_, err := runtime.Start(w.ctx(), w.rt, "f", filming, 0)
		require.NoError(t, err)
		time.Sleep(2500 * time.Millisecond)
		for _, n := range []query.Node{
			query.Runs.Queue.Is("gpu"), query.Runs.Attempts.Above(1), query.Runs.Patch.Is("colour"), query.Prefix(query.Runs.Patch, "sou"), query.IsLatest(),
			query.Runs.Patch.In("x", "sound"), query.Runs.Halted.Is(false),
		} {
			require.Len(t, w.rows(query.Where(query.Query{}, n)), 1, n.String())
		}
		row := w.rows(query.Query{ID: "f"})[0]
		require.Equal(t, []string{"colour", "sound"}, row.Patches)
		require.Equal(t, []string{"gpu"}, row.Queues)

		require.NoError(t, w.rt.PausePolicy(w.ctx(), runtime.OfWorkflow("filming")))
		require.True(t, w.rows(query.Where(query.Query{}, query.Runs.Halted.Is(true)))[0].Halted)
		require.NoError(t, w.rt.UnpausePolicy(w.ctx(), runtime.OfWorkflow("filming")))
		require.Empty(t, w.rows(query.Where(query.Query{}, query.Runs.Halted.Is(true))))
		require.NoError(t, w.rt.Terminate(w.ctx(), "f"))
		for _, n := range []query.Node{query.Runs.Queue.Is("gpu"), query.Runs.Attempts.AtLeast(1)} {
			require.Empty(t, w.rows(query.Where(query.Query{}, n)), n.String())
		}
		require.Len(t, w.rows(query.Where(query.Query{}, query.Runs.Patch.Is("colour"))), 1, "which stays")
	}, filming, film)
}
