package activitytest_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clewflow/clew/activity"
	"github.com/clewflow/clew/activity/activitytest"
)

var (
	errDown     = errors.New("network down")
	errDeclined = activity.NewError("declined", "the card was declined")
)

// virtually runs a test on the virtual clock.
func virtually(t *testing.T, test func(t *testing.T)) {
	t.Helper()
	synctest.Test(t, test)
}

// fails returns errors, one for each attempt, and then its input.
func fails(errs ...error) func(context.Context, string) (string, error) {
	n := 0
	return func(_ context.Context, in string) (string, error) {
		if n++; n <= len(errs) {
			return "", errs[n-1]
		}
		return in, nil
	}
}

// hangs waits until its context ends.
func hangs(ctx context.Context, _ string) (string, error) {
	<-ctx.Done()
	return "", context.Cause(ctx)
}

func outcomes[Out any](ran *activitytest.Ran[Out]) (all []string) {
	for _, try := range ran.Attempts {
		all = append(all, fmt.Sprintf("%d %s %s %s %s", try.Number, try.Outcome, try.Limit, try.Final, try.Retry))
	}
	return all
}

func TestAnActivityIsTriedAgainByItsOwnPolicy(t *testing.T) {
	virtually(t, func(t *testing.T) {
		charge := activity.Define("charge", fails(errDown, errDown, errDown), activity.Retry{Initial: 3 * time.Second, Factor: 3, Max: 20 * time.Second})
		ran := activitytest.Run(t, charge, "4200")
		out, err := ran.Result()
		require.NoError(t, err)
		assert.Equal(t, "4200", out)
		assert.Equal(t, []string{"1 failed   3s", "2 failed   9s", "3 failed   20s", "4 completed   0s"}, outcomes(ran))
		assert.Equal(t, 32*time.Second, ran.Elapsed)
		assert.ErrorIs(t, ran.Attempts[1].Err, errDown)
	})
}

func TestWhatIsFinalIsNotTriedAgain(t *testing.T) {
	virtually(t, func(t *testing.T) {
		for name, c := range map[string]struct {
			err   error
			opts  []activity.Option
			final string
			tries int
		}{
			"attempts":       {errDown, []activity.Option{activity.MaxAttempts(2)}, "attempts", 2},
			"marked":         {activity.NonRetryable(errDown), nil, "non-retryable", 1},
			"by code":        {fmt.Errorf("bank: %w", errDeclined), []activity.Option{activity.NeverRetry(errDeclined)}, "non-retryable", 1},
			"no time left":   {activity.RetryAfter(2*time.Hour, errDown), []activity.Option{activity.ScheduleToClose(time.Hour)}, "time", 1},
			"only one asked": {errDown, []activity.Option{activity.MaxAttempts(1)}, "attempts", 1},
		} {
			ran := activitytest.Run(t, activity.Define("charge", fails(c.err, c.err, c.err)), "", activitytest.With(c.opts...))
			_, err := ran.Result()
			var failed *activity.Error
			require.ErrorAs(t, err, &failed, name)
			assert.Equal(t, c.tries, failed.Attempts, name)
			require.Len(t, ran.Attempts, c.tries, name)
			assert.Equal(t, c.final, ran.Attempts[c.tries-1].Final, name)
			assert.Equal(t, errors.Is(c.err, errDeclined), errors.Is(err, errDeclined), name)
		}
	})
}

func TestRetryAfterIsKept(t *testing.T) {
	virtually(t, func(t *testing.T) {
		ran := activitytest.Run(t, activity.Define("a", fails(activity.RetryAfter(time.Hour, errDown))), "")
		assert.Equal(t, time.Hour, ran.Attempts[0].Retry)
		assert.Equal(t, time.Hour, ran.Elapsed)
	})
}

func TestOnceMakesOneAttempt(t *testing.T) {
	virtually(t, func(t *testing.T) {
		ran := activitytest.Once(t, activity.Define("a", fails(errDown)), "")
		require.Len(t, ran.Attempts, 1)
		assert.Equal(t, time.Second, ran.Attempts[0].Retry)
		_, err := ran.Result()
		assert.EqualError(t, err, "activity a: network down")

		ran = activitytest.Once(t, activity.Define("a", hangs, activity.StartToClose(time.Minute)), "")
		assert.Equal(t, []string{"1 timed out start-to-close  1s"}, outcomes(ran))
		_, err = ran.Result()
		assert.ErrorIs(t, err, activity.ErrTimeout)

		ran = activitytest.Once(t, activity.Define("a", hangs), "", activitytest.LoseAfter(time.Minute))
		assert.Equal(t, []string{"1 lost   0s"}, outcomes(ran))
	})
}

