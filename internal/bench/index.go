package bench

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/clewflow/clew/lookup"
	"github.com/clewflow/clew/runtime"
	"github.com/clewflow/clew/store"
	"github.com/clewflow/clew/store/pebble"
	"github.com/clewflow/clew/workflow"
)

// rebuilt is how long it takes until an index that was removed has everything again: N workflows with one activity.
func rebuilt(ctx context.Context, c Config) (r Report, err error) {
	c = c.or(200_000)
	if c.Store != "" {
		return r, fmt.Errorf("bench: rebuild is of a store in a directory, not of %s", c.Store)
	}
	w, err := begin(ctx, c, 0, nothing, inRow)
	if err != nil {
		return r, err
	}
	if _, err := callers(ctx, c, c.N, max(c.InFlight, 1000), w.one(inRow, 1)); err != nil {
		return r, err
	}
	if err := w.shut(); err != nil {
		return r, err
	}
	for _, suffix := range []string{"", "-wal", "-shm"} {
		_ = os.Remove(filepath.Join(w.dir, "store", "index.sqlite"+suffix))
	}
	r = Report{Bench: "rebuild", N: c.N}
	began, cpu := time.Now(), processor()
	if err := w.open(ctx, 0, nothing, inRow); err != nil {
		return r, err
	}
	if err := settled(ctx, w.rt); err != nil {
		return r, err
	}
	r.Seconds = time.Since(began).Seconds()
	r.WorkflowsPerSecond, r.CPUPerWorkflow, r.RSS = float64(c.N)/r.Seconds, micros(processor()-cpu)/float64(c.N), rss()
	return r, w.end()
}

// one runs a workflow and waits for its end.
func (w *world) one(definition workflow.Type[int, int], in int) func(context.Context, int) error {
	return func(ctx context.Context, i int) error {
		h, err := runtime.Start(ctx, w.rt, fmt.Sprint("wf-", i), definition, in)
		if err == nil {
			_, err = h.Result(ctx)
		}
		return err
	}
}

// lag is how long it takes from when an entry is durable until lookups show it, while workflows run at the full rate.
func lag(ctx context.Context, c Config) (r Report, err error) {
	c = c.or(100_000)
	w := &world{entries: 100_000, namespace: "default"}
	if w.dir, err = os.MkdirTemp(c.Dir, "clew-bench-"); err != nil {
		return r, fmt.Errorf("bench: making a directory for the store: %w", err)
	}
	if w.log, err = pebble.Open(filepath.Join(w.dir, "store"), pebble.Options{}); err != nil {
		return r, err
	}
	if w.index, err = lookup.Open(ctx, filepath.Join(w.dir, "index.sqlite"), lookup.Options{}); err != nil {
		return r, err
	}
	if err := w.open(ctx, 0, nothing, inRow); err != nil {
		return r, err
	}
	r = Report{Bench: "lag", N: c.N, InFlight: c.InFlight}
	stop := watch(w.log, w.index)
	m := start(w.rt)
	if _, err := callers(ctx, c, c.N, c.InFlight, w.one(inRow, 1)); err != nil {
		return r, err
	}
	m.stop(&r, c.N)
	late := stop()
	r.LateP50, r.LateP99, r.LateMax = micros(quantile(late, 0.5)), micros(quantile(late, 0.99)), micros(late[len(late)-1])
	if err := w.end(); err != nil {
		return r, err
	}
	return r, w.index.Close()
}

// watch looks each millisecond where the log and the index are. It asks for nothing, because the index is in a hurry when somebody
// waits. What it says, sorted, is how long the index took to come to where the log was.
func watch(log store.Log, index *lookup.Index) (stop func() []time.Duration) {
	type sight struct {
		head store.Position
		at   time.Time
	}
	end, ended := make(chan struct{}), make(chan []time.Duration)
	go func() {
		var late []time.Duration
		var seen []sight
		for tick := time.Tick(time.Millisecond); ; {
			select {
			case <-end:
				slices.Sort(late)
				ended <- append(late, 0)[:max(1, len(late))]
				return
			case <-tick:
			}
			head, err := log.Head(context.Background())
			now, position := time.Now(), index.Position()
			for len(seen) > 0 && !seen[0].head.After(position) {
				late, seen = append(late, now.Sub(seen[0].at)), seen[1:]
			}
			if err == nil && head.After(position) && (len(seen) == 0 || head.After(seen[len(seen)-1].head)) {
				seen = append(seen, sight{head, now})
			}
		}
	}()
	return func() []time.Duration { close(end); return <-ended }
}
