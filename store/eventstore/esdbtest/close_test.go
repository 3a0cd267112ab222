package esdbtest

import (
	"io"
	"maps"
	"net"
	"testing"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/stretchr/testify/require"
)

// requireClosed fails when a server is not closed after a time in which anything is.
func requireClosed(t *testing.T, s *Server) {
	t.Helper()
	closed := make(chan error, 1)
	go func() { closed <- s.Close() }()
	select {
	case err := <-closed:
		require.NoError(t, err)
	case <-time.After(time.Minute):
		t.Fatal("Close hangs")
	}
}

// idle is a connection that says nothing, which the server has accepted.
func idle(t *testing.T, s *Server) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", s.Address(0))
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Close() })
	n := s.nodes[0]
	require.Eventually(t, func() bool { return len(n.connections()) > 0 }, 10*time.Second, time.Millisecond)
	return c
}

// connections are those that there are.
func (n *node) connections() map[*conn]bool {
	n.gate.Lock()
	defer n.gate.Unlock()
	return maps.Clone(n.conns)
}

func TestCloseDoesNotWaitForHandshakes(t *testing.T) {
	for _, tls := range []bool{true, false} {
		for _, paused := range []bool{false, true} {
			s, err := Start(Options{TLS: tls})
			require.NoError(t, err)
			if paused {
				s.Pause(0)
			}
			c := idle(t, s)
			requireClosed(t, s)
			_, _ = io.Copy(io.Discard, c) // comes to an end, because the connection is broken
		}
	}
}

func TestCloseEndsCallsThatHang(t *testing.T) {
	for _, f := range []Fault{{Do: Hang}, {Do: CommitThenHang}, {Do: Delay, For: time.Hour}} {
		s, err := Start(Options{})
		require.NoError(t, err)
		c := client(t, s.URL())
		s.Inject(f)
		ended := make(chan error, 1)
		go func() { ended <- push(t, c, "s", esdb.NoStream{}, 0) }()
		require.Eventually(t, func() bool { return s.Calls(Append) == 1 }, 10*time.Second, time.Millisecond)
		requireClosed(t, s)
		require.Error(t, <-ended)
	}
}

// TestGoAwayCutsNothing: what is under way goes on over the old connection, what comes takes a new one, and Close ends both.
func TestGoAwayCutsNothing(t *testing.T) {
	s, err := Start(Options{})
	require.NoError(t, err)
	c := client(t, s.URL())
	sub := subscribe(t, c, esdb.Start{})
	require.NoError(t, push(t, c, "clew.a", esdb.NoStream{}, 0))
	e, _ := next(t, sub)
	require.Equal(t, "clew.a", e.StreamID)
	require.Len(t, s.nodes[0].connections(), 1)
	for i := range 3 {
		before, pushed := s.nodes[0].connections(), 0
		require.NoError(t, s.GoAway(0))
		require.Eventually(t, func() bool {
			if push(t, c, "clew.b", esdb.Any{}, 100*i+10+pushed) == nil {
				pushed++
			}
			for c := range s.nodes[0].connections() {
				if pushed > 0 && !before[c] {
					return true
				}
			}
			return false
		}, 10*time.Second, 10*time.Millisecond, "appends take another connection")
		for range pushed {
			e, _ = next(t, sub)
			require.Equal(t, "clew.b", e.StreamID, "the subscription goes on")
		}
	}
	requireClosed(t, s)
	for e := sub.Recv(); e.SubscriptionDropped == nil; e = sub.Recv() {
		require.Nil(t, e.EventAppeared)
	}
	require.NoError(t, s.GoAway(0), "of who does not listen")
	_, err = net.Dial("tcp", s.Address(0))
	require.Error(t, err, "nobody listens")
}

func TestWhatIsRefusedComesBack(t *testing.T) {
	s := start(t, Options{})
	c := client(t, s.URL()+"&maxDiscoverAttempts=1000&discoveryInterval=10")
	require.NoError(t, push(t, c, "s", esdb.NoStream{}, 0))
	again := s.Refuse(0)
	_, err := net.Dial("tcp", s.Address(0))
	require.Error(t, err)
	require.NoError(t, again())
	require.Error(t, again(), "it listens already")
	require.Eventually(t, func() bool { return push(t, c, "s", esdb.Revision(0), 1) == nil }, 10*time.Second, 10*time.Millisecond)
}
