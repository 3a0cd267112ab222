package storetest

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/store"
)

func testFollow(t *testing.T, d Driver) {
	l := d.Open(t)
	a, b := NewStream(history.ID{Namespace: "n", Workflow: "a"}), NewStream(history.ID{Namespace: "n", Workflow: "b"})
	var want []string
	for n := 1; n < 5; n++ {
		for _, s := range []*Stream{a, b} {
			entries := s.Next(n)
			require.NoError(t, l.Append(t.Context(), s.ID, entries...))
			for _, e := range entries {
				want = append(want, s.ID.String()+" "+wire(e))
			}
		}
	}
	check := func() {
		all, err := follow(t.Context(), l, store.Position{}, len(want))
		require.NoError(t, err)
		require.Equal(t, want, lines(all))
		for i, r := range all {
			if i > 0 {
				require.True(t, r.Position.After(all[i-1].Position))
			}
			rest, err := follow(t.Context(), l, r.Position, len(want)-i-1)
			require.NoError(t, err)
			require.Equal(t, lines(all[i+1:]), lines(rest))
		}
	}
	check()
	l = d.Reopen(t, l)
	check()
}

func lines(records []store.Record) []string {
	var all []string
	for _, r := range records {
		all = append(all, r.ID.String()+" "+wire(r.Entry))
	}
	return all
}

func testFollowLive(t *testing.T, d Driver) {
	const appenders, followers, each = 6, 4, 60
	l := d.Open(t)
	seen := make([][]store.Record, followers)
	var g errgroup.Group
	for f := range followers {
		g.Go(func() (err error) {
			after := store.Position{}
			for len(seen[f]) < appenders*each { // some resume often
				some, err := follow(t.Context(), l, after, min(appenders*each-len(seen[f]), 1+f*200))
				if err != nil {
					return err
				}
				seen[f] = append(seen[f], some...)
				after = some[len(some)-1].Position
			}
			return nil
		})
	}
	for a := range appenders {
		g.Go(func() error {
			s := NewStream(history.ID{Namespace: "n", Workflow: fmt.Sprint(a)})
			for s.Seq() < each {
				if err := l.Append(t.Context(), s.ID, s.Next(int(min(1+s.Seq()%3, each-s.Seq())))...); err != nil {
					return err
				}
			}
			return nil
		})
	}
	require.NoError(t, g.Wait())
	for f := range seen {
		next := map[history.ID]uint64{}
		for i, r := range seen[f] {
			require.Equal(t, seen[0][i].Position, r.Position, "all see the same order")
			next[r.ID]++
			require.Equal(t, next[r.ID], r.Entry.Seq, "follower %d, %s", f, r.ID)
		}
		require.Len(t, next, appenders)
	}
	head, err := l.Head(t.Context())
	require.NoError(t, err)
	require.Equal(t, seen[0][len(seen[0])-1].Position, head)
}

func testFollowEnds(t *testing.T, d Driver) {
	l := d.Open(t)
	s := NewStream(history.ID{Namespace: "n", Workflow: "w"})
	require.NoError(t, l.Append(t.Context(), s.ID, s.Next(2)...))
	ctx, cancel := context.WithCancel(t.Context())
	var g errgroup.Group
	caughtUp := make(chan struct{})
	n := 0
	g.Go(func() error {
		for _, err := range l.Follow(ctx, store.Position{}) {
			if err != nil {
				return err
			}
			if n++; n == 2 {
				close(caughtUp)
			}
		}
		return nil
	})
	<-caughtUp
	cancel()
	require.NoError(t, g.Wait())
	require.Equal(t, 2, n)
}
