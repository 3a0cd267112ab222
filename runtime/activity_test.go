package runtime_test

import (
	"context"
	"errors"
	"fmt"
	goruntime "runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clewflow/clew/activity"
	"github.com/clewflow/clew/runtime"
	"github.com/clewflow/clew/workflow"
)

// calling makes a workflow that does one activity.
func calling[Out any](a activity.Type[string, Out], opts ...activity.Option) workflow.Type[string, Out] {
	return workflow.Define("caller", func(ctx workflow.Context, s string) (Out, error) { return workflow.Do(ctx, a, s, opts...) })
}

// body makes an activity of a function that is changed from test to test.
func body(fn func(context.Context, string) (string, error), opts ...activity.Option) activity.Type[string, string] {
	return activity.Define("act", fn, opts...)
}

func run(t *testing.T, fn func(context.Context, string) (string, error), opts ...activity.Option) (out, kinds string, took time.Duration, err error) {
	t.Helper()
	a := body(fn, opts...)
	w := calling(a)
	synctest.Test(t, func(t *testing.T) {
		world := newWorld(t, runtime.Config{})
		world.open(a, w)
		began := time.Now()
		h, startErr := runtime.Start(world.ctx(), world.rt, "a", w, "in")
		require.NoError(t, startErr)
		out, err = h.Result(world.ctx())
		took = time.Since(began)
		kinds = strings.Join(world.kinds("a"), " ")
		world.close()
		world.verify(a, w)
	})
	return out, kinds, took, err
}

type declined struct{ Card string }

func (d *declined) Error() string { return "declined " + d.Card }

var (
	_         = activity.RegisterError[*declined]("test.declined")
	errSold   = activity.NewError("test.sold-out", "sold out")
	noRetries = activity.MaxAttempts(1)
)

func TestErrorsKeepTheirTypeAcrossTheLog(t *testing.T) {
	_, _, _, err := run(t, func(context.Context, string) (string, error) {
		return "", fmt.Errorf("charging: %w", errors.Join(errors.New("x"), fmt.Errorf("card: %w", &declined{"4711"})))
	}, noRetries)
	var d *declined
	require.ErrorAs(t, err, &d)
	assert.Equal(t, "4711", d.Card)
	assert.ErrorContains(t, err, "charging: x\ncard: declined 4711")
	var a *activity.Error
	require.ErrorAs(t, err, &a)
	assert.Equal(t, "test.declined", a.Code)
	assert.Equal(t, 1, a.Attempts)
}

func TestNonRetryableIsFoundAnywhereInTheChain(t *testing.T) {
	for name, err := range map[string]error{
		"marked":       fmt.Errorf("a: %w", activity.NonRetryable(errors.New("b"))),
		"by sentinel":  fmt.Errorf("a: %w", errSold),
		"by type":      fmt.Errorf("a: %w", &declined{}),
		"joined inner": errors.Join(errors.New("x"), fmt.Errorf("y: %w", errSold)),
	} {
		calls := 0
		_, kinds, _, got := run(t, func(context.Context, string) (string, error) { calls++; return "", err },
			activity.NeverRetry(errSold, &declined{}))
		assert.Equal(t, 1, calls, name)
		assert.Error(t, got)
		assert.Equal(t, "started activity-scheduled activity-failed failed", kinds)
	}
}

func TestRetryAfterSetsThisDelayOnly(t *testing.T) {
	calls := 0
	_, _, took, err := run(t, func(context.Context, string) (string, error) {
		switch calls++; calls {
		case 1:
			return "", activity.RetryAfter(3*hour, errors.New("later"))
		case 2:
			return "", errors.New("again")
		}
		return "ok", nil
	}, activity.Retry{Backoff: activity.Fixed, Initial: time.Minute, Jitter: activity.NoJitter})
	require.NoError(t, err)
	assert.Equal(t, 3*hour+time.Minute, took)
}

