package eventstore

import (
	"context"
	"errors"
	"fmt"
	"net"
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
	"github.com/clewflow/clew/store/storetest"
)

var someID = history.ID{Namespace: "n", Workflow: "w"}

// impatient makes one try of a call short.
const impatient = "&defaultDeadline=150"

func written1(t *testing.T, f *fake, id history.ID) int {
	t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.streams[names{"clew."}.stream(id)])
}

func TestUnknownOutcomesAreSettled(t *testing.T) {
	for _, way := range over {
		for name, fault := range map[string]appendFault{
			"fails before": failsBefore, "fails after": failsAfter, "hangs before": hangsBefore, "hangs after": hangsAfter,
			"arrives late": arrivesLate, "times out": timesOut,
		} {
			t.Run(way.name+" "+name, func(t *testing.T) {
				f := newFake(t, 1)
				f.onAppend = func(_ int, _ string, n int) appendFault {
					if n == 2 || n == 3 {
						return fault
					}
					return fine
				}
				l := open(t, f.url()+impatient, way.o)
				s := storetest.NewStream(someID)
				require.NoError(t, l.Append(t.Context(), someID, s.Next(1)...))
				require.NoError(t, l.Append(t.Context(), someID, s.Next(2)...))
				f.arrive()
				require.NoError(t, l.Append(t.Context(), someID, s.Next(1)...))
				f.arrive()
				require.Equal(t, 4, written1(t, f, someID), "each once")
				require.Len(t, readAll(t, l, someID, 1), 4)
				require.Equal(t, uint64(2), l.Stats().Unknown)
				require.Equal(t, uint64(3), l.Stats().Appends)
			})
		}
	}
}

// An append that is still on its way may arrive before its repetition, between two, or after all.
func TestLateArrivalIsOneCopy(t *testing.T) {
	for arrives := range 3 {
		t.Run(fmt.Sprintf("with try %d", arrives+2), func(t *testing.T) {
			f := newFake(t, 1)
			f.onAppend = func(_ int, _ string, n int) appendFault {
				if n == arrives+2 {
					f.arrive()
				}
				if n <= 2 {
					return arrivesLate
				}
				return fine
			}
			l := open(t, f.url(), Options{})
			s := storetest.NewStream(someID)
			require.NoError(t, l.Append(t.Context(), someID, s.Next(2)...))
			f.arrive()
			require.NoError(t, l.Append(t.Context(), someID, s.Next(1)...))
			require.Equal(t, 3, written1(t, f, someID))
		})
	}
}

// What was given up as unknown and arrives after somebody else's entry changes nothing; before it, it wins.
func TestLateArrivalNeverParts(t *testing.T) {
	for _, first := range []bool{true, false} {
		f := newFake(t, 1)
		l := open(t, f.url(), Options{})
		ctx, cancel := context.WithCancel(t.Context())
		f.onAppend = func(_ int, _ string, n int) appendFault {
			if n == 1 {
				defer cancel()
				return arrivesLate
			}
			return fine
		}
		mine, others := storetest.NewStream(someID).Next(2), storetest.NewStream(someID).Vary("other").Next(1)
		err := l.Append(ctx, someID, mine...)
		require.ErrorIs(t, err, store.ErrUnknownOutcome)
		require.ErrorIs(t, err, context.Canceled)
		if first {
			f.arrive()
			require.ErrorIs(t, l.Append(t.Context(), someID, others...), store.ErrConflict)
			require.NoError(t, l.Append(t.Context(), someID, mine...))
			require.Equal(t, 2, written1(t, f, someID))
			continue
		}
		require.NoError(t, l.Append(t.Context(), someID, others...))
		f.arrive()
		require.ErrorIs(t, l.Append(t.Context(), someID, mine...), store.ErrConflict)
		require.Equal(t, 1, written1(t, f, someID))
	}
}

func TestTornConnectionIsSettled(t *testing.T) {
	f := newFake(t, 1)
	f.onAppend = func(_ int, _ string, n int) appendFault {
		if n == 2 {
			return cutsAfter
		}
		return fine
	}
	l := open(t, f.url()+impatient, Options{})
	s := storetest.NewStream(someID)
	require.NoError(t, l.Append(t.Context(), someID, s.Next(1)...))
	var g errgroup.Group
	next := s.Next(1)
	g.Go(func() error { return l.Append(t.Context(), someID, next...) })
	require.Eventually(t, func() bool { return l.Stats().Unknown > 0 }, 10*time.Second, time.Millisecond)
	f.nodes[0].server.Stop()
	f.nodes[0].start(t)
	require.NoError(t, g.Wait())
	require.Equal(t, 2, written1(t, f, someID))
}

