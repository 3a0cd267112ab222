package eventstore

import (
	"context"
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/store"
	"github.com/clewflow/clew/store/storetest"
)

func TestTruncateKeepsTheLastEntry(t *testing.T) {
	truncateKeepsTheLastEntry(t, open(t, newFake(t, 1).url(), Options{}))
}

func truncateKeepsTheLastEntry(t *testing.T, l *Log) {
	require.ErrorIs(t, l.Truncate(t.Context(), someID, 1), store.ErrNotFound)
	s := storetest.NewStream(someID)
	require.NoError(t, l.Append(t.Context(), someID, s.Next(6)...))
	all := readAll(t, l, someID, 1)
	for _, before := range []uint64{0, 7} {
		require.ErrorContains(t, l.Truncate(t.Context(), someID, before), "the last entry stays")
	}
	for _, step := range []struct{ before, first uint64 }{{1, 1}, {3, 3}, {2, 3}, {3, 3}, {6, 6}, {4, 6}} {
		require.NoError(t, l.Truncate(t.Context(), someID, step.before))
		for from := range uint64(8) {
			require.Equal(t, all[min(max(step.first, from)-1, 6):], readAll(t, l, someID, from), "before %d, from %d", step.before, from)
		}
	}
	require.Equal(t, all, followed(t, l, position(0, 0), 6), "those who follow see all until it is scavenged")
	require.NoError(t, l.Append(t.Context(), someID, s.Next(1)...))
	require.Len(t, readAll(t, l, someID, 1), 2)
	require.ErrorIs(t, l.Append(t.Context(), someID, storetest.NewStream(someID).Vary("x").Next(1)...), store.ErrConflict, "the id stays taken")
}

func TestTruncateKeepsWhatOthersSay(t *testing.T) {
	f := newFake(t, 1)
	l := open(t, f.url(), Options{})
	require.NoError(t, l.Append(t.Context(), someID, storetest.NewStream(someID).Next(4)...))
	require.NoError(t, l.server.setMetadata(t.Context(), "clew.x.n-w", noStream, eventID("a", history.Hash{}), []byte(`{"$acl":{"$r":["$all"]},"mine":1}`)))
	require.NoError(t, l.Truncate(t.Context(), someID, 3))
	found, revision, err := l.metadata(t.Context(), "clew.x.n-w")
	require.NoError(t, err)
	require.Equal(t, int64(1), revision)
	require.Equal(t, map[string]json.RawMessage{"$acl": json.RawMessage(`{"$r":["$all"]}`), "mine": json.RawMessage("1"), "$tb": json.RawMessage("2")}, found)
}

func TestHistoryOfWhichNothingIsLeftIsCorrupt(t *testing.T) {
	f := newFake(t, 1)
	l := open(t, f.url(), Options{})
	require.NoError(t, l.Append(t.Context(), someID, storetest.NewStream(someID).Next(2)...))
	require.NoError(t, l.server.setMetadata(t.Context(), "clew.x.n-w", noStream, eventID("a", history.Hash{}), []byte(`{"$tb":2}`)))
	n := 0
	for _, err := range l.Read(t.Context(), someID, 1) {
		require.ErrorIs(t, err, store.ErrCorrupt)
		n++
	}
	require.Equal(t, 1, n)
}

func TestNodesKeepTheirLastEntryOnly(t *testing.T) {
	f := newFake(t, 1)
	l := open(t, f.url(), Options{})
	node := history.ID{Namespace: "node@default", Workflow: "p1"}
	s := storetest.NewStream(node)
	for range 3 {
		require.NoError(t, l.Append(t.Context(), node, s.Next(1)...))
	}
	require.Len(t, f.streams["$$clew.node.default-p1"], 1)
	require.JSONEq(t, `{"$maxCount":1}`, string(f.streams["$$clew.node.default-p1"][0].data))
	lines := readAll(t, l, node, 1)
	require.Len(t, lines, 1)
	require.Contains(t, lines[0], `"seq":3`)
	for r, err := range l.Follow(t.Context(), position(0, 0)) {
		require.NoError(t, err)
		require.Equal(t, node, r.ID)
		break
	}
	again := storetest.NewStream(node)
	require.NoError(t, l.Append(t.Context(), node, again.Next(1)...), "the first once more")
	require.NoError(t, l.Append(t.Context(), someID, storetest.NewStream(someID).Next(1)...))
	require.Empty(t, f.streams["$$clew.x.n-w"], "an execution keeps all")
}

func TestTombstoneEndsAStreamForEver(t *testing.T) {
	for _, way := range over {
		t.Run(way.name, func(t *testing.T) {
			tombstoneEndsAStream(t, open(t, newFake(t, 1).url(), way.o))
		})
	}
}

func tombstoneEndsAStream(t *testing.T, l *Log) {
	node := history.ID{Namespace: "node@default", Workflow: "p1"}
	require.NoError(t, l.Append(t.Context(), someID, storetest.NewStream(someID).Next(1)...))
	ours := mustHead(t, l)
	s := storetest.NewStream(node)
	require.NoError(t, l.Append(t.Context(), node, s.Next(1)...))
	last := mustHead(t, l)
	require.Error(t, l.Tombstone(t.Context(), someID), "not an execution")
	require.NoError(t, l.Tombstone(t.Context(), node))
	require.NoError(t, l.Tombstone(t.Context(), node), "twice")
	require.ErrorIs(t, l.Append(t.Context(), node, s.Next(1)...), store.ErrConflict)
	for _, err := range l.Read(t.Context(), node, 1) {
		require.ErrorIs(t, err, store.ErrNotFound)
	}
	require.Equal(t, last, mustHead(t, l), "what the server writes for itself is nobody's head")
	require.NotEqual(t, ours, last)
	require.NoError(t, l.Append(t.Context(), history.ID{Namespace: "n", Workflow: "after"}, storetest.NewStream(someID).Next(1)...))
	require.Len(t, followed(t, l, position(0, 0), 3), 3)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, l.Tombstone(ctx, node), context.Canceled)
}
