package main

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/clewflow/clew/runtime"
	"github.com/clewflow/clew/workflow"
)

// TestExecutionsAreOperatedFromOutside: through the process that has the store open, and in the store when nobody has.
func TestExecutionsAreOperatedFromOutside(t *testing.T) {
	dir := t.TempDir() + "/clew.data"
	more := workflow.NewSignal[int]("more")
	code := workflow.Define("waits", func(ctx workflow.Context, _ int) (int, error) { return more.Receive(ctx) })
	open := func() (rt *runtime.Runtime, end func()) {
		rt, err := runtime.Open(t.Context(), runtime.Config{Store: dir}, code)
		require.NoError(t, err)
		ctx, stop := context.WithCancel(t.Context())
		ran := make(chan error, 1)
		go func() { ran <- rt.Run(ctx) }()
		<-rt.Ready()
		return rt, func() {
			stop()
			require.NoError(t, <-ran)
			require.NoError(t, rt.Close())
		}
	}
	rt, end := open()
	for _, id := range []string{"a", "b", "c"} {
		_, err := runtime.Start(t.Context(), rt, id, code, 0)
		require.NoError(t, err)
	}
	require.Equal(t, "a is paused\n", read(t, "pause", "a", "--reason", "the bank is down", "--by", "ann", "--dir", dir))
	require.Contains(t, read(t, "why", "a", "--dir", dir), "somebody to unpause it; it was paused by operator:ann because the bank is down")
	require.Contains(t, read(t, "show", "a", "--dir", dir), "operator:ann")
	require.Equal(t, "b is terminated\n", read(t, "terminate", "b", "--dir", dir))
	status, _, errs := tool(t, "pause", "b", "--dir", dir)
	require.Equal(t, failed, status)
	require.Contains(t, errs, "not running")
	status, _, errs = tool(t, "pause", "nobody", "--dir", dir)
	require.Equal(t, failed, status)
	require.Contains(t, errs, "no such execution")
	status, _, errs = tool(t, "pause", "a", "--namespace", "other", "--dir", dir)
	require.Equal(t, failed, status)
	require.Contains(t, errs, "namespace")
	require.NoError(t, rt.Signal(t.Context(), "a", more.With(5)))
	end()

	require.Equal(t, "c is asked to end\n", read(t, "cancel", "c", "--dir", dir))
	require.Equal(t, "a goes on\n", read(t, "unpause", "a", "--dir", dir))
	rt, end = open()
	out, err := runtime.Result(t.Context(), rt, "a", code)
	require.NoError(t, err)
	require.Equal(t, 5, out)
	_, err = runtime.Result(t.Context(), rt, "c", code)
	require.ErrorIs(t, err, workflow.ErrCancelled)
	end()
}
