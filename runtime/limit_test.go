package runtime_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clewflow/clew/activity"
	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/runtime"
	"github.com/clewflow/clew/workflow"
)

// gauge counts attempts that are made at once, by key.
type gauge struct {
	mu   sync.Mutex
	now  map[string]int
	most map[string]int
	made []string
	at   []time.Time
}

// times are when attempts began, in order.
func (g *gauge) times() []time.Time {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Clone(g.at)
}

func (g *gauge) enter(key string) (leave func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.now == nil {
		g.now, g.most = map[string]int{}, map[string]int{}
	}
	for _, k := range []string{"", key} {
		g.now[k]++
		g.most[k] = max(g.most[k], g.now[k])
	}
	g.made, g.at = append(g.made, key), append(g.at, time.Now())
	return func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.now[""]--
		g.now[key]--
	}
}

func (g *gauge) reset() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.now, g.most, g.made, g.at = nil, nil, nil, nil
}

func (g *gauge) seen() (most map[string]int, made []string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.most, slices.Clone(g.made)
}

// limitedWork is a workflow that charges each customer of its input once, all side by side.
func limitedWork(g *gauge, opts ...activity.Option) (workflow.Type[[]string, int], []workflow.Definition) {
	charge := activity.Define("charge", func(ctx context.Context, customer string) (string, error) {
		defer g.enter(customer)()
		time.Sleep(time.Second)
		return customer, ctx.Err()
	}, append([]activity.Option{activity.KeyOf(func(customer string) string { return customer })}, opts...)...)
	code := workflow.Define("charges", func(ctx workflow.Context, customers []string) (int, error) {
		var all []workflow.Future[string]
		for _, c := range customers {
			all = append(all, workflow.Begin(ctx, charge, c))
		}
		done := 0
		for _, f := range all {
			_, err := f.Get(ctx)
			if errors.Is(err, activity.ErrFull) {
				continue
			}
			if err != nil {
				return done, err
			}
			done++
		}
		return done, nil
	})
	return code, []workflow.Definition{code, charge}
}

func TestLimitsOfADefinitionHold(t *testing.T) {
	var g gauge
	code, definitions := limitedWork(&g, activity.Limit{AtOnce: 3, KeyAtOnce: 2})
	inWorld(t, func(w *world) {
		t, rt := w.t, w.rt
		g.reset()
		var work []string
		for i := range 6 {
			work = append(work, "ann", "ann", fmt.Sprint("c", i))
		}
		began := time.Now()
		h, err := runtime.Start(w.ctx(), rt, "c", code, work)
		require.NoError(t, err)
		n, err := h.Result(w.ctx())
		require.NoError(t, err)
		require.Equal(t, 18, n)
		most, _ := g.seen()
		require.Equal(t, 3, most[""])
		require.Equal(t, 2, most["ann"])
		require.Equal(t, 8*time.Second, time.Since(began), "three at a time, but for ann alone at the end")
	}, definitions...)
}

func TestPoliciesChangeLimitsAtOnceAndSayWhoDidIt(t *testing.T) {
	var g gauge
	code, definitions := limitedWork(&g)
	inWorld(t, func(w *world) {
		t, rt, ctx := w.t, w.rt, w.ctx()
		g.reset()
		v, err := rt.SetPolicy(ctx, runtime.OfActivity("charge"), runtime.Rule{All: history.Limit{AtOnce: 1}}, runtime.Operator("ann"))
		require.NoError(t, err)
		require.Equal(t, uint64(1), v)
		require.NoError(t, rt.PausePolicy(ctx, runtime.OfActivity("charge"), runtime.Operator("bob"), runtime.Reason("the bank is down")))
		h, err := runtime.Start(ctx, rt, "c", code, []string{"x", "y", "z", "u"})
		require.NoError(t, err)
		time.Sleep(time.Hour)
		d, err := rt.Describe(ctx, "c")
		require.NoError(t, err)
		require.Contains(t, d.Activities[0].Waits, "limit of activity charge: 0, paused by operator:bob at ")
		require.Contains(t, d.Activities[0].Waits, "because the bank is down")

		require.NoError(t, rt.UnpausePolicy(ctx, runtime.OfActivity("charge"), runtime.Operator("bob")))
		time.Sleep(500 * time.Millisecond)
		d, err = rt.Describe(ctx, "c")
		require.NoError(t, err)
		require.Equal(t, "limit of activity charge: 1 of 1 in use", d.Activities[1].Waits)
		_, err = rt.SetPolicy(ctx, runtime.OfActivity("charge"), runtime.Rule{}) // three more at once
		require.NoError(t, err)
		_, err = h.Result(ctx)
		require.NoError(t, err)
		most, _ := g.seen()
		require.Equal(t, 4, most[""])

		_, err = rt.SetPolicy(ctx, runtime.OfActivity("charge"), runtime.Rule{All: history.Limit{AtOnce: -1}})
		require.ErrorIs(t, err, runtime.ErrInvalid)
		var who []string
		for e, err := range rt.PolicyHistory(ctx) {
			require.NoError(t, err)
			set := e.Event.(*history.PolicySet)
			who = append(who, fmt.Sprintf("%d %s: %s -> %s %s", e.Seq, e.By, set.Before, set.After, set.Reason))
		}
		require.Equal(t, []string{
			"1 operator:ann: nothing -> at-once=1 ",
			"2 operator:bob: at-once=1 -> at-once=1 paused the bank is down",
			"3 operator:bob: at-once=1 paused -> at-once=1 ",
			"4 client: at-once=1 -> nothing ",
		}, who)
	}, definitions...)
}

