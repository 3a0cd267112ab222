package runtime_test

import (
	"context"
	"errors"
	"fmt"
	"io"
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
	"github.com/clewflow/clew/query"
	"github.com/clewflow/clew/replay"
	"github.com/clewflow/clew/runtime"
	"github.com/clewflow/clew/store"
	"github.com/clewflow/clew/store/memory"
	"github.com/clewflow/clew/store/storetest"
	"github.com/clewflow/clew/workflow"
)

// journey is what a run of the wandering workflow hands to the next.
type journey struct {
	Rounds, Run, Seen, Last int
	Gap                     string // what was wrong with the signals
}

// wandering is a workflow that does a bit of everything, in several runs: children that race with timers, local steps,
// messages to itself and to others, updates, sagas, fan-outs.
func wandering(rng *rand.Rand) []workflow.Definition {
	delays := make([]time.Duration, 64)
	for i := range delays {
		delays[i] = time.Duration(rng.IntN(15)) * time.Millisecond
	}
	work := activity.Define("work", func(ctx context.Context, n int) (int, error) {
		time.Sleep(delays[n%64])
		_ = activity.Heartbeat(ctx, n)
		if n%5 == 1 && activity.Info(ctx).Number < 2 {
			return 0, errors.New("flaky")
		}
		return n, nil
	}, activity.Retry{Initial: time.Millisecond}, activity.HeartbeatWithin(time.Minute))
	leaf := workflow.Define("leaf", func(ctx workflow.Context, n int) (int, error) {
		switch n % 4 {
		case 0:
			return n, nil
		case 1:
			return workflow.Do(ctx, work, n)
		case 2:
			_, _, err := number.ReceiveWithin(ctx, delays[n%64]*3+1)
			return n, err
		}
		if n < 40 {
			return n, workflow.ContinueAsNew(ctx, n+40)
		}
		return n, fmt.Errorf("leaf %d: %w", n, errBroken)
	})
	main := workflow.Define("wandering", func(ctx workflow.Context, j journey) (journey, error) {
		sum := 0
		add.Handle(ctx, func(ctx workflow.Context, n int) (int, error) {
			if err := workflow.Sleep(ctx, delays[n%64]); err != nil {
				return 0, err
			}
			sum += n
			return sum, nil
		})
		for i := range j.Rounds {
			if err := wander(ctx, &j, work, leaf, j.Run*10+i, delays); err != nil {
				return j, err
			}
		}
		for {
			n, ok := number.TryReceive(ctx)
			if !ok {
				break
			}
			j.take(n)
		}
		if err := workflow.Await(ctx, func() bool { return workflow.AllHandlersFinished(ctx) }); err != nil {
			return j, err
		}
		if j.Run++; j.Run < 4 {
			return j, workflow.ContinueAsNew(ctx, j)
		}
		return j, nil
	})
	return []workflow.Definition{main, leaf, work}
}

func (j *journey) take(n int) {
	if n < 0 {
		return // of another
	}
	if n != j.Last+1 {
		j.Gap += fmt.Sprintf("%d after %d; ", n, j.Last)
	}
	j.Seen++
	j.Last = n
}

