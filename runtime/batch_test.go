package runtime_test

import (
	"context"
	"encoding/json"
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

// payments is a workflow whose activity fails for good while what is down says so.
func payments(c *counts, down *atomic.Bool) (workflow.Type[string, string], []workflow.Definition) {
	pay := activity.Define("pay", func(_ context.Context, who string) (string, error) {
		if down.Load() {
			return "", activity.NonRetryable(errors.New("the bank is down"))
		}
		c.count(who)
		return who, nil
	})
	code := workflow.Define("payment", func(ctx workflow.Context, who string) (string, error) { return workflow.Do(ctx, pay, who) })
	return code, []workflow.Definition{code, pay}
}

func TestABatchDoesAnOperationToAllThatAQueryFinds(t *testing.T) {
	var c counts
	var down atomic.Bool
	down.Store(true)
	code, definitions := payments(&c, &down)
	const n = 1234
	synctest.Test(t, func(t *testing.T) {
		world := newWorld(t, runtime.Config{})
		world.open(definitions...)
		ctx := world.ctx()
		for i := range n {
			_, err := runtime.Start(ctx, world.rt, fmt.Sprint("p", i), code, fmt.Sprint(i))
			require.NoError(t, err)
		}
		time.Sleep(time.Minute)
		retry := system.Batch{Query: "type = payment and status = failed", Operation: []byte(`{"do":"retry"}`), Reason: "it answers", By: "ann"}

		dry := retry
		dry.DryRun = true
		h, err := world.rt.Batch(ctx, "dry", dry)
		require.NoError(t, err)
		report, err := h.Result(ctx)
		require.NoError(t, err)
		require.Equal(t, n, report.Found)
		require.Len(t, report.Sample, 20)
		require.Zero(t, report.Done)

		_, err = world.rt.Batch(ctx, "many", retry)
		require.NoError(t, err)
		_, err = runtime.Result(ctx, world.rt, "many", system.Batches)
		require.ErrorContains(t, err, "the batch finds 1234 executions, and is to change 1000 at the most")

		down.Store(false)
		retry.Most, retry.Rate = 2000, 50
		_, err = world.rt.Batch(ctx, "b", retry)
		require.NoError(t, err)
		began := time.Now()
		time.Sleep(5 * time.Second)
		require.InDelta(t, 250, c.total(), 10, "50 a second")
		require.NoError(t, world.rt.Pause(ctx, "b"))
		time.Sleep(time.Hour)
		held := c.total()
		require.LessOrEqual(t, held, 400, "what is in hand goes on, and no more")
		require.NoError(t, world.rt.Unpause(ctx, "b"))
		time.Sleep(2 * time.Second)
		world.close() // in the midst of it
		world.open(definitions...)
		_, err = runtime.Do(ctx, world.rt, "p0", code, "new") // one of them has changed since
		require.True(t, err == nil || errors.Is(err, runtime.ErrAlreadyRunning) || errors.Is(err, context.Canceled), "%v", err)
		report, err = runtime.Result(ctx, world.rt, "b", system.Batches)
		require.NoError(t, err)
		require.Equal(t, n, report.Done+report.Refused)
		require.LessOrEqual(t, report.Refused, 1)
		require.Greater(t, time.Since(began), n/50*time.Second)
		time.Sleep(time.Minute)
		for i := 1; i < n; i++ {
			require.Equal(t, 1, c.of(fmt.Sprint(i)), "p%d", i)
		}
		view, _, err := runtime.Published[system.Report](ctx, world.rt, "b")
		require.NoError(t, err)
		require.Equal(t, report, view)
		world.close()
		world.verify(append(definitions, system.Batches)...)
	})
}

func TestABatchSaysWhoRefused(t *testing.T) {
	var c counts
	var down atomic.Bool
	code, definitions := payments(&c, &down)
	inWorld(t, func(world *world) {
		t, ctx := world.t, world.ctx()
		for i := range 3 {
			_, err := runtime.Do(ctx, world.rt, fmt.Sprint("p", i), code, fmt.Sprint(i))
			require.NoError(t, err)
		}
		h, err := world.rt.Batch(ctx, "b", system.Batch{IDs: []string{"p1", "p2", "nobody"}, Operation: []byte(`{"do":"retry"}`)})
		require.NoError(t, err)
		report, err := h.Result(ctx)
		require.NoError(t, err)
		require.Equal(t, system.Report{
			Found: 3, Refused: 3, Why: map[string]int{"invalid": 2, "no such execution": 1}, First: report.First,
		}, report)
		require.Contains(t, report.First["p1"], "completed")
		for _, b := range []system.Batch{
			{Query: "type = payment", Operation: []byte(`{"do":"explode"}`)},
			{Query: "type = payment", Operation: []byte(`{"do":"retry","whatever":1}`)},
			{Query: "typ = payment", Operation: []byte(`{"do":"retry"}`)},
			{Query: "type = payment limit 3", Operation: []byte(`{"do":"retry"}`)},
		} {
			_, err = world.rt.Batch(ctx, "c", b)
			require.Error(t, err, "%+v", b)
		}
		_, err = world.rt.Operate(ctx, "d", runtime.Operation{Do: "batch", Batch: &system.Batch{IDs: []string{"p1"}, Operation: json.RawMessage(`{"do":"restart"}`)}}, runtime.Operator("ann"), runtime.RequestID("r"))
		require.NoError(t, err)
		report, err = runtime.Result(ctx, world.rt, "d", system.Batches)
		require.NoError(t, err)
		require.Equal(t, 1, report.Done)
		require.Equal(t, "operator:ann", string(last(world.entries("p1"), "started").By))
	}, definitions...)
}

// last is the last entry of a kind.
func last(entries []history.Entry, kind string) (e history.Entry) {
	for _, one := range entries {
		if one.Event.Kind() == kind {
			e = one
		}
	}
	return e
}

func (c *counts) total() (n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, made := range c.made {
		n += made
	}
	return n
}
