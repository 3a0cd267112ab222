package eventstore

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/store"
	"github.com/clewflow/clew/store/eventstore/esdbtest"
	"github.com/clewflow/clew/store/storetest"
)

var someID = history.ID{Namespace: "n", Workflow: "w"}

// impatient makes one try of a call short.
const impatient = "&defaultDeadline=150"

func TestUnknownOutcomesAreSettled(t *testing.T) {
	for _, way := range over {
		for name, fault := range map[string]esdbtest.Action{
			"fails after": esdbtest.CommitThenFail, "hangs before": esdbtest.Hang, "hangs after": esdbtest.CommitThenHang,
			"cut after": esdbtest.CommitThenCut, "arrives late": esdbtest.CommitLate, "times out": esdbtest.TimeOut,
		} {
			t.Run(way.name+" "+name, func(t *testing.T) {
				s := serve(t, esdbtest.Options{})
				s.Inject(esdbtest.Fault{Do: fault, From: 2, Times: 2})
				l := open(t, s.URL()+impatient, way.o)
				of := storetest.NewStream(someID)
				require.NoError(t, l.Append(t.Context(), someID, of.Next(1)...))
				require.NoError(t, l.Append(t.Context(), someID, of.Next(2)...))
				s.Arrive()
				require.NoError(t, l.Append(t.Context(), someID, of.Next(1)...))
				s.Arrive()
				require.Equal(t, 4, stored(s, someID), "each once")
				require.Len(t, readAll(t, l, someID, 1), 4)
				require.Equal(t, uint64(2), l.Stats().Unknown)
				require.Equal(t, uint64(3), l.Stats().Appends)
			})
		}
	}
}

// An append that is still on its way may arrive before its repetition, after it, or by itself at any moment.
func TestLateArrivalIsOneCopy(t *testing.T) {
	for _, after := range []time.Duration{0, time.Microsecond, 20 * time.Millisecond, 60 * time.Millisecond} {
		t.Run(after.String(), func(t *testing.T) {
			s := serve(t, esdbtest.Options{})
			s.Inject(esdbtest.Fault{Do: esdbtest.CommitLate, For: after, Times: 2})
			l := open(t, s.URL(), Options{})
			of := storetest.NewStream(someID)
			require.NoError(t, l.Append(t.Context(), someID, of.Next(2)...))
			s.Arrive()
			require.NoError(t, l.Append(t.Context(), someID, of.Next(1)...))
			require.Equal(t, 3, stored(s, someID))
		})
	}
}

// What was given up as unknown and arrives after somebody else's entry changes nothing; before it, it wins.
func TestLateArrivalNeverParts(t *testing.T) {
	for _, first := range []bool{true, false} {
		s := serve(t, esdbtest.Options{})
		s.Inject(esdbtest.Fault{Do: esdbtest.CommitLate, Times: 1})
		l := open(t, s.URL(), Options{Settle: time.Nanosecond})
		mine, others := storetest.NewStream(someID).Next(2), storetest.NewStream(someID).Vary("other").Next(1)
		require.ErrorIs(t, l.Append(t.Context(), someID, mine...), store.ErrUnknownOutcome)
		if first {
			s.Arrive()
			require.ErrorIs(t, l.Append(t.Context(), someID, others...), store.ErrConflict)
			require.NoError(t, l.Append(t.Context(), someID, mine...))
			require.Equal(t, 2, stored(s, someID))
			continue
		}
		require.NoError(t, l.Append(t.Context(), someID, others...))
		s.Arrive()
		require.ErrorIs(t, l.Append(t.Context(), someID, mine...), store.ErrConflict)
		require.Equal(t, 1, stored(s, someID))
	}
}

func TestNetworkThatSwallowsEverythingIsSurvived(t *testing.T) {
	s := serve(t, esdbtest.Options{})
	l := open(t, s.URL()+impatient, Options{})
	of := storetest.NewStream(someID)
	require.NoError(t, l.Append(t.Context(), someID, of.Next(1)...))
	s.Pause(0)
	var g errgroup.Group
	next := of.Next(1)
	g.Go(func() error { return l.Append(t.Context(), someID, next...) })
	require.Eventually(t, func() bool { return l.Stats().Unknown > 0 }, 10*time.Second, time.Millisecond)
	s.Resume(0)
	require.NoError(t, g.Wait())
	require.Equal(t, 2, stored(s, someID))
}

