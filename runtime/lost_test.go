package runtime_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clewflow/clew/activity"
	"github.com/clewflow/clew/runtime"
	"github.com/clewflow/clew/workflow"
)

// asLeftBehind copies what a process that is killed now would leave of its directory.
func asLeftBehind(t *testing.T, dir string) string {
	copied := t.TempDir()
	require.NoError(t, os.CopyFS(filepath.Join(copied, "log"), os.DirFS(filepath.Join(dir, "log"))))
	for _, name := range []string{"in-hand", "token.key"} {
		data, err := os.ReadFile(filepath.Join(dir, name))
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(copied, name), data, 0o600))
	}
	return copied
}

// lives opens a runtime on a directory and lets it work until the end of the test, or until it is closed.
func lives(t *testing.T, dir string, definitions ...workflow.Definition) *runtime.Runtime {
	rt, err := runtime.Open(t.Context(), runtime.Config{Store: dir, Drain: 1, Logger: slog.New(slog.DiscardHandler)}, definitions...)
	require.NoError(t, err)
	ran := make(chan error, 1)
	go func() { ran <- rt.Run(context.Background()) }()
	t.Cleanup(func() { assert.NoError(t, rt.Close()); <-ran })
	return rt
}

// steps is a workflow whose step holds on until its process has died, and returns the number of its attempt.
func steps(begun chan<- activity.Attempt, died *atomic.Bool) workflow.Type[workflow.None, int] {
	return workflow.Define("steps", func(ctx workflow.Context, _ workflow.None) (int, error) {
		return workflow.Step(ctx, "look", func(ctx context.Context) (int, error) {
			info := activity.Info(ctx)
			begun <- info
			if !died.Load() {
				<-ctx.Done()
			}
			return info.Number, ctx.Err()
		})
	})
}

// TestLostLocalStepIsMadeOnceMore: the attempt that died with its process is recorded as lost before the step is made again,
// and so that is the second attempt, and the only one.
func TestLostLocalStepIsMadeOnceMore(t *testing.T) {
	const n = 32
	begun := make(chan activity.Attempt, 10*n)
	var died atomic.Bool
	w := steps(begun, &died)
	dir := t.TempDir()
	first := lives(t, dir, w)
	for i := range n {
		_, err := runtime.Start(t.Context(), first, fmt.Sprint(i), w, workflow.None{})
		require.NoError(t, err)
	}
	for range n {
		<-begun
	}
	left := asLeftBehind(t, dir)
	died.Store(true)
	second := lives(t, left, w)
	for i := range n {
		number, err := runtime.Result(t.Context(), second, fmt.Sprint(i), w)
		require.NoError(t, err)
		assert.Equal(t, 2, number)
	}
	assert.Len(t, begun, n, "each is made once more")
	for range len(begun) {
		a := <-begun
		assert.Equal(t, 2, a.Number, "step of %s", a.Execution)
	}
}

// TestLostLocalStepWaitsForItsCode: while the code is not there a step has no function, and fails no attempt for that.
func TestLostLocalStepWaitsForItsCode(t *testing.T) {
	begun := make(chan activity.Attempt, 10)
	var died atomic.Bool
	w := steps(begun, &died)
	dir := t.TempDir()
	_, err := runtime.Start(t.Context(), lives(t, dir, w), "s", w, workflow.None{})
	require.NoError(t, err)
	<-begun
	left := asLeftBehind(t, dir)
	died.Store(true)

	without := lives(t, left)
	<-without.Ready()
	require.NoError(t, without.Close())

	with := lives(t, left, w)
	number, err := runtime.Result(t.Context(), with, "s", w)
	require.NoError(t, err)
	assert.Equal(t, 2, number)
	for e, err := range with.History(t.Context(), "s") {
		require.NoError(t, err)
		assert.NotEqual(t, "attempt-failed", e.Event.Kind())
	}
}
