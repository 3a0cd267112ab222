package runtime_test

import (
	"context"
	"errors"
	"fmt"
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

func TestAllRunsOfAWorkflowAreHaltedByARuleAndGoOn(t *testing.T) {
	for _, of := range []runtime.Subject{runtime.OfWorkflow("held"), runtime.OfNamespace()} {
		for _, restarts := range []string{"no", "while halted", "after it is lifted"} {
			t.Run(of.String()+", restarted: "+restarts, func(t *testing.T) {
				var c counts
				code, definitions, more, stage, add := held(&c, 2*time.Second)
				other := workflow.Define("other", func(ctx workflow.Context, n int) (int, error) { return n, workflow.Sleep(ctx, time.Second) })
				definitions = append(definitions, other)
				inWorld(t, func(world *world) {
					t, ctx := world.t, world.ctx()
					c = counts{}
					_, err := runtime.Start(ctx, world.rt, "before", code, 1)
					require.NoError(t, err)
					time.Sleep(time.Second)
					require.NoError(t, world.rt.PausePolicy(ctx, of, runtime.Reason("prices are wrong"), runtime.Operator("ann")))
					_, err = runtime.Start(ctx, world.rt, "after", code, 2)
					require.NoError(t, err, "what is started meanwhile is recorded")
					_, err = runtime.Start(ctx, world.rt, "other", other, 3)
					require.NoError(t, err)
					time.Sleep(time.Minute) // the attempts that were in hand end; the second of flaky would have begun long ago
					require.Equal(t, 1, c.of("first"))
					require.Equal(t, 1, c.of("flaky"), "nothing is begun while it is halted")
					require.NoError(t, world.rt.Signal(ctx, "before", more.With(7)))
					if restarts == "while halted" {
						world.close()
						world.open(definitions...)
						time.Sleep(time.Minute)
					}
					w := world.rt
					n, err := runtime.Query(ctx, w, "before", stage)
					require.NoError(t, err)
					require.Equal(t, 0, n, "the code was told nothing since")
					_, err = runtime.BeginUpdate(ctx, w, "before", add, 1)
					require.ErrorIs(t, err, runtime.ErrPaused)
					require.ErrorContains(t, err, "prices are wrong")
					require.Equal(t, []string{"started"}, world.kinds("after"), "nothing of the pause is in a history")
					require.NotContains(t, world.kinds("before"), "paused")
					require.NotContains(t, world.kinds("before"), "timer-started")
					d, err := w.Describe(ctx, "after")
					require.NoError(t, err)
					require.Regexp(t, `^halted by operator:ann at \S+, because prices are wrong, as all of `, d.Halted)
					require.Contains(t, d.Waiting[0].Why, "somebody to unpause "+of.String())
					for row, err := range w.Find(ctx, query.Query{Status: query.Open, Where: `type = "held"`}) {
						require.NoError(t, err)
						require.Contains(t, row.Waiting, "prices are wrong")
					}
					d, err = w.Describe(ctx, "other")
					require.NoError(t, err)
					require.Equal(t, of.Name == "", d.StatusName == "running", "others are halted with the namespace alone")
					require.Zero(t, w.Agenda("after").Ready)

					begins := w.UnpausePolicy(ctx, of)
					require.NoError(t, begins)
					if restarts == "after it is lifted" {
						world.close()
						world.open(definitions...)
						w = world.rt
					}
					time.Sleep(time.Minute)
					require.NoError(t, w.Signal(ctx, "after", more.With(8)))
					for id, want := range map[string]int{"before": 7, "after": 8} {
						out, err := runtime.Result(ctx, w, id, code)
						require.NoError(t, err)
						require.Equal(t, want, out)
					}
					d, err = w.Describe(ctx, "other")
					require.NoError(t, err)
					require.Equal(t, "completed", d.StatusName)
					require.Equal(t, 2, c.of("first"))
					require.Equal(t, 4, c.of("flaky"))
				}, definitions...)
			})
		}
	}
}

func TestWhatIsHaltedEndsByTerminationAndByItsLimits(t *testing.T) {
	wait := workflow.Define("wait", func(ctx workflow.Context, _ int) (int, error) { return 0, workflow.Sleep(ctx, day) })
	inWorld(t, func(world *world) {
		t, w, ctx := world.t, world.rt, world.ctx()
		require.NoError(t, w.PausePolicy(ctx, runtime.OfWorkflow("wait")))
		_, err := runtime.Start(ctx, w, "ended", wait, 0)
		require.NoError(t, err)
		_, err = runtime.Start(ctx, w, "late", wait, 0, workflow.RunTimeout(time.Minute))
		require.NoError(t, err)
		require.NoError(t, w.Cancel(ctx, "late"))
		require.NoError(t, w.Terminate(ctx, "ended"))
		time.Sleep(time.Hour)
		require.Equal(t, []string{"started", "cancel-requested", "timed-out"}, world.kinds("late"))
		require.Equal(t, []string{"started", "terminated"}, world.kinds("ended"))
	}, wait)
}

// Timers of what is halted fire and are kept, each with its own time.
func TestTimersOfWhatIsHaltedAreKept(t *testing.T) {
	nap := workflow.Define("nap", func(ctx workflow.Context, _ int) (time.Time, error) {
		err := workflow.Sleep(ctx, time.Minute)
		return workflow.Now(ctx), err
	})
	inWorld(t, func(world *world) {
		t, w, ctx := world.t, world.rt, world.ctx()
		_, err := runtime.Start(ctx, w, "n", nap, 0)
		require.NoError(t, err)
		began := world.entries("n")[0].At
		require.NoError(t, w.PausePolicy(ctx, runtime.OfWorkflow("nap")))
		time.Sleep(time.Hour)
		require.Equal(t, []string{"started", "timer-started", "timer-fired"}, world.kinds("n"))
		require.NoError(t, w.UnpausePolicy(ctx, runtime.OfWorkflow("nap")))
		at, err := runtime.Result(ctx, w, "n", nap)
		require.NoError(t, err)
		require.Equal(t, time.Minute, at.Sub(began))
	}, nap)
}

func TestNodesHaltAndReleaseTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c counts
		code, definitions := parcels(&c)
		p := newParty(t, 2, definitions...)
		of := runtime.OfWorkflow("parcels")
		for i := range 10 {
			_, err := runtime.Start(t.Context(), p.nodes[i%2].Runtime, fmt.Sprint("p", i), code, fmt.Sprint("p", i))
			require.NoError(t, err)
		}
		require.NoError(t, p.nodes[0].PausePolicy(t.Context(), of))
		time.Sleep(2 * time.Second)
		for i := range 10 {
			require.Zero(t, c.of(fmt.Sprint("p", i, "-1")), "the second parcel is not begun on any node")
			_, err := runtime.Start(t.Context(), p.nodes[i%2].Runtime, fmt.Sprint("q", i), code, fmt.Sprint("q", i))
			require.NoError(t, err)
		}
		p.leave(p.nodes[1]) // the other takes over what is halted
		p.join()
		time.Sleep(time.Minute)
		for i := range 10 {
			require.Zero(t, c.of(fmt.Sprint("p", i, "-1")))
			require.Zero(t, c.of(fmt.Sprint("q", i, "-0")))
		}
		require.NoError(t, p.nodes[1].UnpausePolicy(t.Context(), of))
		for i := range 20 {
			id := fmt.Sprint("pq"[i%2:i%2+1], i/2)
			out, err := runtime.Result(t.Context(), p.nodes[i%2].Runtime, id, code)
			require.NoError(t, err)
			require.Equal(t, id, out)
			for j := range 3 {
				require.Equal(t, 1, c.of(fmt.Sprint(id, "-", j)), "each attempt is made once")
			}
		}
		p.audit()
		p.close()
	})
}

