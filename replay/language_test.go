package replay_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clewflow/clew/activity"
	"github.com/clewflow/clew/commands"
	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/replay"
	"github.com/clewflow/clew/workflow"
)

var work = activity.Define("work", func(context.Context, int) (int, error) { return 0, nil })

var errNo = activity.NonRetryable(errors.New("no"))

// yields runs fn, which has no input, until it waits.
func yields[T any](t *testing.T, fn func(workflow.Context) (T, error)) *world {
	t.Helper()
	return begin(t, func(ctx workflow.Context, _ workflow.None) (T, error) { return fn(ctx) }, workflow.None{})
}

func name(c workflow.Case, names map[workflow.Case]string) string {
	if c == nil {
		return "nil"
	}
	return names[c]
}

func TestSelectTakesTheFirstReadyInWrittenOrder(t *testing.T) {
	w := yields(t, func(ctx workflow.Context) ([]string, error) {
		a, b := workflow.Begin(ctx, work, 1), workflow.Begin(ctx, work, 2)
		c := workflow.NewChannel[int](1)
		names := map[workflow.Case]string{a: "a", b: "b", c: "c", poke: "poke", workflow.Default: "default"}
		var got []string
		sel := func(cases ...workflow.Case) {
			g, err := workflow.Select(ctx, cases...)
			got = append(got, fmt.Sprint(name(g, names), err))
		}
		sel(poke, c, b, a, workflow.Default) // none is ready
		sel(poke, c, b, a)                   // waits for b
		sel(a, b)
		if _, err := a.Get(ctx); err != nil {
			return nil, err
		}
		sel(b, a)
		sel(a, b)
		_ = c.Send(ctx, 1)
		sel(workflow.Default, c)
		if _, err := halt.Receive(ctx); err != nil {
			return nil, err
		}
		sel(poke, a) // a signal is not taken
		sel(a, poke)
		return append(got, fmt.Sprint(poke.Unread(ctx))), nil
	})
	w.complete(2, 0)
	w.complete(1, 0)
	w.signal(poke.With(1))
	w.signal(halt.With(1))
	assert.Equal(t, []string{"default<nil>", "b<nil>", "b<nil>", "b<nil>", "a<nil>", "c<nil>", "poke<nil>", "a<nil>", "1"}, result[[]string](w))
}

func TestSelectThatSpinsStalls(t *testing.T) {
	for what, c := range map[string]struct {
		cases []workflow.Case
		want  string
	}{
		"signal":  {[]workflow.Case{poke}, "select spins on signal poke: it was ready 1000 times in a row and nothing was received, asked or waited for"},
		"default": {[]workflow.Case{halt, workflow.Default}, "select spins on Default: it was ready 1000 times in a row and nothing was received, asked or waited for"},
	} {
		t.Run(what, func(t *testing.T) {
			w := run(t, func(ctx workflow.Context) error {
				_ = workflow.Await(ctx, func() bool { return poke.Unread(ctx) > 0 })
				for {
					if _, err := workflow.Select(ctx, c.cases...); err != nil {
						return err
					}
				}
			})
			w.record(&history.Signaled{Name: "poke"})
			assert.EqualError(t, w.err, c.want)
		})
	}
}

// A within is one of the waits that end by themselves after an hour: what it says, in words.
var withins = map[string]func(workflow.Context) string{
	"SelectWithin": func(ctx workflow.Context) string {
		got, err := workflow.SelectWithin(ctx, time.Hour, poke)
		return fmt.Sprint(name(got, map[workflow.Case]string{poke: "got", workflow.Timeout: "timeout"}), " ", err)
	},
	"ReceiveWithin": func(ctx workflow.Context) string {
		_, ok, err := poke.ReceiveWithin(ctx, time.Hour)
		return say(ok, err)
	},
	"AwaitWithin": func(ctx workflow.Context) string {
		ok, err := workflow.AwaitWithin(ctx, time.Hour, func() bool { return poke.Unread(ctx) > 0 })
		return say(ok, err)
	},
}

func say(ok bool, err error) string {
	word := map[bool]string{true: "got", false: "timeout"}[ok]
	if err != nil {
		word = map[bool]string{true: "got", false: "nil"}[ok]
	}
	return fmt.Sprint(word, " ", err)
}

