package runtime_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/clewflow/clew/query"
	"github.com/clewflow/clew/runtime"
)

func TestWhatIsHeldIsNotTakenAway(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "store")
	c := runtime.Config{Store: dir}
	rt, stop := open(t, c, brief)
	ctx := t.Context()
	for _, id := range []string{"a", "b"} {
		_, err := runtime.Do(ctx, rt, id, brief, 1)
		require.NoError(t, err)
	}
	require.ErrorIs(t, rt.Hold(ctx, "nobody", ""), runtime.ErrNotFound)
	require.NoError(t, rt.Hold(ctx, "a", "case-7", runtime.Operator("ann"), runtime.Reason("the court")))
	require.NoError(t, rt.Hold(ctx, "a", "case-8", runtime.Operator("bob")))
	require.NoError(t, rt.Hold(ctx, "a", "case-7", runtime.Operator("bob")), "it is there")
	refused := func(rt *runtime.Runtime) {
		t.Helper()
		_, err := rt.Delete(ctx, "a")
		require.ErrorIs(t, err, runtime.ErrHeld)
		require.ErrorContains(t, err, "case-7")
		_, err = rt.Redact(ctx, "a", runtime.Payloads{})
		require.ErrorIs(t, err, runtime.ErrHeld)
		x, err := rt.Retain(ctx, []runtime.RetentionRule{{Age: 1}}, true)
		require.NoError(t, err)
		for _, x := range x {
			require.NotEqual(t, "a", x.ID)
		}
		rows := rowsOf(t, rt, query.Query{Where: "held = true"})
		require.Len(t, rows, 1)
		require.Equal(t, "a", rows[0].ID)
		require.True(t, rows[0].Held)
		d, err := rt.Describe(ctx, "a")
		require.NoError(t, err)
		require.Len(t, d.Holds, 2)
		require.Equal(t, "the court", d.Holds[0].Reason)
		require.Equal(t, "operator:ann", string(d.Holds[0].By))
	}
	refused(rt)
	_, err := runtime.Do(ctx, rt, "a", brief, 2)
	require.NoError(t, err)
	for _, row := range rowsOf(t, rt, query.Query{ID: "a"}) {
		require.True(t, row.Held, "the next run too")
	}
	stop()
	for _, f := range []string{"index.sqlite", "index.sqlite-wal", "index.sqlite-shm"} {
		_ = os.Remove(filepath.Join(dir, f))
	}
	rt, stop = open(t, c, brief)
	defer stop()
	rows := rowsOf(t, rt, query.Query{Where: "held = true"})
	require.Len(t, rows, 2, "an index that is built anew knows it")
	require.NoError(t, rt.Release(ctx, "a", "case-7"))
	_, err = rt.Delete(ctx, "a")
	require.ErrorIs(t, err, runtime.ErrHeld, "the other is there yet")
	require.NoError(t, rt.Release(ctx, "a", "case-8"))
	require.NoError(t, rt.Release(ctx, "a", "case-8"), "it is gone")
	require.Empty(t, rowsOf(t, rt, query.Query{Where: "held = true"}))
	_, err = rt.Delete(ctx, "a")
	require.NoError(t, err)
	require.Empty(t, rowsOf(t, rt, query.Query{ID: "a"}))
	good(t, rt, anchored(t, rt))
}

func TestActsOfOperatorsAreFoundByActorAndTime(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "store")
	c := runtime.Config{Store: dir}
	rt, stop := open(t, c, brief, keeps, mirror)
	ctx := t.Context()
	before := time.Now().Add(-time.Minute)
	_, err := runtime.Do(ctx, rt, "a", brief, 1)
	require.NoError(t, err)
	_, err = runtime.Start(ctx, rt, "b", keeps, parcelOf{Text: "wait"})
	require.NoError(t, err)
	ann := runtime.Operator("ann")
	require.NoError(t, rt.Pause(ctx, "b", ann, runtime.Reason("slow")))
	require.NoError(t, rt.Terminate(ctx, "b", runtime.Operator("bob")))
	_, err = rt.SetPolicy(ctx, runtime.OfActivity("mirror"), runtime.Rule{Priority: 2}, ann)
	require.NoError(t, err)
	_, err = rt.SetRetention(ctx, runtime.Retention{Rules: []runtime.RetentionRule{{Age: time.Hour}}}, ann)
	require.NoError(t, err)
	require.NoError(t, rt.Hold(ctx, "a", "", ann))
	require.NoError(t, rt.Release(ctx, "a", "", ann))
	_, err = rt.Delete(ctx, "a", ann)
	require.NoError(t, err)
	kinds := func(q runtime.ActsQuery) (all []string) {
		t.Helper()
		for a, err := range rt.Acts(ctx, q) {
			require.NoError(t, err)
			require.Equal(t, a.Kind, a.Entry.Event.Kind())
			all = append(all, a.ID.Workflow+" "+a.Kind)
		}
		return all
	}
	want := []string{"a deleted", "a released", "a held", " retention-set", " policy-set", "b paused"}
	require.Equal(t, want, kinds(runtime.ActsQuery{By: "ann", Since: before}))
	require.Equal(t, []string{"b terminated"}, kinds(runtime.ActsQuery{By: "bob"}))
	require.Equal(t, []string{"b terminated", "b paused"}, kinds(runtime.ActsQuery{ID: "b"}))
	require.Empty(t, kinds(runtime.ActsQuery{Until: before}))
	all := kinds(runtime.ActsQuery{})
	stop()
	for _, f := range []string{"index.sqlite", "index.sqlite-wal", "index.sqlite-shm"} {
		_ = os.Remove(filepath.Join(dir, f))
	}
	rt, stop = open(t, c, brief, keeps, mirror)
	defer stop()
	require.Equal(t, all, kinds(runtime.ActsQuery{}), "an index that is built anew knows them")
}
