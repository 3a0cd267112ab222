package bench

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/clewflow/clew/activity"
	"github.com/clewflow/clew/query"
	"github.com/clewflow/clew/runtime"
	"github.com/clewflow/clew/workflow"
)

var (
	nothing = activity.Define("bench.nothing", func(context.Context, int) (int, error) { return 0, nil })

	inRow = workflow.Define("bench.row", func(ctx workflow.Context, n int) (int, error) {
		for i := range n {
			if _, err := workflow.Do(ctx, nothing, i); err != nil {
				return 0, err
			}
		}
		return n, nil
	})

	atOnce = workflow.Define("bench.at-once", func(ctx workflow.Context, n int) (int, error) {
		all := make([]workflow.Future[int], n)
		for i := range all {
			all[i] = workflow.Begin(ctx, nothing, i)
		}
		_, err := workflow.All(ctx, all...)
		return n, err
	})

	goOn = workflow.NewSignal[int]("go-on")

	waiting = workflow.Define("bench.waiting", func(ctx workflow.Context, n int) (int, error) { return goOn.Receive(ctx) })
)

func (c Config) or(n int) Config {
	if c.N <= 0 {
		c.N = n
	}
	if c.InFlight <= 0 {
		c.InFlight = 100
	}
	return c
}

func noop(ctx context.Context, c Config) (Report, error) { return many(ctx, c.or(50_000), "noop", 1) }

func sequence(ctx context.Context, c Config) (Report, error) {
	return many(ctx, c.or(5_000), "sequence", 10)
}

// many runs N workflows with some activities in a row.
func many(ctx context.Context, c Config, name string, activities int) (r Report, err error) {
	w, err := begin(ctx, c, 0, nothing, inRow)
	if err != nil {
		return r, err
	}
	run := func(prefix string) func(ctx context.Context, i int) error {
		return func(ctx context.Context, i int) error {
			h, err := runtime.Start(ctx, w.rt, fmt.Sprintf("%s-%d", prefix, i), inRow, activities)
			if err != nil {
				return err
			}
			_, err = h.Result(ctx)
			return err
		}
	}
	quiet := c
	quiet.Progress = nil
	if _, err = callers(ctx, quiet, min(c.N/10, 2_000), c.InFlight, run("warm")); err != nil {
		return r, err
	}
	r = Report{Bench: name, N: c.N, InFlight: c.InFlight}
	m := start(w.rt)
	took, err := callers(ctx, c, c.N, c.InFlight, run("wf"))
	if err != nil {
		return r, err
	}
	m.stop(&r, c.N)
	r.latency(took)
	r.ActivitiesPerSecond = r.WorkflowsPerSecond * float64(activities)
	if err := w.end(); err != nil {
		return r, err
	}
	return r, r.beside(c, float64(activities+1))
}

func fanout(ctx context.Context, c Config) (r Report, err error) {
	c = c.or(1_000)
	w, err := begin(ctx, c, 0, nothing, atOnce)
	if err != nil {
		return r, err
	}
	r = Report{Bench: "fanout", N: c.N, InFlight: 1}
	run := func(i int) (time.Duration, error) {
		began := time.Now()
		h, err := runtime.Start(ctx, w.rt, fmt.Sprint("fan-", i), atOnce, c.N)
		if err == nil {
			_, err = h.Result(ctx)
		}
		return time.Since(began), err
	}
	if _, err := run(0); err != nil {
		return r, err
	}
	const times = 5
	m := start(w.rt)
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
	r.ActivitiesPerSecond = r.WorkflowsPerSecond * float64(c.N)
	if err := w.end(); err != nil {
		return r, err
	}
	return r, r.beside(c, 0)
}

func timers(ctx context.Context, c Config) (r Report, err error) {
	c = c.or(10_000)
	var mu sync.Mutex
	var late []time.Duration
	note := func(d time.Duration) {
		mu.Lock()
		late = append(late, d)
		mu.Unlock()
	}
	timed := workflow.Define("bench.timer", func(ctx workflow.Context, due time.Time) (int, error) {
		if err := workflow.SleepUntil(ctx, due); err != nil {
			return 0, err
		}
		note(time.Since(due)) //clew:allow this is what is measured
		return 0, nil
	})
	w, err := begin(ctx, c, 0, timed)
	if err != nil {
		return r, err
	}
	r = Report{Bench: "timers", N: c.N, InFlight: c.InFlight}
	// All are started before the first is due; they are due evenly over 5 s.
	lead := time.Duration(c.N)*200*time.Microsecond + time.Second
	first := time.Now().Add(lead)
	handles := make([]runtime.Handle[int], c.N)
	if _, err := callers(ctx, c, c.N, c.InFlight, func(ctx context.Context, i int) (err error) {
		due := first.Add(time.Duration(i) * 5 * time.Second / time.Duration(c.N))
		handles[i], err = runtime.Start(ctx, w.rt, fmt.Sprint("timer-", i), timed, due)
		return err
	}); err != nil {
		return r, err
	}
	if behind := time.Until(first); behind < 0 {
		return r, fmt.Errorf("bench: starting took %s longer than planned for; run it with a smaller --n", -behind)
	}
	m := start(w.rt)
	for _, h := range handles {
		if _, err := h.Result(ctx); err != nil {
			return r, err
		}
	}
	m.stop(&r, c.N)
	r.WorkflowsPerSecond = 0
	slices.Sort(late)
	r.LateP50, r.LateP99, r.LateMax = micros(quantile(late, 0.5)), micros(quantile(late, 0.99)), micros(late[len(late)-1])
	return r, w.end()
}

