package runtime_test

import (
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/clewflow/clew/query"
	"github.com/clewflow/clew/runtime"
	"github.com/clewflow/clew/workflow"
)

// TestTheRuntimeSaysWhatWasTrueThen: of a time and of a position, however much has happened since.
func TestTheRuntimeSaysWhatWasTrueThen(t *testing.T) {
	nap := workflow.Define("nap", func(ctx workflow.Context, d time.Duration) (int, error) { return 0, workflow.Sleep(ctx, d) })
	inWorld(t, func(w *world) {
		ctx := w.t.Context()
		_, err := runtime.Start(ctx, w.rt, "short", nap, hour)
		require.NoError(w.t, err)
		page, err := w.rt.FindPage(ctx, query.Query{})
		require.NoError(w.t, err)
		then := query.AsOf{Position: page.Position}
		time.Sleep(30 * time.Minute)
		nine := query.AsOf{Time: time.Now()}
		_, err = runtime.Start(ctx, w.rt, "long", nap, day)
		require.NoError(w.t, err)
		time.Sleep(2 * hour)
		synctest.Wait()

		ids := func(q query.Query) (all []string) {
			for row, err := range w.rt.Find(ctx, q) {
				require.NoError(w.t, err)
				all = append(all, row.ID+" "+row.Status.String())
			}
			return all
		}
		require.Equal(w.t, []string{"long running", "short completed"}, ids(query.Query{Limit: 1}))
		for range 2 { // the second time from the same index
			require.Equal(w.t, []string{"short running"}, ids(query.Query{AsOf: then}))
			require.Equal(w.t, []string{"short running"}, ids(query.Query{AsOf: nine, Status: query.Running, Where: "duration = 30m"})[:1])
			n, err := w.rt.Count(ctx, query.Query{AsOf: query.AsOf{Time: time.Now()}, Limit: 1})
			require.NoError(w.t, err)
			require.Equal(w.t, 2, n)
		}
		_, err = w.rt.FindPage(ctx, query.Query{AsOf: query.AsOf{Time: time.Now().Add(hour)}})
		require.ErrorIs(w.t, err, runtime.ErrInvalid)
		_, err = w.rt.Group(ctx, query.Query{AsOf: query.AsOf{Position: 1 << 40}}, "status")
		require.ErrorIs(w.t, err, runtime.ErrInvalid)
	}, nap)
}

// TestIndexesOfThePastAreRemoved: by closing, and by the next to open if nobody closed.
func TestIndexesOfThePastAreRemoved(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "store")
	rt, err := runtime.Open(t.Context(), runtime.Config{Store: dir})
	require.NoError(t, err)
	require.NoError(t, rt.Close())
	past := filepath.Join(dir, "as-of")
	require.NoError(t, os.MkdirAll(past, 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(past, "1.sqlite"), []byte("what a crash has left"), 0o600))
	rt, err = runtime.Open(t.Context(), runtime.Config{Store: dir})
	require.NoError(t, err)
	require.NoDirExists(t, past)
	for range 5 {
		_, err := rt.Count(t.Context(), query.Query{AsOf: query.AsOf{Time: time.Now().Add(-time.Hour)}})
		require.NoError(t, err)
	}
	files, err := os.ReadDir(past)
	require.NoError(t, err)
	require.NotEmpty(t, files)
	require.LessOrEqual(t, len(files), 2*3)
	require.NoError(t, rt.Close())
	require.NoDirExists(t, past)
}