func wander(ctx workflow.Context, j *journey, work activity.Type[int, int], leaf workflow.Type[int, int], i int, delays []time.Duration) error {
	scope, cancel := workflow.WithCancel(ctx)
	defer cancel()
	child := workflow.BeginChild(scope, leaf, i, workflow.OnParentClose([]workflow.ParentClose{workflow.CancelChild, workflow.TerminateChild, workflow.AbandonChild}[i%3]))
	timer := workflow.NewTimer(scope, delays[i%64]*2+1)
	watched, progress := workflow.BeginWatched[int](scope, work, i)
	for range 2 {
		switch got, err := workflow.Select(ctx, number, progress, child, timer, watched); got {
		case number:
			n, _ := number.TryReceive(ctx)
			j.take(n)
		case progress:
			progress.TryReceive(ctx)
		case child:
			_, _ = child.Get(ctx)
		case timer, watched:
		default:
			return err
		}
	}
	if i%2 == 0 {
		cancel()
	}
	if _, err := workflow.Step(ctx, "look", func(context.Context) (int, error) { return i, nil }); err != nil {
		return err
	}
	if i%3 == 0 {
		rows, err := workflow.Find(ctx, query.Query{Type: "leaf"})
		if err != nil {
			return err
		}
		if n, err := workflow.Count(ctx, query.Query{Type: "leaf"}); err != nil || n < len(rows) {
			return fmt.Errorf("counted %d leaves after %d were found, %w", n, len(rows), err)
		}
	}
	if i%3 == 1 {
		if err := workflow.Send(ctx, "b", number.With(-1)); err != nil && !errors.Is(err, workflow.ErrNotRunning) && !errors.Is(err, workflow.ErrNotFound) {
			return err
		}
	}
	workflow.SetAttributes(ctx, workflow.NewAttribute[int]("round").Set(i))
	workflow.Latest(ctx, "half", func() int { return i / 2 })
	_, err := workflow.MapAll(ctx, []int{0, 1, 2, 3, 7}, func(ctx workflow.Context, n int) (int, error) {
		return workflow.Child(ctx, leaf, n, workflow.OnParentClose(workflow.TerminateChild))
	}, workflow.Limit(2))
	if err != nil {
		return err
	}
	_, err = workflow.Saga(ctx, func(undo *workflow.Undo) (int, error) {
		undo.Add(workflow.Call(work, i+1))
		return 0, errBroken
	})
	if !errors.Is(err, errBroken) {
		return fmt.Errorf("the saga returned %w", err)
	}
	return nil
}

// TestTheLanguageSurvivesFaultsAndDeaths runs wandering workflows on a log with every fault there is and kills the runtime
// again and again. In the end all have ended, no child is left, what was accepted was told once, and every history holds.
func TestTheLanguageSurvivesFaultsAndDeaths(t *testing.T) {
	for seed := range someSeeds() {
		t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { wanderThroughFaults(t, seed) })
		})
	}
}

func wanderThroughFaults(t *testing.T, seed uint64) {
	rng := rand.New(rand.NewPCG(seed, 2))
	defs := wandering(rng)
	main := defs[0].(workflow.Type[journey, journey])
	w := &world{t: t, disk: memory.NewDisk()}
	config := runtime.Config{
		Replay: replay.Strict, Drain: time.Millisecond, Logger: slog.New(slog.NewTextHandler(io.Discard, nil)),
		Memory: []int{0, runtime.Forget, 30 << 10}[rng.IntN(3)],
	}
	faults := &storetest.Faults{Append: storetest.RandomFaults(seed, rng.Float64()*0.2), Delay: 3 * time.Millisecond}
	ids := []string{"a", "b"}
	sent, updates := map[string]int{}, map[string]int{}
	started := map[string]bool{}
	for lives := 0; ; lives++ {
		healthy := lives >= 6
		if healthy {
			faults.Append = nil
		}
		faulty := storetest.Faulty(w.disk.Open(), faults)
		log := &mortal{Log: faulty, Tails: faulty.(store.Tails), dead: make(chan struct{})}
		config.Log = log
		rt, err := runtime.Open(t.Context(), config, defs...)
		require.NoError(t, err)
		ctx, stop := context.WithCancel(t.Context())
		ran := make(chan error, 1)
		go func() { ran <- rt.Run(ctx) }()
		w.rt = rt
		for _, id := range ids {
			if !started[id] {
				_, err := runtime.Start(ctx, rt, id, main, journey{Rounds: 3}, runtime.RequestID("start-"+id))
				started[id] = err == nil
			}
			for range 3 {
				if err := rt.Signal(ctx, id, number.With(sent[id]+1), runtime.RequestID(fmt.Sprint("signal ", sent[id]))); err == nil {
					sent[id]++
				}
			}
			go func(id string, n int) {
				_, _ = runtime.BeginUpdate(ctx, rt, id, add, n, runtime.RequestID(fmt.Sprint("update ", n)))
			}(id, updates[id])
			updates[id]++
		}
		if healthy {
			time.Sleep(time.Hour)
			for _, id := range ids {
				if d, err := rt.Describe(ctx, id); err != nil || d.Status&query.Open != 0 {
					t.Errorf("seed %d: %s does not end: %v, %v, stalled: %s\n%s", seed, id, err, d.Waiting, d.Stalled, history.Marshal(w.stored(id)))
					continue
				}
				out, err := runtime.Result(ctx, rt, id, main)
				require.NoError(t, err, "seed %d", seed)
				assert.Empty(t, out.Gap, "seed %d", seed)
			}
			for row, err := range rt.Find(ctx, query.Query{Status: query.Open}) {
				require.NoError(t, err)
				if row.Parent == "" || row.Waiting != "" {
					t.Errorf("seed %d: %s (%s) is still open and waits for %s", seed, row.ID, row.Type, row.Waiting)
				}
			}
		} else {
			time.Sleep(time.Duration(rng.IntN(60)) * time.Millisecond)
		}
		close(log.dead)
		stop()
		<-ran
		require.NoError(t, rt.Close())
		faults.Settle()
		if healthy {
			break
		}
	}
	w.everythingOnce()
	w.verify(defs...)
}

