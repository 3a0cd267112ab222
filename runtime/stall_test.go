package runtime_test

import (
	goruntime "runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clewflow/clew/runtime"
	"github.com/clewflow/clew/workflow"
)

type code = func(workflow.Context, string) (string, error)

func define(fn code) workflow.Type[string, string] { return workflow.Define("w", fn) }

func TestPanicStallsAndFittingCodeGoesOn(t *testing.T) {
	bad := define(func(ctx workflow.Context, s string) (string, error) {
		if err := workflow.Sleep(ctx, hour); err != nil {
			return "", err
		}
		panic("bug")
	})
	good := define(func(ctx workflow.Context, s string) (string, error) {
		if err := workflow.Sleep(ctx, hour); err != nil {
			return "", err
		}
		by, err := approve.Receive(ctx)
		return s + by, err
	})
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, runtime.Config{Build: "one"})
		w.open(bad)
		_, err := runtime.Start(w.ctx(), w.rt, "a", bad, "in")
		require.NoError(t, err)
		time.Sleep(day)
		assert.Equal(t, []string{"started", "timer-started", "timer-fired", "stalled"}, w.kinds("a"), "noted once, however often it was tried")
		require.NoError(t, w.rt.Signal(w.ctx(), "a", approve.With("ann")), "inputs are kept")
		d, err := w.rt.Describe(w.ctx(), "a")
		require.NoError(t, err)
		assert.Contains(t, d.Stalled, "panic: bug")
		w.close()

		w.c.Build = "two"
		w.open(good)
		out, err := runtime.Result(w.ctx(), w.rt, "a", good)
		require.NoError(t, err)
		assert.Equal(t, "inann", out)
		w.close()
		w.verify(good)
	})
}

func TestMismatchStallsAndSaysWhere(t *testing.T) {
	v1 := define(func(ctx workflow.Context, s string) (string, error) {
		if _, err := workflow.Do(ctx, echo, s); err != nil {
			return "", err
		}
		return approve.Receive(ctx)
	})
	v2 := define(func(ctx workflow.Context, s string) (string, error) {
		if err := workflow.Sleep(ctx, hour); err != nil {
			return "", err
		}
		return approve.Receive(ctx)
	})
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, runtime.Config{})
		w.open(v1, echo)
		_, err := runtime.Start(w.ctx(), w.rt, "a", v1, "in")
		require.NoError(t, err)
		time.Sleep(time.Second)
		w.close()
		w.open(v2, echo)
		require.NoError(t, w.rt.Signal(w.ctx(), "a", approve.With("x")))
		d, err := w.rt.Describe(w.ctx(), "a")
		require.NoError(t, err)
		for _, want := range []string{"entry 2", "activity echo", "timer of 1h0m0s", "stall_test.go", "agreed up to entry 1"} {
			assert.Contains(t, d.Stalled, want)
		}
		w.close()
		w.open(v1, echo)
		out, err := runtime.Result(w.ctx(), w.rt, "a", v1)
		require.NoError(t, err)
		assert.Equal(t, "x", out)
		w.close()
	})
}

func TestRunWithoutCodeWaitsForIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, runtime.Config{})
		w.open(waiter)
		_, err := runtime.Start(w.ctx(), w.rt, "a", workflow.Declare[string, string]("w"), "in", runtime.Unchecked())
		require.NoError(t, err)
		d, err := w.rt.Describe(w.ctx(), "a")
		require.NoError(t, err)
		assert.Equal(t, "no code for workflow w", d.Stalled)
		require.NoError(t, w.rt.Terminate(w.ctx(), "a"), "what is stalled can be terminated")
		_, err = runtime.Start(w.ctx(), w.rt, "a", workflow.Declare[string, string]("w"), "in", runtime.Unchecked())
		require.NoError(t, err)
		w.close()
		quick := define(func(_ workflow.Context, s string) (string, error) { return s, nil })
		w.open(quick)
		out, err := runtime.Result(w.ctx(), w.rt, "a", quick)
		require.NoError(t, err)
		assert.Equal(t, "in", out)
		w.close()
	})
}

func TestDeadlockIsNamedAndCanBeCancelled(t *testing.T) {
	stuck := define(func(ctx workflow.Context, s string) (string, error) {
		c := workflow.NewChannel[int](0)
		_, err := c.Receive(ctx)
		return "", err
	})
	inWorld(t, func(w *world) {
		h, err := runtime.Start(w.ctx(), w.rt, "a", stuck, "")
		require.NoError(t, err)
		d, err := w.rt.Describe(w.ctx(), "a")
		require.NoError(t, err)
		assert.Contains(t, d.Stalled, "deadlock: main waits")
		require.NoError(t, w.rt.Cancel(w.ctx(), "a"))
		_, err = h.Result(w.ctx())
		assert.ErrorIs(t, err, workflow.ErrCancelled)
	}, stuck)
}