func TestServerThatSendsItsClientsAwayIsFollowed(t *testing.T) {
	s := serve(t, esdbtest.Options{})
	l := open(t, s.URL(), Options{})
	of := storetest.NewStream(someID)
	n := 0
	require.NoError(t, l.Append(t.Context(), someID, of.Next(1)...))
	for _, err := range l.Follow(t.Context(), position(0, 0)) {
		require.NoError(t, err)
		if n++; n == 4 {
			break
		}
		require.NoError(t, s.GoAway(0))
		require.NoError(t, l.Append(t.Context(), someID, of.Next(1)...))
	}
	require.Equal(t, 4, stored(s, someID))
}

// Who gives no deadline is not kept for ever.
func TestUnknownOutcomeIsToldAfterAWhile(t *testing.T) {
	f := serve(t, esdbtest.Options{})
	f.Inject(esdbtest.Fault{Do: esdbtest.TimeOut})
	l := open(t, f.URL(), Options{Settle: time.Millisecond})
	err := l.Append(t.Context(), someID, storetest.NewStream(someID).Next(1)...)
	require.ErrorIs(t, err, store.ErrUnknownOutcome)
	require.NotErrorIs(t, err, store.ErrUnavailable)
}

// Whatever the server does, a call ends when its context does.
func TestContextsAreHonoured(t *testing.T) {
	t.Run("server hangs", func(t *testing.T) {
		for _, fault := range []esdbtest.Action{esdbtest.Hang, esdbtest.CommitThenHang} {
			f := serve(t, esdbtest.Options{})
			ctx, cancel := context.WithCancel(t.Context())
			f.Inject(esdbtest.Fault{Do: fault})
			l := open(t, f.URL(), Options{})
			go func() {
				assert.Eventually(t, func() bool { return f.Calls(esdbtest.Append) > 0 }, 10*time.Second, time.Millisecond)
				cancel()
			}()
			err := l.Append(ctx, someID, storetest.NewStream(someID).Next(1)...)
			require.ErrorIs(t, err, store.ErrUnknownOutcome)
			require.ErrorIs(t, err, context.Canceled)
		}
	})
	t.Run("handshake hangs", func(t *testing.T) {
		s := serve(t, esdbtest.Options{TLS: true})
		s.Pause(0)
		defer s.Resume(0)
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		_, err := Open(ctx, s.URL()+"&tlsVerifyCert=false", Options{Timeout: time.Hour})
		require.ErrorIs(t, err, store.ErrUnavailable)
		require.ErrorIs(t, err, context.DeadlineExceeded)
	})
	t.Run("server is gone", func(t *testing.T) {
		f := serve(t, esdbtest.Options{})
		l := open(t, f.URL(), Options{Patience: time.Hour})
		f.Refuse(0)
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		require.ErrorIs(t, l.Append(ctx, someID, storetest.NewStream(someID).Next(1)...), context.DeadlineExceeded)
		_, err := l.Head(ctx)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		for range l.Follow(ctx, position(0, 0)) {
			require.Fail(t, "there is nothing")
		}
	})
}

// Nothing was sent, so nothing can have been stored: that is said, and not that it is unknown.
func TestServerThatIsAwayIsUnavailable(t *testing.T) {
	f := serve(t, esdbtest.Options{})
	l := open(t, f.URL(), Options{Patience: time.Millisecond})
	f.Refuse(0)
	_, err := l.Head(t.Context())
	require.ErrorIs(t, err, store.ErrUnavailable)
	err = l.Append(t.Context(), someID, storetest.NewStream(someID).Next(1)...)
	require.ErrorIs(t, err, store.ErrUnavailable)
	require.NotErrorIs(t, err, store.ErrUnknownOutcome)
	for _, err := range l.Read(t.Context(), someID, 1) {
		require.ErrorIs(t, err, store.ErrUnavailable)
	}
	_, err = Open(t.Context(), f.URL(), Options{Timeout: time.Millisecond})
	require.ErrorIs(t, err, store.ErrUnavailable)
	require.ErrorContains(t, err, f.Address(0))
}