// everythingOnce holds every history in the log against I3: one outcome for each thing that was asked for, one answer to each
// update, each request once, nothing after an end but the next run, and nothing said of another execution before it is so.
func (w *world) everythingOnce() {
	w.t.Helper()
	head, err := w.disk.Open().Head(w.t.Context())
	require.NoError(w.t, err)
	outcomes, requests, open := map[string]string{}, map[string]int{}, map[history.ID]bool{}
	ctx, cancel := context.WithCancel(w.t.Context())
	defer cancel()
	runs, begun, asked := map[history.ID]string{}, map[string]bool{}, map[string]*history.SendAsked{}
	for r, err := range w.disk.Open().Follow(ctx, store.Position{}) {
		require.NoError(w.t, err)
		e := r.Entry
		if s, ok := e.Event.(*history.Started); ok {
			assert.False(w.t, open[r.ID], "%s begins while it runs", r.ID)
			open[r.ID], runs[r.ID] = true, s.Run
		} else {
			assert.True(w.t, open[r.ID], "entry %d of %s follows its end", e.Seq, r.ID)
		}
		if e.Request != "" {
			requests[r.ID.Workflow+" "+e.Request+" "+e.Event.Kind()]++
		}
		switch v := e.Event.(type) {
		case *history.Started:
			begun[v.Run] = true
		case *history.ChildStarted:
			assert.True(w.t, begun[v.Chain], "entry %d of %s says that a child has started, and it had not yet", e.Seq, r.ID)
		case *history.SendAsked:
			asked[fmt.Sprintf("send:%s:%d", runs[r.ID], v.Step)] = v
		case *history.Sent:
			request := fmt.Sprintf("send:%s:%d", runs[r.ID], v.Step)
			if a := asked[request]; !a.Cancel && v.Refused == "" {
				assert.NotZero(w.t, requests[a.ID+" "+request+" signaled"], "entry %d of %s says that %s was told, and it was not yet", e.Seq, r.ID, a.ID)
			}
		}
		if key := outcomeOf(e.Event); key != "" {
			key = fmt.Sprintf("%s %s %s", r.ID, runs[r.ID], key)
			assert.Empty(w.t, outcomes[key], "entry %d of %s: another outcome of %s", e.Seq, r.ID, key)
			outcomes[key] = e.Event.Kind()
		}
		if closesRun(e.Event) {
			open[r.ID] = false
		}
		if r.Position == head {
			break
		}
	}
	for request, n := range requests {
		assert.Equal(w.t, 1, n, request)
	}
}

func outcomeOf(e history.Event) string {
	switch v := e.(type) {
	case *history.ActivityCompleted:
		return fmt.Sprint("step ", v.Step)
	case *history.ActivityFailed:
		return fmt.Sprint("step ", v.Step)
	case *history.ActivityTimedOut:
		return fmt.Sprint("step ", v.Step)
	case *history.TimerFired:
		return fmt.Sprint("step ", v.Step)
	case *history.ChildClosed:
		return fmt.Sprint("step ", v.Step)
	case *history.ChildRefused:
		return fmt.Sprint("step ", v.Step)
	case *history.ChildStarted:
		return fmt.Sprint("start of step ", v.Step)
	case *history.Sent:
		return fmt.Sprint("step ", v.Step)
	case *history.FindAnswered:
		return fmt.Sprint("step ", v.Step)
	case *history.UpdateAccepted:
		return "acceptance of " + v.Update
	case *history.UpdateCompleted:
		return "update " + v.Update
	case *history.UpdateFailed:
		return "update " + v.Update
	}
	return ""
}

func closesRun(e history.Event) bool {
	return strings.Contains(" completed failed cancelled terminated timed-out continued ", " "+e.Kind()+" ")
}