func TestWaitsWithATimeTellTimeFromCancellation(t *testing.T) {
	for what, within := range withins {
		for how, c := range map[string]struct {
			do    func(*world)
			want  string
			kinds []string // of what follows the timer
		}{
			"what is waited for": {func(w *world) { w.signal(poke.With(1)) }, "got <nil>", []string{"signaled", "timer-cancelled 1", "completed"}},
			"time":               {func(w *world) { w.pass(time.Hour) }, "timeout <nil>", []string{"timer-fired 1", "completed"}},
			"cancellation":       {func(w *world) { w.cancel() }, "nil cancelled", []string{"cancel-requested", "timer-cancelled 1", "completed"}},
		} {
			t.Run(what+" ends by "+how, func(t *testing.T) {
				w := yields(t, func(ctx workflow.Context) (string, error) { return within(ctx), nil })
				c.do(w)
				assert.Equal(t, c.want, result[string](w))
				assert.Equal(t, append([]string{"started", "timer-started 1"}, c.kinds...), w.kinds())
			})
		}
		t.Run(what+" in a scope that has ended", func(t *testing.T) {
			w := yields(t, func(ctx workflow.Context) (string, error) {
				ended, cancel := workflow.WithCancel(ctx)
				cancel()
				return within(ended), nil
			})
			assert.Equal(t, "nil cancelled", result[string](w))
			assert.Equal(t, []string{"started", "completed"}, w.kinds())
		})
	}
}

func TestWhatIsReadyNeedsNoTimer(t *testing.T) {
	w := yields(t, func(ctx workflow.Context) (all []string, err error) {
		_, err = halt.Receive(ctx)
		for _, what := range []string{"SelectWithin", "AwaitWithin", "ReceiveWithin"} {
			all = append(all, withins[what](ctx))
		}
		return all, err
	})
	w.signal(poke.With(1))
	w.signal(halt.With(1))
	assert.Equal(t, []string{"got <nil>", "got <nil>", "got <nil>"}, result[[]string](w))
	assert.Equal(t, []string{"started", "signaled", "signaled", "completed"}, w.kinds())
}

func TestNoTimeIsNoEntry(t *testing.T) {
	w := yields(t, func(ctx workflow.Context) (all []string, _ error) {
		add := func(v ...any) { all = append(all, fmt.Sprint(v...)) }
		for _, d := range []time.Duration{0, -time.Hour} {
			add(workflow.Sleep(ctx, d))
			timer := workflow.NewTimer(ctx, d)
			add(timer.Ready(), timer.Stop(), timer.Wait(ctx))
			got, err := workflow.SelectWithin(ctx, d, poke)
			add(got == workflow.Timeout, err)
			add(workflow.AwaitWithin(ctx, d, func() bool { return false }))
			within, _ := workflow.WithTimeout(ctx, d)
			add(within.Err())
		}
		add(workflow.SleepUntil(ctx, workflow.Now(ctx)), workflow.SleepUntil(ctx, time.Time{}))
		return all, nil
	})
	each := []string{"<nil>", "true false <nil>", "true <nil>", "false <nil>", "timed out"}
	got := result[[]string](w)
	assert.Equal(t, slices.Concat(each, each, []string{"<nil> <nil>"}), got)
	assert.Equal(t, []string{"started", "completed"}, w.kinds())
}

func TestTooLongIsInvalid(t *testing.T) {
	const d = commands.MaxDuration + 1
	for what, wait := range map[string]func(workflow.Context) error{
		"Sleep":      func(ctx workflow.Context) error { return workflow.Sleep(ctx, d) },
		"SleepUntil": func(ctx workflow.Context) error { return workflow.SleepUntil(ctx, workflow.Now(ctx).Add(d)) },
		"NewTimer":   func(ctx workflow.Context) error { return workflow.NewTimer(ctx, d).Wait(ctx) },
		"SelectWithin": func(ctx workflow.Context) error {
			got, err := workflow.SelectWithin(ctx, d, poke)
			if got != nil {
				return fmt.Errorf("the case is %v", got)
			}
			return err
		},
		"ReceiveWithin": func(ctx workflow.Context) error { _, _, err := poke.ReceiveWithin(ctx, d); return err },
		"AwaitWithin": func(ctx workflow.Context) error {
			_, err := workflow.AwaitWithin(ctx, d, func() bool { return false })
			return err
		},
		"WithTimeout": func(ctx workflow.Context) error {
			within, _ := workflow.WithTimeout(ctx, d)
			_, err := workflow.Do(within, work, 1)
			return err
		},
		"an activity's limit": func(ctx workflow.Context) error {
			_, err := workflow.Do(ctx, work, 1, activity.ScheduleToClose(d))
			return err
		},
	} {
		t.Run(what, func(t *testing.T) {
			var got error
			w := run(t, func(ctx workflow.Context) error {
				got = wait(ctx)
				return nil
			})
			assert.ErrorIs(t, got, commands.ErrInvalid)
			assert.Equal(t, []string{"started", "completed"}, w.kinds())
		})
	}
}

