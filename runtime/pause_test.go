package runtime_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/clewflow/clew/activity"
	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/query"
	"github.com/clewflow/clew/runtime"
	"github.com/clewflow/clew/workflow"
)

// held is a workflow of two activities side by side, a timer and a signal, with a query for how far it has come.
func held(c *counts, lasts time.Duration) (workflow.Type[int, int], []workflow.Definition, workflow.Signal[int], workflow.Query[int], workflow.Update[int, int]) {
	do := activity.Define("do", func(ctx context.Context, what string) (string, error) {
		c.count(what)
		time.Sleep(lasts)
		if what == "flaky" && activity.Info(ctx).Number == 1 {
			return "", context.DeadlineExceeded
		}
		return what, nil
	}, activity.Retry{Initial: time.Second})
	more, stage, add := workflow.NewSignal[int]("more"), workflow.NewQuery[int]("stage"), workflow.NewUpdate[int, int]("add")
	code := workflow.Define("held", func(ctx workflow.Context, n int) (int, error) {
		at := 0
		stage.Handle(ctx, func() int { return at })
		add.Handle(ctx, func(workflow.Context, int) (int, error) { return 0, nil })
		first, flaky := workflow.Begin(ctx, do, "first"), workflow.Begin(ctx, do, "flaky")
		if _, err := first.Get(ctx); err != nil {
			return 0, err
		}
		at++
		if _, err := flaky.Get(ctx); err != nil {
			return 0, err
		}
		at++
		if err := workflow.Sleep(ctx, 10*time.Second); err != nil {
			return 0, err
		}
		at++
		v, err := more.Receive(ctx)
		if err != nil {
			return 0, err
		}
		at++
		_, err = workflow.Do(ctx, do, "last")
		return v, err
	})
	return code, []workflow.Definition{code, do}, more, stage, add
}

func TestWhatIsPausedIsHeldAndGoesOn(t *testing.T) {
	var c counts
	code, definitions, more, stage, add := held(&c, 2*time.Second)
	inWorld(t, func(world *world) {
		t, w, ctx := world.t, world.rt, world.ctx()
		c = counts{}
		_, err := runtime.Start(ctx, w, "p", code, 1)
		require.NoError(t, err)
		time.Sleep(time.Second)
		require.NoError(t, w.Pause(ctx, "p", runtime.Reason("the bank is down"), runtime.RequestID("once")))
		require.NoError(t, w.Pause(ctx, "p", runtime.Reason("the bank is down"), runtime.RequestID("once")))
		time.Sleep(time.Minute) // both attempts end; the second of flaky would have begun long ago
		require.Equal(t, 1, c.of("first"))
		require.Equal(t, 1, c.of("flaky"), "nothing is begun while it is paused")
		require.NoError(t, w.Signal(ctx, "p", more.With(7)))
		n, err := runtime.Query(ctx, w, "p", stage)
		require.NoError(t, err)
		require.Equal(t, 0, n, "the code was told nothing since")
		_, err = runtime.BeginUpdate(ctx, w, "p", add, 1)
		require.ErrorIs(t, err, runtime.ErrPaused)
		require.ErrorContains(t, err, "the bank is down")
		d, err := w.Describe(ctx, "p")
		require.NoError(t, err)
		require.Equal(t, "paused", d.StatusName)
		require.Contains(t, d.Waiting[0].Why, "the bank is down")
		found := 0
		for row, err := range w.Find(ctx, query.Query{Status: query.Paused}) {
			require.NoError(t, err)
			require.Equal(t, "paused: the bank is down", row.Waiting)
			found++
		}
		require.Equal(t, 1, found)

		require.NoError(t, w.Unpause(ctx, "p"))
		out, err := runtime.Result(ctx, w, "p", code)
		require.NoError(t, err)
		require.Equal(t, 7, out)
		require.Equal(t, 1, c.of("first"))
		require.Equal(t, 2, c.of("flaky"))
		require.ErrorIs(t, w.Pause(ctx, "p"), runtime.ErrNotRunning)
		require.ErrorIs(t, w.Pause(ctx, "nobody"), runtime.ErrNotFound)
	}, definitions...)
}

func TestTimersOfWhatIsPausedWaitUnlessTheyAreToGoOn(t *testing.T) {
	for _, on := range []bool{false, true} {
		code := workflow.Define("sleeper", func(ctx workflow.Context, _ int) (int, error) { return 1, workflow.Sleep(ctx, time.Minute) })
		inWorld(t, func(world *world) {
			t, w, ctx := world.t, world.rt, world.ctx()
			_, err := runtime.Start(ctx, w, "s", code, 0)
			require.NoError(t, err)
			var options []runtime.CallOption
			if on {
				options = append(options, runtime.TimersOn())
			}
			require.NoError(t, w.Pause(ctx, "s", options...))
			time.Sleep(time.Hour)
			fired := 0
			for e, err := range w.History(ctx, "s") {
				require.NoError(t, err)
				if _, ok := e.Event.(*history.TimerFired); ok {
					fired++
				}
			}
			require.Equal(t, map[bool]int{false: 0, true: 1}[on], fired)
			require.NoError(t, w.Unpause(ctx, "s"))
			_, err = runtime.Result(ctx, w, "s", code)
			require.NoError(t, err)
		}, code)
	}
}

func TestAPauseOutlivesTheProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c counts
		code, definitions, more, _, _ := held(&c, 0)
		p := newParty(t, 2, definitions...)
		ctx := t.Context()
		_, err := runtime.Start(ctx, p.nodes[0].Runtime, "p", code, 1)
		require.NoError(t, err)
		require.NoError(t, p.nodes[1].Pause(ctx, "p", runtime.Reason("enough")))
		p.leave(p.nodes[0])
		p.kill(p.nodes[0]) // who was left
		p.join()
		require.NoError(t, p.nodes[0].Signal(ctx, "p", more.With(3)))
		time.Sleep(time.Minute)
		require.LessOrEqual(t, c.of("first"), 1)
		require.Equal(t, 0, c.of("last"))
		require.NoError(t, p.nodes[0].Unpause(ctx, "p"))
		out, err := runtime.Result(ctx, p.nodes[0].Runtime, "p", code)
		require.NoError(t, err)
		require.Equal(t, 3, out)
		p.audit()
		p.close()
	})
}

func TestWhatIsPausedCanBeCancelledAndTerminated(t *testing.T) {
	code := workflow.Define("sleeper", func(ctx workflow.Context, _ int) (int, error) { return 1, workflow.Sleep(ctx, time.Minute) })
	inWorld(t, func(world *world) {
		t, w, ctx := world.t, world.rt, world.ctx()
		for _, id := range []string{"a", "b"} {
			_, err := runtime.Start(ctx, w, id, code, 0)
			require.NoError(t, err)
			require.NoError(t, w.Pause(ctx, id))
		}
		require.NoError(t, w.Cancel(ctx, "a"))
		require.NoError(t, w.Terminate(ctx, "b"))
		d, err := w.Describe(ctx, "a")
		require.NoError(t, err)
		require.Equal(t, "paused", d.StatusName)
		require.NoError(t, w.Unpause(ctx, "a"))
		_, err = runtime.Result(ctx, w, "a", code)
		require.ErrorIs(t, err, workflow.ErrCancelled)
		d, err = w.Describe(ctx, "b")
		require.NoError(t, err)
		require.Equal(t, "terminated", d.StatusName)
	}, code)
}

// TestWhoAsksDuringAPauseLeavesNothingBehind: an update that is refused then has the code remembered up to the pause, which must not be
// taken for code that was told what came after it.
func TestWhoAsksDuringAPauseLeavesNothingBehind(t *testing.T) {
	var c counts
	code, definitions, more, stage, add := held(&c, 0)
	inWorld(t, func(world *world) {
		t, w, ctx := world.t, world.rt, world.ctx()
		c = counts{}
		_, err := runtime.Start(ctx, w, "p", code, 1)
		require.NoError(t, err)
		time.Sleep(20 * time.Second) // it waits for a signal
		require.NoError(t, w.Pause(ctx, "p"))
		require.NoError(t, w.Signal(ctx, "p", more.With(7)))
		_, err = runtime.BeginUpdate(ctx, w, "p", add, 1)
		require.ErrorIs(t, err, runtime.ErrPaused)
		n, err := runtime.Query(ctx, w, "p", stage)
		require.NoError(t, err)
		require.Equal(t, 3, n)
		_, err = runtime.BeginUpdate(ctx, w, "p", add, 1)
		require.ErrorIs(t, err, runtime.ErrPaused)
		require.NoError(t, w.Unpause(ctx, "p"))
		out, err := runtime.Result(ctx, w, "p", code)
		require.NoError(t, err)
		require.Equal(t, 7, out)
	}, definitions...)
}

// TestAPauseThatAnotherNodeRecordsHoldsRetriesToo: the owner hears of it, and what it was about to make again waits.
func TestAPauseThatAnotherNodeRecordsHoldsRetriesToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c counts
		do := activity.Define("do", func(_ context.Context, what string) (string, error) {
			c.count(what)
			if c.of(what) == 1 {
				return "", context.DeadlineExceeded
			}
			return what, nil
		}, activity.Retry{Initial: 5 * time.Second})
		code := workflow.Define("retries", func(ctx workflow.Context, what string) (string, error) { return workflow.Do(ctx, do, what) })
		p := newParty(t, 2, code, do)
		ctx := t.Context()
		for i := range 16 {
			id := fmt.Sprint("r", i)
			_, err := runtime.Start(ctx, p.nodes[0].Runtime, id, code, id)
			require.NoError(t, err)
		}
		time.Sleep(time.Second)
		for i := range 16 {
			require.NoError(t, p.nodes[1].Pause(ctx, fmt.Sprint("r", i)))
		}
		time.Sleep(time.Minute)
		for i := range 16 {
			id := fmt.Sprint("r", i)
			require.Equal(t, 1, c.of(id), id)
			require.NoError(t, p.nodes[0].Unpause(ctx, id))
		}
		for i := range 16 {
			_, err := runtime.Result(ctx, p.nodes[0].Runtime, fmt.Sprint("r", i), code)
			require.NoError(t, err)
			require.Equal(t, 2, c.of(fmt.Sprint("r", i)))
		}
		p.close()
	})
}
