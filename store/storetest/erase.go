package storetest

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/store"
)

// eraser returns a log that can take things away, if the driver's can.
func eraser(t *testing.T, d Driver) (store.Log, store.Eraser) {
	l := d.Open(t)
	e, ok := l.(store.Eraser)
	if !ok {
		t.Skip("the log takes nothing away")
	}
	return l, e
}

// followed returns all records up to the head.
func followed(t *testing.T, l store.Log, after store.Position) (records []store.Record) {
	t.Helper()
	head, err := l.Head(t.Context())
	require.NoError(t, err)
	// What is behind the head may have been taken away, so one more is appended to end at.
	s := NewStream(history.ID{Namespace: "n", Workflow: "end-" + head.String() + "-" + time.Now().Format(time.RFC3339Nano)})
	require.NoError(t, l.Append(t.Context(), s.ID, s.Next(1)...))
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	for r, err := range l.Follow(ctx, after) {
		require.NoError(t, err)
		if r.ID == s.ID {
			return records
		}
		records = append(records, r)
	}
	require.Fail(t, "the end was not reached")
	return nil
}

// reopened is l, and then l opened again.
func reopened(t *testing.T, d Driver, l store.Log, check func(store.Log)) {
	check(l)
	if d.Reopen != nil {
		check(d.Reopen(t, l))
	}
}

func testStreams(t *testing.T, d Driver) {
	l := d.Open(t)
	lister, ok := l.(store.Lister)
	if !ok {
		t.Skip("the log does not say which histories there are")
	}
	var want []store.Stream
	for i, name := range []string{"a", "a/b", "b\x00", "c"} {
		s := NewStream(history.ID{Namespace: []string{"m", "n"}[i/2], Workflow: name})
		for range i + 1 {
			require.NoError(t, l.Append(t.Context(), s.ID, s.Next(2)...))
		}
		want = append(want, store.Stream{ID: s.ID, Last: uint64(2 * (i + 1))})
	}
	var got []store.Stream
	for s, err := range lister.Streams(t.Context()) {
		require.NoError(t, err)
		got = append(got, s)
	}
	require.Equal(t, want, got)
}

// cutter is eraser for what a log does that can at least cut.
func cutter(t *testing.T, d Driver) (store.Log, store.Cutter) {
	l := d.Open(t)
	c, ok := l.(store.Cutter)
	if !ok {
		t.Skip("the log takes no entries away")
	}
	return l, c
}

func testRedact(t *testing.T, d Driver) {
	l, e := eraser(t, d)
	s, other := NewStream(history.ID{Namespace: "n", Workflow: "w"}), NewStream(history.ID{Namespace: "n", Workflow: "other"})
	all := s.Next(6)
	require.NoError(t, l.Append(t.Context(), s.ID, all[:4]...))
	require.NoError(t, l.Append(t.Context(), other.ID, other.Next(1)...))
	require.NoError(t, l.Append(t.Context(), s.ID, all[4:]...))
	before := followed(t, l, store.Position{})
	want, taken := make([]history.Entry, len(all)), 0
	for i := range all {
		var n int
		want[i], n = history.Redact(all[i], "")
		taken += n
	}
	require.Positive(t, taken)
	foreign := NewStream(history.ID{Namespace: "n", Workflow: "foreign"}).Next(3)
	require.NoError(t, e.Redact(t.Context(), s.ID, foreign[2])) // of another history: passed over
	requireHistory(t, l, s.ID, all)
	for range 2 {
		require.NoError(t, e.Redact(t.Context(), s.ID, want[1], want[5], want[0], want[2], want[3], want[4]))
		require.NoError(t, e.Purge(t.Context()))
		requireHistory(t, l, s.ID, want)
	}
	require.NoError(t, l.Append(t.Context(), s.ID, all[4:]...), "what is there already, but for what was taken away, is no conflict")
	require.NoError(t, l.Append(t.Context(), s.ID, s.Next(1)...))
	reopened(t, d, l, func(l store.Log) {
		after := followed(t, l, store.Position{})
		for i := range before {
			require.Equal(t, before[i].Position, after[i].Position)
			require.Equal(t, before[i].Entry.Hash, after[i].Entry.Hash)
			if before[i].ID == s.ID {
				require.Equal(t, wire(want[before[i].Entry.Seq-1]), wire(after[i].Entry))
			}
		}
	})
}