func TestStoppedTimerDoesNotFire(t *testing.T) {
	w := yields(t, func(ctx workflow.Context) ([]string, error) {
		timer := workflow.NewTimer(ctx, time.Hour)
		first, second := timer.Stop(), timer.Stop()
		fired := workflow.NewTimer(ctx, time.Hour)
		if err := fired.Wait(ctx); err != nil {
			return nil, err
		}
		return []string{fmt.Sprint(first, second, fired.Stop(), timer.Ready()), timer.Wait(ctx).Error()}, nil
	})
	w.pass(time.Hour)
	assert.Equal(t, []string{"true false false true", "workflow: the timer was stopped"}, result[[]string](w))
	assert.Equal(t, []string{"started", "timer-started 1", "timer-cancelled 1", "timer-started 2", "timer-fired 2", "completed"}, w.kinds())
}

func three(ctx workflow.Context) []workflow.Future[int] {
	return []workflow.Future[int]{workflow.Begin(ctx, work, 1), workflow.Begin(ctx, work, 2), workflow.Begin(ctx, work, 3)}
}

// settled runs fn over three activities, of which 3 succeeds first, then 2 fails, then 1 succeeds.
func settled[T any](t *testing.T, fn func(workflow.Context, []workflow.Future[int]) (T, error)) *world {
	w := yields(t, func(ctx workflow.Context) (T, error) { return fn(ctx, three(ctx)) })
	w.complete(3, 30)
	if w.state.Open() {
		w.fail(2, errNo)
	}
	if w.state.Open() {
		w.complete(1, 10)
	}
	return w
}

func TestAllWaitsForAllAndReturnsTheFirstErrorInOrder(t *testing.T) {
	w := settled(t, func(ctx workflow.Context, fs []workflow.Future[int]) (string, error) {
		vs, err := workflow.All(ctx, fs...)
		return fmt.Sprint(vs, err), nil
	})
	assert.Equal(t, "[10 0 30] activity work: no", result[string](w))
}

func TestAllSettledReturnsEachOutcome(t *testing.T) {
	w := settled(t, func(ctx workflow.Context, fs []workflow.Future[int]) (string, error) {
		all, err := workflow.AllSettled(ctx, fs...)
		return fmt.Sprint(all, err), nil
	})
	assert.Equal(t, "[{10 <nil>} {0 activity work: no} {30 <nil>}] <nil>", result[string](w))
}

func TestAllSettledTellsThatTheScopeEnded(t *testing.T) {
	w := run(t, func(ctx workflow.Context) error {
		fs := []workflow.Future[int]{workflow.Begin(ctx, work, 1, activity.OnCancel(activity.LeaveRunning))}
		_, err := workflow.AllSettled(ctx, fs...)
		return err
	})
	w.cancel()
	assert.ErrorIs(t, w.failure(), workflow.ErrCancelled)
}

func TestRaceReturnsTheFirstToFinish(t *testing.T) {
	race := func(ctx workflow.Context, fs []workflow.Future[int]) (int, error) { return workflow.Race(ctx, fs...) }
	assert.Equal(t, 30, result[int](settled(t, race)))
	w := yields(t, func(ctx workflow.Context) (int, error) { return race(ctx, three(ctx)) })
	w.fail(2, errNo)
	assert.EqualError(t, w.failure(), "activity work: no")
}