func TestPanicAndGoexitAreFailedAttempts(t *testing.T) {
	calls := 0
	out, _, _, err := run(t, func(context.Context, string) (string, error) {
		switch calls++; calls {
		case 1:
			panic("oh")
		case 2:
			goruntime.Goexit()
		}
		return "ok", nil
	})
	require.NoError(t, err)
	assert.Equal(t, "ok", out)
	_, _, _, err = run(t, func(context.Context, string) (string, error) { panic("oh") }, noRetries)
	assert.ErrorIs(t, err, activity.ErrPanicked)
	var p *activity.PanicError
	require.ErrorAs(t, err, &p)
	assert.Contains(t, p.Stack, "activity_test.go")
}

func TestStartToCloseEndsTheContextAndRetries(t *testing.T) {
	calls, cause := 0, error(nil)
	out, kinds, took, err := run(t, func(ctx context.Context, _ string) (string, error) {
		if calls++; calls > 1 {
			return "second", nil
		}
		deadline, _ := ctx.Deadline()
		assert.Equal(t, time.Minute, time.Until(deadline))
		<-ctx.Done()
		cause = context.Cause(ctx)
		return "too late", nil
	}, activity.StartToClose(time.Minute), activity.Retry{Jitter: activity.NoJitter})
	require.NoError(t, err)
	assert.Equal(t, "second", out)
	assert.Equal(t, "started activity-scheduled attempt-failed activity-completed completed", kinds)
	assert.Equal(t, time.Minute+time.Second, took)
	assert.ErrorIs(t, cause, activity.ErrTimeout)
	assert.ErrorContains(t, cause, "start-to-close")
}

func TestTimeoutsThatTheCodeIsTold(t *testing.T) {
	silent := func(ctx context.Context, _ string) (string, error) { <-ctx.Done(); return "", ctx.Err() }
	for limit, opts := range map[string][]activity.Option{
		"start-to-close":    {activity.StartToClose(time.Minute), activity.OnTimeout(activity.ThenReturn)},
		"schedule-to-close": {activity.ScheduleToClose(time.Minute)},
		"heartbeat":         {activity.HeartbeatWithin(time.Minute), activity.OnTimeout(activity.ThenReturn)},
	} {
		_, kinds, took, err := run(t, silent, opts...)
		require.ErrorIs(t, err, activity.ErrTimeout, limit)
		var a *activity.Error
		require.ErrorAs(t, err, &a)
		assert.Equal(t, limit, a.Limit)
		assert.Equal(t, time.Minute, took, limit)
		assert.Equal(t, "started activity-scheduled activity-timed-out failed", kinds, limit)
	}
}

func TestThenFailRunClosesTheRun(t *testing.T) {
	_, kinds, _, err := run(t, func(ctx context.Context, _ string) (string, error) { <-ctx.Done(); return "", ctx.Err() },
		activity.StartToClose(time.Minute), activity.OnTimeout(activity.ThenFailRun))
	require.ErrorIs(t, err, activity.ErrTimeout)
	assert.Equal(t, "started activity-scheduled timed-out", kinds)
}

func TestThenAlertLetsTheAttemptGoOn(t *testing.T) {
	out, kinds, took, err := run(t, func(ctx context.Context, _ string) (string, error) {
		time.Sleep(5 * time.Minute)
		return "late", ctx.Err()
	}, activity.StartToClose(time.Minute), activity.OnTimeout(activity.ThenAlert))
	require.NoError(t, err)
	assert.Equal(t, "late", out)
	assert.Equal(t, 5*time.Minute, took)
	assert.Equal(t, "started activity-scheduled attempt-overdue activity-completed completed", kinds)
}