func TestSelectThatSpinsStalls(t *testing.T) {
	spins := define(func(ctx workflow.Context, s string) (string, error) {
		for {
			if _, err := workflow.Select(ctx, approve); err != nil {
				return "", err
			}
		}
	})
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, runtime.Config{})
		w.open(spins)
		_, err := runtime.Start(w.ctx(), w.rt, "a", spins, "")
		require.NoError(t, err)
		require.NoError(t, w.rt.Signal(w.ctx(), "a", approve.With("x")))
		d, err := w.rt.Describe(w.ctx(), "a")
		require.NoError(t, err)
		assert.Contains(t, d.Stalled, "select spins on signal approve")
		w.close()
	})
}

func TestCodeThatDoesNotComeBackHindersNobody(t *testing.T) {
	release := make(chan struct{})
	defer close(release)
	blocks := define(func(ctx workflow.Context, s string) (string, error) {
		<-release
		return s, nil
	})
	w := newWorld(t, runtime.Config{Watchdog: 200 * time.Millisecond})
	w.open(blocks, waiter)
	started := make(chan error, 1)
	go func() {
		_, err := runtime.Start(w.ctx(), w.rt, "bad", blocks, "")
		started <- err
	}()
	h, err := runtime.Start(w.ctx(), w.rt, "good", waiter, "")
	require.NoError(t, err)
	require.NoError(t, w.rt.Signal(w.ctx(), "good", approve.With("x")))
	_, err = h.Result(w.ctx())
	require.NoError(t, err)
	require.NoError(t, <-started, "the start is recorded all the same")
	d, err := w.rt.Describe(w.ctx(), "bad")
	require.NoError(t, err)
	assert.Contains(t, d.Stalled, "without waiting")
	assert.Contains(t, d.Stalled, "TestCodeThatDoesNotComeBackHindersNobody", "it names the code")
	assert.Equal(t, 1, w.rt.Stats().Abandoned)
	require.NoError(t, w.rt.Terminate(w.ctx(), "bad"))
	w.close()
}

func TestGoexitStalls(t *testing.T) {
	exits := define(func(ctx workflow.Context, s string) (string, error) {
		goruntime.Goexit()
		return s, nil
	})
	w := newWorld(t, runtime.Config{})
	w.open(exits)
	_, err := runtime.Start(w.ctx(), w.rt, "a", exits, "")
	require.NoError(t, err)
	d, err := w.rt.Describe(w.ctx(), "a")
	require.NoError(t, err)
	assert.Contains(t, d.Stalled, "Goexit")
	w.close()
}

func TestPatchedCodeTakesOverOpenRuns(t *testing.T) {
	v1 := define(func(ctx workflow.Context, s string) (string, error) {
		for range 3 {
			if err := workflow.Sleep(ctx, hour); err != nil {
				return "", err
			}
		}
		return "old", nil
	})
	v2 := define(func(ctx workflow.Context, s string) (string, error) {
		for range 3 {
			if workflow.Patched(ctx, "longer") {
				if err := workflow.Sleep(ctx, 2*hour); err != nil {
					return "", err
				}
			} else if err := workflow.Sleep(ctx, hour); err != nil {
				return "", err
			}
		}
		dice := workflow.Value(ctx, "dice", func() int { return 4 })
		if err := workflow.Sleep(ctx, time.Duration(dice)*time.Second); err != nil {
			return "", err
		}
		if workflow.Patched(ctx, "tail") {
			return "new tail", nil
		}
		return "no tail", nil
	})
	for _, memory := range []int{0, runtime.Forget} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, runtime.Config{Memory: memory})
			w.open(v1)
			_, err := runtime.Start(w.ctx(), w.rt, "old", v1, "")
			require.NoError(t, err)
			time.Sleep(90 * time.Minute)
			w.close()
			w.open(v2)
			_, err = runtime.Start(w.ctx(), w.rt, "new", v2, "")
			require.NoError(t, err)
			began := time.Now()
			for _, id := range []string{"old", "new"} {
				out, err := runtime.Result(w.ctx(), w.rt, id, v2)
				require.NoError(t, err)
				assert.Equal(t, "new tail", out)
			}
			assert.Equal(t, 6*hour+4*time.Second, time.Since(began).Round(time.Second))
			w.close()
			w.verify(v2)
		})
	}
}

func TestGoroutinesStartedWithGoStallAndHinderNobody(t *testing.T) {
	strays := define(func(ctx workflow.Context, s string) (string, error) {
		if err := workflow.Sleep(ctx, time.Second); err != nil {
			return "", err
		}
		for range 3 {
			go func() {
				time.Sleep(time.Millisecond)
				_ = workflow.Sleep(ctx, hour)
			}()
		}
		return approve.Receive(ctx)
	})
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, runtime.Config{})
		w.open(strays, waiter)
		_, err := runtime.Start(w.ctx(), w.rt, "bad", strays, "")
		require.NoError(t, err)
		h, err := runtime.Start(w.ctx(), w.rt, "good", waiter, "")
		require.NoError(t, err)
		time.Sleep(10 * time.Minute)
		d, err := w.rt.Describe(w.ctx(), "bad")
		require.NoError(t, err)
		assert.Contains(t, d.Stalled, "use workflow.Go")
		require.NoError(t, w.rt.Signal(w.ctx(), "good", approve.With("x")))
		_, err = h.Result(w.ctx())
		require.NoError(t, err)
		w.close()
	})
}