func testCut(t *testing.T, d Driver) {
	l, e := cutter(t, d)
	s, other := NewStream(history.ID{Namespace: "n", Workflow: "w"}), NewStream(history.ID{Namespace: "n", Workflow: "w2"})
	all := s.Next(9)
	require.NoError(t, l.Append(t.Context(), s.ID, all[:3]...))
	require.NoError(t, l.Append(t.Context(), other.ID, other.Next(2)...))
	require.NoError(t, l.Append(t.Context(), s.ID, all[3:8]...))
	require.NoError(t, l.Append(t.Context(), s.ID, all[8]))
	before := followed(t, l, store.Position{})
	require.NoError(t, e.Cut(t.Context(), s.ID, 5, all[3].Hash), "another entry was meant")
	require.NoError(t, e.Cut(t.Context(), s.ID, 50, all[3].Hash))
	requireHistory(t, l, s.ID, all)
	for range 2 { // in the middle of an append
		require.NoError(t, e.Cut(t.Context(), s.ID, 5, all[4].Hash))
		require.NoError(t, e.Purge(t.Context()))
		requireHistory(t, l, s.ID, all[5:])
	}
	for from := range uint64(11) {
		got, err := collect(l.Read(t.Context(), s.ID, from))
		require.NoError(t, err)
		requireEntries(t, s.ID, all[min(max(from, 6), 10)-1:], got)
	}
	require.ErrorIs(t, l.Append(t.Context(), s.ID, all[0]), store.ErrConflict, "what was cut off is not begun anew")
	require.ErrorIs(t, l.Append(t.Context(), s.ID, all[3:6]...), store.ErrConflict)
	require.NoError(t, l.Append(t.Context(), s.ID, all[5:9]...), "what is there already is no conflict")
	all = append(all, s.Next(2)...)
	require.NoError(t, l.Append(t.Context(), s.ID, all[9:]...))
	reopened(t, d, l, func(l store.Log) {
		requireHistory(t, l, s.ID, all[5:])
		after := followed(t, l, store.Position{})
		kept := before[:0:0]
		for _, r := range before {
			if r.ID != s.ID || r.Entry.Seq > 5 {
				kept = append(kept, r)
			}
		}
		for i, r := range kept {
			require.Equal(t, r.Position, after[i].Position)
			require.Equal(t, wire(r.Entry), wire(after[i].Entry))
		}
		require.ErrorIs(t, l.Append(t.Context(), s.ID, all[0]), store.ErrConflict)
	})
}

// testLarge reads entries that are larger than what a log reads at once.
func testLarge(t *testing.T, d Driver) {
	l := d.Open(t)
	s := NewStream(history.ID{Namespace: "n", Workflow: "w"}).Sized(600 << 10)
	var all []history.Entry
	for range 5 {
		all = append(all, s.Next(1)...)
		require.NoError(t, l.Append(t.Context(), s.ID, all[len(all)-1]))
	}
	requireHistory(t, l, s.ID, all)
}

func testCutLong(t *testing.T, d Driver) {
	l, e := cutter(t, d)
	s := NewStream(history.ID{Namespace: "n", Workflow: "w"})
	all := s.Next(3000)
	for i := 0; i < len(all); i += 100 {
		require.NoError(t, l.Append(t.Context(), s.ID, all[i:i+100]...))
	}
	require.NoError(t, e.Cut(t.Context(), s.ID, 650, all[649].Hash))
	requireHistory(t, l, s.ID, all[650:])
	seen := 0
	for r, err := range l.Read(t.Context(), s.ID, 1) {
		if err != nil {
			require.ErrorIs(t, err, store.ErrUnavailable, "it is not taken for the end")
			return
		}
		require.Equal(t, uint64(651+seen), r.Entry.Seq)
		if seen++; seen == 1 {
			require.NoError(t, e.Cut(t.Context(), s.ID, 3000, all[2999].Hash))
		}
	}
	require.Equal(t, 2350, seen, "a log yields what there was, or says that it cannot")
}

func testCutWhole(t *testing.T, d Driver) {
	l, e := cutter(t, d)
	id := history.ID{Namespace: "n", Workflow: "w"}
	s, beside := NewStream(id), NewStream(history.ID{Namespace: "n", Workflow: "w2"})
	all := s.Next(5)
	require.NoError(t, l.Append(t.Context(), beside.ID, beside.Next(1)...))
	require.NoError(t, l.Append(t.Context(), id, all...))
	head, err := l.Head(t.Context())
	require.NoError(t, err)
	require.NoError(t, e.Cut(t.Context(), id, 2, all[1].Hash))
	require.NoError(t, e.Cut(t.Context(), id, 5, all[4].Hash))
	now, err := l.Head(t.Context())
	require.NoError(t, err)
	require.Equal(t, head, now, "positions are not given back")
	reopened(t, d, l, func(l store.Log) {
		requireHistory(t, l, id, nil)
		now, err := l.Head(t.Context())
		require.NoError(t, err)
		require.False(t, head.After(now))
		for _, r := range followed(t, l, store.Position{}) {
			require.NotEqual(t, id, r.ID)
		}
		if lister, ok := l.(store.Lister); ok {
			for s, err := range lister.Streams(t.Context()) {
				require.NoError(t, err)
				require.NotEqual(t, id, s.ID)
			}
		}
	})
	l = d.Open(t)
	e = l.(store.Cutter)
	require.NoError(t, l.Append(t.Context(), id, all...))
	require.NoError(t, e.Cut(t.Context(), id, 5, all[4].Hash))
	require.ErrorIs(t, l.Append(t.Context(), id, s.Next(1)...), store.ErrConflict, "nothing goes on that is not there")
	anew := NewStream(id).Next(7)
	require.NoError(t, l.Append(t.Context(), id, anew...))
	require.NoError(t, e.Cut(t.Context(), id, 5, history.Hash{1}), "what was meant is gone")
	requireHistory(t, l, id, anew)
}