func TestTheNamespaceAndTheWorkflowBoundWhatBegins(t *testing.T) {
	fails := activity.Define("fails", func(context.Context, int) (int, error) { return 0, errors.New("no") }, activity.Retry{Initial: time.Second})
	code := workflow.Define("bounded", func(ctx workflow.Context, _ int) (int, error) {
		_, _ = workflow.Do(ctx, fails, 1)
		return 1, workflow.Sleep(ctx, 100*day)
	}, workflow.RunTimeout(50*day))
	inWorld(t, func(world *world) {
		t, w, ctx := world.t, world.rt, world.ctx()
		_, err := w.SetPolicies(ctx, []runtime.PolicyChange{
			{Subject: runtime.OfNamespace(), Rule: runtime.Rule{Retry: history.Retry{MaxAttempts: 3}, RunTimeout: 2 * day}},
			{Subject: runtime.OfWorkflow("bounded"), Rule: runtime.Rule{RunTimeout: day}},
		})
		require.NoError(t, err)
		for id, opts := range map[string][]workflow.Option{"ruled": nil, "asked": {workflow.RunTimeout(hour)}} {
			_, err := runtime.Start(ctx, w, id, code, 0, opts...)
			require.NoError(t, err)
		}
		time.Sleep(3 * day)
		for id, after := range map[string]time.Duration{"ruled": day, "asked": hour} {
			all, failed := world.entries(id), 0
			for _, e := range all {
				if e.Event.Kind() == "attempt-failed" {
					failed++
				}
				if v, ok := e.Event.(*history.ActivityScheduled); ok {
					require.Equal(t, 3, v.Policy.Retry.MaxAttempts)
					require.Equal(t, uint64(1), v.Policy.Version)
				}
			}
			require.Equal(t, 2, failed)
			last := all[len(all)-1]
			require.Equal(t, "timed-out", last.Event.Kind())
			require.Equal(t, after, last.At.Sub(all[0].At))
		}
	}, code, fails)
}
