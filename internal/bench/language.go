package bench

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/clewflow/clew/runtime"
	"github.com/clewflow/clew/workflow"
)

var (
	child = workflow.Define("bench.child", func(_ workflow.Context, n int) (int, error) { return n, nil })

	family = workflow.Define("bench.family", func(ctx workflow.Context, n int) (int, error) {
		all := make([]int, n)
		_, err := workflow.Map(ctx, all, func(ctx workflow.Context, i int) (int, error) {
			return workflow.Child(ctx, child, i)
		}, workflow.Limit(n))
		return n, err
	})

	chained = workflow.Define("bench.chained", func(ctx workflow.Context, left int) (int, error) {
		if _, err := goOn.Receive(ctx); err != nil || left == 0 {
			return left, err
		}
		return left, workflow.ContinueAsNew(ctx, left-1)
	})

	counting = workflow.Define("bench.counting", func(ctx workflow.Context, n int) (int, error) {
		for range n {
			if _, err := goOn.Receive(ctx); err != nil {
				return 0, err
			}
		}
		return n, nil
	})
)

// children runs a workflow with N children at once, a few times.
func children(ctx context.Context, c Config) (Report, error) {
	return families(ctx, c.or(1_000), "children", family, child)
}

func families(ctx context.Context, c Config, name string, w workflow.Type[int, int], more ...workflow.Definition) (r Report, err error) {
	in, err := begin(ctx, c, 0, append(more, w)...)
	if err != nil {
		return r, err
	}
	r = Report{Bench: name, N: c.N, InFlight: 1}
	run := func(i int) (time.Duration, error) {
		began := time.Now()
		h, err := runtime.Start(ctx, in.rt, fmt.Sprint(name, "-", i), w, c.N)
		if err == nil {
			_, err = h.Result(ctx)
		}
		return time.Since(began), err
	}
	if _, err := run(0); err != nil {
		return r, err
	}
	const times = 5
	m := start(in.rt)
	var took []time.Duration
	for i := range times {
		d, err := run(i + 1)
		if err != nil {
			return r, err
		}
		took = append(took, d)
	}
	m.stop(&r, times)
	r.latency(took)
	return r, in.end()
}

// signals sends N signals into one execution, and continued into one that continues as new after each.
func signals(ctx context.Context, c Config) (Report, error) {
	c = c.or(50_000)
	return sending(ctx, c, "signals", counting, c.N)
}

func continued(ctx context.Context, c Config) (Report, error) {
	c = c.or(20_000)
	return sending(ctx, c, "continue", chained, c.N-1)
}

func sending(ctx context.Context, c Config, name string, w workflow.Type[int, int], input int) (r Report, err error) {
	in, err := begin(ctx, c, 0, w)
	if err != nil {
		return r, err
	}
	r = Report{Bench: name, N: c.N, InFlight: c.InFlight}
	h, err := runtime.Start(ctx, in.rt, name, w, input)
	if err != nil {
		return r, err
	}
	m := start(in.rt)
	var refused atomic.Int64
	took, err := callers(ctx, c, c.N, c.InFlight, func(ctx context.Context, i int) error {
		for {
			err := in.rt.Signal(ctx, name, goOn.With(i))
			if !errors.Is(err, runtime.ErrTooManySignals) {
				return err
			}
			refused.Add(1) // the code is behind
			time.Sleep(time.Millisecond)
		}
	})
	if err != nil {
		return r, err
	}
	if _, err := h.Result(ctx); err != nil {
		return r, err
	}
	m.stop(&r, c.N)
	r.latency(took)
	return r, in.end()
}