func TestHeartbeatsKeepAnAttemptAliveAndPassItsCheckpointOn(t *testing.T) {
	calls, resumed := 0, -1
	out, kinds, _, err := run(t, func(ctx context.Context, _ string) (string, error) {
		calls++
		from, ok := activity.Checkpoint[int](ctx)
		if ok {
			resumed = from
		}
		for i := from; i < 100; i++ {
			if err := activity.Heartbeat(ctx, i); err != nil {
				return "", err
			}
			if calls == 1 && i == 57 {
				return "", errors.New("crash")
			}
			time.Sleep(30 * time.Second)
		}
		return "all", nil
	}, activity.HeartbeatWithin(time.Minute), activity.StartToClose(2*hour))
	require.NoError(t, err)
	assert.Equal(t, "all", out)
	assert.Equal(t, 57, resumed, "the last checkpoint is never lost to throttling")
	assert.LessOrEqual(t, strings.Count(kinds, "heartbeat"), 110)
	assert.NotContains(t, kinds, "timed-out")
}

func TestUnchangedCheckpointsAreNotRecorded(t *testing.T) {
	_, kinds, _, err := run(t, func(ctx context.Context, _ string) (string, error) {
		for range 3600 {
			if err := activity.Heartbeat(ctx, "same"); err != nil {
				return "", err
			}
			time.Sleep(time.Second)
		}
		return "", nil
	}, activity.HeartbeatWithin(2*time.Second), activity.StartToClose(2*hour))
	require.NoError(t, err)
	assert.LessOrEqual(t, strings.Count(kinds, "heartbeat"), 1)
}

func TestCompletionFromOutside(t *testing.T) {
	var tokens chan string
	ask := body(func(ctx context.Context, _ string) (string, error) {
		tokens <- activity.Token(ctx)
		return "", activity.Pending
	}, activity.ScheduleToClose(3*day), activity.NeverRetry(errSold))
	other := activity.Define("other", func(context.Context, string) (string, error) { return "", nil })
	caller := calling(ask)
	inWorld(t, func(w *world) {
		ctx := w.ctx()
		tokens = make(chan string, 10) // of this bubble
		h, err := runtime.Start(ctx, w.rt, "a", caller, "")
		require.NoError(t, err)
		token := <-tokens
		time.Sleep(day)
		assert.ErrorIs(t, runtime.Complete(ctx, w.rt, other, token, "x"), runtime.ErrInvalid)
		assert.ErrorIs(t, runtime.Complete(ctx, w.rt, ask, token[:len(token)-2]+"xx", "x"), runtime.ErrInvalid)
		require.NoError(t, w.rt.Fail(ctx, token, errors.New("try again")))
		second := <-tokens
		time.Sleep(time.Minute)
		assert.ErrorIs(t, runtime.Complete(ctx, w.rt, ask, token, "late"), runtime.ErrStale)
		require.NoError(t, w.rt.Heartbeat(ctx, second, 1))
		require.NoError(t, runtime.Complete(ctx, w.rt, ask, second, "yes"))
		require.NoError(t, runtime.Complete(ctx, w.rt, ask, second, "yes"), "the same call gives the first answer")
		assert.ErrorIs(t, runtime.Complete(ctx, w.rt, ask, second, "no"), runtime.ErrSettled)
		assert.ErrorIs(t, w.rt.Heartbeat(ctx, second, 2), runtime.ErrSettled)
		out, err := h.Result(ctx)
		require.NoError(t, err)
		assert.Equal(t, "yes", out)

		h, err = runtime.Start(ctx, w.rt, "b", caller, "")
		require.NoError(t, err)
		<-tokens
		_, err = h.Result(ctx)
		assert.ErrorIs(t, err, activity.ErrTimeout, "nobody answers")
	}, ask, other, caller)
}

