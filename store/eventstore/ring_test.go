package eventstore

import (
	"context"
	"iter"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/clewflow/clew/store"
	"github.com/clewflow/clew/store/eventstore/esdbtest"
	"github.com/clewflow/clew/store/storetest"
)

// A subscription may deliver again what it has delivered; a ring holds each record once, in order, and no more than it should.
func TestRingHoldsEachRecordOnce(t *testing.T) {
	r := newRing(3, 1<<20)
	r.begin(position(10, 10))
	c := r.join()
	for _, at := range []uint64{5, 10, 11, 11, 12, 11, 12, 13, 12, 14, 15} {
		before := r.newest()
		require.Equal(t, at > before.Commit, r.add(item{record: store.Record{Position: position(at, at)}}), "%d behind %v", at, before)
	}
	var held []uint64
	for _, i := range r.after(c, position(12, 12)).items {
		held = append(held, i.record.Position.Commit)
	}
	require.Equal(t, []uint64{13, 14, 15}, held)
	require.True(t, r.after(c, position(11, 11)).behind, "12 was dropped")
	require.Equal(t, position(12, 12), r.after(c, position(11, 11)).base)
}

// spied is a server that notes where subscriptions begin, and of which some reads are answered by a node that lags behind.
type spied struct {
	server

	mu    sync.Mutex
	begun []store.Position
	stale int            // reads of $all that are still to be answered so
	cut   store.Position // what that node has
}

func (s *spied) subscribeAll(ctx context.Context, after store.Position) iter.Seq2[delivery, error] {
	s.mu.Lock()
	s.begun = append(s.begun, after)
	s.mu.Unlock()
	return s.server.subscribeAll(ctx, after)
}

func (s *spied) readAll(ctx context.Context, from store.Position, way direction, count int) (page, error) {
	p, err := s.server.readAll(ctx, from, way, max(count, 100))
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stale > 0 {
		s.stale--
		p.events = slices.DeleteFunc(p.events, func(e recorded) bool { return isBehind(s.cut, e.at) })
		p.full = false
	}
	return p, err
}

func spy(t *testing.T, url string, o Options) (*Log, *spied) {
	s := &spied{}
	o.connect = func(a address, root string, o Options, c *counters) server {
		s.server = &stubs{newCluster(a, 1, o.Logger, c), root}
		return s
	}
	return open(t, url, o), s
}

// It does not begin anew, and it leaves nothing out.
func TestSubscriptionGoesOnWhereItEnded(t *testing.T) {
	f := serve(t, esdbtest.Options{})
	f.Inject(esdbtest.Fault{Do: esdbtest.Drop, After: 2, Times: 1})
	l, s := spy(t, f.URL(), Options{})
	of := storetest.NewStream(someID)
	require.NoError(t, l.Append(t.Context(), someID, of.Next(1)...))
	var at []store.Position
	for r, err := range l.Follow(t.Context(), position(0, 0)) {
		require.NoError(t, err)
		if at = append(at, r.Position); len(at) == 5 {
			break
		}
		require.Eventually(t, func() bool { return f.Calls(esdbtest.Subscribe) > 0 }, 10*time.Second, time.Millisecond)
		require.NoError(t, l.Append(t.Context(), someID, of.Next(1)...))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	require.Equal(t, []store.Position{at[0], at[2]}, s.begun)
}

// A node that lags behind has not the last word on what there is.
func TestStaleNodeHidesNothing(t *testing.T) {
	f := serve(t, esdbtest.Options{})
	l, s := spy(t, f.URL(), Options{})
	of := storetest.NewStream(someID)
	require.NoError(t, l.Append(t.Context(), someID, of.Next(1)...))
	first := mustHead(t, l)
	require.NoError(t, l.Append(t.Context(), someID, of.Next(2)...))
	want := followed(t, l, position(0, 0), 3)
	require.Eventually(t, func() bool { return isBehind(first, l.ring.newest()) }, 10*time.Second, time.Millisecond)
	s.mu.Lock()
	s.stale, s.cut = 6, first
	s.mu.Unlock()
	require.Equal(t, want, followed(t, l, position(0, 0), 3))
}
