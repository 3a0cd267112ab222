package esdbtest

import (
	"testing"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/stretchr/testify/require"
)

// TestFollowersShowWhatHasReachedThem, in reads of streams and of $all and in subscriptions, and the rest when it has.
func TestFollowersShowWhatHasReachedThem(t *testing.T) {
	s := start(t, Options{Nodes: 2})
	leader, follower := client(t, "esdb://"+s.Address(0)+"?tls=false"), client(t, "esdb://"+s.Address(1)+"?tls=false")
	require.NoError(t, push(t, leader, "clew.a", esdb.NoStream{}, 0, 1, 2))
	require.NoError(t, push(t, leader, "clew.b", esdb.NoStream{}, 3))
	s.Lag(2) // one of a, and all of b
	for _, test := range []struct {
		o    esdb.ReadStreamOptions
		want []string
	}{
		{esdb.ReadStreamOptions{From: esdb.Start{}}, []string{`0 {"n":0}`, `1 {"n":1}`}},
		{esdb.ReadStreamOptions{From: esdb.End{}, Direction: esdb.Backwards}, []string{`1 {"n":1}`, `0 {"n":0}`}},
		{esdb.ReadStreamOptions{From: esdb.Revision(2)}, nil},
	} {
		all, err := read(t, follower, "clew.a", test.o, 9)
		require.NoError(t, err)
		require.Equal(t, test.want, all)
	}
	_, err := read(t, follower, "clew.b", esdb.ReadStreamOptions{From: esdb.Start{}}, 9)
	requireCode(t, err, esdb.ErrorCodeResourceNotFound)
	require.Equal(t, 2, count(t, follower))
	require.Equal(t, 4, count(t, leader))

	sub, end := subscribe(t, follower, esdb.Start{}), subscribe(t, follower, esdb.End{})
	for i := range 2 {
		e, _ := next(t, sub)
		require.EqualValues(t, i, e.EventNumber)
	}
	came := make(chan *esdb.RecordedEvent)
	go func() {
		for {
			e := sub.Recv()
			if e.SubscriptionDropped != nil {
				close(came)
				return
			}
			if e.EventAppeared != nil {
				came <- e.EventAppeared.Event
			}
		}
	}()
	require.NoError(t, push(t, follower, "clew.c", esdb.NoStream{}, 4), "a follower passes it on")
	require.Len(t, s.Events(), 5)
	require.EqualValues(t, 2, (<-came).EventNumber, "there is one more, so another one has arrived")
	e, _ := next(t, end)
	require.Equal(t, "clew.a", e.StreamID, "the end of a follower is before what it has not")
	select {
	case e := <-came:
		t.Fatalf("the follower shows %s", e.StreamID)
	default:
	}
	s.Lag(0)
	for _, want := range []string{"clew.b", "clew.c"} {
		require.Equal(t, want, (<-came).StreamID)
		e, _ := next(t, end)
		require.Equal(t, want, e.StreamID)
	}
	require.Equal(t, 5, count(t, follower))
}

// TestANewLeaderHasEverything: those who read along with it see at once what it had not as a follower.
func TestANewLeaderHasEverything(t *testing.T) {
	s := start(t, Options{Nodes: 2})
	old, other := client(t, "esdb://"+s.Address(0)+"?tls=false"), client(t, "esdb://"+s.Address(1)+"?tls=false")
	s.Lag(1)
	require.NoError(t, push(t, old, "clew.a", esdb.NoStream{}, 0, 1))
	sub := subscribe(t, other, esdb.Start{})
	e, _ := next(t, sub)
	require.EqualValues(t, 0, e.EventNumber)
	caught := false
	for !caught { // it waits for more
		caught = sub.Recv().CaughtUp != nil
	}
	s.Lead(1)
	came := make(chan *esdb.SubscriptionEvent, 1)
	go func() {
		e := sub.Recv()
		for e.EventAppeared == nil && e.SubscriptionDropped == nil {
			e = sub.Recv()
		}
		came <- e
	}()
	select {
	case e := <-came:
		require.NotNil(t, e.EventAppeared)
		require.EqualValues(t, 1, e.EventAppeared.Event.EventNumber)
	case <-time.After(time.Minute):
		t.Fatal("nothing comes")
	}
	require.Equal(t, 1, count(t, old), "who led now lags")
}

// count is how many events of $all a node shows.
func count(t *testing.T, c *esdb.Client) (n int) {
	t.Helper()
	r, err := c.ReadAll(t.Context(), esdb.ReadAllOptions{From: esdb.Start{}}, 99)
	require.NoError(t, err)
	defer r.Close()
	for {
		if _, err := r.Recv(); err != nil {
			return n
		}
		n++
	}
}