func TestTheRuleThatAStepWasUnderIsInItsHistory(t *testing.T) {
	fails := activity.Define("fails", func(context.Context, int) (int, error) { return 0, errors.New("no") }, activity.MaxAttempts(2))
	code := workflow.Define("w", func(ctx workflow.Context, n int) (int, error) {
		_, _ = workflow.Do(ctx, fails, 1)
		_, _ = workflow.Do(ctx, fails, 1, activity.MaxAttempts(1))
		return 0, nil
	})
	policies := func(w *world, id string) (all []history.Policy) {
		for _, e := range w.entries(id) {
			if s, ok := e.Event.(*history.ActivityScheduled); ok {
				all = append(all, *s.Policy)
			}
		}
		return all
	}
	inWorld(t, func(w *world) {
		t, rt, ctx := w.t, w.rt, w.ctx()
		run := func(id string) []history.Policy {
			_, err := runtime.Do(ctx, rt, id, code, 1)
			require.NoError(t, err)
			return policies(w, id)
		}
		before := run("before")
		require.Equal(t, 2, before[0].Retry.MaxAttempts)
		require.Zero(t, before[0].Version)
		_, err := rt.SetPolicy(ctx, runtime.OfActivity("fails"), runtime.Rule{Retry: history.Retry{MaxAttempts: 3}, StartToClose: time.Minute})
		require.NoError(t, err)
		ruled := run("ruled")
		require.Equal(t, 3, ruled[0].Retry.MaxAttempts, "over the definition")
		require.Equal(t, time.Minute, ruled[0].StartToClose)
		require.Equal(t, uint64(1), ruled[0].Version)
		require.Equal(t, 1, ruled[1].Retry.MaxAttempts, "under the call")

		w.close()
		w.open(code, fails) // hydrated
		rt = w.rt
		require.Equal(t, ruled, run("again"))
		_, err = rt.SetPolicy(ctx, runtime.OfActivity("fails"), runtime.Rule{Retry: history.Retry{MaxAttempts: 3}, Force: true})
		require.NoError(t, err)
		forced := run("forced")
		require.Equal(t, 3, forced[1].Retry.MaxAttempts, "over the call")
		require.Equal(t, uint64(2), forced[1].Version)
	}, code, fails)
}

func TestWhatDoesNotWaitForALimitFailsForGood(t *testing.T) {
	var g gauge
	code, definitions := limitedWork(&g, activity.Limit{AtOnce: 2}, activity.WhenFull(activity.Refused))
	inWorld(t, func(w *world) {
		t, rt, ctx := w.t, w.rt, w.ctx()
		n, err := runtime.Do(ctx, rt, "c", code, []string{"x", "y", "z", "u"})
		require.NoError(t, err)
		require.Equal(t, 2, n)
		finals := 0
		for _, e := range w.entries("c") {
			if f, ok := e.Event.(*history.ActivityFailed); ok {
				require.Equal(t, "full", f.Final)
				require.Contains(t, history.ReadFailure(f.Failure).Message, "limit of activity charge: 2 of 2 in use")
				finals++
			}
		}
		require.Equal(t, 2, finals)
	}, definitions...)
}