func TestAnyReturnsTheFirstSuccess(t *testing.T) {
	any3 := func(ctx workflow.Context) (int, error) { return workflow.Any(ctx, three(ctx)...) }
	w := yields(t, any3)
	w.fail(2, errNo)
	w.complete(3, 30)
	assert.Equal(t, 30, result[int](w))
	w = yields(t, any3)
	for step := history.Step(1); step <= 3; step++ {
		w.fail(step, errNo)
	}
	assert.EqualError(t, w.failure(), "activity work: no\nactivity work: no\nactivity work: no")
	w = yields(t, any3)
	w.cancel()
	assert.Equal(t, history.StatusCancelled, w.state.Status)
}

func TestFuturesOfFunctionsAndOfSeveralReaders(t *testing.T) {
	w := yields(t, func(ctx workflow.Context) ([]string, error) {
		var all []string
		f := workflow.BeginFunc(ctx, func(ctx workflow.Context) (*int, error) {
			v, err := workflow.Do(ctx, work, 1)
			return &v, err
		})
		var g workflow.WaitGroup
		for i := range 2 {
			g.Go(ctx, func(ctx workflow.Context) {
				v, err := f.Get(ctx)
				all = append(all, fmt.Sprint(i, *v, err))
			})
		}
		err := g.Wait(ctx)
		none, fail := workflow.BeginFunc(ctx, func(workflow.Context) (error, error) { return nil, errors.New("oh") }).Get(ctx)
		return append(all, fmt.Sprint(none, fail)), err
	})
	w.complete(1, 5)
	assert.Equal(t, []string{"0 5 <nil>", "1 5 <nil>", "<nil> oh"}, result[[]string](w))
}

func TestCoroutinesRunInTheOrderInWhichTheyBecomeReady(t *testing.T) {
	w := yields(t, func(ctx workflow.Context) (all []string, err error) {
		var g workflow.WaitGroup
		turn := 2
		for i := range 3 {
			g.Go(ctx, func(ctx workflow.Context) {
				all = append(all, fmt.Sprint("begin ", i))
				_ = workflow.Await(ctx, func() bool { return poke.Unread(ctx) > 0 && turn == i })
				all = append(all, fmt.Sprint("end ", i))
				turn--
			})
		}
		all = append(all, "main")
		err = g.Wait(ctx)
		return all, err
	})
	w.signal(poke.With(1))
	assert.Equal(t, []string{"main", "begin 0", "begin 1", "begin 2", "end 2", "end 1", "end 0"}, result[[]string](w))
}

func TestSemaphoreAndMutexLetInAsManyAsTheySay(t *testing.T) {
	w := yields(t, func(ctx workflow.Context) ([]int, error) {
		s, m := workflow.NewSemaphore(2), &workflow.Mutex{}
		in, locked := 0, 0
		var most []int
		var g workflow.WaitGroup
		for range 5 {
			g.Go(ctx, func(ctx workflow.Context) {
				_ = s.Acquire(ctx)
				in++
				_ = workflow.Sleep(ctx, time.Minute)
				_ = m.Lock(ctx)
				locked++
				_ = workflow.Sleep(ctx, time.Minute)
				most = append(most, 10*in+locked)
				locked--
				m.Unlock()
				in--
				s.Release()
			})
		}
		err := g.Wait(ctx)
		return []int{slices.Max(most), len(most)}, err
	})
	for range 20 {
		w.pass(time.Minute)
	}
	assert.Equal(t, []int{21, 5}, result[[]int](w))
}

