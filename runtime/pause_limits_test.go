package runtime_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/clewflow/clew/activity"
	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/query"
	"github.com/clewflow/clew/runtime"
	"github.com/clewflow/clew/workflow"
)

var (
	unserved = activity.Define("unserved", func(context.Context, string) (string, error) { return "", nil }, activity.Queue("nobody"), activity.ScheduleToStart(10*time.Minute))
	answered = activity.External[string]("answered", activity.ScheduleToClose(30*time.Minute))
	endless  = activity.Define("endless", func(ctx context.Context, _ string) (string, error) {
		for {
			time.Sleep(20 * time.Second)
			if err := activity.Heartbeat(ctx, nil); err != nil {
				return "", err
			}
		}
	}, activity.ScheduleToClose(40*time.Minute), activity.HeartbeatWithin(time.Minute))
	deadline = workflow.NewQuery[time.Time]("deadline")
	limited  = workflow.Define("limited", func(ctx workflow.Context, _ int) (int, error) {
		deadline.Handle(ctx, func() time.Time { return workflow.Info(ctx).Deadline })
		first := workflow.Begin(ctx, unserved, "")
		third := workflow.Begin(ctx, endless, "")
		_ = workflow.BeginFunc(ctx, func(ctx workflow.Context) (int, error) {
			_, err := workflow.AwaitExternal(ctx, answered, func(context.Context, string) error { return nil })
			return 0, err
		})
		_, _ = first.Get(ctx)
		_, _ = third.Get(ctx)
		_, err := workflow.NewSignal[int]("never").Receive(ctx)
		return 0, err
	})
)

// passed are the limits that have passed in a history, by when.
func passed(entries []history.Entry) map[string]time.Time {
	all := map[string]time.Time{}
	for _, e := range entries {
		switch v := e.Event.(type) {
		case *history.ActivityTimedOut:
			all[fmt.Sprint(v.Limit, " of step ", v.Step)] = e.At
		case *history.TimedOut:
			all[v.Limit] = e.At
		}
	}
	return all
}

// TestHeldLimitsGoOnWithWhatWasLeft, whether the code is in memory or not, and whether the process ends meanwhile or not.
func TestHeldLimitsGoOnWithWhatWasLeft(t *testing.T) {
	for _, memory := range []int{0, runtime.Forget} {
		for _, restart := range []bool{false, true} {
			newWorldOf(t, runtime.Config{Memory: memory, Queues: []string{""}}, func(world *world) {
				t, ctx, began := world.t, world.ctx(), time.Now()
				_, err := runtime.Start(ctx, world.rt, "l", limited, 0, workflow.RunTimeout(time.Hour), workflow.ExecutionTimeout(2*time.Hour))
				require.NoError(t, err)
				time.Sleep(5 * time.Minute)
				paused := time.Now()
				require.NoError(t, world.rt.Pause(ctx, "l", runtime.HoldLimits(), runtime.Reason("the bank is down")))
				time.Sleep(5 * time.Hour)
				require.NoError(t, world.rt.Pause(ctx, "l"), "which changes nothing")
				if restart {
					world.close()
					world.open(limited, unserved, endless)
				}
				time.Sleep(5 * time.Hour)
				require.Empty(t, passed(world.entries("l")))
				d, err := world.rt.Describe(ctx, "l")
				require.NoError(t, err)
				require.Equal(t, paused, d.LimitsHeldSince.Local())
				require.Contains(t, d.Waiting[0].Why, "limits of time are held")
				known, err := runtime.Query(ctx, world.rt, "l", deadline)
				require.NoError(t, err)
				require.Equal(t, began.Add(time.Hour), known.Local())

				held := time.Since(paused)
				require.NoError(t, world.rt.Unpause(ctx, "l"))
				known, err = runtime.Query(ctx, world.rt, "l", deadline)
				require.NoError(t, err)
				require.Equal(t, began.Add(time.Hour+held), known.Local())
				for row, err := range world.rt.Find(ctx, query.Query{Type: "limited"}) {
					require.NoError(t, err)
					require.Equal(t, began.Add(time.Hour+held), row.Deadline.Local())
				}
				_, err = runtime.Result(ctx, world.rt, "l", limited)
				require.ErrorIs(t, err, workflow.ErrTimeout)
				ends := map[string]time.Duration{}
				for what, at := range passed(world.entries("l")) {
					ends[what] = at.Sub(began) - held
				}
				require.Equal(t, map[string]time.Duration{
					"schedule-to-start of step 1": 10 * time.Minute, "schedule-to-close of step 2": 40 * time.Minute, "schedule-to-close of step 3": 30 * time.Minute, "run": time.Hour,
				}, ends)
			}, limited, unserved, endless)
		}
	}
}

