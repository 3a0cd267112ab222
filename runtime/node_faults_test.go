package runtime_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/clewflow/clew/activity"
	"github.com/clewflow/clew/runtime"
	"github.com/clewflow/clew/workflow"
)

// TestNodesSurviveTrouble plays several nodes through trouble from a seed, in virtual time: they die, sleep, are cut off, leave and join,
// with clocks that differ. The seed decides what happens, not how goroutines are interleaved.
func TestNodesSurviveTrouble(t *testing.T) {
	for seed := range someSeeds() {
		t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { surviveTrouble(t, seed) })
		})
	}
}

// errands is a workflow with all that nodes have to hand over: activities, some of which fail first, timers, children and signals.
func errands(rng *rand.Rand, c *counts) (workflow.Type[int, int], []workflow.Definition, workflow.Signal[int]) {
	pause := time.Duration(rng.IntN(4000)) * time.Millisecond
	do := activity.Define("do", func(ctx context.Context, what string) (string, error) {
		c.count(what)
		if activity.Info(ctx).Number == 1 && len(what)%3 == 0 {
			return "", errors.New("not at first")
		}
		select {
		case <-time.After(pause / 4):
			return what, nil
		case <-ctx.Done():
			return "", context.Cause(ctx)
		}
	})
	once := activity.Define("once", func(ctx context.Context, what string) (string, error) {
		c.count(what)
		return what, nil
	}, activity.MaxAttempts(1))
	more := workflow.NewSignal[int]("more")
	leaf := workflow.Define("leaf", func(ctx workflow.Context, what string) (string, error) {
		if err := workflow.Sleep(ctx, pause/2); err != nil {
			return "", err
		}
		return workflow.Do(ctx, do, what)
	})
	code := workflow.Define("errands", func(ctx workflow.Context, n int) (int, error) {
		sum := 0
		for i := range 3 {
			what := fmt.Sprint(n, "/", i)
			if _, err := workflow.Do(ctx, do, what); err != nil {
				return 0, err
			}
			if _, err := workflow.Do(ctx, once, "once "+what); err != nil {
				sum += 100 // it was lost with its node
			}
			if err := workflow.Sleep(ctx, pause); err != nil {
				return 0, err
			}
			if _, err := workflow.Child(ctx, leaf, "leaf "+what); err != nil {
				return 0, err
			}
			v, err := more.Receive(ctx)
			if err != nil {
				return 0, err
			}
			sum += v
		}
		return sum, nil
	})
	return code, []workflow.Definition{code, leaf, do, once}, more
}

func surviveTrouble(t *testing.T, seed uint64) {
	rng := rand.New(rand.NewPCG(seed, 3))
	var c counts
	code, definitions, more := errands(rng, &c)
	p := newParty(t, 0, definitions...)
	late := func() time.Duration { return time.Duration(rng.IntN(4000)-2000) * time.Millisecond }
	for range 2 + rng.IntN(2) {
		p.joinLate(late())
	}
	const runs = 12
	sent := make([]int, runs)
	for i := range runs {
		_, err := runtime.Start(t.Context(), p.nodes[rng.IntN(len(p.nodes))].Runtime, fmt.Sprint("e", i), code, i, runtime.RequestID(fmt.Sprint("start-", i)))
		require.NoError(t, err)
	}
	well := func() *guest { return p.nodes[0] } // nothing befalls the first
	troubles := 4 + rng.IntN(6)
	for range troubles {
		time.Sleep(time.Duration(rng.IntN(3000)) * time.Millisecond)
		for i := range runs {
			if sent[i] < 3 && rng.IntN(3) == 0 {
				require.NoError(t, well().Signal(t.Context(), fmt.Sprint("e", i), more.With(1)))
				sent[i]++
			}
		}
		if len(p.nodes) < 2 {
			p.joinLate(late())
			continue
		}
		victim := p.nodes[1+rng.IntN(len(p.nodes)-1)]
		lasts := time.Duration(rng.IntN(12_000)) * time.Millisecond
		switch rng.IntN(5) {
		case 0:
			p.kill(victim)
		case 1:
			go func(again func()) { time.Sleep(lasts); again() }(victim.log.hold())
		case 2:
			victim.log.set(true)
			go func() { time.Sleep(lasts); victim.log.set(false) }()
		case 3:
			p.joinLate(late())
		case 4:
			time.Sleep(lasts)
			p.leave(p.nodes[1])
		}
	}
	time.Sleep(13 * time.Second) // then everything that is to come back has
	for i := range runs {
		for ; sent[i] < 3; sent[i]++ {
			require.NoError(t, well().Signal(t.Context(), fmt.Sprint("e", i), more.With(1)))
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	for i := range runs {
		out, err := runtime.Result(ctx, p.nodes[rng.IntN(len(p.nodes))].Runtime, fmt.Sprint("e", i), code)
		require.NoError(t, err, "seed %d, %s\n%s", seed, fmt.Sprint("e", i), p.dump(fmt.Sprint("e", i)))
		require.Equal(t, 3, out%100, "each signal is received once")
		for j := range 3 {
			require.LessOrEqual(t, c.of(fmt.Sprint("once ", i, "/", j)), 1, "an attempt that may be made once is")
			require.LessOrEqual(t, c.of(fmt.Sprint(i, "/", j)), 2+troubles)
		}
	}
	p.audit()
	p.close()
}
