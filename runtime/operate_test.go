package runtime_test

import (
	"context"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/clewflow/clew/activity"
	"github.com/clewflow/clew/query"
	"github.com/clewflow/clew/runtime"
	"github.com/clewflow/clew/workflow"
)

func TestActivitiesAreSettledAndRetriedByHand(t *testing.T) {
	var c counts
	pay := activity.Define("pay", func(_ context.Context, what string) (string, error) {
		if c.count(what); c.of(what) < 3 {
			return "", errors.New("down")
		}
		return what, nil
	}, activity.Retry{Initial: time.Hour, Max: time.Hour, Jitter: activity.NoJitter})
	slow := activity.Define("slow", func(ctx context.Context, _ int) (string, error) {
		<-ctx.Done()
		return "", ctx.Err()
	})
	code := workflow.Define("order", func(ctx workflow.Context, _ int) (string, error) {
		a, err := workflow.Do(ctx, pay, "a")
		if err != nil {
			return "", err
		}
		b, err := workflow.Do(ctx, slow, 0)
		if err != nil {
			return "", err
		}
		_, err = workflow.Do(ctx, slow, 0)
		return a + b + err.Error(), nil
	})
	inWorld(t, func(world *world) {
		t, w, ctx := world.t, world.rt, world.ctx()
		c = counts{}
		began := time.Now()
		_, err := runtime.Start(ctx, w, "o", code, 0)
		require.NoError(t, err)
		time.Sleep(time.Minute)
		require.Equal(t, 1, c.of("a"))
		by := []runtime.CallOption{runtime.Operator("ann"), runtime.Reason("it answers"), runtime.RequestID("r")}
		require.NoError(t, w.RetryActivity(ctx, "o", 1, false, by...))
		require.NoError(t, w.RetryActivity(ctx, "o", 1, false, by...))
		time.Sleep(time.Second)
		require.Equal(t, 2, c.of("a"), "at once, and once for a request")
		require.NoError(t, w.RetryActivity(ctx, "o", 1, true))
		time.Sleep(time.Second)
		require.Equal(t, 3, c.of("a"))
		require.ErrorIs(t, w.RetryActivity(ctx, "o", 1, false), runtime.ErrSettled)
		require.ErrorIs(t, w.RetryActivity(ctx, "o", 2, false), runtime.ErrStale)
		require.ErrorContains(t, w.RetryActivity(ctx, "o", 2, false), "under way")
		require.ErrorIs(t, w.CompleteActivity(ctx, "o", 2, 7), runtime.ErrInvalid, "its code could not read that, and would stall")
		require.NoError(t, w.CompleteActivity(ctx, "o", 2, "by hand", by[:2]...))
		time.Sleep(time.Second)
		require.ErrorIs(t, w.CompleteActivity(ctx, "o", 2, "once more"), runtime.ErrSettled)
		require.NoError(t, w.FailActivity(ctx, "o", 3, errors.New("lost")))
		out, err := runtime.Result(ctx, w, "o", code)
		require.NoError(t, err)
		require.Equal(t, "aby handactivity slow: lost", out)
		require.Less(t, time.Since(began), 2*time.Minute)
		require.ErrorIs(t, w.CompleteActivity(ctx, "o", 3, 0), runtime.ErrNotRunning)
		var changed int
		for _, e := range world.entries("o") {
			if e.Event.Kind() == "activity-changed" && e.By == "operator:ann" {
				changed++
			}
		}
		require.Equal(t, 1, changed)
	}, code, pay, slow)
}

func TestAnExecutionIsMovedToAVersionThatFits(t *testing.T) {
	more := workflow.NewSignal[int]("more")
	version := func(n int, later string) workflow.Type[int, string] {
		return workflow.Define("order", func(ctx workflow.Context, _ int) (string, error) {
			if n == 3 {
				if err := workflow.Sleep(ctx, time.Hour); err != nil {
					return "", err
				}
			}
			if _, err := more.Receive(ctx); err != nil {
				return "", err
			}
			if n == 1 {
				panic("a bug")
			}
			return later, nil
		}, workflow.Version(n))
	}
	one, two, three := version(1, "one"), version(2, "two"), version(3, "three")
	newWorldOf(t, runtime.Config{}, func(world *world) {
		t, w, ctx := world.t, world.rt, world.ctx()
		_, err := runtime.Start(ctx, w, "o", one, 0, workflow.Version(1))
		require.NoError(t, err)
		require.NoError(t, w.Signal(ctx, "o", more.With(1)))
		time.Sleep(time.Second)
		d, err := w.Describe(ctx, "o")
		require.NoError(t, err)
		require.Equal(t, "stalled", d.StatusName)
		n := len(world.entries("o"))
		require.NoError(t, w.TryAgain(ctx, "o", runtime.Reason("again")))
		time.Sleep(time.Second)
		require.Equal(t, n+1, len(world.entries("o")), "the same stall is noted once")
		require.ErrorIs(t, w.Move(ctx, "o", 9), runtime.ErrUnknownType)
		err = w.Move(ctx, "o", 3)
		require.ErrorIs(t, err, runtime.ErrRefused)
		require.ErrorContains(t, err, "timer")
		require.NoError(t, w.Move(ctx, "o", 2, runtime.Reason("mended")))
		out, err := runtime.Result(ctx, w, "o", two)
		require.NoError(t, err)
		require.Equal(t, "two", out)
		for row, err := range w.Find(ctx, query.Query{ID: "o"}) {
			require.NoError(t, err)
			require.Equal(t, 2, row.Version)
		}
	}, one, two, three)
}

func TestOperatorsChangeAttributes(t *testing.T) {
	more := workflow.NewSignal[int]("more")
	env := workflow.NewAttribute[string]("env")
	code := workflow.Define("order", func(ctx workflow.Context, _ int) (int, error) { return more.Receive(ctx) })
	inWorld(t, func(world *world) {
		t, w, ctx := world.t, world.rt, world.ctx()
		_, err := runtime.Start(ctx, w, "o", code, 0, env.Set("dev"))
		require.NoError(t, err)
		find := func(text string) (n int) {
			q, err := query.Parse(text)
			require.NoError(t, err)
			for _, err := range w.Find(ctx, q) {
				require.NoError(t, err)
				n++
			}
			return n
		}
		require.Equal(t, 1, find("attr.env = 'dev'"))
		require.NoError(t, w.ChangeAttributes(ctx, "o", []workflow.Setting{env.Set("uat")}, runtime.Operator("ann")))
		require.Equal(t, 1, find("attr.env = 'uat'"))
		require.Equal(t, 0, find("attr.env = 'dev'"))
		require.ErrorIs(t, w.ChangeAttributes(ctx, "o", nil), runtime.ErrInvalid)
		_, err = w.Operate(ctx, "o", runtime.Operation{Do: "set-attributes", Attributes: map[string]json.RawMessage{"env": []byte(`null`)}})
		require.NoError(t, err)
		require.Equal(t, 0, find("attr.env = 'uat'"))
		_, err = w.Operate(ctx, "o", runtime.Operation{Do: "explode"})
		require.ErrorContains(t, err, "one of apply-policies, batch, cancel, complete-activity, delete")
		_, err = w.Operate(ctx, "o", runtime.Operation{Do: "rerun"})
		require.ErrorContains(t, err, "a step, an activity or an entry")
		_, err = w.Operate(ctx, "o", runtime.Operation{Do: "signal", Signal: "more", Input: []byte("5")})
		require.NoError(t, err)
		out, err := runtime.Result(ctx, w, "o", code)
		require.NoError(t, err)
		require.Equal(t, 5, out)
	}, code)
}