// TestLimitsOfWhatIsInHandGoOnThoughLimitsAreHeld: a worker that died is seen.
func TestLimitsOfWhatIsInHandGoOnThoughLimitsAreHeld(t *testing.T) {
	hangs := activity.Define("hangs", func(ctx context.Context, _ string) (string, error) {
		<-ctx.Done()
		return "", context.Cause(ctx)
	}, activity.MaxAttempts(1))
	code := workflow.Define("hung", func(ctx workflow.Context, _ int) (string, error) {
		slow := workflow.Begin(ctx, hangs, "", activity.StartToClose(time.Minute))
		still := workflow.Begin(ctx, hangs, "", activity.HeartbeatWithin(30*time.Second))
		_, first := slow.Get(ctx)
		_, second := still.Get(ctx)
		return fmt.Sprint(errors.Is(first, activity.ErrTimeout), errors.Is(second, activity.ErrTimeout)), nil
	})
	inWorld(t, func(world *world) {
		t, ctx, began := world.t, world.ctx(), time.Now()
		h, err := runtime.Start(ctx, world.rt, "h", code, 0)
		require.NoError(t, err)
		time.Sleep(10 * time.Second)
		require.NoError(t, world.rt.Pause(ctx, "h", runtime.HoldLimits()))
		time.Sleep(time.Hour)
		ends := map[string]time.Duration{}
		for what, at := range passed(world.entries("h")) {
			ends[what] = at.Sub(began)
		}
		require.Equal(t, map[string]time.Duration{"start-to-close of step 1": time.Minute, "heartbeat of step 2": 30 * time.Second}, ends)
		require.NoError(t, world.rt.Unpause(ctx, "h"))
		out, err := h.Result(ctx)
		require.NoError(t, err)
		require.Equal(t, "true true", out)
	}, code, hangs)
}

// TestAnAttemptAfterAPauseKnowsItsDeadline: the context of one that begins when limits have moved says so.
func TestAnAttemptAfterAPauseKnowsItsDeadline(t *testing.T) {
	var seen [2]atomic.Int64
	fails := activity.Define("fails", func(ctx context.Context, _ string) (string, error) {
		n := activity.Info(ctx).Number
		until, _ := ctx.Deadline()
		seen[n-1].Store(until.UnixNano())
		if n == 1 {
			return "", errors.New("not yet")
		}
		return "", nil
	}, activity.ScheduleToClose(time.Hour), activity.HeartbeatWithin(time.Minute), activity.Retry{Initial: time.Minute, Jitter: activity.NoJitter})
	code := workflow.Define("retries", func(ctx workflow.Context, _ int) (string, error) { return workflow.Do(ctx, fails, "") })
	inWorld(t, func(world *world) {
		t, ctx, began := world.t, world.ctx(), time.Now()
		h, err := runtime.Start(ctx, world.rt, "r", code, 0)
		require.NoError(t, err)
		time.Sleep(time.Second)
		require.NoError(t, world.rt.Pause(ctx, "r", runtime.HoldLimits()))
		time.Sleep(10 * time.Hour)
		require.NoError(t, world.rt.Unpause(ctx, "r"))
		_, err = h.Result(ctx)
		require.NoError(t, err)
		require.Equal(t, began.Add(time.Hour).UnixNano(), seen[0].Load())
		require.Equal(t, began.Add(11*time.Hour).UnixNano(), seen[1].Load())
	}, code, fails)
}