func TestEachLimitEndsTheContextAndSaysWhich(t *testing.T) {
	virtually(t, func(t *testing.T) {
		for _, c := range []struct {
			option activity.Option
			limit  string
			after  time.Duration
		}{
			{activity.StartToClose(time.Minute), "start-to-close", time.Minute},
			{activity.ScheduleToClose(2 * time.Minute), "schedule-to-close", 2 * time.Minute},
			{activity.HeartbeatWithin(30 * time.Second), "heartbeat", 30 * time.Second},
		} {
			ran := activitytest.Run(t, activity.Define("a", hangs, c.option, activity.OnTimeout(activity.ThenReturn)), "")
			require.Len(t, ran.Attempts, 1, c.limit)
			try := ran.Attempts[0]
			assert.Equal(t, activitytest.TimedOut, try.Outcome)
			assert.Equal(t, c.limit, try.Limit)
			assert.Equal(t, c.after, try.Took)
			assert.ErrorIs(t, try.Cause, activity.ErrTimeout)
			assert.ErrorContains(t, try.Cause, c.limit)
			_, err := ran.Result()
			var failed *activity.Error
			require.ErrorAs(t, err, &failed)
			assert.Equal(t, c.limit, failed.Limit)
		}
	})
}

func TestASilentAttemptIsMadeAgainAndABeatingOneIsNot(t *testing.T) {
	virtually(t, func(t *testing.T) {
		load := activity.Define("load", func(ctx context.Context, _ string) (int, error) {
			at, _ := activity.Checkpoint[int](ctx)
			for ; at < 10; at++ {
				if at == 4 && activity.Info(ctx).Number == 1 {
					<-ctx.Done()
					return 0, context.Cause(ctx)
				}
				time.Sleep(20 * time.Second)
				if err := activity.Heartbeat(ctx, at+1); err != nil {
					return 0, err
				}
			}
			return at, nil
		}, activity.HeartbeatWithin(30*time.Second))
		ran := activitytest.Run(t, load, "")
		out, err := ran.Result()
		require.NoError(t, err)
		assert.Equal(t, 10, out)
		assert.Equal(t, []string{"1 timed out heartbeat  1s", "2 completed   0s"}, outcomes(ran))
		assert.Equal(t, []int{1, 2, 3, 4}, activitytest.Checkpoints[int](t, ran.Attempts[0]))
		assert.Equal(t, []int{5, 6, 7, 8, 9, 10}, activitytest.Checkpoints[int](t, ran.Attempts[1]))
		assert.Equal(t, 80*time.Second, ran.Attempts[0].Beats[3].After)
		assert.ErrorIs(t, ran.Attempts[0].Cause, activity.ErrTimeout)
	})
}

func TestATimeOutThatOnlyAlertsLetsTheAttemptGoOn(t *testing.T) {
	virtually(t, func(t *testing.T) {
		slow := activity.Define("slow", func(context.Context, string) (string, error) {
			time.Sleep(time.Hour)
			return "done", nil
		}, activity.StartToClose(time.Minute), activity.OnTimeout(activity.ThenAlert))
		ran := activitytest.Run(t, slow, "")
		assert.Equal(t, []string{"1 completed   0s"}, outcomes(ran))
		assert.Nil(t, ran.Attempts[0].Cause)
	})
}

func TestATimeOutMayCloseTheRun(t *testing.T) {
	virtually(t, func(t *testing.T) {
		ran := activitytest.Run(t, activity.Define("a", hangs, activity.StartToClose(time.Minute), activity.OnTimeout(activity.ThenFailRun)), "")
		_, err := ran.Result()
		assert.ErrorIs(t, err, activity.ErrTimeout)
		assert.ErrorContains(t, ran.Attempts[0].Cause, "run was closed")
	})
}