func TestASlotComesBackHoweverAnAttemptEnds(t *testing.T) {
	var g gauge
	work := activity.Define("work", func(ctx context.Context, how string) (string, error) {
		defer g.enter(how)()
		switch how {
		case "fails":
			return "", activity.NonRetryable(errors.New("no"))
		case "panics":
			panic("no")
		case "hangs":
			<-ctx.Done()
			return "", ctx.Err()
		case "outside":
			return "", activity.Pending
		}
		return how, nil
	}, activity.Limit{AtOnce: 1}, activity.MaxAttempts(1), activity.StartToClose(time.Minute), activity.ScheduleToClose(time.Hour))
	code := workflow.Define("one", func(ctx workflow.Context, how string) (string, error) { return workflow.Do(ctx, work, how) })
	inWorld(t, func(w *world) {
		t, rt, ctx := w.t, w.rt, w.ctx()
		g.reset()
		for i, how := range []string{"completes", "fails", "panics", "hangs", "outside", "hangs", "hangs", "outside"} {
			h, err := runtime.Start(ctx, rt, fmt.Sprint("w", i), code, how)
			require.NoError(t, err)
			time.Sleep(time.Second)
			switch i {
			case 5:
				require.NoError(t, rt.Cancel(ctx, "w5"))
			case 6, 7:
				require.NoError(t, rt.Terminate(ctx, fmt.Sprint("w", i)))
			}
			_, _ = h.Result(ctx)
			out, err := runtime.Do(ctx, rt, fmt.Sprint("after", i), code, "completes")
			require.NoError(t, err, how)
			require.Equal(t, "completes", out)
		}
		most, _ := g.seen()
		assert.Equal(t, 1, most[""])
	}, code, work)
}

func TestLimitsHoldOverARestart(t *testing.T) {
	var g gauge
	code, definitions := limitedWork(&g, activity.Limit{AtOnce: 2, Rate: 4, Per: 10 * time.Second})
	inWorld(t, func(w *world) {
		t, ctx := w.t, w.ctx()
		g.reset()
		_, err := runtime.Start(ctx, w.rt, "c", code, []string{"a", "b", "c", "d", "e", "f", "g", "h"})
		require.NoError(t, err)
		time.Sleep(2500 * time.Millisecond)
		w.close()
		_, made := g.seen()
		require.Len(t, made, 4)
		w.open(definitions...)
		time.Sleep(9 * time.Second)
		_, made = g.seen()
		require.Len(t, made, 4, "nobody knows here what was begun before")
		n, err := runtime.Result(ctx, w.rt, "c", code)
		require.NoError(t, err)
		require.Equal(t, 8, n)
	}, definitions...)
}

func TestNodesShareLimitsAndHearOfPolicies(t *testing.T) {
	var g gauge
	code, definitions := limitedWork(&g, activity.Limit{AtOnce: 4})
	synctest.Test(t, func(t *testing.T) {
		p := newParty(t, 2, definitions...)
		start := func(id string) {
			for i := range 12 {
				_, err := runtime.Start(t.Context(), p.nodes[0].Runtime, fmt.Sprint(id, i), code, []string{"x", "y"})
				require.NoError(t, err)
			}
		}
		finish := func(id string) {
			for i := range 12 {
				n, err := runtime.Result(t.Context(), p.nodes[1].Runtime, fmt.Sprint(id, i), code)
				require.NoError(t, err)
				require.Equal(t, 2, n)
			}
		}
		start("a")
		finish("a")
		most, _ := g.seen()
		require.Equal(t, 4, most[""], "of both together")

		require.NoError(t, p.nodes[0].PausePolicy(t.Context(), runtime.OfActivity("charge")))
		time.Sleep(2 * time.Second)
		g.reset()
		start("b")
		time.Sleep(time.Minute)
		_, made := g.seen()
		require.Empty(t, made, "both have heard of it")
		require.NoError(t, p.nodes[1].UnpausePolicy(t.Context(), runtime.OfActivity("charge")))
		finish("b")
		require.Equal(t, p.nodes[0].Policies().Version, p.nodes[1].Policies().Version)

		_, err := p.nodes[0].SetPolicy(t.Context(), runtime.OfActivity("charge"), runtime.Rule{All: history.Limit{AtOnce: 1}})
		require.NoError(t, err)
		time.Sleep(2 * time.Second)
		g.reset()
		began := time.Now()
		start("c")
		finish("c")
		most, _ = g.seen()
		require.Equal(t, 1, most[""], "of both together: they take turns")
		require.Less(t, time.Since(began), 30*time.Second, "24 of a second each")
		p.close()
	})
}

