package runtime_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/query"
	"github.com/clewflow/clew/runtime"
	"github.com/clewflow/clew/system"
	"github.com/clewflow/clew/workflow"
)

var brief = workflow.Define("brief", func(_ workflow.Context, n int) (int, error) { return n, nil })

func TestWhatIsKeptNoLongerGoesByItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		world := newWorld(t, runtime.Config{})
		world.open(brief, again)
		defer func() { world.close() }()
		ctx := world.ctx()
		const n = 60
		for i := range n { // they are there before anybody says how long they are kept
			_, err := runtime.Do(ctx, world.rt, fmt.Sprint("b", i), brief, i)
			require.NoError(t, err)
		}
		_, err := runtime.Start(ctx, world.rt, "goes on", again, 3)
		require.NoError(t, err)
		require.NoError(t, world.rt.Hold(ctx, "b7", "case-7", runtime.Operator("ann"), runtime.Reason("the court")))
		version, err := world.rt.SetRetention(ctx, runtime.Retention{
			Rules: []runtime.RetentionRule{{Name: "short", Type: "brief", Age: time.Hour}, {Name: "runs", Type: "again", Age: 2 * time.Hour}}, Every: 10 * time.Minute,
		}, runtime.Operator("ann"), runtime.Reason("less is kept"))
		require.NoError(t, err)
		require.Equal(t, version, world.rt.Retention().Version)

		time.Sleep(50 * time.Minute)
		all, err := world.rt.Count(ctx, query.Query{Type: "brief"})
		require.NoError(t, err)
		require.Equal(t, n, all, "none is old enough")
		h, err := world.rt.Sweep(ctx, "dry", true)
		require.NoError(t, err)
		dry, err := h.Result(ctx)
		require.NoError(t, err)
		require.Zero(t, dry.Runs)

		time.Sleep(11 * time.Minute)
		world.close() // while it is at it, or before
		world.open(brief, again)
		time.Sleep(20 * time.Minute)
		left := rowsOf(t, world.rt, query.Query{Type: "brief"})
		require.Len(t, left, 1)
		require.Equal(t, "b7", left[0].ID)
		require.True(t, left[0].Held)
		kept := 0
		for range rowsOf(t, world.rt, query.Query{Type: "again"}) {
			kept++
		}
		require.Equal(t, 4, kept)

		time.Sleep(time.Hour)
		require.Len(t, rowsOf(t, world.rt, query.Query{Type: "again"}), 1, "older runs are cut from the front")
		view, _, err := runtime.Published[system.Kept](ctx, world.rt, system.KeeperID)
		require.NoError(t, err)
		require.Empty(t, view.Wrong)
		require.True(t, view.Next.After(view.Begun))
		whole := map[string]int{}
		for e, err := range world.rt.Administered(ctx) {
			require.NoError(t, err)
			if d, ok := e.Event.(*history.Deleted); ok {
				require.Equal(t, history.Clock, e.By)
				whole[d.Rule]++
			}
		}
		require.Equal(t, map[string]int{"short": n - 1, "runs": 1}, whole, "each once")
		good(t, world.rt, anchored(t, world.rt))

		// Taken back, it ends, and nothing more goes.
		_, err = world.rt.SetRetention(ctx, runtime.Retention{}, runtime.Operator("ann"))
		require.NoError(t, err)
		time.Sleep(time.Minute)
		_, err = runtime.Result(ctx, world.rt, system.KeeperID, system.Keeper)
		require.NoError(t, err)
		_, err = runtime.Do(ctx, world.rt, "late", brief, 1)
		require.NoError(t, err)
		time.Sleep(48 * time.Hour)
		require.Len(t, rowsOf(t, world.rt, query.Query{Type: "brief"}), 2)
	})
}