func TestOutageIsSurvivedByTheSameLog(t *testing.T) {
	before := runtime.NumGoroutine()
	f := serve(t, esdbtest.Options{})
	l := open(t, f.URL()+impatient, Options{Patience: time.Hour})
	s := storetest.NewStream(someID)
	require.NoError(t, l.Append(t.Context(), someID, s.Next(1)...))
	var seen atomic.Int64
	var g errgroup.Group
	ctx, cancel := context.WithCancel(t.Context())
	g.Go(func() error {
		for _, err := range l.Follow(ctx, position(0, 0)) {
			if err != nil {
				return err
			}
			seen.Add(1)
		}
		return nil
	})
	require.Eventually(t, func() bool { return seen.Load() == 1 }, 10*time.Second, time.Millisecond)
	require.Eventually(t, func() bool { return f.Calls(esdbtest.Subscribe) == 1 }, 10*time.Second, time.Millisecond)
	again := f.Refuse(0)
	const callers = 100
	for i := range callers {
		g.Go(func() error {
			id := history.ID{Namespace: "n", Workflow: fmt.Sprint(i)}
			return l.Append(t.Context(), id, storetest.NewStream(id).Next(1)...)
		})
	}
	require.NoError(t, again())
	require.Eventually(t, func() bool { return seen.Load() == callers+1 }, 10*time.Second, time.Millisecond)
	require.Eventually(t, func() bool { return l.Stats().Resubscriptions > 0 }, 10*time.Second, time.Millisecond)
	cancel()
	require.NoError(t, g.Wait())
	require.NoError(t, l.Close())
	require.NoError(t, f.Close())
	require.Eventually(t, func() bool { return runtime.NumGoroutine() <= before+1 }, 10*time.Second, 5*time.Millisecond, "goroutines are left over")
}

func TestLeaderChangesLoseAndDoubleNothing(t *testing.T) {
	s := serve(t, esdbtest.Options{Nodes: 3})
	s.Inject(esdbtest.Fault{Do: esdbtest.CommitThenFail, From: 30, Times: 10})
	s.Inject(esdbtest.Fault{Do: esdbtest.CommitLate, For: time.Millisecond, From: 100, Times: 10})
	s.Inject(esdbtest.Fault{Do: esdbtest.CommitThenCut, From: 200, Times: 3})
	l, other := open(t, s.URL(), Options{}), open(t, s.URL(), Options{})
	const appenders, each = 10, 60
	var g errgroup.Group
	for a := range appenders {
		g.Go(func() error {
			id := history.ID{Namespace: "n", Workflow: fmt.Sprint(a)}
			of := storetest.NewStream(id)
			for range each {
				if err := l.Append(t.Context(), id, of.Next(1)...); err != nil {
					return err
				}
			}
			return nil
		})
	}
	g.Go(func() error { // elections
		for i := 1; i <= 5; i++ {
			before := s.Calls(esdbtest.Append)
			if !assert.Eventually(t, func() bool { return s.Calls(esdbtest.Append) >= before+50 }, 20*time.Second, time.Millisecond) {
				return errors.New("nothing is appended under the new leader")
			}
			s.Lead(-1)
			s.Lead(i % 3)
		}
		return nil
	})
	all := followed(t, other, position(0, 0), appenders*each)
	require.NoError(t, g.Wait())
	seen := map[string]bool{}
	for _, line := range all {
		require.False(t, seen[line], "twice: %s", line)
		seen[line] = true
	}
	for a := range appenders {
		require.Equal(t, each, stored(s, history.ID{Namespace: "n", Workflow: fmt.Sprint(a)}))
	}
	require.NotZero(t, l.Stats().Reconnects)
	require.NotZero(t, l.Stats().Unknown)
}

// A follower that lags behind answers nothing that decides something.
func TestLaggingFollowersDecideNothing(t *testing.T) {
	s := serve(t, esdbtest.Options{Nodes: 3})
	l := open(t, s.URL()+"&nodePreference=follower", Options{ringRecords: 2})
	s.Lag(3)
	of := storetest.NewStream(someID)
	for range 6 {
		require.NoError(t, l.Append(t.Context(), someID, of.Next(1)...))
	}
	require.Len(t, readAll(t, l, someID, 1), 6)
	all := followed(t, l, position(0, 0), 6)
	require.True(t, strings.HasPrefix(all[5], fmt.Sprint(mustHead(t, l))+" "))
	s.Lag(0)
	require.NoError(t, l.Append(t.Context(), someID, of.Next(1)...))
	require.Len(t, followed(t, l, position(0, 0), 7), 7)
}