func TestEveryWaitEndsWithItsScope(t *testing.T) {
	full := workflow.NewSemaphore(0)
	for what, wait := range map[string]func(workflow.Context) error{
		"Sleep":     func(ctx workflow.Context) error { return workflow.Sleep(ctx, time.Hour) },
		"Do":        func(ctx workflow.Context) error { _, err := workflow.Do(ctx, work, 1); return err },
		"Receive":   func(ctx workflow.Context) error { _, err := poke.Receive(ctx); return err },
		"Select":    func(ctx workflow.Context) error { _, err := workflow.Select(ctx, poke); return err },
		"Await":     func(ctx workflow.Context) error { return workflow.Await(ctx, func() bool { return false }) },
		"Semaphore": func(ctx workflow.Context) error { return full.Acquire(ctx) },
		"Mutex":     func(ctx workflow.Context) error { var m workflow.Mutex; _ = m.Lock(ctx); return m.Lock(ctx) },
		"Channel":   func(ctx workflow.Context) error { _, err := workflow.NewChannel[int](0).Receive(ctx); return err },
		"Send":      func(ctx workflow.Context) error { return workflow.NewChannel[int](0).Send(ctx, 1) },
		"full Send": func(ctx workflow.Context) error {
			c := workflow.NewChannel[int](1)
			return errors.Join(c.Send(ctx, 1), c.Send(ctx, 1))
		},
		"All signals": func(ctx workflow.Context) error {
			for range poke.All(ctx) {
			}
			return ctx.Err()
		},
		"WaitGroup": func(ctx workflow.Context) error {
			var g workflow.WaitGroup
			g.Go(workflow.WithoutCancel(ctx), func(ctx workflow.Context) { _, _ = halt.Receive(ctx) })
			return g.Wait(ctx)
		},
	} {
		t.Run(what, func(t *testing.T) {
			var within, outer error
			w := run(t, func(ctx workflow.Context) error {
				inner, _ := workflow.WithTimeout(ctx, time.Minute)
				within = wait(inner)
				outer = wait(ctx)
				return outer
			})
			w.pass(time.Minute)
			assert.ErrorIs(t, within, workflow.ErrTimeout)
			w.cancel()
			assert.ErrorIs(t, outer, workflow.ErrCancelled)
			assert.Equal(t, history.StatusCancelled, w.state.Status)
		})
	}
}

func TestChannelPassesValuesInOrder(t *testing.T) {
	for _, size := range []int{0, 1, 2} {
		w := yields(t, func(ctx workflow.Context) (all []string, err error) {
			c := workflow.NewChannel[int](size)
			workflow.Go(ctx, func(ctx workflow.Context) {
				for i := range 3 {
					_ = c.Send(ctx, i)
					all = append(all, fmt.Sprint("sent ", i))
				}
				c.Close()
			})
			_ = workflow.Sleep(ctx, time.Minute)
			for {
				v, err := c.Receive(ctx)
				if errors.Is(err, workflow.ErrClosed) {
					got, err := workflow.Select(ctx, c)
					return append(all, fmt.Sprint(got == workflow.Case(c))), err
				}
				all = append(all, fmt.Sprint("got ", v))
			}
		})
		w.pass(time.Minute)
		assert.Equal(t, [][]string{
			{"got 0", "sent 0", "got 1", "sent 1", "got 2", "sent 2", "true"},
			{"sent 0", "got 0", "sent 1", "got 1", "sent 2", "got 2", "true"},
			{"sent 0", "sent 1", "got 0", "got 1", "sent 2", "got 2", "true"},
		}[size], result[[]string](w), "size %d", size)
	}
	w := run(t, func(ctx workflow.Context) error {
		c := workflow.NewChannel[int](1)
		c.Close()
		return c.Send(ctx, 1)
	})
	assert.EqualError(t, w.err, "send on a closed channel")
}

func TestScopesEndWithTheirParents(t *testing.T) {
	w := yields(t, func(ctx workflow.Context) ([]string, error) {
		outer, cancel := workflow.WithCancel(ctx)
		inner, cancelInner := workflow.WithTimeout(outer, time.Hour)
		free := workflow.WithoutCancel(inner)
		other, _ := workflow.WithCancel(ctx)
		innermost, _ := workflow.WithCancel(inner)
		cancel()
		cancel()
		cancelInner()
		late, _ := workflow.WithTimeout(outer, time.Hour)
		var all []string
		for _, c := range []workflow.Context{ctx, outer, inner, innermost, free, other, late} {
			all = append(all, fmt.Sprint(c.Err()))
		}
		_, err := workflow.Do(outer, work, 1)
		return append(all, fmt.Sprint(err)), nil
	})
	assert.Equal(t, []string{"<nil>", "cancelled", "cancelled", "cancelled", "<nil>", "<nil>", "cancelled", "cancelled"}, result[[]string](w))
	assert.Equal(t, []string{"started", "timer-started 1", "timer-cancelled 1", "completed"}, w.kinds())
}

