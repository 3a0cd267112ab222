package runtime_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/clewflow/clew/activity"
	"github.com/clewflow/clew/runtime"
	"github.com/clewflow/clew/workflow"
)

// onDisk opens a runtime on an embedded store and runs it until the benchmark ends.
func onDisk(b *testing.B, definitions ...workflow.Definition) *runtime.Runtime {
	b.Helper()
	config := runtime.Config{Store: b.TempDir(), Attempts: 4096, Logger: slog.New(slog.NewTextHandler(io.Discard, nil))}
	rt, err := runtime.Open(b.Context(), config, definitions...)
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ran := make(chan error, 1)
	go func() { ran <- rt.Run(ctx) }()
	<-rt.Ready()
	b.Cleanup(func() {
		cancel()
		<-ran
		_ = rt.Close()
	})
	return rt
}

// BenchmarkSignalsIntoOneExecution: how many signals a second does one execution take, from a thousand senders?
func BenchmarkSignalsIntoOneExecution(b *testing.B) {
	sum := workflow.Define("sum", func(ctx workflow.Context, n int) (int, error) {
		total := 0
		for range n {
			v, err := number.Receive(ctx)
			if err != nil {
				return total, err
			}
			total += v
		}
		return total, nil
	})
	for b.Loop() {
		rt := onDisk(b, sum)
		const n = 40_000
		h, err := runtime.Start(b.Context(), rt, "one", sum, n)
		if err != nil {
			b.Fatal(err)
		}
		var next atomic.Int64
		var senders sync.WaitGroup
		began := time.Now()
		for range 1000 {
			senders.Go(func() {
				for next.Add(1) <= n {
					if err := rt.Signal(b.Context(), "one", number.With(1)); err != nil {
						b.Error(err)
						return
					}
				}
			})
		}
		senders.Wait()
		if got, err := h.Result(b.Context()); got != n || err != nil {
			b.Fatal(got, err)
		}
		b.ReportMetric(n/time.Since(began).Seconds(), "signals/s")
	}
}

// BenchmarkStep: does a step cost the same at step 10 as at step 10,000?
func BenchmarkStep(b *testing.B) {
	nothing := activity.Define("nothing", func(context.Context, int) (int, error) { return 0, nil })
	var reached atomic.Int64
	long := workflow.Define("long", func(ctx workflow.Context, n int) (int, error) {
		for i := range n {
			if _, err := workflow.Do(ctx, nothing, i); err != nil {
				return i, err
			}
			reached.Store(int64(i + 1))
		}
		return n, nil
	})
	for b.Loop() {
		rt := onDisk(b, nothing, long)
		reached.Store(0)
		h, err := runtime.Start(b.Context(), rt, "one", long, 11_000)
		if err != nil {
			b.Fatal(err)
		}
		at := func(step int64) time.Time {
			for reached.Load() < step {
				time.Sleep(50 * time.Microsecond)
			}
			return time.Now()
		}
		a, c := at(10), at(1010)
		d, e := at(10_000), at(11_000)
		if _, err := h.Result(b.Context()); err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(c.Sub(a).Microseconds())/1000, "µs/early-step")
		b.ReportMetric(float64(e.Sub(d).Microseconds())/1000, "µs/late-step")
	}
}

// BenchmarkFanOut: does sixty thousand at once take six times what ten thousand take?
func BenchmarkFanOut(b *testing.B) {
	nothing := activity.Define("nothing", func(context.Context, int) (int, error) { return 0, nil })
	wide := workflow.Define("wide", func(ctx workflow.Context, n int) (int, error) {
		all := make([]workflow.Future[int], n)
		for i := range all {
			all[i] = workflow.Begin(ctx, nothing, i)
		}
		_, err := workflow.All(ctx, all...)
		return n, err
	})
	for _, n := range []int{1_000, 10_000, 60_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			rt := onDisk(b, nothing, wide)
			i := 0
			for b.Loop() {
				i++
				h, err := runtime.Start(b.Context(), rt, fmt.Sprint("wide-", i), wide, n)
				if err == nil {
					_, err = h.Result(b.Context())
				}
				if err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkChosenRequestAfterManyRuns: does a signal with a request id of the sender's cost the same after 400 runs as after 4?
func BenchmarkChosenRequestAfterManyRuns(b *testing.B) {
	long := workflow.Define("long", func(ctx workflow.Context, short int) (int, error) {
		length := 10_000
		if short > 0 {
			length = 12
		}
		for range length {
			if _, err := number.Receive(ctx); err != nil {
				return short, err
			}
		}
		return short, workflow.ContinueAsNew(ctx, short-1)
	})
	for _, runs := range []int{4, 400} {
		b.Run(fmt.Sprint("runs=", runs), func(b *testing.B) {
			rt := onDisk(b, long)
			_, err := runtime.Start(b.Context(), rt, "one", long, runs)
			for i := 0; err == nil && i < 12*runs; i++ {
				err = rt.Signal(b.Context(), "one", number.With(i))
			}
			for n := 0; err == nil && b.Loop(); n++ {
				err = rt.Signal(b.Context(), "one", number.With(n), runtime.RequestID(fmt.Sprint("signal ", n)))
			}
			if err != nil {
				b.Fatal(err)
			}
		})
	}
}