func TestLeaderIsFoundWhenNodesDie(t *testing.T) {
	f := serve(t, esdbtest.Options{Nodes: 3})
	l := open(t, f.URL()+impatient+"&gossipTimeout=1", Options{})
	s := storetest.NewStream(someID)
	require.NoError(t, l.Append(t.Context(), someID, s.Next(1)...))
	var g errgroup.Group
	got := make(chan struct{}, 10)
	ctx, cancel := context.WithCancel(t.Context())
	g.Go(func() error {
		for _, err := range l.Follow(ctx, position(0, 0)) {
			if err != nil {
				return err
			}
			got <- struct{}{}
		}
		return nil
	})
	<-got
	for leader := 1; leader < 3; leader++ {
		f.Lead(leader)
		f.Refuse(leader - 1)
		require.NoError(t, l.Append(t.Context(), someID, s.Next(1)...))
		<-got
	}
	cancel()
	require.NoError(t, g.Wait())
	f.Lead(-1)
	l.opts.Patience = time.Millisecond
	require.ErrorIs(t, l.Append(t.Context(), someID, s.Next(1)...), store.ErrUnavailable, "nobody leads")
}

func TestFollowersSeeAllOnceAcrossResubscriptions(t *testing.T) {
	for _, small := range []bool{false, true} {
		for _, way := range over {
			t.Run(fmt.Sprintf("%s small=%t", way.name, small), func(t *testing.T) {
				f := serve(t, esdbtest.Options{})
				for i, fault := range []esdbtest.Fault{
					{Do: esdbtest.Drop, After: 30}, {Do: esdbtest.Stall, After: 20}, {Do: esdbtest.Repeat}, {Do: esdbtest.TooSlow, After: 5},
					{Do: esdbtest.Drop}, {Do: esdbtest.FailBefore, On: esdbtest.Subscribe}, {Do: esdbtest.Stall}, {Do: esdbtest.TooSlow},
				} {
					if fault.From, fault.Times = i+1, 1; fault.Do != esdbtest.Repeat { // that one goes on
						f.Inject(fault)
					}
				}
				f.Inject(esdbtest.Fault{Do: esdbtest.Repeat})
				o := way.o
				o.quiet, o.grace = 20*time.Millisecond, 10*time.Millisecond
				if small {
					o.ringRecords = 3
				}
				l := open(t, f.URL(), o)
				const n = 200
				var g errgroup.Group
				seen := make([][]string, 4)
				ready := make(chan struct{}, len(seen))
				for i := range seen {
					g.Go(func() error {
						ready <- struct{}{}
						seen[i] = followed(t, l, position(0, 0), n)
						return nil
					})
				}
				for range seen {
					<-ready
				}
				s := storetest.NewStream(someID)
				for range n {
					f.Write("$stats-1", "$stats")
					require.NoError(t, l.Append(t.Context(), someID, s.Next(1)...))
				}
				require.NoError(t, g.Wait())
				want := readAll(t, l, someID, 1)
				for i := range seen {
					require.Equal(t, want, seen[i])
				}
				stats := l.Stats()
				require.NotZero(t, stats.Resubscriptions)
				if !small { // else they may have read all from the server before anybody noticed
					require.NotZero(t, stats.Stalls)
				}
			})
		}
	}
}

func TestSlowFollowerReadsFromTheServer(t *testing.T) {
	f := serve(t, esdbtest.Options{})
	l := open(t, f.URL(), Options{ringRecords: 10})
	s := storetest.NewStream(someID)
	const n = 600
	require.NoError(t, l.Append(t.Context(), someID, s.Next(1)...))
	var seen []string
	most := 0
	for r, err := range l.Follow(t.Context(), position(0, 0)) {
		require.NoError(t, err)
		if seen = append(seen, line(r)); len(seen) == n {
			break
		}
		if len(seen) == 1 {
			for int(s.Seq()) < n { // while it is busy with the first
				require.NoError(t, l.Append(t.Context(), someID, s.Next(7)...))
				l.ring.mu.Lock()
				most = max(most, len(l.ring.items))
				l.ring.mu.Unlock()
			}
		}
	}
	require.LessOrEqual(t, most, 10, "what is kept is bounded")
	require.Equal(t, readAll(t, l, someID, 1)[:n], seen)
}

