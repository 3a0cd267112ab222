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
	"github.com/clewflow/clew/runtime"
	"github.com/clewflow/clew/system"
	"github.com/clewflow/clew/workflow"
)

// stubborn is a workflow whose activity fails until what is down says otherwise, and is tried again after an hour at first.
func stubborn(c *counts, down *atomic.Bool, call ...activity.Option) (workflow.Type[string, string], []workflow.Definition) {
	pay := activity.Define("pay", func(_ context.Context, who string) (string, error) {
		c.count(who)
		if down.Load() {
			return "", errors.New("the bank is down")
		}
		return who, nil
	}, activity.Retry{Initial: time.Hour, Max: 10 * time.Hour, Jitter: activity.NoJitter})
	code := workflow.Define("payment", func(ctx workflow.Context, who string) (string, error) { return workflow.Do(ctx, pay, who, call...) })
	return code, []workflow.Definition{code, pay}
}

func TestAPolicyThatIsAppliedToPendingChangesWhatWaits(t *testing.T) {
	var c counts
	var down atomic.Bool
	down.Store(true)
	code, definitions := stubborn(&c, &down)
	synctest.Test(t, func(t *testing.T) {
		world := newWorld(t, runtime.Config{})
		world.open(definitions...)
		ctx := world.ctx()
		const n = 300
		for i := range n {
			_, err := runtime.Start(ctx, world.rt, fmt.Sprint("p", i), code, fmt.Sprint(i))
			require.NoError(t, err)
		}
		time.Sleep(time.Minute)
		require.Equal(t, n, c.total(), "the next attempts are an hour away")
		rule := runtime.Rule{Retry: history.Retry{Initial: 90 * time.Second, MaxAttempts: 3}}
		version, err := world.rt.SetPolicy(ctx, runtime.OfActivity("pay"), rule, runtime.ApplyToPending(), runtime.Reason("it is back"), runtime.Operator("ann"))
		require.NoError(t, err)
		again, err := world.rt.SetPolicy(ctx, runtime.OfActivity("pay"), rule, runtime.ApplyToPending(), runtime.Operator("ann"))
		require.NoError(t, err)
		require.Equal(t, version, again, "whoever did not learn of it asks again, and nothing is begun twice")
		world.close() // in the midst of it
		world.open(definitions...)
		report, err := runtime.Result(ctx, world.rt, runtime.PendingBatch(version), system.Batches)
		require.NoError(t, err)
		require.Equal(t, system.Report{Found: n, Done: n}, report)
		for i := range n {
			entries := world.entries(fmt.Sprint("p", i))
			applied := last(entries, "policy-applied")
			require.NotNil(t, applied.Event, "p%d", i)
			event := applied.Event.(*history.PolicyApplied)
			require.Equal(t, "operator:ann", string(applied.By))
			require.Equal(t, "it is back", event.Reason)
			require.Equal(t, version, event.Version)
			require.Equal(t, []string{"max-attempts any→3", "retry-initial 1h→1m30s"}, history.PolicyChanges(event.Before, event.After))
			require.Equal(t, last(entries, "attempt-failed").At.Add(90*time.Second), event.RetryAt, "counted from when the attempt failed")
			require.Equal(t, 1, countOf(entries, "policy-applied"), "once for each execution")
		}
		time.Sleep(time.Minute)
		require.Equal(t, 2*n, c.total())
		down.Store(false)
		time.Sleep(3 * time.Minute)
		require.Equal(t, 3*n, c.total())
		require.Equal(t, "completed", last(world.entries("p7"), "completed").Event.Kind())
		world.close()
		world.verify(append(definitions, system.Batches)...)
	})
}

func countOf(entries []history.Entry, kind string) (n int) {
	for _, e := range entries {
		if e.Event.Kind() == kind {
			n++
		}
	}
	return n
}

