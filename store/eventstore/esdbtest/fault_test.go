package esdbtest

import (
	"context"
	"testing"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/stretchr/testify/require"
)

// TestADelayedCallHoldsUpNothingElse: what is delayed for long has no effect and no answer, while others go by; who gives it up leaves
// nothing behind. What is delayed for a moment comes to its end.
func TestADelayedCallHoldsUpNothingElse(t *testing.T) {
	calls := map[string]func(context.Context, *esdb.Client) error{
		Append: func(ctx context.Context, c *esdb.Client) error {
			_, err := c.AppendToStream(ctx, "s", esdb.AppendToStreamOptions{ExpectedRevision: esdb.NoStream{}}, events(0)...)
			return err
		},
		Read: func(ctx context.Context, c *esdb.Client) error {
			r, err := c.ReadStream(ctx, "known", esdb.ReadStreamOptions{From: esdb.Start{}}, 1)
			if err != nil {
				return err
			}
			defer r.Close()
			_, err = r.Recv()
			return err
		},
		Subscribe: func(ctx context.Context, c *esdb.Client) error {
			sub, err := c.SubscribeToAll(ctx, esdb.SubscribeToAllOptions{From: esdb.Start{}})
			if err != nil {
				return err
			}
			return sub.Close()
		},
	}
	for on, call := range calls {
		t.Run(on, func(t *testing.T) {
			s := start(t, Options{})
			c := client(t, s.URL())
			require.NoError(t, push(t, c, "known", esdb.NoStream{}, 100))
			before := s.Calls(on)
			s.Inject(Fault{Do: Delay, On: on, For: time.Hour, Times: 1})
			ctx, cancel := context.WithCancel(t.Context())
			ended := make(chan error, 1)
			go func() { ended <- call(ctx, c) }()
			require.Eventually(t, func() bool { return s.Calls(on) > before }, 10*time.Second, time.Millisecond)
			require.NoError(t, push(t, c, "other", esdb.NoStream{}, 1))
			require.Empty(t, s.Stream("s"))
			require.Empty(t, ended)
			cancel()
			require.Error(t, <-ended)
			require.Empty(t, s.Stream("s"))
			s.Inject(Fault{Do: Delay, On: on, For: time.Millisecond, Times: 1})
			require.NoError(t, call(t.Context(), c))
			require.Equal(t, on == Append, len(s.Stream("s")) == 1)
		})
	}
}

func TestAServerMayBeSlowToBegin(t *testing.T) {
	s := start(t, Options{})
	s.Inject(Fault{Do: Delay, On: Features, For: time.Millisecond, Times: 1})
	require.NoError(t, push(t, client(t, s.URL()), "s", esdb.NoStream{}, 0))
	require.Equal(t, 1, s.Calls(Features))
}

func TestAStalledSubscriptionDeliversNothingAndGoesOn(t *testing.T) {
	s := start(t, Options{})
	c := client(t, s.URL())
	require.NoError(t, push(t, c, "clew.a", esdb.NoStream{}, 0, 1, 2))
	s.Inject(Fault{Do: Stall, After: 2, Times: 1})
	stalled := subscribe(t, c, esdb.Start{})
	for i := range 2 {
		e, _ := next(t, stalled)
		require.EqualValues(t, i, e.EventNumber)
	}
	came := make(chan *esdb.SubscriptionEvent, 100)
	go func() {
		for {
			e := stalled.Recv()
			came <- e
			if e.SubscriptionDropped != nil {
				return
			}
		}
	}()
	healthy := subscribe(t, c, esdb.Start{})
	for i := range 100 {
		require.NoError(t, push(t, c, "clew.b", esdb.Any{}, 10+i))
	}
	for range 103 {
		next(t, healthy)
	}
	require.Empty(t, came, "neither an event, nor a checkpoint, nor an end")
	s.Cut(0)
	require.NotNil(t, (<-came).SubscriptionDropped)
}

// TestARepeatedEventComesFirst although it is before what was asked for; and it is one that the subscription is for.
func TestARepeatedEventComesFirst(t *testing.T) {
	s := start(t, Options{})
	c := client(t, s.URL())
	require.NoError(t, push(t, c, "clew.a", esdb.NoStream{}, 0, 1))
	s.Write("$stats-x", "$stats", "$stats")
	require.NoError(t, push(t, c, "clew.a", esdb.Revision(1), 2, 3))
	all := s.Stream("clew.a")
	for _, from := range []struct {
		revision int // after which it is subscribed
		first    int
	}{{0, 0}, {1, 1}, {2, 2}} {
		s.Inject(Fault{Do: Repeat, Times: 1})
		at := all[from.revision].Position
		sub := subscribe(t, c, esdb.Position{Commit: at, Prepare: at})
		for i := from.first; i < len(all); i++ {
			e, _ := next(t, sub)
			require.EqualValues(t, i, e.EventNumber, "after %d", from.revision)
		}
		s.Heal()
		s.Inject(Fault{Do: Repeat, Times: 1})
		of, err := c.SubscribeToStream(t.Context(), "clew.a", esdb.SubscribeToStreamOptions{From: esdb.Revision(uint64(from.revision))})
		require.NoError(t, err)
		for i := from.first; i < len(all); i++ {
			e, _ := next(t, of)
			require.EqualValues(t, i, e.EventNumber, "of the stream, after %d", from.revision)
		}
		require.NoError(t, of.Close())
		s.Heal()
	}
	s.Inject(Fault{Do: Repeat, Times: 1})
	e, _ := next(t, subscribe(t, c, esdb.Start{}))
	require.EqualValues(t, 0, e.EventNumber, "before the first there is none to repeat")
}

func TestSubscriptionsAreRefusedAsTold(t *testing.T) {
	s := start(t, Options{})
	c := client(t, s.URL())
	require.NoError(t, push(t, c, "clew.a", esdb.NoStream{}, 0, 1))
	s.Inject(Fault{Do: FailBefore, On: Subscribe, Times: 1})
	s.Inject(Fault{Do: TimeOut, On: Subscribe, From: 2, Times: 1})
	for range 2 {
		_, err := c.SubscribeToAll(t.Context(), esdb.SubscribeToAllOptions{From: esdb.Start{}})
		require.Error(t, err)
	}
	e, _ := next(t, subscribe(t, c, esdb.Start{}))
	require.Equal(t, "clew.a", e.StreamID)
}
