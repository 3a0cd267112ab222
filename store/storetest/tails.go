package storetest

import (
	"iter"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/store"
)

func tailsOf(t *testing.T, l store.Log) store.Tails {
	tails, ok := l.(store.Tails)
	if !ok {
		t.Skip("the driver offers no tails")
	}
	return tails
}

func requireTail(t *testing.T, l store.Log, id history.ID, want *store.Tail) {
	t.Helper()
	got, ok, err := tailsOf(t, l).Tail(t.Context(), id)
	require.NoError(t, err)
	if want == nil {
		require.False(t, ok)
		require.Zero(t, got)
		return
	}
	require.True(t, ok)
	require.Equal(t, *want, got)
}

func testTail(t *testing.T, d Driver) {
	l := d.Open(t)
	s := NewStream(history.ID{Namespace: "n", Workflow: "w"})
	requireTail(t, l, s.ID, nil)
	wake := time.Date(2300, 1, 2, 3, 4, 5, 6, time.UTC)
	var last *store.Tail
	for _, tail := range []*store.Tail{
		{Began: 1, Due: true},
		{Began: 1, Wake: wake, Unsettled: 3},
		{Began: 1, Wake: time.Date(1969, 1, 1, 0, 0, 0, 1, time.UTC), Due: true, Unsettled: 1 << 40},
		nil,
		{Began: 5},
	} {
		entries := s.Next(1)
		if tail != nil {
			tail.ID, tail.Seq, tail.Hash = s.ID, s.Seq(), s.Hash()
		}
		require.NoError(t, tailsOf(t, l).AppendTail(t.Context(), s.ID, tail, entries...))
		requireTail(t, l, s.ID, tail)
		require.ErrorIs(t, tailsOf(t, l).AppendTail(t.Context(), s.ID, &store.Tail{Began: 99}, NewStream(s.ID).Vary("x").Next(1)...), store.ErrConflict)
		requireTail(t, l, s.ID, tail)
		l = d.Reopen(t, l)
		requireTail(t, l, s.ID, tail)
		last = tail
	}
	require.NoError(t, l.Append(t.Context(), s.ID, s.Next(2)...))
	requireTail(t, l, s.ID, last)
	l = d.Reopen(t, l)
	require.NoError(t, l.Append(t.Context(), s.ID, s.Next(1)...), "a row that is behind is no matter")
}

func testTailOrder(t *testing.T, d Driver) {
	l := d.Open(t)
	want := map[history.ID]store.Tail{}
	for i, id := range StrangeIDs() {
		s := NewStream(id)
		entries := s.Next(1)
		tail := &store.Tail{ID: id, Began: 1, Seq: 1, Hash: s.Hash(), Unsettled: i}
		if i%4 == 3 {
			tail = nil
		} else {
			want[id] = *tail
		}
		require.NoError(t, tailsOf(t, l).AppendTail(t.Context(), id, tail, entries...))
	}
	check := func() {
		all, err := collectTails(tailsOf(t, l).AllTails(t.Context()))
		require.NoError(t, err)
		require.Len(t, all, len(want))
		for i, tail := range all {
			require.Equal(t, want[tail.ID], tail)
			if i > 0 {
				before := all[i-1].ID
				require.True(t, before.Namespace < tail.ID.Namespace ||
					before.Namespace == tail.ID.Namespace && before.Workflow < tail.ID.Workflow, "%q before %q", before, tail.ID)
			}
		}
	}
	check()
	l = d.Reopen(t, l)
	check()
}

func collectTails(seq iter.Seq2[store.Tail, error]) (all []store.Tail, err error) {
	for tail, err := range seq {
		if err != nil {
			return all, err
		}
		all = append(all, tail)
	}
	return all, nil
}
