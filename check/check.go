// Package check says whether code fits the histories that it will have to go on with.
//
// [Histories] runs the code of workflows along the newest run of each [History], as a runtime would that takes the execution
// up, and counts in a [Report] what it found: a [Verdict] for each run, by workflow and version. Histories come from a
// [Store], which is opened for reading only, from [Files], or from wherever the caller has them. It is meant for the moment
// before a deploy: an app can offer it as a command of its own, and "clew check" asks any app for it.
//
// The rule: nothing is changed. No entry is written, no activity is made, no timer is started.
package check

import (
	"context"
	"iter"
	goruntime "runtime"
	"sync"
	"time"

	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/internal/coro"
	"github.com/clewflow/clew/replay"
	"github.com/clewflow/clew/vault"
	"github.com/clewflow/clew/workflow"
)

// History is what is known of an execution.
type History struct {
	ID      history.ID                      // zero: it is taken from the first entry
	Entries iter.Seq2[history.Entry, error] // as they are stored; read once. An error ends it
}

// Config says how histories are held against code. The zero Config works.
type Config struct {
	Level    replay.Level   // default: replay.Names, as a runtime has it
	Vault    *vault.Vault   // opens payloads; default: one that opens what is plain or compressed, see also [Opener]
	Workers  int            // histories looked at at once; default: as many as there are processors
	Patience time.Duration  // how long code may run along one history; default 10 s; negative: for ever
	Progress func(Progress) // called now and then, never twice at once; default: nothing is
}

// Progress is how far things are.
type Progress struct {
	Runs    int `json:"runs"`
	Entries int `json:"entries"`
}

// CodeOf finds the code of workflows among definitions. What is no workflow, or has no code, is passed over: runtime.Open says
// what is wrong with definitions.
func CodeOf(definitions ...workflow.Definition) replay.Codes {
	type version struct {
		name   string
		number int
	}
	codes := map[version]workflow.Code{}
	for _, d := range definitions {
		if b, ok := workflow.BodyOf(d); ok && b.Code != nil {
			codes[version{b.Name, b.Settings.Version}] = b.Code
		}
	}
	return func(name string, number int) workflow.Code { return codes[version{name, number}] }
}

// threads bounds the stacks that are kept between histories.
const threads = 1024

// Histories holds the newest run of each history against code. An error is not about a history but about getting at them, or
// that ctx has ended; what was found until then is in the report. Code that does not come back in time is left to itself: its
// goroutine goes on until the process ends.
func Histories(ctx context.Context, codes replay.Codes, all iter.Seq2[History, error], c Config) (*Report, error) {
	k := &checker{config: c, codes: codes, pool: coro.NewPool(threads), began: time.Now()}
	defer k.pool.Close()
	if err := k.complete(); err != nil {
		return &k.report, err
	}
	work, workers := make(chan History), sync.WaitGroup{}
	for range k.config.Workers {
		workers.Go(func() {
			for h := range work {
				k.count(k.look(ctx, h))
			}
		})
	}
	err := feed(ctx, all, work)
	close(work)
	workers.Wait()
	k.report.Seconds = time.Since(k.began).Seconds()
	return &k.report, err
}

// feed gives histories to those who look at them.
func feed(ctx context.Context, all iter.Seq2[History, error], work chan<- History) error {
	for h, err := range all {
		if err != nil {
			return err
		}
		select {
		case work <- h:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return ctx.Err()
}

type checker struct {
	config Config
	codes  replay.Codes
	pool   *coro.Pool
	began  time.Time

	mu     sync.Mutex
	report Report
	said   time.Time
}

func (k *checker) complete() (err error) {
	k.said = k.began
	k.report.Level = levelName(k.config.Level)
	if k.config.Workers <= 0 {
		k.config.Workers = goruntime.GOMAXPROCS(0)
	}
	if k.config.Patience == 0 {
		k.config.Patience = 10 * time.Second
	}
	if k.config.Vault == nil {
		k.config.Vault, err = Opener("")
	}
	return err
}

// pause is how long nothing is said of the progress.
const pause = 200 * time.Millisecond

func (k *checker) count(f finding) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.report.add(f)
	if now := time.Now(); k.config.Progress != nil && now.Sub(k.said) >= pause {
		k.said = now
		k.config.Progress(Progress{k.report.Runs, k.report.Entries})
	}
}

func levelName(l replay.Level) string {
	if l == replay.Strict {
		return "strict"
	}
	return "names"
}
