// Package bench measures clew on a real disk, beside what that disk can do.
//
// Each [Bench] runs workflows on an embedded store and counts: throughput, latency, processor time, appends, syncs, bytes,
// memory. In the same run [Raw] appends entries of the same size to a plain file, from as many callers, with group commit
// and fdatasync; figures are shares of that, because machines differ and are noisy.
package bench

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	goruntime "runtime"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/clewflow/clew/lookup"
	"github.com/clewflow/clew/runtime"
	"github.com/clewflow/clew/store"
	"github.com/clewflow/clew/workflow"
)

// Config says what is measured.
type Config struct {
	N        int    // of workflows, timers, executions or steps, as the bench has it; 0: its default
	InFlight int    // at once; 0: 100
	Dir      string // in which a directory for the store is made, and removed
	Store    string // instead, a server: esdb://…; each bench has a namespace of its own there
	Progress io.Writer
}

// Report is what was measured. Fields that make no sense for a bench are left out.
type Report struct {
	Bench               string  `json:"bench"`
	N                   int     `json:"n"`
	InFlight            int     `json:"in_flight,omitempty"`
	Seconds             float64 `json:"seconds"`
	WorkflowsPerSecond  float64 `json:"workflows_per_second,omitempty"`
	ActivitiesPerSecond float64 `json:"activities_per_second,omitempty"`
	P50                 float64 `json:"p50_us,omitempty"`
	P99                 float64 `json:"p99_us,omitempty"`
	CPUPerWorkflow      float64 `json:"cpu_us_per_workflow,omitempty"`
	AppendsPerWorkflow  float64 `json:"appends_per_workflow,omitempty"`
	FsyncsPerWorkflow   float64 `json:"fsyncs_per_workflow,omitempty"`
	BytesPerWorkflow    float64 `json:"bytes_per_workflow,omitempty"`
	RSS                 float64 `json:"rss_mib"`
	EntriesPerSecond    float64 `json:"entries_per_second,omitempty"`
	LateP50             float64 `json:"late_p50_us,omitempty"`
	LateP99             float64 `json:"late_p99_us,omitempty"`
	LateMax             float64 `json:"late_max_us,omitempty"`
	MemoryPerExecution  float64 `json:"bytes_in_memory_per_execution,omitempty"`
	DiskPerExecution    float64 `json:"bytes_on_disk_per_execution,omitempty"`
	Ready               float64 `json:"ready_ms,omitempty"`
	Raw                 *Raw    `json:"raw,omitempty"`
	Ratio               *Ratio  `json:"ratio,omitempty"`
}

// Ratio holds clew against the plain file.
type Ratio struct {
	Throughput float64 `json:"throughput,omitempty"` // appends per second, as a share of the file's
	Latency    float64 `json:"latency,omitempty"`    // p50, over that of as many durable appends as lie on its path
}

// Bench is one measurement.
type Bench struct {
	Name  string
	What  string
	Run   func(ctx context.Context, c Config) (Report, error)
	Small int // an N that takes about a second, for tests
}

// All are the benches, in the order in which they are listed.
var All = []Bench{
	{"noop", "workflows with one activity that does nothing", noop, 500},
	{"sequence", "workflows with ten such activities in a row", sequence, 50},
	{"fanout", "one workflow with N activities at once", fanout, 200},
	{"children", "one workflow with N children at once", children, 100},
	{"signals", "N signals into one workflow; the rates are of signals", signals, 1000},
	{"continue", "N signals into one workflow that continues as new after each; the rates are of runs", continued, 500},
	{"timers", "N timers that are due within 5 s", timers, 200},
	{"parked", "N executions that wait for a signal", parked, 1000},
	{"replay", "remembering one execution with N activities from the store", replayed, 500},
	{"restart", "opening a store with N open executions", restart, 1000},
	{"rebuild", "an index that was lost, over N workflows with one activity", rebuilt, 1000},
	{"lag", "how late the index shows what N such workflows do", lag, 2000},
}

// world is a runtime on a new store.
type world struct {
	entries   int // most of a run
	dir       string
	store     string // empty: in the directory
	namespace string
	log       store.Log     // instead of a store; nil: there is none
	index     *lookup.Index // beside it
	rt        *runtime.Runtime
	cancel    context.CancelFunc
	ran       chan error
}

func begin(ctx context.Context, c Config, memory int, definitions ...workflow.Definition) (*world, error) {
	dir, err := os.MkdirTemp(c.Dir, "clew-bench-")
	if err != nil {
		return nil, fmt.Errorf("bench: making a directory for the store: %w", err)
	}
	w := &world{dir: dir, store: c.Store, namespace: "default", entries: 100_000 + 10*c.N}
	if c.Store != "" {
		w.namespace = fmt.Sprintf("bench_%d", time.Now().UnixMilli())
	}
	if err := w.open(ctx, memory, definitions...); err != nil {
		_ = os.RemoveAll(dir)
		return nil, err
	}
	return w, nil
}

