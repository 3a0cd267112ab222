package replay_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clewflow/clew/replay"
	"github.com/clewflow/clew/workflow"
)

// before is code without a gate; since is the same after a change behind one.
func before(ctx workflow.Context, n int) (int, error) {
	if _, err := workflow.Do(ctx, charge, n); err != nil {
		return 0, err
	}
	return workflow.Do(ctx, ship, n)
}

func since(ctx workflow.Context, n int) (int, error) {
	if _, err := workflow.Do(ctx, charge, n); err != nil {
		return 0, err
	}
	if workflow.Patched(ctx, "rest") {
		if err := workflow.Sleep(ctx, time.Hour); err != nil {
			return 0, err
		}
	}
	return workflow.Do(ctx, ship, n)
}

// deploy lets other code go on with the run.
func deploy[In, Out any](w *world, fn func(workflow.Context, In) (Out, error)) {
	w.t.Helper()
	w.foreign()
	w.config.Code, w.gated = codeOf(fn), true
	w.recall()
}

func TestGateIsOldInRunsThatPassedIt(t *testing.T) {
	w := begin(t, before, 1)
	w.complete(1, 1)
	deploy(w, since)
	w.complete(2, 2)
	assert.Equal(t, []string{"started", "activity-scheduled 1", "activity-completed 1", "activity-scheduled 2", "activity-completed 2", "completed"}, w.kinds())
}

func TestGateIsNewInRunsThatComeToIt(t *testing.T) {
	w := begin(t, before, 1)
	deploy(w, since)
	w.complete(1, 1)
	w.pass(time.Hour)
	w.complete(3, 2)
	assert.Equal(t, []string{"started", "activity-scheduled 1", "activity-completed 1", "kept", "timer-started 2", "timer-fired 2", "activity-scheduled 3", "activity-completed 3", "completed"}, w.kinds())
	m := held(w, replay.Names, before)
	require.NotNil(t, m, "code from before the change does not fit")
	assert.Equal(t, uint64(5), m.Seq)
}

func TestGateIsOldWhenOnlyTheEndRemains(t *testing.T) {
	w := begin(t, before, 1)
	w.complete(1, 1)
	w.complete(2, 2)
	assert.Nil(t, held(w, replay.Strict, func(ctx workflow.Context, n int) (int, error) {
		v, err := before(ctx, n)
		if workflow.Patched(ctx, "at the end") {
			return v, workflow.Sleep(ctx, time.Hour)
		}
		return v, err
	}))
}

// A run that waits for a signal has asked for nothing behind the gate, and has passed it all the same.
func TestGateIsOldWhereTheRunWaitsBehindIt(t *testing.T) {
	code := func(gated bool) func(workflow.Context, int) (bool, error) {
		return func(ctx workflow.Context, n int) (bool, error) {
			if _, err := workflow.Do(ctx, charge, n); err != nil {
				return false, err
			}
			patched := gated && workflow.Patched(ctx, "sleep")
			if patched {
				if err := workflow.Sleep(ctx, time.Hour); err != nil {
					return false, err
				}
			}
			_, err := poke.Receive(ctx)
			return patched, err
		}
	}
	w := begin(t, code(false), 1)
	w.complete(1, 1)
	deploy(w, code(true))
	w.signal(poke.With(1))
	assert.False(t, result[bool](w))
	assert.Nil(t, held(w, replay.Strict, code(true)))
}

func TestGateIsOldBehindInputsThatAreAnsweredLater(t *testing.T) {
	code := func(gated bool) func(workflow.Context, int) (int, error) {
		return func(ctx workflow.Context, n int) (int, error) {
			for range 2 {
				if _, err := poke.Receive(ctx); err != nil {
					return 0, err
				}
				if gated && workflow.Patched(ctx, "rest") {
					workflow.NewTimer(ctx, time.Hour)
				}
				workflow.Begin(ctx, charge, n)
			}
			return 0, nil
		}
	}
	w := begin(t, code(false), 1)
	w.signal(poke.With(1))
	w.signal(poke.With(2))
	w.config.Code, w.gated = codeOf(code(true)), true
	assert.Nil(t, held(w, replay.Strict, code(true)))
}

