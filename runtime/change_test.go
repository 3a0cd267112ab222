package runtime_test

import (
	"context"
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
	"github.com/clewflow/clew/query"
	"github.com/clewflow/clew/replay"
	"github.com/clewflow/clew/runtime"
	"github.com/clewflow/clew/store"
	"github.com/clewflow/clew/store/memory"
	"github.com/clewflow/clew/store/storetest"
	"github.com/clewflow/clew/workflow"
)

// releases is how many releases of the evolving workflow there are. Each has a gate more in every round.
const releases = 4

// evolving is a release of a workflow whose code changes while it runs: behind each gate it does something else as well.
func evolving(release int, delays []time.Duration, work activity.Type[int, int]) workflow.Type[int, string] {
	return workflow.Define("evolving", func(ctx workflow.Context, rounds int) (string, error) {
		var did strings.Builder
		for round := range rounds {
			scope, cancel := workflow.WithCancel(ctx)
			timer := workflow.NewTimer(scope, delays[round]*2+1)
			job := workflow.Begin(scope, work, round)
			if release > 0 && workflow.Patched(ctx, fmt.Sprint("a step more in round ", round)) {
				if _, err := workflow.Step(ctx, "more", func(context.Context) (int, error) { return round, nil }); err != nil {
					return "", err
				}
				fmt.Fprint(&did, "s")
			}
			switch got, err := workflow.Select(ctx, number, timer, job); got {
			case number:
				number.TryReceive(ctx)
			case timer, job:
			default:
				return "", err
			}
			if release > 1 {
				v := workflow.Variant(ctx, fmt.Sprint("how to end round ", round), release-1)
				var err error
				switch v {
				case 0:
				case 1:
					err = workflow.Sleep(ctx, delays[round]+1)
				default:
					_, err = workflow.Do(ctx, work, 100+round)
				}
				if err != nil {
					return "", err
				}
				if v > 0 {
					fmt.Fprint(&did, v)
				}
			}
			cancel()
		}
		return did.String(), nil
	})
}

// TestCodeChangesUnderFaults: runs are open while release after release is deployed, on a log with every fault there is. None
// stalls, and in the end every history fits the newest release.
func TestCodeChangesUnderFaults(t *testing.T) {
	for seed := range someSeeds() {
		t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { changeUnderFaults(t, seed) })
		})
	}
}

func changeUnderFaults(t *testing.T, seed uint64) {
	rng := rand.New(rand.NewPCG(seed, 3))
	delays := make([]time.Duration, 200)
	for i := range delays {
		delays[i] = time.Duration(rng.IntN(12)) * time.Millisecond
	}
	work := activity.Define("work", func(_ context.Context, n int) (int, error) { time.Sleep(delays[n]); return n, nil })
	w := &world{t: t, disk: memory.NewDisk()}
	config := runtime.Config{
		Replay: replay.Strict, Drain: time.Millisecond, Logger: slog.New(slog.NewTextHandler(io.Discard, nil)),
		Memory: []int{0, runtime.Forget}[rng.IntN(2)],
	}
	faults := &storetest.Faults{Append: storetest.RandomFaults(seed, rng.Float64()*0.2), Foreign: w.foreignSignal, Delay: 3 * time.Millisecond}
	for life := 0; ; life++ {
		last := life == 2*releases
		if last {
			faults.Append = nil
		}
		code := evolving(min(life/2, releases-1), delays, work)
		faulty := storetest.Faulty(w.disk.Open(), faults)
		log := &mortal{Log: faulty, Tails: faulty.(store.Tails), dead: make(chan struct{})}
		config.Log = log
		rt, err := runtime.Open(t.Context(), config, code, work)
		require.NoError(t, err)
		ctx, stop := context.WithCancel(t.Context())
		ran := make(chan error, 1)
		go func() { ran <- rt.Run(ctx) }()
		id := fmt.Sprint("run-", life)
		_, _ = runtime.Start(ctx, rt, id, code, 10)
		_ = rt.Signal(ctx, id, number.With(1))
		if last {
			time.Sleep(time.Hour)
			for row, err := range rt.Find(ctx, query.Query{}) {
				require.NoError(t, err)
				assert.Equal(t, query.Completed, row.Status, "seed %d: %s waits for %s", seed, row.ID, row.Waiting)
			}
		} else {
			time.Sleep(time.Duration(rng.IntN(40)) * time.Millisecond)
		}
		close(log.dead)
		stop()
		<-ran
		require.NoError(t, rt.Close())
		faults.Settle()
		if last {
			break
		}
	}
	w.everythingOnce()
	w.verify(evolving(releases-1, delays, work), work)
}