func (w *world) open(ctx context.Context, memory int, definitions ...workflow.Definition) (err error) {
	quiet := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError}))
	config := runtime.Config{Store: filepath.Join(w.dir, "store"), Attempts: 4096, Memory: memory, Entries: w.entries, Logger: quiet, Namespace: w.namespace}
	if w.store != "" {
		config.Store, config.Dir = w.store, filepath.Join(w.dir, "node")
	}
	if w.log != nil {
		config.Log, config.Dir, config.Hooks.Index = w.log, filepath.Join(w.dir, "node"), w.index
	}
	if w.rt, err = runtime.Open(ctx, config, definitions...); err != nil {
		return err
	}
	ctx, w.cancel = context.WithCancel(ctx)
	w.ran = make(chan error, 1)
	go func() { w.ran <- w.rt.Run(ctx) }()
	select {
	case <-w.rt.Ready():
		return nil
	case err := <-w.ran:
		return err
	}
}

func (w *world) shut() error {
	w.cancel()
	<-w.ran
	return w.rt.Close()
}

func (w *world) end() error {
	err := w.shut()
	_ = os.RemoveAll(w.dir)
	return err
}

// callers runs do for 0 to n−1 from inFlight goroutines and returns how long each took. Progress is shown meanwhile.
func callers(ctx context.Context, c Config, n, inFlight int, do func(context.Context, int) error) ([]time.Duration, error) {
	took := make([]time.Duration, n)
	var next atomic.Int64
	var failed atomic.Pointer[error]
	done := c.progress(n, &next)
	var all sync.WaitGroup
	for range min(inFlight, n) {
		all.Go(func() {
			for failed.Load() == nil {
				i := int(next.Add(1)) - 1
				if i >= n {
					return
				}
				began := time.Now()
				if err := do(ctx, i); err != nil {
					failed.CompareAndSwap(nil, &err)
					return
				}
				took[i] = time.Since(began)
			}
		})
	}
	all.Wait()
	done()
	if err := failed.Load(); err != nil {
		return nil, *err
	}
	return took, nil
}

// progress shows how far counting is, twice a second, until it is told to stop.
func (c Config) progress(n int, count *atomic.Int64) (stop func()) {
	if c.Progress == nil {
		return func() {}
	}
	end, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for {
			select {
			case <-end:
				fmt.Fprintf(c.Progress, "\r%*d of %d\n", len(fmt.Sprint(n)), min(n, int(count.Load())), n)
				return
			case <-time.After(500 * time.Millisecond):
				fmt.Fprintf(c.Progress, "\r%*d of %d", len(fmt.Sprint(n)), min(n, int(count.Load())), n)
			}
		}
	}()
	return func() { close(end); <-ended }
}

// A meter counts what a stretch of work costs.
type meter struct {
	began time.Time
	cpu   time.Duration
	stats runtime.Stats
	rt    *runtime.Runtime
}

func start(rt *runtime.Runtime) meter {
	goruntime.GC()
	return meter{time.Now(), processor(), rt.Stats(), rt}
}

func (m meter) stop(r *Report, workflows int) {
	took, cpu, now := time.Since(m.began), processor()-m.cpu, m.rt.Stats()
	n := float64(workflows)
	r.Seconds = took.Seconds()
	r.WorkflowsPerSecond = n / took.Seconds()
	r.CPUPerWorkflow = micros(cpu) / n
	r.AppendsPerWorkflow = float64(now.Appends-m.stats.Appends) / n
	r.FsyncsPerWorkflow = float64(now.Syncs-m.stats.Syncs) / n
	r.BytesPerWorkflow = float64(now.Bytes-m.stats.Bytes) / n
	r.RSS = rss()
}

// beside measures the plain file and sets the ratios. path is the number of durable appends that lie on a workflow's path.
func (r *Report) beside(c Config, path float64) error {
	size := 300
	if r.AppendsPerWorkflow > 0 {
		size = max(64, int(r.BytesPerWorkflow/r.AppendsPerWorkflow))
	}
	raw, err := MeasureRaw(c, r.InFlight, size)
	if err != nil {
		return err
	}
	r.Raw = &raw
	r.Ratio = &Ratio{Throughput: round(r.WorkflowsPerSecond * r.AppendsPerWorkflow / raw.AppendsPerSecond)}
	if r.P50 > 0 && path > 0 {
		r.Ratio.Latency = round(r.P50 / (raw.P50 * path))
	}
	return nil
}

func (r *Report) latency(took []time.Duration) {
	slices.Sort(took)
	r.P50, r.P99 = micros(quantile(took, 0.5)), micros(quantile(took, 0.99))
}

func quantile(sorted []time.Duration, q float64) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[min(len(sorted)-1, int(q*float64(len(sorted))))]
}

func micros(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1000 }

func round(f float64) float64 { return float64(int64(f*1000+0.5)) / 1000 }

func processor() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// rss is the memory of the process that is resident, in MiB.
func rss() float64 {
	data, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	var size, resident int64
	_, _ = fmt.Sscan(string(data), &size, &resident)
	return float64(resident*int64(os.Getpagesize())) / (1 << 20)
}

func heap() uint64 {
	goruntime.GC()
	goruntime.GC()
	var m goruntime.MemStats
	goruntime.ReadMemStats(&m)
	return m.HeapInuse + m.StackInuse
}

func diskUse(dir string) (bytes int64) {
	_ = filepath.WalkDir(dir, func(_ string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			if info, err := d.Info(); err == nil {
				bytes += info.Size()
			}
		}
		return nil
	})
	return bytes
}
