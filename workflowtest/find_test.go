package workflowtest_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clewflow/clew/query"
	"github.com/clewflow/clew/runtime"
	"github.com/clewflow/clew/workflow"
	"github.com/clewflow/clew/workflowtest"
)

var naps = workflow.Define("naps", func(ctx workflow.Context, d time.Duration) (int, error) { return 0, workflow.Sleep(ctx, d) })

// lateOnes says which runs are still open, and how many there are in all.
var lateOnes = workflow.Define("late-ones", func(ctx workflow.Context, kind string) (string, error) {
	if err := workflow.Sleep(ctx, time.Hour); err != nil {
		return "", err
	}
	rows, err := workflow.Find(ctx, query.Query{Type: kind, Status: query.Running, Order: "id"})
	if err != nil {
		return "", err
	}
	ids := ""
	for _, r := range rows {
		ids += r.ID + " "
	}
	n, err := workflow.Count(ctx, query.Query{Type: kind})
	return fmt.Sprint(ids, n), err
})

func TestRowsStandInForTheIndex(t *testing.T) {
	run := workflowtest.Run(t, lateOnes, "order",
		workflowtest.Rows(func(q query.Query) []query.Row {
			assert.Equal(t, "order", q.Type)
			if q.Status == query.Running {
				return []query.Row{{ID: "order-1", Type: "order"}, {ID: "order-2", Type: "order"}}
			}
			return make([]query.Row, 12)
		}),
		workflowtest.At(90*time.Minute, workflowtest.Crash),
	)
	out, err := run.Result()
	require.NoError(t, err)
	assert.Equal(t, "order-1 order-2 12", out)
}

func TestNoRowsIsAnAnswerToo(t *testing.T) {
	run := workflowtest.Run(t, lateOnes, "order", workflowtest.Rows(func(query.Query) []query.Row { return nil }))
	out, err := run.Result()
	require.NoError(t, err)
	assert.Equal(t, "0", out)
}

// TestTheIndexOfTheTestAnswers, in each schedule, whatever fails.
func TestTheIndexOfTheTestAnswers(t *testing.T) {
	nap := workflow.Define("nap-child", func(ctx workflow.Context, n int) (int, error) { return n, workflow.Sleep(ctx, time.Minute) })
	looks := workflow.Define("looks", func(ctx workflow.Context, n int) (int, error) {
		if err := workflow.Sleep(ctx, time.Second); err != nil {
			return 0, err
		}
		for i := range n {
			if _, err := workflow.Child(ctx, nap, i, workflow.ID(fmt.Sprint("n", i))); err != nil {
				return 0, err
			}
		}
		return workflow.Count(ctx, query.Query{})
	})
	run := workflowtest.Run(t, looks, 2, workflowtest.Use(nap))
	out, err := run.Result()
	require.NoError(t, err)
	assert.Zero(t, out, "what began after it is not found, nor is itself")

	start := func(w *workflowtest.World) {
		_ = w.Try(func(rt *runtime.Runtime) error {
			_, err := runtime.Start(w.Context, rt, "n", naps, 2*time.Hour)
			return err
		})
	}
	run2 := workflowtest.Run(t, lateOnes, "naps", workflowtest.Use(naps), workflowtest.At(0, start))
	out2, err := run2.Result()
	require.NoError(t, err)
	assert.Equal(t, "n 1", out2, "it began at the same moment")

	workflowtest.Explore(t, lateOnes, "late-ones", workflowtest.Schedules(20),
		workflowtest.Invariant("it finds nothing of later", func(ran *workflowtest.Ran[string]) error {
			if out, err := ran.Result(); err == nil && out != "0" {
				return fmt.Errorf("found %q", out)
			}
			return nil
		}))
}
