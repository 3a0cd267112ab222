package replay_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clewflow/clew/commands"
	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/replay"
	"github.com/clewflow/clew/workflow"
)

// TestCodeKnowsADeadlineThatHasMoved: from the place on where the history says so, and not before. A code that sleeps for as long as it has
// left asks for other things else, and does not replay.
func TestCodeKnowsADeadlineThatHasMoved(t *testing.T) {
	onward := workflow.NewSignal[int]("go")
	var left []time.Duration
	w := untold(t, replay.Config{Code: codeOf(func(ctx workflow.Context, _ int) (int, error) {
		left = nil
		for range 4 {
			if _, err := onward.Receive(ctx); err != nil {
				return 0, err
			}
			d := workflow.Info(ctx).Deadline.Sub(workflow.Now(ctx))
			left = append(left, d)
			_ = workflow.NewTimer(ctx, max(d, time.Second))
		}
		return 0, nil
	})})
	begin := start(t, 0)
	begin.RunTimeout, begin.ExecutionTimeout = 2*time.Hour, 10*time.Hour
	w.give(begin)
	signal := func() { w.give(commands.Signal{Name: "go", Value: history.JSON([]byte("1"))}) }
	w.pass(10 * time.Minute)
	signal()
	pause, err := commands.Decide(w.state, commands.Pause{HoldLimits: true}, w.now)
	require.NoError(t, err)
	w.foreign(pause...)
	w.now = w.now.Add(3 * time.Hour)
	w.foreign(&history.Signaled{Name: "go", Value: history.JSON([]byte("1"))})
	unpause, err := commands.Decide(w.state, commands.Unpause{}, w.now)
	require.NoError(t, err)
	w.foreign(unpause...)
	w.now = w.now.Add(time.Minute)
	w.recall()
	signal()
	assert.Equal(t, []time.Duration{110 * time.Minute, -70 * time.Minute, 109 * time.Minute}, left, "what came in the pause was before the limits moved")
	w.pass(time.Minute)
	signal()
	assert.Equal(t, []time.Duration{110 * time.Minute, -70 * time.Minute, 109 * time.Minute, 108 * time.Minute}, left)
	require.NoError(t, w.err)
	w.machine.Stop()
	w.replays()
}