func parked(ctx context.Context, c Config) (r Report, err error) {
	c = c.or(100_000)
	w, err := begin(ctx, c, 1<<20, waiting) // a cache of 1 MiB: the rest is forgotten
	if err != nil {
		return r, err
	}
	r = Report{Bench: "parked", N: c.N, InFlight: c.InFlight}
	park := func(c Config, prefix string, n int) error {
		_, err := callers(ctx, c, n, c.InFlight, func(ctx context.Context, i int) error {
			_, err := runtime.Start(ctx, w.rt, fmt.Sprintf("%s-%d", prefix, i), waiting, i)
			return err
		})
		return err
	}
	quiet := c
	quiet.Progress = nil
	if err := park(quiet, "warm", min(2_000, c.N)); err != nil {
		return r, err
	}
	before, disk := heap(), diskUse(w.dir)
	m := start(w.rt)
	if err := park(c, "wf", c.N); err != nil {
		return r, err
	}
	m.stop(&r, c.N)
	if err := settled(ctx, w.rt); err != nil {
		return r, err
	}
	r.MemoryPerExecution = max(0, float64(heap())-float64(before)) / float64(c.N)
	r.DiskPerExecution = float64(diskUse(w.dir)-disk) / float64(c.N)
	return r, w.end()
}

// settled waits until the index has everything.
func settled(ctx context.Context, rt *runtime.Runtime) error {
	_, err := rt.Count(ctx, query.Query{})
	return err
}

func restart(ctx context.Context, c Config) (r Report, err error) {
	c = c.or(100_000)
	w, err := begin(ctx, c, 0, waiting)
	if err != nil {
		return r, err
	}
	r = Report{Bench: "restart", N: c.N, InFlight: c.InFlight}
	if _, err := callers(ctx, c, c.N, c.InFlight, func(ctx context.Context, i int) error {
		_, err := runtime.Start(ctx, w.rt, fmt.Sprint("wf-", i), waiting, i)
		return err
	}); err != nil {
		return r, err
	}
	if err := w.shut(); err != nil {
		return r, err
	}
	began := time.Now()
	if err := w.open(ctx, 0, waiting); err != nil {
		return r, err
	}
	r.Seconds = time.Since(began).Seconds()
	r.Ready = r.Seconds * 1000
	r.RSS = rss()
	// One that was parked goes on.
	if err := w.rt.Signal(ctx, "wf-0", goOn.With(7)); err != nil {
		return r, err
	}
	if got, err := runtime.Result(ctx, w.rt, "wf-0", waiting); err != nil || got != 7 {
		return r, fmt.Errorf("bench: after the restart the first execution returned %d, %v", got, err)
	}
	return r, w.end()
}

func replayed(ctx context.Context, c Config) (r Report, err error) {
	c = c.or(10_000)
	var begun atomic.Int64
	steps := workflow.NewQuery[int]("steps")
	long := workflow.Define("bench.long", func(ctx workflow.Context, n int) (int, error) {
		begun.Add(1)
		done := 0
		steps.Handle(ctx, func() int { return done })
		for done < n {
			if _, err := workflow.Do(ctx, nothing, done); err != nil {
				return 0, err
			}
			done++
		}
		return goOn.Receive(ctx)
	})
	w, err := begin(ctx, c, runtime.Forget, nothing, long)
	if err != nil {
		return r, err
	}
	r = Report{Bench: "replay", N: c.N}
	if err := w.shut(); err != nil { // made with the execution in memory, or each turn would replay
		return r, err
	}
	if err := w.open(ctx, 0, nothing, long); err != nil {
		return r, err
	}
	if _, err := runtime.Start(ctx, w.rt, "long", long, c.N); err != nil {
		return r, err
	}
	var count atomic.Int64
	stop := c.progress(c.N, &count)
	for int(count.Load()) < c.N {
		n, err := runtime.Query(ctx, w.rt, "long", steps)
		if err != nil {
			return r, err
		}
		count.Store(int64(n))
		time.Sleep(10 * time.Millisecond)
	}
	stop()
	d, err := w.rt.Describe(ctx, "long")
	if err != nil {
		return r, err
	}
	if err := w.shut(); err != nil {
		return r, err
	}
	if err := w.open(ctx, runtime.Forget, nothing, long); err != nil {
		return r, err
	}
	const times = 5
	was := begun.Load()
	m := start(w.rt)
	for range times {
		for w.rt.Stats().Remembered > 0 { // it is forgotten after each, so each replays from the store
			time.Sleep(20 * time.Microsecond)
		}
		if n, err := runtime.Query(ctx, w.rt, "long", steps); err != nil || n != c.N {
			return r, fmt.Errorf("bench: the replayed execution says %d, %v", n, err)
		}
	}
	m.stop(&r, times)
	if got := begun.Load() - was; got != times {
		return r, fmt.Errorf("bench: the code was run %d times, want %d", got, times)
	}
	r.EntriesPerSecond = float64(d.Entries) * times / r.Seconds
	r.WorkflowsPerSecond, r.AppendsPerWorkflow, r.FsyncsPerWorkflow, r.BytesPerWorkflow = 0, 0, 0, 0
	return r, w.end()
}