func TestInnerTimeoutLeavesTheOuterScope(t *testing.T) {
	w := yields(t, func(ctx workflow.Context) ([]string, error) {
		outer, cancel := workflow.WithTimeout(ctx, 2*time.Hour)
		inner, _ := workflow.WithTimeout(outer, time.Hour)
		_, err := workflow.Do(inner, work, 1)
		_, again := workflow.Do(outer, work, 2)
		cancel()
		return []string{fmt.Sprint(err), fmt.Sprint(again), fmt.Sprint(inner.Err()), fmt.Sprint(outer.Err())}, nil
	})
	w.pass(time.Hour)
	w.complete(4, 1)
	assert.Equal(t, []string{"timed out", "<nil>", "timed out", "cancelled"}, result[[]string](w))
	assert.Equal(t, []string{"started", "timer-started 1", "timer-started 2", "activity-scheduled 3", "timer-fired 2", "activity-cancel-requested 3",
		"activity-scheduled 4", "activity-completed 4", "timer-cancelled 1", "completed"}, w.kinds())
}

func TestCancelOfABegunActivityIsByItsPolicy(t *testing.T) {
	code := func(how activity.Cancel) func(workflow.Context) (string, error) {
		return func(ctx workflow.Context) (string, error) {
			v, err := workflow.Do(ctx, work, 1, activity.OnCancel(how))
			free := workflow.WithoutCancel(ctx)
			if _, err := workflow.Do(free, work, 2); err != nil { // cleaning up
				return "", err
			}
			return fmt.Sprint(v, err), nil
		}
	}
	t.Run("TryCancel", func(t *testing.T) {
		w := yields(t, code(activity.TryCancel))
		w.cancel()
		assert.Equal(t, []string{"started", "activity-scheduled 1", "cancel-requested", "activity-cancel-requested 1", "activity-scheduled 2"}, w.kinds())
		w.complete(2, 0)
		assert.Equal(t, "0 cancelled", result[string](w))
	})
	t.Run("LeaveRunning", func(t *testing.T) {
		w := yields(t, code(activity.LeaveRunning))
		w.cancel()
		assert.Equal(t, []string{"started", "activity-scheduled 1", "cancel-requested", "activity-scheduled 2"}, w.kinds())
		w.complete(1, 7)
		w.complete(2, 0)
		assert.Equal(t, "0 cancelled", result[string](w))
	})
	t.Run("WaitCancelled and it stops", func(t *testing.T) {
		w := yields(t, code(activity.WaitCancelled))
		w.cancel()
		assert.Equal(t, []string{"started", "activity-scheduled 1", "cancel-requested", "activity-cancel-requested 1"}, w.kinds())
		w.fail(1, context.Canceled)
		w.complete(2, 0)
		assert.Equal(t, "0 activity work: cancelled", result[string](w))
	})
	t.Run("WaitCancelled and it completes", func(t *testing.T) {
		w := yields(t, code(activity.WaitCancelled))
		w.cancel()
		w.complete(1, 7)
		w.complete(2, 0)
		assert.Equal(t, "7 <nil>", result[string](w))
	})
}

func TestWaitCancelledWaitsOnlyForWhatWasAskedToEnd(t *testing.T) {
	w := yields(t, func(ctx workflow.Context) (string, error) {
		f := workflow.Begin(ctx, work, 1, activity.OnCancel(activity.WaitCancelled))
		short, _ := workflow.WithTimeout(ctx, time.Minute)
		_, err := f.Get(short)
		v, again := f.Get(ctx)
		return fmt.Sprint(err, " ", v, again), nil
	})
	w.pass(time.Minute)
	w.complete(1, 7)
	assert.Equal(t, "timed out 7 <nil>", result[string](w))
}

func TestSignalsAreReceivedInOrder(t *testing.T) {
	w := yields(t, func(ctx workflow.Context) (all []int, err error) {
		if _, ok := poke.TryReceive(ctx); ok {
			return nil, errors.New("nothing was sent")
		}
		if _, err := halt.Receive(ctx); err != nil {
			return nil, err
		}
		all = append(all, poke.Unread(ctx))
		v, _ := poke.TryReceive(ctx)
		all = append(all, v, poke.Unread(ctx))
		for v := range poke.All(ctx) {
			if all = append(all, v); v == 4 {
				break
			}
		}
		v, ok, err := poke.ReceiveWithin(ctx, time.Hour)
		if !ok {
			return nil, err
		}
		return append(all, v), err
	})
	for v := range 4 {
		w.signal(poke.With(v + 1))
	}
	w.signal(halt.With(0))
	w.signal(poke.With(5))
	assert.Equal(t, []int{4, 1, 3, 2, 3, 4, 5}, result[[]int](w))
}