// Who gives no deadline is not kept for ever.
func TestUnknownOutcomeIsToldAfterAWhile(t *testing.T) {
	f := newFake(t, 1)
	f.onAppend = func(int, string, int) appendFault { return timesOut }
	l := open(t, f.url(), Options{Settle: time.Millisecond})
	err := l.Append(t.Context(), someID, storetest.NewStream(someID).Next(1)...)
	require.ErrorIs(t, err, store.ErrUnknownOutcome)
	require.NotErrorIs(t, err, store.ErrUnavailable)
}

// Whatever the server does, a call ends when its context does.
func TestContextsAreHonoured(t *testing.T) {
	t.Run("server hangs", func(t *testing.T) {
		for _, fault := range []appendFault{hangsBefore, hangsAfter} {
			f := newFake(t, 1)
			ctx, cancel := context.WithCancel(t.Context())
			f.onAppend = func(int, string, int) appendFault { cancel(); return fault }
			l := open(t, f.url(), Options{})
			err := l.Append(ctx, someID, storetest.NewStream(someID).Next(1)...)
			require.ErrorIs(t, err, store.ErrUnknownOutcome)
			require.ErrorIs(t, err, context.Canceled)
		}
	})
	t.Run("handshake hangs", func(t *testing.T) {
		silent, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		defer silent.Close()
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			conn, err := silent.Accept()
			cancel()
			if err == nil {
				defer conn.Close()
				<-t.Context().Done()
			}
		}()
		_, err = Open(ctx, "esdb://"+silent.Addr().String(), Options{Timeout: time.Hour})
		require.ErrorIs(t, err, store.ErrUnavailable)
	})
	t.Run("server is gone", func(t *testing.T) {
		f := newFake(t, 1)
		l := open(t, f.url(), Options{Patience: time.Hour})
		f.nodes[0].server.Stop()
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
	f := newFake(t, 1)
	l := open(t, f.url(), Options{Patience: time.Millisecond})
	f.nodes[0].server.Stop()
	_, err := l.Head(t.Context())
	require.ErrorIs(t, err, store.ErrUnavailable)
	err = l.Append(t.Context(), someID, storetest.NewStream(someID).Next(1)...)
	require.ErrorIs(t, err, store.ErrUnavailable)
	require.NotErrorIs(t, err, store.ErrUnknownOutcome)
	for _, err := range l.Read(t.Context(), someID, 1) {
		require.ErrorIs(t, err, store.ErrUnavailable)
	}
	_, err = Open(t.Context(), f.url(), Options{Timeout: time.Millisecond})
	require.ErrorIs(t, err, store.ErrUnavailable)
	require.ErrorContains(t, err, f.nodes[0].address)
}

func TestOutageIsSurvivedByTheSameLog(t *testing.T) {
	before := runtime.NumGoroutine()
	f := newFake(t, 1)
	l := open(t, f.url()+impatient, Options{Patience: time.Hour})
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
	f.nodes[0].server.Stop()
	const callers = 100
	for i := range callers {
		g.Go(func() error {
			id := history.ID{Namespace: "n", Workflow: fmt.Sprint(i)}
			return l.Append(t.Context(), id, storetest.NewStream(id).Next(1)...)
		})
	}
	f.nodes[0].start(t)
	require.Eventually(t, func() bool { return seen.Load() == callers+1 }, 10*time.Second, time.Millisecond)
	cancel()
	require.NoError(t, g.Wait())
	require.NotZero(t, l.Stats().Resubscriptions)
	require.NoError(t, l.Close())
	f.nodes[0].server.Stop()
	require.Eventually(t, func() bool { return runtime.NumGoroutine() <= before+1 }, 10*time.Second, 5*time.Millisecond, "goroutines are left over")
}

func TestLeaderChangesLoseAndDoubleNothing(t *testing.T) {
	f := newFake(t, 3)
	f.onAppend = func(node int, _ string, n int) appendFault {
		if n%40 == 39 {
			f.lead((node + 1) % 3) // somebody else is elected, and this append is on record all the same
			return failsAfter
		}
		return fine
	}
	l, other := open(t, f.url(), Options{}), open(t, f.url(), Options{})
	const appenders, each = 10, 30
	var g errgroup.Group
	for a := range appenders {
		g.Go(func() error {
			id := history.ID{Namespace: "n", Workflow: fmt.Sprint(a)}
			s := storetest.NewStream(id)
			for range each {
				if err := l.Append(t.Context(), id, s.Next(1)...); err != nil {
					return err
				}
			}
			return nil
		})
	}
	all := followed(t, other, position(0, 0), appenders*each)
	require.NoError(t, g.Wait())
	seen := map[string]bool{}
	for _, line := range all {
		require.False(t, seen[line], "twice: %s", line)
		seen[line] = true
	}
	for a := range appenders {
		require.Equal(t, each, written1(t, f, history.ID{Namespace: "n", Workflow: fmt.Sprint(a)}))
	}
	require.NotZero(t, l.Stats().Reconnects)
}

func TestLeaderIsFoundWhenNodesDie(t *testing.T) {
	f := newFake(t, 3)
	l := open(t, f.url()+impatient, Options{})
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
		f.lead(leader)
		f.nodes[leader-1].server.Stop()
		require.NoError(t, l.Append(t.Context(), someID, s.Next(1)...))
		<-got
	}
	cancel()
	require.NoError(t, g.Wait())
	f.lead(-1)
	l.opts.Patience = time.Millisecond
	require.ErrorIs(t, l.Append(t.Context(), someID, s.Next(1)...), store.ErrUnavailable, "nobody leads")
}

