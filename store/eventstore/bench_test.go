package eventstore

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/store/storetest"
)

// How many durable turns of two entries does the driver make, and what could the server take at all?
func BenchmarkAppend(b *testing.B) {
	for _, callers := range []int{1, 100, 1000} {
		b.Run(fmt.Sprintf("driver/callers=%d", callers), func(b *testing.B) {
			l := open(b, newFake(b, 1).url(), Options{})
			measure(b, callers, func(s *storetest.Stream) error { return l.Append(b.Context(), s.ID, s.Next(2)...) })
		})
		b.Run(fmt.Sprintf("raw/callers=%d", callers), func(b *testing.B) {
			conns := make([]streams.StreamsClient, 2)
			address := newFake(b, 1).nodes[0].address
			for i := range conns {
				conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
				require.NoError(b, err)
				b.Cleanup(func() { _ = conn.Close() })
				conns[i] = streams.NewStreamsClient(conn)
			}
			measure(b, callers, func(s *storetest.Stream) error {
				return rawAppend(b.Context(), conns[len(s.ID.Workflow)%2], s)
			})
		})
	}
}

// rawAppend is an append with nothing around it.
func rawAppend(ctx context.Context, c streams.StreamsClient, s *storetest.Stream) error {
	o := &streams.AppendReq_Options{StreamIdentifier: named(s.ID.Workflow), ExpectedStreamRevision: &streams.AppendReq_Options_NoStream{NoStream: empty}}
	if seq := s.Seq(); seq > 0 {
		o.ExpectedStreamRevision = &streams.AppendReq_Options_Revision{Revision: seq - 1}
	}
	call, err := c.Append(leaderOnly(ctx))
	if err != nil {
		return err
	}
	if err := call.Send(&streams.AppendReq{Content: &streams.AppendReq_Options_{Options: o}}); err != nil {
		return err
	}
	for _, e := range s.Next(2) {
		p := proposal{id: eventID("", e.Hash), kind: e.Event.Kind(), data: history.AppendEntry(nil, e)}
		if err := call.Send(&streams.AppendReq{Content: &streams.AppendReq_ProposedMessage_{ProposedMessage: proposed(p)}}); err != nil {
			return err
		}
	}
	answer, err := call.CloseAndRecv()
	if err == nil && answer.GetSuccess() == nil {
		err = fmt.Errorf("%v", answer)
	}
	return err
}

// measure lets callers append, each to a history of its own, and reports how long one waits.
func measure(b *testing.B, callers int, do func(*storetest.Stream) error) {
	var mu sync.Mutex
	var all []time.Duration
	left := b.N
	var wait sync.WaitGroup
	b.ResetTimer()
	for i := range callers {
		wait.Go(func() {
			s := storetest.NewStream(history.ID{Namespace: "n", Workflow: fmt.Sprint(i)}).Sized(100)
			var took []time.Duration
			for {
				mu.Lock()
				left--
				done := left < 0
				mu.Unlock()
				if done {
					break
				}
				begun := time.Now()
				if err := do(s); err != nil {
					b.Error(err)
					return
				}
				took = append(took, time.Since(begun))
			}
			mu.Lock()
			defer mu.Unlock()
			all = append(all, took...)
		})
	}
	wait.Wait()
	b.StopTimer()
	if b.Failed() {
		return
	}
	slices.Sort(all)
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "appends/s")
	b.ReportMetric(float64(all[len(all)/2].Microseconds()), "p50-µs")
	b.ReportMetric(float64(all[len(all)*99/100].Microseconds()), "p99-µs")
}

// How fast does a view catch up, and how old is a record that it gets live?
func BenchmarkFollow(b *testing.B) {
	b.Run("catching up", func(b *testing.B) {
		l := open(b, newFake(b, 1).url(), Options{})
		s := storetest.NewStream(someID).Sized(100)
		for n := b.N; n > 0; n -= 500 {
			require.NoError(b, l.Append(b.Context(), someID, s.Next(min(n, 500))...))
		}
		b.ResetTimer()
		n := 0
		for _, err := range l.Follow(b.Context(), position(0, 0)) {
			require.NoError(b, err)
			if n++; n == b.N {
				break
			}
		}
		b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "records/s")
	})
	for _, callers := range []int{1, 100} {
		b.Run(fmt.Sprintf("live/callers=%d", callers), func(b *testing.B) {
			l := open(b, newFake(b, 1).url(), Options{})
			var mu sync.Mutex
			acked := map[string]time.Time{}
			var lags []time.Duration
			ctx, cancel := context.WithCancel(b.Context())
			done := make(chan struct{})
			head, err := l.Head(ctx)
			require.NoError(b, err)
			go func() {
				defer close(done)
				n := 0
				for r, err := range l.Follow(ctx, head) {
					if err != nil {
						b.Error(err)
						return
					}
					mu.Lock()
					at, known := acked[fmt.Sprint(r.ID.Workflow, " ", r.Entry.Seq)]
					mu.Unlock()
					if lag := time.Since(at); known {
						lags = append(lags, lag)
					} else {
						lags = append(lags, 0) // it was here before the append was answered
					}
					if n++; n == 2*b.N {
						return
					}
				}
			}()
			require.Eventually(b, func() bool { s := l.Stats(); return s.Followers == 1 && s.CatchingUp == 0 }, 10*time.Second, time.Millisecond)
			measure(b, callers, func(s *storetest.Stream) error {
				entries := s.Next(2)
				err := l.Append(b.Context(), s.ID, entries...)
				mu.Lock()
				defer mu.Unlock()
				for _, e := range entries {
					acked[fmt.Sprint(s.ID.Workflow, " ", e.Seq)] = time.Now()
				}
				return err
			})
			<-done
			cancel()
			slices.Sort(lags)
			b.ReportMetric(float64(lags[len(lags)/2].Microseconds()), "lag-p50-µs")
			b.ReportMetric(float64(lags[len(lags)*99/100].Microseconds()), "lag-p99-µs")
		})
	}
}