func TestWhatACallAskedForIsNotAppliedOver(t *testing.T) {
	var c counts
	var down atomic.Bool
	down.Store(true)
	code, definitions := stubborn(&c, &down, activity.MaxAttempts(7))
	inWorld(t, func(w *world) {
		t, ctx := w.t, w.ctx()
		_, err := runtime.Start(ctx, w.rt, "a", code, "x")
		require.NoError(t, err)
		time.Sleep(time.Minute)
		apply := func(rule runtime.Rule) []string {
			_, err := w.rt.SetPolicy(ctx, runtime.OfActivity("pay"), rule)
			require.NoError(t, err)
			before := countOf(w.entries("a"), "policy-applied")
			require.NoError(t, w.rt.ApplyPolicies(ctx, "a", runtime.OfActivity("pay"), runtime.Operator("ann")))
			if countOf(w.entries("a"), "policy-applied") == before {
				return nil
			}
			e := last(w.entries("a"), "policy-applied").Event.(*history.PolicyApplied)
			return history.PolicyChanges(e.Before, e.After)
		}
		require.Equal(t, []string{"schedule-to-close 24h→30m"}, apply(runtime.Rule{ScheduleToClose: 30 * time.Minute, Retry: history.Retry{MaxAttempts: 2}}))
		require.Empty(t, apply(runtime.Rule{ScheduleToClose: 30 * time.Minute, Retry: history.Retry{MaxAttempts: 3}}), "it is under it already")
		require.Equal(t, []string{"max-attempts 7→3"}, apply(runtime.Rule{Retry: history.Retry{MaxAttempts: 3}, Force: true}))
		require.ErrorIs(t, w.rt.ApplyPolicies(ctx, "a", runtime.OfQueue("slow")), runtime.ErrInvalid)
		_, err = w.rt.SetPolicy(ctx, runtime.OfQueue("slow"), runtime.Rule{All: history.Limit{AtOnce: 1}}, runtime.ApplyToPending())
		require.ErrorIs(t, err, runtime.ErrInvalid)
		time.Sleep(4 * time.Hour)
		e := last(w.entries("a"), "activity-timed-out")
		require.NotNil(t, e.Event, "its time was counted from when it was scheduled")
		require.Equal(t, last(w.entries("a"), "activity-scheduled").At.Add(30*time.Minute), e.At)
	}, definitions...)
}

func TestAnAttemptInHandGoesOnUnderNewLimits(t *testing.T) {
	slow := activity.Define("slow", func(ctx context.Context, d time.Duration) (string, error) {
		select {
		case <-time.After(d):
			return "done", nil
		case <-ctx.Done():
			return "", context.Cause(ctx)
		}
	}, activity.StartToClose(time.Minute), activity.MaxAttempts(1))
	code := workflow.Define("slowly", func(ctx workflow.Context, d time.Duration) (string, error) { return workflow.Do(ctx, slow, d) })
	for _, c := range []struct {
		name  string
		rule  time.Duration
		takes time.Duration
		ends  time.Duration
		kind  string
	}{
		{"a longer one lets it go on", 5 * time.Minute, 3 * time.Minute, 3 * time.Minute, "activity-completed"},
		{"a shorter one ends it", 40 * time.Second, 3 * time.Minute, 40 * time.Second, "activity-timed-out"},
		{"one that has passed ends it at once", 10 * time.Second, 3 * time.Minute, 30 * time.Second, "activity-timed-out"},
	} {
		t.Run(c.name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				t, ctx, began := w.t, w.ctx(), time.Now()
				_, err := runtime.Start(ctx, w.rt, "a", code, c.takes)
				require.NoError(t, err)
				time.Sleep(30 * time.Second)
				_, err = w.rt.SetPolicy(ctx, runtime.OfActivity("slow"), runtime.Rule{StartToClose: c.rule}, runtime.ApplyToPending())
				require.NoError(t, err)
				time.Sleep(10 * time.Minute)
				e := last(w.entries("a"), c.kind)
				require.NotNil(t, e.Event)
				require.InDelta(t, c.ends.Seconds(), e.At.Sub(began).Seconds(), 1.5)
			}, code, slow)
		})
	}
}