func TestADryRunSaysWhatASweepRemoves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		world := newWorld(t, runtime.Config{})
		world.open(brief)
		defer world.close()
		ctx := world.ctx()
		for i := range 5 {
			_, err := runtime.Do(ctx, world.rt, fmt.Sprint("b", i), brief, i)
			require.NoError(t, err)
		}
		require.NoError(t, world.rt.Hold(ctx, "b0", ""))
		_, err := world.rt.SetRetention(ctx, runtime.Retention{Rules: []runtime.RetentionRule{{Name: "x", Type: "brief", Age: time.Hour}}, Every: 1000 * time.Hour})
		require.NoError(t, err)
		time.Sleep(2 * time.Hour)
		sweep := func(id string, dry bool) system.Swept {
			h, err := world.rt.Sweep(ctx, id, dry)
			require.NoError(t, err)
			s, err := h.Result(ctx)
			require.NoError(t, err)
			return s
		}
		dry, wet := sweep("dry", true), sweep("wet", false)
		require.Equal(t, 4, wet.Whole)
		require.Equal(t, 1, wet.Held)
		require.Positive(t, wet.Bytes)
		require.Equal(t, map[string]int{"x": 4}, wet.ByRule)
		require.True(t, dry.DryRun)
		dry.DryRun = false
		require.Equal(t, wet, dry)
		require.Zero(t, sweep("again", false).Whole)
	})
}

func TestWrongRetentionsAreRefused(t *testing.T) {
	world := newWorld(t, runtime.Config{})
	world.open(brief)
	defer world.close()
	for _, r := range []runtime.Retention{
		{Rules: []runtime.RetentionRule{{Age: -1}}}, {Rules: []runtime.RetentionRule{{Status: query.Running, Age: 1}}}, {Every: time.Second}, {Rate: -1},
	} {
		_, err := world.rt.SetRetention(t.Context(), r)
		require.ErrorIs(t, err, runtime.ErrInvalid)
	}
	require.Zero(t, world.rt.Policies().Version)
}

func TestNodesTakeAwayTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newParty(t, 3, brief, again)
		defer p.close()
		ctx := t.Context()
		for i := range 40 {
			_, err := runtime.Do(ctx, p.nodes[i%3].Runtime, fmt.Sprint("b", i), brief, i)
			require.NoError(t, err)
		}
		_, err := runtime.Start(ctx, p.nodes[0].Runtime, "open", again, 0)
		require.NoError(t, err)
		require.NoError(t, p.nodes[1].Hold(ctx, "b0", ""))
		_, err = p.nodes[2].Delete(ctx, "b0")
		require.ErrorIs(t, err, runtime.ErrHeld)
		_, err = p.nodes[1].Delete(ctx, "open")
		require.ErrorIs(t, err, runtime.ErrStillRunning)
		for i := range 3 {
			_, err = p.nodes[(i+1)%3].Delete(ctx, fmt.Sprint("b", i+1))
			require.NoError(t, err)
		}
		_, err = p.nodes[0].Redact(ctx, "b9", runtime.Payloads{})
		require.ErrorIs(t, err, runtime.ErrNotErasable)
		_, err = p.nodes[0].SetRetention(ctx, runtime.Retention{Rules: []runtime.RetentionRule{{Type: "brief", Age: time.Hour}}, Every: 10 * time.Minute})
		require.NoError(t, err)
		time.Sleep(30 * time.Minute)
		p.kill(p.nodes[0])
		time.Sleep(90 * time.Minute)
		for _, n := range p.nodes {
			left := rowsOf(t, n.Runtime, query.Query{Type: "brief"})
			require.Len(t, left, 1, "the index of each node knows")
			require.Equal(t, "b0", left[0].ID)
			_, err := n.Describe(ctx, "b5")
			require.ErrorIs(t, err, runtime.ErrNotFound)
		}
		deleted := map[string]int{}
		for e, err := range p.nodes[0].Administered(ctx) {
			require.NoError(t, err)
			if d, ok := e.Event.(*history.Deleted); ok {
				deleted[d.ID.Workflow]++
			}
		}
		require.Len(t, deleted, 39)
		for id, n := range deleted {
			require.Equal(t, 1, n, id)
		}
	})
}