func TestFollowFromEveryPosition(t *testing.T) {
	f := serve(t, esdbtest.Options{})
	l := open(t, f.URL(), Options{ringRecords: 4})
	s := storetest.NewStream(someID)
	const n = 12
	var at []store.Position
	for range n {
		f.Write("other-1", "Something")
		require.NoError(t, l.Append(t.Context(), someID, s.Next(1)...))
		head, err := l.Head(t.Context())
		require.NoError(t, err)
		at = append(at, head)
		followed(t, l, position(0, 0), 1) // the subscription runs
	}
	want := readAll(t, l, someID, 1)
	for i := range n - 1 {
		require.Equal(t, want[i+1:], followed(t, l, at[i], n-i-1))
	}
}

// Ten thousand events of others stand between two of ours and behind them.
func TestForeignEventsAreNoMatter(t *testing.T) {
	f := serve(t, esdbtest.Options{})
	l := open(t, f.URL(), Options{})
	head, err := l.Head(t.Context())
	require.NoError(t, err)
	require.Zero(t, head)
	s := storetest.NewStream(someID)
	for range 2 {
		require.NoError(t, l.Append(t.Context(), someID, s.Next(1)...))
		for range 10_000 {
			f.Write("$stats-127.0.0.1:2113", "$stats")
		}
	}
	want := readAll(t, l, someID, 1)
	require.Equal(t, want, followed(t, l, position(0, 0), 2))
	head, err = l.Head(t.Context())
	require.NoError(t, err)
	require.True(t, strings.HasPrefix(want[1], fmt.Sprint(head)+" "), "the head is ours")
	require.True(t, isStart(mustHead(t, open(t, f.URL(), Options{Root: "another."}))))
}

func mustHead(t *testing.T, l *Log) store.Position {
	head, err := l.Head(t.Context())
	require.NoError(t, err)
	return head
}

func TestSilentSubscriptionIsReplaced(t *testing.T) {
	f := serve(t, esdbtest.Options{})
	f.Inject(esdbtest.Fault{Do: esdbtest.Stall, After: 1, Times: 1})
	l := open(t, f.URL(), Options{quiet: 20 * time.Millisecond, grace: 10 * time.Millisecond})
	s := storetest.NewStream(someID)
	require.NoError(t, l.Append(t.Context(), someID, s.Next(1)...))
	n := 0
	for _, err := range l.Follow(t.Context(), position(0, 0)) {
		require.NoError(t, err)
		if n++; n == 4 {
			break
		}
		require.Eventually(t, func() bool { return f.Calls(esdbtest.Subscribe) > 0 }, 10*time.Second, time.Millisecond)
		require.NoError(t, l.Append(t.Context(), someID, s.Next(1)...))
	}
	require.Equal(t, uint64(1), l.Stats().Stalls)
	require.Equal(t, 2, f.Calls(esdbtest.Subscribe))
}

// A log in which nothing happens is looked at now and then, and nothing is done about it.
func TestIdleLogRaisesNoAlarm(t *testing.T) {
	f := serve(t, esdbtest.Options{})
	l := open(t, f.URL(), Options{quiet: time.Millisecond, grace: time.Millisecond})
	s := storetest.NewStream(someID)
	require.NoError(t, l.Append(t.Context(), someID, s.Next(1)...))
	for i := range 3 {
		f.Write("$stats-1", "$stats")
		followed(t, l, position(0, 0), 1)
		looked := f.Calls(esdbtest.Read)
		require.Eventually(t, func() bool { return f.Calls(esdbtest.Read) > looked+5 }, 10*time.Second, time.Millisecond, "round %d", i)
	}
	require.Zero(t, l.Stats().Stalls)
	require.Equal(t, 1, f.Calls(esdbtest.Subscribe))
}

