package runtime_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clewflow/clew/activity"
	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/replay"
	"github.com/clewflow/clew/runtime"
	"github.com/clewflow/clew/store"
	"github.com/clewflow/clew/store/memory"
	"github.com/clewflow/clew/store/storetest"
	"github.com/clewflow/clew/workflow"
)

var (
	firstSeed = flag.Uint64("seed", 1, "the first seed of the random tests")
	seeds     = flag.Int("seeds", 60, "how many seeds the random tests try")
)

var number = workflow.NewSignal[int]("n")

// racing is a workflow in which signals, timers and activities race, and two coroutines with them.
func racing(rng *rand.Rand) (workflow.Type[int, string], activity.Type[int, int]) {
	delays := make([]time.Duration, 100)
	for i := range delays {
		delays[i] = time.Duration(rng.IntN(20)) * time.Millisecond
	}
	work := activity.Define("work", func(ctx context.Context, n int) (int, error) {
		select {
		case <-time.After(delays[n%100]):
		case <-ctx.Done():
			return 0, context.Cause(ctx)
		}
		if n%7 == 3 && activity.Info(ctx).Number < 3 {
			return 0, errors.New("flaky")
		}
		return 2 * n, nil
	}, activity.Retry{Initial: time.Millisecond})
	return workflow.Define("racing", func(ctx workflow.Context, rounds int) (string, error) {
		var log strings.Builder
		var background workflow.WaitGroup
		background.Go(ctx, func(ctx workflow.Context) {
			for i := range 3 {
				if workflow.Sleep(ctx, 7*time.Millisecond) != nil {
					return
				}
				got, err := workflow.Do(ctx, work, 50+i)
				fmt.Fprint(&log, "b", got, err, " ")
			}
		})
		for i := range rounds {
			scope, cancel := workflow.WithCancel(ctx)
			timer := workflow.NewTimer(scope, time.Duration(3+i)*time.Millisecond)
			job := workflow.Begin(scope, work, i)
			switch got, err := workflow.Select(ctx, number, timer, job); got {
			case number:
				n, _ := number.TryReceive(ctx)
				fmt.Fprint(&log, "s", n, " ")
			case timer:
				fmt.Fprint(&log, "t ")
			case job:
				n, err := job.Get(ctx)
				fmt.Fprint(&log, "j", n, err, " ")
			default:
				return "", err
			}
			cancel()
		}
		err := background.Wait(ctx)
		return log.String(), err
	}), work
}

// mortal is a log whose user can die: nothing that it does afterwards has an effect.
type mortal struct {
	store.Log
	store.Tails
	dead chan struct{}
}

func (m *mortal) alive() error {
	select {
	case <-m.dead:
		return store.ErrClosed
	default:
		return nil
	}
}

func (m *mortal) Append(ctx context.Context, id history.ID, entries ...history.Entry) error {
	if err := m.alive(); err != nil {
		return err
	}
	return m.Log.Append(ctx, id, entries...)
}

func (m *mortal) AppendTail(ctx context.Context, id history.ID, tail *store.Tail, entries ...history.Entry) error {
	if err := m.alive(); err != nil {
		return err
	}
	return m.Tails.AppendTail(ctx, id, tail, entries...)
}

// TestHistoriesSurviveFaultsAndDeaths runs racing workflows on a log with every fault there is, kills the runtime again and
// again, and holds what remains against the code.
// someSeeds are those that a random test tries; of a short run, a twelfth of them.
func someSeeds() iter.Seq[uint64] {
	return func(yield func(uint64) bool) {
		n := uint64(*seeds)
		if testing.Short() {
			n /= 12
		}
		for seed := *firstSeed; seed < *firstSeed+n && yield(seed); seed++ {
		}
	}
}

func TestHistoriesSurviveFaultsAndDeaths(t *testing.T) {
	for seed := range someSeeds() {
		t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { surviveFaults(t, seed) })
		})
	}
}

