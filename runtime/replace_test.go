package runtime_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/runtime"
	"github.com/clewflow/clew/workflow"
)

// TestWhoIsReplacedIsTerminatedOnce: an execution that has gone on since it made room is left alone, though who it made room for still waits
// and is taken up again.
func TestWhoIsReplacedIsTerminatedOnce(t *testing.T) {
	w := delivery(workflow.RunLimit{AtOnce: 2}, workflow.WhenFull(workflow.ReplaceOldest))
	inWorld(t, func(world *world) {
		ctx := world.ctx()
		start := func(id string) {
			_, err := runtime.Start(ctx, world.rt, id, w, crate{For: 100 * time.Hour})
			require.NoError(t, err)
			time.Sleep(time.Second)
		}
		start("a")
		start("b")
		_, err := world.rt.SetPolicy(ctx, runtime.OfWorkflow("delivery"), runtime.Rule{All: history.Limit{AtOnce: 1}})
		require.NoError(t, err)
		start("c")
		require.Contains(t, world.kinds("a"), "terminated")
		require.Equal(t, []string{"started"}, world.kinds("c"), "b has the only slot")
		_, err = world.rt.Retry(ctx, "a")
		require.NoError(t, err)
		world.close()
		world.open(w)
		time.Sleep(time.Minute)
		d, err := world.rt.Describe(ctx, "a")
		require.NoError(t, err)
		require.Equal(t, "running", d.StatusName)
	}, w)
}
