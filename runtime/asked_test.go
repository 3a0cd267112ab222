package runtime_test

import (
	"fmt"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/clewflow/clew/runtime"
)

// Whoever gives one request for several acts on the record is not told of acts that were never recorded.
func TestARequestIsOneOfAnAct(t *testing.T) {
	rt, _ := open(t, runtime.Config{Store: filepath.Join(t.TempDir(), "store")}, brief)
	ctx := t.Context()
	for _, id := range []string{"a", "b", "c"} {
		_, err := runtime.Do(ctx, rt, id, brief, 1)
		require.NoError(t, err)
	}
	one := runtime.RequestID("one")
	for _, id := range []string{"a", "b"} {
		for _, name := range []string{"case-7", "case-8"} {
			require.NoError(t, rt.Hold(ctx, id, name, one))
		}
		holds, err := rt.Holds(ctx, id)
		require.NoError(t, err)
		require.Len(t, holds, 2, "of %s", id)
	}
	require.NoError(t, rt.Release(ctx, "a", "case-7", one))
	require.NoError(t, rt.Release(ctx, "a", "case-8", one))
	require.NoError(t, rt.Hold(ctx, "a", "case-7", one), "again")
	holds, err := rt.Holds(ctx, "a")
	require.NoError(t, err)
	require.Empty(t, holds, "what is asked for again by the same request was done, and has been taken back since")

	for _, id := range []string{"a", "c"} {
		done, err := rt.Delete(ctx, id, one)
		require.NoError(t, err)
		require.Positive(t, done.Entries, "of %s", id)
		done, err = rt.Delete(ctx, id, one)
		require.NoError(t, err, "again")
		require.Zero(t, done.Entries)
	}
	_, err = rt.Delete(ctx, "nobody", one)
	require.ErrorIs(t, err, runtime.ErrNotFound)
}

// What was asked for is known again when ten thousand others have been.
func TestARequestIsNotForgottenAllAtOnce(t *testing.T) {
	rt, _ := open(t, runtime.Config{Store: "memory:"}, brief)
	ctx := t.Context()
	_, err := runtime.Do(ctx, rt, "a", brief, 1)
	require.NoError(t, err)
	for i := range 4_999 {
		require.NoError(t, rt.Hold(ctx, "a", "", runtime.RequestID(fmt.Sprint("hold", i))))
		require.NoError(t, rt.Release(ctx, "a", "", runtime.RequestID(fmt.Sprint("release", i))))
	}
	require.NoError(t, rt.Hold(ctx, "a", "mine", runtime.RequestID("mine")))
	require.NoError(t, rt.Release(ctx, "a", "mine", runtime.RequestID("mine")))
	for i := range 10 {
		require.NoError(t, rt.Hold(ctx, "a", "", runtime.RequestID(fmt.Sprint("later", i))))
		require.NoError(t, rt.Release(ctx, "a", "", runtime.RequestID(fmt.Sprint("later release", i))))
	}
	require.NoError(t, rt.Hold(ctx, "a", "mine", runtime.RequestID("mine")))
	holds, err := rt.Holds(ctx, "a")
	require.NoError(t, err)
	require.Empty(t, holds, "it is the hold of before, that was released")
}
