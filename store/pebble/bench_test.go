package pebble

import (
	"fmt"
	"runtime"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/store"
	"github.com/clewflow/clew/store/storetest"
)

// BenchmarkAppend appends turns of two entries of some 300 bytes, with their row, to many executions at once. The entries
// are made beforehand, because that is not the log's work. cpu/op is that of the whole process.
func BenchmarkAppend(b *testing.B) {
	for _, callers := range []int{1, 100, 1000} {
		b.Run(fmt.Sprintf("callers=%d", callers), func(b *testing.B) { benchmarkAppend(b, callers) })
	}
}

func benchmarkAppend(b *testing.B, callers int) {
	l, err := Open(b.TempDir(), Options{})
	require.NoError(b, err)
	defer l.Close()
	type turn struct {
		id      history.ID
		entries []history.Entry
		tail    *store.Tail
	}
	turns := make([]turn, b.N)
	streams := make([]*storetest.Stream, min(b.N, 10_000))
	for i := range turns {
		at := i % len(streams)
		if streams[at] == nil || streams[at].Seq() >= 20 {
			streams[at] = storetest.NewStream(history.ID{Namespace: "default", Workflow: fmt.Sprintf("order-%d", i)}).Sized(80)
		}
		s := streams[at]
		entries := s.Next(2)
		turns[i] = turn{s.ID, entries, &store.Tail{Began: 1, Seq: s.Seq(), Hash: s.Hash(), Wake: entries[1].At, Unsettled: 1}}
	}
	b.SetBytes(int64(turns[0].entries[0].Size() + turns[0].entries[1].Size()))
	runtime.GC()
	var wg sync.WaitGroup
	before := cpu()
	b.ResetTimer()
	for c := range callers {
		wg.Go(func() {
			// A caller keeps to its own streams, whose turns must come one after the other.
			for i := c; i < len(turns); i += callers {
				if err := l.AppendTail(b.Context(), turns[i].id, turns[i].tail, turns[i].entries...); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	b.StopTimer()
	_, syncs, bytes := l.Written()
	b.ReportMetric(float64(cpu()-before)/1e3/float64(b.N), "cpu-µs/op")
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "appends/s")
	b.ReportMetric(float64(syncs)/float64(b.N), "syncs/op")
	b.ReportMetric(float64(bytes)/float64(b.N), "wal-B/op")
}

// cpu is the time that this process has spent.
func cpu() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