func TestCancellationReachesTheActivityAtOnce(t *testing.T) {
	var ended time.Time
	slow := body(func(ctx context.Context, _ string) (string, error) {
		<-ctx.Done()
		ended = time.Now()
		assert.ErrorIs(t, activity.Heartbeat(ctx, nil), activity.ErrCancelled)
		return "", errors.New("stopped")
	})
	for _, policy := range []activity.Cancel{activity.TryCancel, activity.WaitCancelled} {
		caller := calling(slow, activity.OnCancel(policy))
		inWorld(t, func(w *world) {
			h, err := runtime.Start(w.ctx(), w.rt, "a", caller, "")
			require.NoError(t, err)
			time.Sleep(time.Minute)
			at := time.Now()
			require.NoError(t, w.rt.Cancel(w.ctx(), "a"))
			_, err = h.Result(w.ctx())
			assert.ErrorIs(t, err, workflow.ErrCancelled)
			synctest.Wait()
			assert.Equal(t, at, ended)
		}, slow, caller)
	}
}

func TestWaitCancelledOfWhatNobodyHasInHandEnds(t *testing.T) {
	calls := 0
	fails := body(func(context.Context, string) (string, error) { calls++; return "", errors.New("no") },
		activity.Retry{Initial: hour, Max: day}, activity.OnCancel(activity.WaitCancelled))
	caller := calling(fails)
	inWorld(t, func(w *world) {
		calls = 0
		h, err := runtime.Start(w.ctx(), w.rt, "a", caller, "")
		require.NoError(t, err)
		time.Sleep(time.Minute)
		require.NoError(t, w.rt.Cancel(w.ctx(), "a"))
		_, err = h.Result(w.ctx())
		assert.ErrorIs(t, err, workflow.ErrCancelled)
		assert.Equal(t, 1, calls)
	}, fails, caller)
}

func TestOneAttemptIsNeverMadeTwice(t *testing.T) {
	calls := 0
	once := body(func(ctx context.Context, _ string) (string, error) {
		calls++
		<-ctx.Done()
		return "", ctx.Err()
	}, noRetries, activity.StartToClose(hour))
	caller := calling(once)
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, runtime.Config{Drain: time.Second})
		w.open(once, caller)
		_, err := runtime.Start(w.ctx(), w.rt, "a", caller, "")
		require.NoError(t, err)
		time.Sleep(time.Minute)
		w.close() // cut off in the middle
		w.open(once, caller)
		_, err = runtime.Result(w.ctx(), w.rt, "a", caller)
		assert.Error(t, err)
		assert.Equal(t, 1, calls)
		w.close()
	})
}

func TestWhatIsCutOffAtShutdownIsMadeAgain(t *testing.T) {
	calls := 0
	slow := body(func(ctx context.Context, _ string) (string, error) {
		if calls++; calls == 2 {
			return "second", nil
		}
		<-ctx.Done()
		return "", context.Cause(ctx)
	})
	caller := calling(slow)
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, runtime.Config{Drain: time.Second})
		w.open(slow, caller)
		_, err := runtime.Start(w.ctx(), w.rt, "a", caller, "")
		require.NoError(t, err)
		time.Sleep(time.Minute)
		w.close()
		w.open(slow, caller)
		out, err := runtime.Result(w.ctx(), w.rt, "a", caller)
		require.NoError(t, err)
		assert.Equal(t, "second", out)
		assert.Equal(t, []string{"started", "activity-scheduled", "activity-completed", "completed"}, w.kinds("a"))
		w.close()
	})
}

func TestInfoIsTheSameForAllAttempts(t *testing.T) {
	var seen []activity.Attempt
	_, _, _, err := run(t, func(ctx context.Context, _ string) (string, error) {
		seen = append(seen, activity.Info(ctx))
		if len(seen) < 3 {
			return "", errSold
		}
		return "", nil
	})
	require.NoError(t, err)
	require.Len(t, seen, 3)
	for i, a := range seen {
		assert.Equal(t, i+1, a.Number)
		assert.Equal(t, seen[0].IdempotencyKey, a.IdempotencyKey)
		assert.Equal(t, "a", a.Execution)
		assert.Equal(t, uint64(1), a.Step)
	}
	assert.NotEmpty(t, seen[0].IdempotencyKey)
	assert.NoError(t, seen[0].LastFailure)
	assert.ErrorIs(t, seen[1].LastFailure, errSold)
}