func TestNodesShareLimitsOfKeysAndRates(t *testing.T) {
	var g gauge
	code, definitions := limitedWork(&g, activity.Limit{KeyAtOnce: 1, Rate: 4, Per: 10 * time.Second})
	synctest.Test(t, func(t *testing.T) {
		p := newParty(t, 3, definitions...)
		for i := range 12 {
			_, err := runtime.Start(t.Context(), p.nodes[i%3].Runtime, fmt.Sprint("a", i), code, []string{"ann"})
			require.NoError(t, err)
		}
		began := time.Now()
		for i := range 12 {
			_, err := runtime.Result(t.Context(), p.nodes[1].Runtime, fmt.Sprint("a", i), code)
			require.NoError(t, err)
		}
		most, _ := g.seen()
		require.Equal(t, 1, most["ann"])
		for i, at := range g.times() {
			if i >= 4 {
				require.GreaterOrEqual(t, at.Sub(g.times()[i-4]), 10*time.Second, "the %dth began too early", i+1)
			}
		}
		require.Less(t, time.Since(began), 2*time.Minute)
		p.close()
	})
}

func TestALimitComesBackFromANodeThatDies(t *testing.T) {
	var g gauge
	code, definitions := limitedWork(&g, activity.Limit{AtOnce: 1})
	synctest.Test(t, func(t *testing.T) {
		p := newParty(t, 2, definitions...)
		for i := range 8 {
			_, err := runtime.Start(t.Context(), p.nodes[0].Runtime, fmt.Sprint("a", i), code, []string{"x"})
			require.NoError(t, err)
		}
		time.Sleep(2500 * time.Millisecond)
		p.kill(p.nodes[0])
		for i := range 8 {
			_, err := runtime.Result(t.Context(), p.nodes[0].Runtime, fmt.Sprint("a", i), code)
			require.NoError(t, err)
		}
		p.join()
		_, err := runtime.Start(t.Context(), p.nodes[1].Runtime, "late", code, []string{"x"})
		require.NoError(t, err)
		_, err = runtime.Result(t.Context(), p.nodes[0].Runtime, "late", code)
		require.NoError(t, err)
		p.close()
	})
}

func TestALimitThatIsNewCountsWhatOtherNodesHaveInHand(t *testing.T) {
	var g gauge
	code, definitions := limitedWork(&g)
	synctest.Test(t, func(t *testing.T) {
		p := newParty(t, 3, definitions...)
		rt := p.nodes[0].Runtime
		start := func(id string) {
			for i := range 20 {
				_, err := runtime.Start(t.Context(), rt, fmt.Sprint(id, i), code, []string{"x"})
				require.NoError(t, err)
			}
		}
		start("a")
		time.Sleep(500 * time.Millisecond)
		_, made := g.seen()
		require.Len(t, made, 20, "there is no limit")
		_, err := rt.SetPolicy(t.Context(), runtime.OfActivity("charge"), runtime.Rule{All: history.Limit{AtOnce: 2}})
		require.NoError(t, err)
		time.Sleep(100 * time.Millisecond) // within what is in hand
		start("b")
		time.Sleep(300 * time.Millisecond)
		_, made = g.seen()
		require.Len(t, made, 20, "twenty are in hand")
		time.Sleep(time.Second)
		g.reset()
		for i := range 20 {
			_, err := runtime.Result(t.Context(), rt, fmt.Sprint("b", i), code)
			require.NoError(t, err)
		}
		most, _ := g.seen()
		require.LessOrEqual(t, most[""], 2)
		p.close()
	})
}

func TestWhatIsNotToWaitAmongNodes(t *testing.T) {
	var g gauge
	code, definitions := limitedWork(&g, activity.Limit{AtOnce: 2}, activity.WhenFull(activity.Refused))
	synctest.Test(t, func(t *testing.T) {
		p := newParty(t, 2, definitions...)
		sum := 0
		for i := range 6 {
			_, err := runtime.Start(t.Context(), p.nodes[0].Runtime, fmt.Sprint("a", i), code, []string{"x"})
			require.NoError(t, err)
		}
		for i := range 6 {
			n, err := runtime.Result(t.Context(), p.nodes[1].Runtime, fmt.Sprint("a", i), code)
			require.NoError(t, err)
			sum += n
		}
		require.Equal(t, 2, sum, "the others are refused")
		began := time.Now()
		for i, g := range []int{1, 0, 1} { // what the other node has and does not use is no reason to refuse
			time.Sleep(10 * time.Millisecond) // until the functions have returned
			id := fmt.Sprint("b", i)
			_, err := runtime.Start(t.Context(), p.nodes[g].Runtime, id, code, []string{"x", "y"})
			require.NoError(t, err)
			n, err := runtime.Result(t.Context(), p.nodes[g].Runtime, id, code)
			require.NoError(t, err)
			require.Equal(t, 2, n)
		}
		require.Less(t, time.Since(began), 4*time.Second)
		p.close()
	})
}