// A hundred calls that hang are all that a connection carries; others go on.
func TestFullConnectionBlocksNobodyForever(t *testing.T) {
	f := serve(t, esdbtest.Options{})
	f.Inject(esdbtest.Fault{Do: esdbtest.Hang, Stream: "clew.x.n-stuck"})
	l := open(t, f.URL()+"&defaultDeadline=1000", Options{Connections: 1})
	require.NoError(t, l.Append(t.Context(), someID, storetest.NewStream(someID).Next(1)...))
	var g errgroup.Group
	for i := range 150 {
		g.Go(func() error {
			id := history.ID{Namespace: "n", Workflow: fmt.Sprint("stuck", i)}
			return l.Append(t.Context(), id, storetest.NewStream(id).Next(1)...)
		})
	}
	require.Eventually(t, func() bool { return f.Calls(esdbtest.Append) >= 101 }, 10*time.Second, time.Millisecond)
	// The subscription has a connection of its own; the first record comes by it although all calls are stuck.
	other := open(t, f.URL(), Options{})
	next := storetest.Continue(someID, storetest.NewStream(someID).Next(1)).Next(1)
	require.NoError(t, other.Append(t.Context(), someID, next...))
	f.Heal()
	require.NoError(t, g.Wait())
	require.Len(t, followed(t, l, position(0, 0), 152), 152)
}

// refusing is a server that has taken away the right to subscribe.
type refusing struct{ server }

func (refusing) subscribeAll(context.Context, store.Position) iter.Seq2[delivery, error] {
	return func(yield func(delivery, error) bool) {
		yield(delivery{}, judge(status.Error(codes.PermissionDenied, "no"), nil, false).err)
	}
}

func TestRefusedSubscriptionIsTold(t *testing.T) {
	f := serve(t, esdbtest.Options{})
	l := open(t, f.URL(), Options{connect: func(a address, root string, o Options, c *counters) server {
		return refusing{&stubs{newCluster(a, 1, o.Logger, c), root}}
	}})
	require.NoError(t, l.Append(t.Context(), someID, storetest.NewStream(someID).Next(1)...))
	var last error
	n := 0
	for _, err := range l.Follow(t.Context(), position(0, 0)) {
		if last = err; err == nil {
			n++
		}
	}
	require.ErrorIs(t, last, store.ErrDenied)
	require.LessOrEqual(t, n, 1)
}

func TestPositionOfAnotherLogIsCorrupt(t *testing.T) {
	f := serve(t, esdbtest.Options{})
	l := open(t, f.URL(), Options{})
	require.NoError(t, l.Append(t.Context(), someID, storetest.NewStream(someID).Next(1)...))
	var last error
	for _, err := range l.Follow(t.Context(), position(1<<40, 1<<40)) {
		last = err
	}
	require.ErrorIs(t, last, store.ErrCorrupt)
	require.ErrorContains(t, last, "restored")
}

func TestRacesHaveOneWinner(t *testing.T) {
	f := serve(t, esdbtest.Options{})
	a, b := open(t, f.URL(), Options{}), open(t, f.URL(), Options{})
	var all []history.Entry
	for round := range 200 {
		var errs [2]error
		var entries [2][]history.Entry
		var g errgroup.Group
		for i, l := range []*Log{a, b} {
			entries[i] = storetest.Continue(someID, all).Vary(fmt.Sprint(i)).Next(1)
			g.Go(func() error {
				errs[i] = l.Append(t.Context(), someID, entries[i]...)
				return nil
			})
		}
		_ = g.Wait()
		winner := 0
		if errs[0] != nil {
			winner = 1
		}
		require.NoError(t, errs[winner], "round %d", round)
		require.ErrorIs(t, errs[1-winner], store.ErrConflict)
		all = append(all, entries[winner]...)
	}
	require.Len(t, readAll(t, a, someID, 1), len(all))
}

func TestCloseEndsWhatIsUnderWay(t *testing.T) {
	f := serve(t, esdbtest.Options{})
	f.Inject(esdbtest.Fault{Do: esdbtest.Hang})
	l := open(t, f.URL(), Options{})
	var g errgroup.Group
	g.Go(func() error {
		err := l.Append(t.Context(), someID, storetest.NewStream(someID).Next(1)...)
		if !assert.ErrorIs(t, err, store.ErrClosed) || !assert.ErrorIs(t, err, store.ErrUnknownOutcome) {
			return errors.New("not so")
		}
		return nil
	})
	require.Eventually(t, func() bool { return f.Calls(esdbtest.Append) > 0 }, 10*time.Second, time.Millisecond)
	require.NoError(t, l.Close())
	require.NoError(t, g.Wait())
}