func TestFollowersSeeAllOnceAcrossResubscriptions(t *testing.T) {
	for _, small := range []bool{false, true} {
		for _, way := range over {
			t.Run(fmt.Sprintf("%s small=%t", way.name, small), func(t *testing.T) {
				f := newFake(t, 1)
				f.onSubscribe = func(n int) subscribeFault {
					switch n % 4 {
					case 0:
						return subscribeFault{err: status.Error(codes.Aborted, "Consumer too slow to handle event while live. Client resubscription required.")}
					case 1:
						return subscribeFault{dropAfter: 30, repeat: true}
					case 2:
						return subscribeFault{silentAfter: 20, repeat: true}
					}
					return subscribeFault{dropAfter: 25}
				}
				o := way.o
				o.quiet, o.grace = 20*time.Millisecond, 10*time.Millisecond
				if small {
					o.ringRecords = 3
				}
				l := open(t, f.url(), o)
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
					f.foreign("$stats-1", "$stats")
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
	f := newFake(t, 1)
	l := open(t, f.url(), Options{ringRecords: 10})
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
	f := newFake(t, 1)
	l := open(t, f.url(), Options{ringRecords: 4})
	s := storetest.NewStream(someID)
	const n = 12
	var at []store.Position
	for range n {
		f.foreign("other-1", "Something")
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
	f := newFake(t, 1)
	l := open(t, f.url(), Options{})
	head, err := l.Head(t.Context())
	require.NoError(t, err)
	require.Zero(t, head)
	s := storetest.NewStream(someID)
	for range 2 {
		require.NoError(t, l.Append(t.Context(), someID, s.Next(1)...))
		for range 10_000 {
			f.foreign("$stats-127.0.0.1:2113", "$stats")
		}
	}
	want := readAll(t, l, someID, 1)
	require.Equal(t, want, followed(t, l, position(0, 0), 2))
	head, err = l.Head(t.Context())
	require.NoError(t, err)
	require.True(t, strings.HasPrefix(want[1], fmt.Sprint(head)+" "), "the head is ours")
	require.True(t, isStart(mustHead(t, open(t, f.url(), Options{Root: "another."}))))
}

func mustHead(t *testing.T, l *Log) store.Position {
	head, err := l.Head(t.Context())
	require.NoError(t, err)
	return head
}

func TestSilentSubscriptionIsReplaced(t *testing.T) {
	f := newFake(t, 1)
	f.onSubscribe = func(n int) subscribeFault {
		if n == 1 {
			return subscribeFault{silentAfter: 1}
		}
		return subscribeFault{}
	}
	l := open(t, f.url(), Options{quiet: 20 * time.Millisecond, grace: 10 * time.Millisecond})
	s := storetest.NewStream(someID)
	require.NoError(t, l.Append(t.Context(), someID, s.Next(1)...))
	n := 0
	for _, err := range l.Follow(t.Context(), position(0, 0)) {
		require.NoError(t, err)
		if n++; n == 4 {
			break
		}
		require.Eventually(t, func() bool { return f.counted("subscribe") > 0 }, 10*time.Second, time.Millisecond)
		require.NoError(t, l.Append(t.Context(), someID, s.Next(1)...))
	}
	require.Equal(t, uint64(1), l.Stats().Stalls)
	require.Equal(t, 2, f.counted("subscribe"))
}

// A log in which nothing happens is looked at now and then, and nothing is done about it.
func TestIdleLogRaisesNoAlarm(t *testing.T) {
	f := newFake(t, 1)
	l := open(t, f.url(), Options{quiet: time.Millisecond, grace: time.Millisecond})
	s := storetest.NewStream(someID)
	require.NoError(t, l.Append(t.Context(), someID, s.Next(1)...))
	for i := range 3 {
		f.foreign("$stats-1", "$stats")
		followed(t, l, position(0, 0), 1)
		looked := f.counted("read")
		require.Eventually(t, func() bool { return f.counted("read") > looked+5 }, 10*time.Second, time.Millisecond, "round %d", i)
	}
	require.Zero(t, l.Stats().Stalls)
	require.Equal(t, 1, f.counted("subscribe"))
}

// A hundred calls that hang are all that a connection carries; others go on.
func TestFullConnectionBlocksNobodyForever(t *testing.T) {
	f := newFake(t, 1)
	release := make(chan struct{})
	f.onAppend = func(_ int, stream string, _ int) appendFault {
		if strings.Contains(stream, "stuck") {
			<-release
		}
		return fine
	}
	l := open(t, f.url(), Options{Connections: 1})
	require.NoError(t, l.Append(t.Context(), someID, storetest.NewStream(someID).Next(1)...))
	var g errgroup.Group
	for i := range 150 {
		g.Go(func() error {
			id := history.ID{Namespace: "n", Workflow: fmt.Sprint("stuck", i)}
			return l.Append(t.Context(), id, storetest.NewStream(id).Next(1)...)
		})
	}
	require.Eventually(t, func() bool { return f.counted("append") >= 101 }, 10*time.Second, time.Millisecond)
	// The subscription has a connection of its own; the first record comes by it although all calls are stuck.
	other := open(t, f.url(), Options{})
	next := storetest.Continue(someID, storetest.NewStream(someID).Next(1)).Next(1)
	require.NoError(t, other.Append(t.Context(), someID, next...))
	close(release)
	require.NoError(t, g.Wait())
	require.Len(t, followed(t, l, position(0, 0), 152), 152)
}

func TestRefusedSubscriptionIsTold(t *testing.T) {
	f := newFake(t, 1)
	f.onSubscribe = func(int) subscribeFault {
		return subscribeFault{err: status.Error(codes.PermissionDenied, "no")}
	}
	l := open(t, f.url(), Options{})
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
	f := newFake(t, 1)
	l := open(t, f.url(), Options{})
	require.NoError(t, l.Append(t.Context(), someID, storetest.NewStream(someID).Next(1)...))
	var last error
	for _, err := range l.Follow(t.Context(), position(7, 7)) {
		last = err
	}
	require.ErrorIs(t, last, store.ErrCorrupt)
	require.ErrorContains(t, last, "restored")
}

func TestRacesHaveOneWinner(t *testing.T) {
	f := newFake(t, 1)
	a, b := open(t, f.url(), Options{}), open(t, f.url(), Options{})
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
	f := newFake(t, 1)
	reached := make(chan struct{})
	f.onAppend = func(int, string, int) appendFault { close(reached); return hangsBefore }
	l := open(t, f.url(), Options{})
	var g errgroup.Group
	g.Go(func() error {
		err := l.Append(t.Context(), someID, storetest.NewStream(someID).Next(1)...)
		if !assert.ErrorIs(t, err, store.ErrClosed) || !assert.ErrorIs(t, err, store.ErrUnknownOutcome) {
			return errors.New("not so")
		}
		return nil
	})
	<-reached
	require.NoError(t, l.Close())
	require.NoError(t, g.Wait())
}
