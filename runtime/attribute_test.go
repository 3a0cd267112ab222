package runtime_test

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clewflow/clew/query"
	"github.com/clewflow/clew/runtime"
	"github.com/clewflow/clew/workflow"
)

var (
	weight = workflow.NewAttribute[float64]("weight")
	dueBy  = workflow.NewAttribute[time.Time]("due_by")
	budget = workflow.NewAttribute[time.Duration]("budget")
	serial = workflow.NewAttribute[int64]("serial")
	fast   = workflow.NewAttribute[bool]("fast")
	tags   = workflow.NewAttribute[[]string]("tags")
)

// TestAnAttributeThatCannotBeKeptIsRefused where it is given, and never becomes another one or none.
func TestAnAttributeThatCannotBeKeptIsRefused(t *testing.T) {
	wait := workflow.Define("wait", func(ctx workflow.Context, _ workflow.None) (workflow.None, error) {
		return workflow.None{}, workflow.Sleep(ctx, hour)
	})
	sets := workflow.Define("sets", func(ctx workflow.Context, _ workflow.None) (workflow.None, error) {
		workflow.SetAttributes(ctx, fast.Set(true), weight.Set(math.Inf(1)))
		return workflow.None{}, nil
	})
	begins := workflow.Define("begins", func(ctx workflow.Context, _ workflow.None) (string, error) {
		_, err := workflow.Child(ctx, wait, workflow.None{}, weight.Set(math.NaN()))
		return err.Error(), nil
	})
	inWorld(t, func(w *world) {
		_, err := runtime.Start(w.ctx(), w.rt, "a", wait, workflow.None{}, weight.Set(math.NaN()))
		require.ErrorIs(t, err, runtime.ErrInvalid)
		require.ErrorContains(t, err, `attribute weight is invalid: "NaN", want a finite number`)
		_, err = runtime.Start(w.ctx(), w.rt, "s", sets, workflow.None{})
		require.NoError(t, err)
		d, err := w.rt.Describe(w.ctx(), "s")
		require.NoError(t, err)
		assert.Contains(t, d.Stalled, "SetAttributes: clew: attribute weight is invalid")
		assert.Empty(t, w.rows(query.Query{ID: "s"})[0].Attributes)
		require.NoError(t, w.rt.Terminate(w.ctx(), "s"))
		out, err := runtime.Do(w.ctx(), w.rt, "b", begins, workflow.None{})
		require.NoError(t, err)
		assert.Contains(t, out, "attribute weight is invalid")
	}, wait, sets, begins)
}

func TestAttributesAreFoundInRowsAsTheyWereSet(t *testing.T) {
	due := time.Date(2030, 1, 2, 3, 4, 5, 6, time.FixedZone("", 3600))
	sets := workflow.Define("sets", func(ctx workflow.Context, _ workflow.None) (workflow.None, error) {
		workflow.SetAttributes(ctx, dueBy.Set(due), budget.Set(200*day+1), serial.Set(1<<53+1), tags.Unset())
		return workflow.None{}, workflow.Sleep(ctx, hour)
	})
	inWorld(t, func(w *world) {
		_, err := runtime.Start(w.ctx(), w.rt, "s", sets, workflow.None{}, weight.Set(12), fast.Set(false), tags.Set([]string{"a"}), serial.Set(1))
		require.NoError(t, err)
		row := w.rows(query.Query{ID: "s"})[0]
		kg, ok := weight.Of(row)
		assert.True(t, ok)
		assert.Equal(t, 12.0, kg)
		at, ok := dueBy.Of(row)
		assert.True(t, ok && at.Equal(due), "%v", at)
		b, ok := budget.Of(row)
		assert.True(t, ok)
		assert.Equal(t, 200*day+1, b)
		n, ok := serial.Of(row)
		assert.True(t, ok)
		assert.Equal(t, int64(1<<53+1), n)
		f, ok := fast.Of(row)
		assert.True(t, ok && !f)
		_, ok = tags.Of(row)
		assert.False(t, ok, "it was taken away")
		require.NoError(t, w.rt.Terminate(w.ctx(), "s"))
	}, sets)
}