func TestSignalThatDoesNotDecodeStalls(t *testing.T) {
	w := run(t, func(ctx workflow.Context) error { _, err := poke.Receive(ctx); return err })
	w.record(&history.Signaled{Name: "poke", Value: history.JSON([]byte(`"x"`))})
	var stalled *replay.Stalled
	require.ErrorAs(t, w.err, &stalled)
	assert.Contains(t, stalled.Reason, "signal poke in entry 2")
	assert.ErrorIs(t, workflow.NewSignal[int]("no spaces").With(1).Err, commands.ErrInvalid)
	assert.Error(t, workflow.NewSignal[func()]("fn").With(nil).Err)
}

func TestZeroDefinitionsStall(t *testing.T) {
	w := run(t, func(ctx workflow.Context) error {
		_, err := workflow.Do(ctx, activity.Type[int, int]{}, 1)
		return err
	})
	assert.ErrorContains(t, w.err, "activity.Define")
	w = run(t, func(ctx workflow.Context) error {
		_, err := workflow.Signal[int]{}.Receive(ctx)
		return err
	})
	assert.ErrorContains(t, w.err, "workflow.NewSignal")
}

func TestActivityErrorsReachTheWorkflow(t *testing.T) {
	gone := activity.NewError("gone", "gone for good")
	w := run(t, func(ctx workflow.Context) error {
		_, err := workflow.Do(ctx, work, 1, activity.MaxAttempts(1))
		var e *activity.Error
		if !errors.As(err, &e) || e.Code != "gone" || e.Activity != "work" || e.Attempts != 1 || !errors.Is(err, gone) {
			return fmt.Errorf("not what failed: %w", err)
		}
		_, err = workflow.Do(ctx, work, 1, activity.ScheduleToClose(time.Minute))
		if !errors.As(err, &e) || e.Limit != history.ScheduleToClose || !errors.Is(err, workflow.ErrTimeout) {
			return fmt.Errorf("not what timed out: %w", err)
		}
		return err
	})
	w.fail(1, fmt.Errorf("looking: %w", gone))
	w.pass(time.Minute)
	assert.EqualError(t, w.failure(), "activity work: schedule-to-close timed out")
}

func TestPayloadLimitIsToldToTheCode(t *testing.T) {
	w := untold(t, replay.Config{MaxPayload: 10, Code: codeOf(func(ctx workflow.Context, _ int) (string, error) {
		_, err := workflow.Do(ctx, activity.Declare[string, int]("take"), "much too long for this")
		if !errors.Is(err, commands.ErrTooLarge) {
			return "", err
		}
		return "fine", nil
	})})
	w.give(start(t, 1))
	assert.Equal(t, "fine", result[string](w))
}

// These numbers are a promise: runs that are open remember what they drew.
func TestDiceOfASeedNeverChange(t *testing.T) {
	w := yields(t, func(ctx workflow.Context) ([]string, error) {
		r := workflow.Rand(ctx)
		return []string{
			fmt.Sprint(r.Uint64()), fmt.Sprint(r.IntN(1000)), fmt.Sprint(r.Float64()), fmt.Sprint(r.Perm(5)), fmt.Sprint(workflow.Rand(ctx).Uint64()),
			workflow.NewUUID(ctx), workflow.NewUUID(ctx),
		}, nil
	})
	assert.Equal(t, []string{
		"15818923871262189983", "960", "0.1295216259328179", "[3 4 2 1 0]", "6708534997569091786",
		"80f4f268-82b2-428d-9dbc-ac73ad2b6def", "739b5c03-ca72-4f3a-a95d-f4f880b210b7",
	}, result[[]string](w))
}

func TestInfoSaysWhichRunThisIs(t *testing.T) {
	var infos []workflow.Run
	w := run(t, func(ctx workflow.Context) error {
		infos = append(infos, workflow.Info(ctx))
		_, err := poke.Receive(ctx)
		infos = append(infos, workflow.Info(ctx))
		return err
	})
	before := w.state.Bytes
	w.signal(poke.With(1))
	want := workflow.Run{Namespace: "ns", ID: "w1", Run: "run1", Number: 1, Type: "test", Started: dawn, Seed: seed, Entries: 1, Chain: "run1", Budget: history.StandardBudget}
	assert.Equal(t, want, infos[0])
	want.Entries, want.Bytes = 2, before
	assert.Equal(t, want, infos[1])
}