func TestInfoIsThatOfTheAttempt(t *testing.T) {
	virtually(t, func(t *testing.T) {
		var seen activity.Attempt
		var token string
		var deadline time.Time
		a := activity.Define("a", func(ctx context.Context, _ string) (string, error) {
			seen, token = activity.Info(ctx), activity.Token(ctx)
			deadline, _ = ctx.Deadline()
			return "", nil
		}, activity.StartToClose(time.Minute), activity.Queue("slow"))
		ran := activitytest.Run(t, a, "", activitytest.Attempt(3), activitytest.LastFailure(fmt.Errorf("bank: %w", errDeclined)),
			activitytest.Execution("order-7"), activitytest.Headers(map[string]string{"tenant": "ann"}))
		assert.Equal(t, 3, seen.Number)
		assert.Equal(t, "order-7", seen.Execution)
		assert.Equal(t, "slow", seen.Queue)
		assert.Equal(t, map[string]string{"tenant": "ann"}, seen.Headers)
		assert.Equal(t, "test-run/1", seen.IdempotencyKey)
		assert.Equal(t, seen.Started.Add(time.Minute), seen.Deadline)
		assert.Equal(t, seen.Deadline, deadline)
		assert.ErrorIs(t, seen.LastFailure, errDeclined)
		assert.Equal(t, seen, ran.Attempts[0].Info)
		assert.NotEmpty(t, token)
		assert.Equal(t, token, ran.Attempts[0].Token)
	})
}

func TestACheckpointIsOfAnEarlierAttempt(t *testing.T) {
	virtually(t, func(t *testing.T) {
		type at struct{ Row int }
		a := activity.Define("a", func(ctx context.Context, _ string) (int, error) {
			c, _ := activity.Checkpoint[at](ctx)
			return c.Row, nil
		})
		ran := activitytest.Run(t, a, "", activitytest.Checkpoint(at{7}))
		out, err := ran.Result()
		require.NoError(t, err)
		assert.Equal(t, 7, out)
		assert.Equal(t, 2, ran.Attempts[0].Number)
	})
}

func TestCancellationFollowsThePolicy(t *testing.T) {
	virtually(t, func(t *testing.T) {
		for _, c := range []struct {
			cancel  activity.Cancel
			body    func(context.Context, string) (string, error)
			outcome activitytest.Outcome
			err     error
		}{
			{activity.TryCancel, hangs, activitytest.Cancelled, activity.ErrCancelled},
			{activity.WaitCancelled, hangs, activitytest.Cancelled, activity.ErrCancelled},
			{activity.WaitCancelled, func(ctx context.Context, _ string) (string, error) { <-ctx.Done(); return "made it", nil }, activitytest.Completed, nil},
		} {
			ran := activitytest.Run(t, activity.Define("a", c.body, activity.OnCancel(c.cancel)), "", activitytest.CancelAfter(time.Minute))
			require.Len(t, ran.Attempts, 1)
			try := ran.Attempts[0]
			assert.Equal(t, c.outcome, try.Outcome)
			assert.Equal(t, time.Minute, try.Took)
			assert.ErrorIs(t, try.Cause, activity.ErrCancelled)
			_, err := ran.Result()
			assert.ErrorIs(t, err, c.err)
		}
		ran := activitytest.Run(t, activity.Define("a", fails(activity.RetryAfter(time.Hour, errDown)), activity.OnCancel(activity.WaitCancelled)), "", activitytest.CancelAfter(time.Minute))
		_, err := ran.Result()
		assert.ErrorIs(t, err, activity.ErrCancelled, "nobody has it in hand, so that is the end")
		assert.Equal(t, time.Minute, ran.Elapsed)
	})
}

func TestTheClosingOfTheRunIsACause(t *testing.T) {
	virtually(t, func(t *testing.T) {
		ran := activitytest.Run(t, activity.Define("a", hangs), "", activitytest.CloseAfter(time.Minute))
		assert.ErrorContains(t, ran.Attempts[0].Cause, "its run was closed")
		assert.ErrorIs(t, ran.Attempts[0].Cause, activity.ErrCancelled)
	})
}