// TestWhatIsAdoptedKnewTheDeadlineOfItsTime: code that sleeps for as long as it has left asks for the same when it is retried.
func TestWhatIsAdoptedKnewTheDeadlineOfItsTime(t *testing.T) {
	onward := workflow.NewSignal[int]("onward")
	var broken atomic.Bool
	does := activity.Define("does", func(context.Context, string) (string, error) {
		if broken.Load() {
			return "", activity.NonRetryable(errors.New("broken"))
		}
		return "done", nil
	})
	code := workflow.Define("sleeper", func(ctx workflow.Context, _ int) (string, error) {
		for range 3 {
			if _, err := onward.Receive(ctx); err != nil {
				return "", err
			}
			left := workflow.Info(ctx).Deadline.Sub(workflow.Now(ctx))
			_ = workflow.NewTimer(ctx, max(left, time.Second))
		}
		return workflow.Do(ctx, does, "")
	}, workflow.RunLimit{AtOnce: 1})
	for _, begins := range []string{"at once", "after an hour", "when it has a slot"} { // a run that begins later knows its time from then on
		inWorld(t, func(world *world) {
			t, ctx := world.t, world.ctx()
			broken.Store(true)
			options := []workflow.Option{workflow.RunTimeout(3 * time.Hour), workflow.ExecutionTimeout(50 * time.Hour)}
			switch begins {
			case "after an hour":
				options = append(options, runtime.After(time.Hour))
			case "when it has a slot":
				_, err := runtime.Start(ctx, world.rt, "before", code, 0)
				require.NoError(t, err)
			}
			h, err := runtime.Start(ctx, world.rt, "s", code, 0, options...)
			require.NoError(t, err)
			for range 2 {
				time.Sleep(time.Minute)
				require.NoError(t, world.rt.Pause(ctx, "s", runtime.HoldLimits()))
				time.Sleep(2 * time.Hour)
				require.NoError(t, world.rt.Signal(ctx, "s", onward.With(1)))
				time.Sleep(2 * time.Hour)
				require.NoError(t, world.rt.Unpause(ctx, "s"))
			}
			if begins == "when it has a slot" {
				require.NoError(t, world.rt.Terminate(ctx, "before"))
			}
			require.NoError(t, world.rt.Signal(ctx, "s", onward.With(1)))
			_, err = h.Result(ctx)
			require.ErrorContains(t, err, "broken")
			for _, whole := range []bool{true, false} { // the second adopts what the first had adopted
				broken.Store(whole)
				_, err = world.rt.Retry(ctx, "s")
				require.NoError(t, err)
				out, err := runtime.Result(ctx, world.rt, "s", code)
				if whole {
					require.ErrorContains(t, err, "broken")
					continue
				}
				require.NoError(t, err)
				require.Equal(t, "done", out)
			}
		}, code, does)
	}
}

// TestHeldLimitsMoveWhereAnotherNodeHoldsThem, and the one that worked on the execution dies.
func TestHeldLimitsMoveWhereAnotherNodeHoldsThem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, ctx, began := newParty(t, 2, limited, endless), t.Context(), time.Now()
		_, err := runtime.Start(ctx, p.nodes[0].Runtime, "l", limited, 0, workflow.RunTimeout(time.Hour))
		require.NoError(t, err)
		time.Sleep(5 * time.Minute)
		require.NoError(t, p.nodes[1].Pause(ctx, "l", runtime.HoldLimits()))
		p.leave(p.nodes[0])
		p.kill(p.nodes[0]) // who was left
		p.join()
		time.Sleep(2 * time.Hour)
		require.NoError(t, p.nodes[0].Unpause(ctx, "l"))
		held := time.Since(began) - 5*time.Minute
		_, err = runtime.Result(ctx, p.nodes[0].Runtime, "l", limited)
		require.ErrorIs(t, err, workflow.ErrTimeout)
		over := time.Since(began) - held
		require.GreaterOrEqual(t, over, time.Hour)
		require.Less(t, over, time.Hour+time.Second)
		p.audit()
		p.close()
	})
}