func surviveFaults(t *testing.T, seed uint64) {
	rng := rand.New(rand.NewPCG(seed, 1))
	code, work := racing(rng)
	w := &world{t: t, disk: memory.NewDisk()}
	config := runtime.Config{
		Replay: replay.Strict, Drain: time.Millisecond, Logger: slog.New(slog.NewTextHandler(io.Discard, nil)),
		Memory: []int{0, runtime.Forget, 20 << 10}[rng.IntN(3)],
	}
	faults := &storetest.Faults{Append: storetest.RandomFaults(seed, rng.Float64()*0.3), Foreign: w.foreignSignal, Delay: 5 * time.Millisecond}
	ids := []string{"a", "b", "c"}
	sent := map[string]int{}
	started := map[string]bool{}
	for lives := 0; ; lives++ {
		if lives == 8 { // then a healthy world
			faults.Append = nil
		}
		disk := w.disk.Open()
		faulty := storetest.Faulty(disk, faults)
		log := &mortal{Log: faulty, Tails: faulty.(store.Tails), dead: make(chan struct{})}
		config.Log = log
		rt, err := runtime.Open(t.Context(), config, code, work)
		require.NoError(t, err)
		ctx, stop := context.WithCancel(t.Context())
		ran := make(chan error, 1)
		go func() { ran <- rt.Run(ctx) }()
		for _, id := range ids {
			if !started[id] {
				_, err := runtime.Start(ctx, rt, id, code, 12, runtime.RequestID("start-"+id))
				started[id] = err == nil
			}
			for range 3 {
				err := rt.Signal(ctx, id, number.With(sent[id]), runtime.RequestID(fmt.Sprint(id, sent[id])))
				if err == nil {
					sent[id]++
				}
			}
		}
		done := lives > 8
		if done {
			for _, id := range ids {
				_, err := runtime.Result(ctx, rt, id, code)
				require.NoError(t, err, "seed %d", seed)
			}
		} else {
			time.Sleep(time.Duration(rng.IntN(40)) * time.Millisecond)
		}
		close(log.dead)
		stop()
		<-ran
		require.NoError(t, rt.Close())
		faults.Settle()
		if done {
			break
		}
	}
	for _, id := range ids {
		w.noSignalTwice(id)
	}
	w.verify(code)
	t.Log(len(ids), "executions with", len(w.stored(ids[0])), "entries in the first")
}

// foreignSignal is another process that sends a signal at the worst moment.
func (w *world) foreignSignal(ctx context.Context, l store.Log, id history.ID) error {
	s := history.Fold(w.stored(id.Workflow)...)
	if !s.Open() {
		return nil
	}
	v, err := history.Encode(-1)
	if err != nil {
		return err
	}
	e := history.Entry{Seq: s.Seq + 1, At: s.At, By: history.Client, Event: &history.Signaled{Name: "n", Value: v}}
	history.Seal(s.Hash, &e)
	return l.Append(ctx, id, e)
}

func (w *world) stored(id string) (all []history.Entry) {
	for r, err := range w.disk.Open().Read(w.t.Context(), history.ID{Namespace: "default", Workflow: id}, 1) {
		require.NoError(w.t, err)
		all = append(all, r.Entry)
	}
	return all
}

// noSignalTwice holds each request against the entries it brought about, and each step against its outcomes.
func (w *world) noSignalTwice(id string) {
	requests, outcomes := map[string]int{}, map[history.Step]int{}
	for _, e := range w.stored(id) {
		if e.Request != "" {
			requests[e.Request]++
		}
		switch v := e.Event.(type) {
		case *history.ActivityCompleted:
			outcomes[v.Step]++
		case *history.ActivityFailed:
			outcomes[v.Step]++
		case *history.ActivityTimedOut:
			outcomes[v.Step]++
		case *history.TimerFired:
			outcomes[v.Step]++
		}
	}
	for request, n := range requests {
		assert.Equal(w.t, 1, n, request)
	}
	for step, n := range outcomes {
		assert.Equal(w.t, 1, n, "step %d", step)
	}
}
