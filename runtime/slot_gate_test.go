package runtime_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/runtime"
	"github.com/clewflow/clew/workflow"
)

// A run that adopts the answer of a gate and waits for a slot has that answer when it begins, as one that begins at once has.
func TestARunThatWaitsForASlotKeepsTheGatesItAdopts(t *testing.T) {
	step := workflow.NewAttribute[int]("step")
	code := workflow.Define("gated", func(ctx workflow.Context, wait time.Duration) (int, error) {
		n, err := release.Receive(ctx)
		if err != nil {
			return 0, err
		}
		if !workflow.Patched(ctx, "twice") {
			return n, workflow.Sleep(ctx, time.Second)
		}
		workflow.SetAttributes(ctx, step.Set(1))
		return 2 * n, workflow.Sleep(ctx, wait)
	}, workflow.RunLimit{AtOnce: 1})
	inWorld(t, func(w *world) {
		ctx := w.ctx()
		_, err := runtime.Start(ctx, w.rt, "a", code, time.Second)
		require.NoError(t, err)
		require.NoError(t, w.rt.Signal(ctx, "a", release.With(7)))
		time.Sleep(10 * time.Second)
		timer := uint64(0)
		for _, e := range w.entries("a") {
			if _, is := e.Event.(*history.TimerStarted); is {
				timer = e.Seq
			}
		}
		require.Positive(t, timer)
		_, err = runtime.Start(ctx, w.rt, "b", code, time.Minute)
		require.NoError(t, err)
		_, err = w.rt.Rerun(ctx, "a", runtime.AtEntry(timer))
		require.NoError(t, err)
		time.Sleep(time.Minute)
		d, err := w.rt.Describe(ctx, "a")
		require.NoError(t, err)
		require.NotEmpty(t, d.Slot, "it waits")
		require.NoError(t, w.rt.Signal(ctx, "b", release.With(1)))
		time.Sleep(time.Hour)
		d, err = w.rt.Describe(ctx, "a")
		require.NoError(t, err)
		require.Equal(t, "completed", d.StatusName, "%v", d.Waiting)
		out, err := runtime.Result(ctx, w.rt, "a", code)
		require.NoError(t, err)
		require.Equal(t, 14, out)
	}, code)
}
