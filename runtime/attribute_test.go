package runtime_test

import (
	"fmt"
	"math"
	"path/filepath"
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

type purchase struct {
	Total    float64   `find:"total"`
	Customer *string   `find:"customer"`
	Card     string    // is not found by
	Due      time.Time `find:"due"`
}

// TestFieldsOfInputsAreFoundWhereTheirTypeSaysSo in runs that are started, in children and in the runs that continue them.
func TestFieldsOfInputsAreFoundWhereTheirTypeSaysSo(t *testing.T) {
	child := workflow.Define("child", func(ctx workflow.Context, _ purchase) (workflow.None, error) {
		return workflow.None{}, workflow.Sleep(ctx, hour)
	})
	buys := workflow.Define("buys", func(ctx workflow.Context, p purchase) (workflow.None, error) {
		if p.Total < 100 {
			return workflow.None{}, workflow.ContinueAsNew(ctx, purchase{Total: p.Total + 100})
		}
		_, err := workflow.Child(ctx, child, purchase{Total: 7}, workflow.ID("c"))
		return workflow.None{}, err
	})
	inWorld(t, func(w *world) {
		ann := "ann"
		_, err := runtime.Start(w.ctx(), w.rt, "p", buys, purchase{Total: 50.5, Customer: &ann, Card: "secret", Due: time.Date(2030, 1, 2, 0, 0, 0, 0, time.UTC)})
		require.NoError(t, err)
		time.Sleep(time.Second) // of the world
		require.Len(t, w.rows(query.Query{ID: "c"}), 1)
		numbers := func(where string) (all []string) {
			for _, row := range w.rows(query.Query{Where: where, Order: "started"}) {
				all = append(all, row.ID+" "+string('0'+rune(row.Number)))
			}
			return all
		}
		assert.Equal(t, []string{"p 1"}, numbers("input.total = 50.5 AND input.customer = 'ann' AND input.due > 2030-01-01"))
		assert.Equal(t, []string{"p 2"}, numbers("input.total >= 100 AND input.customer IS NULL"))
		assert.Equal(t, []string{"c 1"}, numbers("input.total = 7"))
		assert.Empty(t, numbers("input.Card = 'secret'"))
		groups, err := w.rt.Group(w.ctx(), query.Query{Type: "buys"}, "status")
		require.NoError(t, err)
		assert.Equal(t, []query.Group{{Keys: []any{"running"}, Count: 1}, {Keys: []any{"continued"}, Count: 1}}, groups.Groups)
		n := 0
		for _, err := range w.rt.Find(w.ctx(), query.Query{Most: 2, Limit: 1}) {
			require.NoError(t, err)
			n++
		}
		assert.Equal(t, 2, n)
		_, err = runtime.Start(w.ctx(), w.rt, "x", buys, purchase{Total: math.NaN()})
		require.ErrorIs(t, err, runtime.ErrInvalid)
		_, err = runtime.Start(w.ctx(), w.rt, "x", buys, purchase{}, workflow.NewAttribute[int]("input.total").Set(1))
		require.ErrorIs(t, err, runtime.ErrInvalid)
		require.NoError(t, w.rt.Terminate(w.ctx(), "p"))
	}, buys, child)
}

// TestAFieldThatIsDeclaredLaterIsFoundInRunsThatBeganBefore: the index is built anew beside the one that is used meanwhile.
func TestAFieldThatIsDeclaredLaterIsFoundInRunsThatBeganBefore(t *testing.T) {
	type before struct{ Total int }
	type after struct {
		Total int `find:"total"`
	}
	c := runtime.Config{Store: filepath.Join(t.TempDir(), "store")}
	bill := workflow.Define("bill", func(_ workflow.Context, in before) (int, error) { return in.Total, nil })
	rt, stop := open(t, c, bill)
	for i := range 20 {
		_, err := runtime.Start(t.Context(), rt, fmt.Sprint("b", i), bill, before{Total: i})
		require.NoError(t, err)
	}
	stop()
	rt, stop = open(t, c, workflow.Define("bill", func(_ workflow.Context, in after) (int, error) { return in.Total, nil }))
	defer stop()
	require.Eventually(t, func() bool {
		n, err := rt.Count(t.Context(), query.Query{Where: "input.total >= 15"})
		require.NoError(t, err, "it can be asked meanwhile")
		return n == 5
	}, time.Minute, time.Millisecond)
}