func TestGateInALoopNeverTurns(t *testing.T) {
	loop := func(gated bool) func(workflow.Context, int) ([]bool, error) {
		return func(ctx workflow.Context, _ int) (turns []bool, err error) {
			for range 4 {
				if _, err := workflow.Do(ctx, charge, 1); err != nil {
					return nil, err
				}
				turns = append(turns, gated && workflow.Patched(ctx, "rest"))
			}
			return turns, nil
		}
	}
	w := begin(t, loop(false), 1)
	w.complete(1, 1)
	w.complete(2, 1)
	deploy(w, loop(true))
	w.complete(3, 1)
	w.complete(4, 1)
	assert.Equal(t, []bool{false, false, false, false}, result[[]bool](w), "the first answer was old")

	w = begin(t, loop(true), 1)
	for step := range 4 {
		w.complete(w.state.Run.Steps, step)
	}
	assert.Equal(t, []bool{true, true, true, true}, result[[]bool](w))
	kept := 0
	for _, k := range w.kinds() {
		if k == "kept" {
			kept++
		}
	}
	assert.Equal(t, 1, kept)
}

func TestMarkerIsFoundWhereverItStands(t *testing.T) {
	two := func(first, second string) func(workflow.Context, int) (int, error) {
		return func(ctx workflow.Context, n int) (int, error) {
			v := 0
			for _, id := range []string{first, second} {
				if _, err := workflow.Do(ctx, charge, n); err != nil {
					return 0, err
				}
				v = 10*v + workflow.Variant(ctx, id, len(id))
			}
			return v, nil
		}
	}
	w := begin(t, two("a", "bb"), 1)
	w.complete(1, 1)
	w.complete(2, 1)
	require.Equal(t, 12, result[int](w))
	m, err := replay.Remember(replay.Config{Code: codeOf(two("bb", "a"))}, w.entries)
	require.NoError(t, err, "each gate is answered by its own marker")
	defer m.Stop()
	assert.Equal(t, []string{"the code returns another result"}, m.Warnings())
}

func TestRetiredGateLeavesItsMarkerBehind(t *testing.T) {
	w := begin(t, since, 1)
	w.complete(1, 1)
	w.pass(time.Hour)
	w.complete(3, 2)
	assert.Nil(t, held(w, replay.Strict, func(ctx workflow.Context, n int) (int, error) {
		if _, err := workflow.Do(ctx, charge, n); err != nil {
			return 0, err
		}
		if err := workflow.Sleep(ctx, time.Hour); err != nil {
			return 0, err
		}
		return workflow.Do(ctx, ship, n)
	}))
}

func TestVariantIsWhatWasLatestThen(t *testing.T) {
	code := func(latest int) func(workflow.Context, int) (int, error) {
		return func(ctx workflow.Context, n int) (int, error) {
			v := 0
			if latest > 0 {
				v = workflow.Variant(ctx, "route", latest)
			}
			if _, err := workflow.Do(ctx, charge, n); err != nil {
				return 0, err
			}
			return v, nil
		}
	}
	for latest := range 4 {
		w := begin(t, code(latest), 1)
		deploy(w, code(3))
		w.complete(1, 1)
		assert.Equal(t, latest, result[int](w))
	}
}

func TestKeptValuesAreEvaluatedOnce(t *testing.T) {
	evaluated := 0
	w := begin(t, func(ctx workflow.Context, n int) ([]int, error) {
		value := func(name string) int {
			return workflow.Value(ctx, name, func() int { evaluated++; return evaluated })
		}
		all := []int{value("a"), value("a"), value("b")}
		if _, err := workflow.Do(ctx, charge, n); err != nil {
			return nil, err
		}
		return append(all, value("a"), value("c")), nil
	}, 1)
	w.foreign()
	w.recall()
	w.complete(1, 1)
	assert.Equal(t, []int{1, 1, 2, 1, 3}, result[[]int](w))
	assert.Equal(t, 3, evaluated)
	assert.Equal(t, []string{"started", "kept", "kept", "activity-scheduled 1", "activity-completed 1", "kept", "completed"}, w.kinds())
	require.NoError(t, replay.Verify(w.codes, replay.Strict, w.entries))
	assert.Equal(t, 3, evaluated)
	w.err = assert.AnError // each prefix evaluates again what was not kept yet: this code counts that
}

func TestValueAddedToCodeWithOpenRunsIsKeptFromThenOn(t *testing.T) {
	w := begin(t, before, 1)
	w.complete(1, 1)
	deploy(w, func(ctx workflow.Context, n int) (int, error) {
		_ = workflow.Value(ctx, "new", func() string { return "x" })
		return before(ctx, n)
	})
	assert.Equal(t, []string{"started", "activity-scheduled 1", "activity-completed 1", "activity-scheduled 2", "kept"}, w.kinds())
	w.complete(2, 2)
}
