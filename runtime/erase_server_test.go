package runtime_test

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/clewflow/clew/audit"
	"github.com/clewflow/clew/query"
	"github.com/clewflow/clew/runtime"
	"github.com/clewflow/clew/store/eventstore/esdbtest"
)

// TestWhatIsDeletedOnAServerIsGone: from what is read, from the index of every node, from one that is built anew before and after the
// server has scavenged, and all that is left verifies.
func TestWhatIsDeletedOnAServerIsGone(t *testing.T) {
	s, err := esdbtest.Start(esdbtest.Options{})
	require.NoError(t, err)
	defer s.Close()
	join := func(name string) (*runtime.Runtime, func()) {
		rt, err := runtime.Open(t.Context(), runtime.Config{Store: s.URL(), Node: name, Logger: slog.New(slog.NewTextHandler(io.Discard, nil)), Drain: time.Second}, brief, again)
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
	a, endA := join("a")
	defer endA()
	b, endB := join("b")
	defer endB()
	ctx := t.Context()
	for _, id := range []string{"x", "y"} {
		_, err := runtime.Do(ctx, a, id, brief, 1)
		require.NoError(t, err)
	}
	_, err = runtime.Start(ctx, a, "runs", again, 2)
	require.NoError(t, err)
	require.Eventually(t, func() bool { return len(rowsOf(t, b, query.Query{ID: "runs"})) == 3 }, 10*time.Second, time.Millisecond)
	var anchor bytes.Buffer
	_, err = a.Anchor(ctx, &anchor)
	require.NoError(t, err)
	took, err := b.Delete(ctx, "x", runtime.Operator("ann"))
	require.NoError(t, err)
	require.Equal(t, 2, took.Entries)
	removed, err := b.Retain(ctx, []runtime.RetentionRule{{Type: "again", Age: 1}}, false)
	require.NoError(t, err)
	require.Len(t, removed, 1)
	require.Equal(t, 2, removed[0].Runs)
	gone := func(rt *runtime.Runtime) {
		t.Helper()
		require.Eventually(t, func() bool {
			return len(rowsOf(t, rt, query.Query{ID: "x"})) == 0 && len(rowsOf(t, rt, query.Query{ID: "runs"})) == 1
		}, 10*time.Second, time.Millisecond)
		_, err := rt.Describe(ctx, "x")
		require.ErrorIs(t, err, runtime.ErrNotFound)
		head, err := audit.Read(bytes.NewReader(anchor.Bytes()))
		require.NoError(t, err)
		report := good(t, rt, audit.Scope{Against: head})
		require.Equal(t, 2, report.Deleted)
	}
	gone(a)
	gone(b)
	c, endC := join("c")
	gone(c)
	endC()
	s.Scavenge()
	d, endD := join("d")
	defer endD()
	gone(d)
	out, err := runtime.Do(ctx, a, "x", brief, 7) // the id begins anew, where it was known before too
	require.NoError(t, err)
	require.Equal(t, 7, out)
	require.Eventually(t, func() bool { return len(rowsOf(t, d, query.Query{ID: "x"})) == 1 }, 10*time.Second, time.Millisecond)
	good(t, d, audit.Scope{})
}