func TestALostAttemptIsMadeAgainAtOnceAndTheThirdIsTheLast(t *testing.T) {
	virtually(t, func(t *testing.T) {
		lose := []activitytest.Option{activitytest.LoseAfter(time.Minute), activitytest.LoseAfter(2 * time.Minute), activitytest.LoseAfter(3 * time.Minute)}
		ran := activitytest.Run(t, activity.Define("a", hangs), "", lose...)
		assert.Equal(t, []string{"1 lost   0s", "2 lost   0s", "3 lost  crashed the worker 0s"}, outcomes(ran))
		assert.ErrorContains(t, ran.Attempts[0].Cause, "taken over")
	})
}

func TestPendingGoesOnOutside(t *testing.T) {
	virtually(t, func(t *testing.T) {
		ask := activity.Define("ask", func(ctx context.Context, _ string) (string, error) { return "", activity.Pending })
		ran := activitytest.Run(t, ask, "may I?")
		assert.Equal(t, []string{"1 pending   0s"}, outcomes(ran))
		_, err := ran.Result()
		assert.ErrorIs(t, err, activity.Pending)
	})
}

func TestAPanicIsAFailure(t *testing.T) {
	virtually(t, func(t *testing.T) {
		a := activity.Define("a", func(ctx context.Context, _ string) (string, error) {
			if activity.Info(ctx).Number == 1 {
				panic("no wheels")
			}
			return activity.Info(ctx).LastFailure.Error(), nil
		})
		ran := activitytest.Run(t, a, "")
		out, _ := ran.Result()
		assert.Equal(t, "panicked: no wheels", out)
		assert.Equal(t, []string{"1 failed   1s", "2 completed   0s"}, outcomes(ran))
		assert.ErrorIs(t, ran.Attempts[0].Err, activity.ErrPanicked)
	})
}

// careless loses what it keeps to itself.
type careless struct {
	Shown  int
	hidden int
}

func TestValuesGoThroughTheCodecBothWays(t *testing.T) {
	virtually(t, func(t *testing.T) {
		double := activity.Define("double", func(_ context.Context, in careless) (careless, error) {
			return careless{in.Shown + in.hidden, in.Shown}, nil
		})
		out, err := activitytest.Run(t, double, careless{1, 2}).Result()
		require.NoError(t, err)
		assert.Equal(t, careless{Shown: 1}, out, "neither the hidden input nor the hidden output gets through")
		_, err = activitytest.Run(t, activity.Define("a", func(context.Context, string) (func(), error) { return func() {}, nil }), "").Result()
		var unsupported *json.UnsupportedTypeError
		assert.False(t, errors.As(err, &unsupported), "the error came through the log too")
		assert.ErrorContains(t, err, "unsupported type: func()")
	})
}

func TestFilesAreKeptFromRunToRun(t *testing.T) {
	virtually(t, func(t *testing.T) {
		files := activitytest.NewFiles()
		upper := activity.Define("upper", func(ctx context.Context, in activity.File) (activity.File, error) {
			r, err := activity.OpenFile(ctx, in)
			if err != nil {
				return in, err
			}
			defer r.Close()
			text, err := io.ReadAll(r)
			if err != nil {
				return in, err
			}
			return activity.WriteFile(ctx, "loud", strings.NewReader(strings.ToUpper(string(text))))
		})
		loud, err := activitytest.Run(t, upper, files.Write(t, "quiet", []byte("psst")), files).Result()
		require.NoError(t, err)
		assert.Equal(t, "PSST", string(files.Read(t, loud)))
	})
}

func TestOutsideOfABubbleTheClockIsReal(t *testing.T) {
	ran := activitytest.Run(t, activity.Define("a", hangs, activity.StartToClose(10*time.Millisecond)), "",
		activitytest.With(activity.Retry{Initial: time.Millisecond, MaxAttempts: 3}))
	assert.Len(t, ran.Attempts, 3)
	assert.GreaterOrEqual(t, ran.Elapsed, 33*time.Millisecond)
}

func TestCuesHappenInTheOrderOfTheirMoments(t *testing.T) {
	virtually(t, func(t *testing.T) {
		ran := activitytest.Run(t, activity.Define("a", hangs), "", activitytest.CancelAfter(5*time.Minute), activitytest.LoseAfter(time.Minute))
		assert.Equal(t, []string{"1 lost   0s", "2 cancelled   0s"}, outcomes(ran))
		assert.Equal(t, "attempt 2 cancelled after 4m0s: cancelled", ran.Attempts[1].String())
	})
}
