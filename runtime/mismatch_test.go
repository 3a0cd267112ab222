package runtime_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clewflow/clew/query"
	"github.com/clewflow/clew/runtime"
	"github.com/clewflow/clew/workflow"
)

// changing is a workflow that waits for two signals with a timer before, between or after them.
func changing(timerAt int, opts ...workflow.Option) workflow.Type[string, string] {
	return workflow.Define("changing", func(ctx workflow.Context, in string) (string, error) {
		all := in
		for i := range 3 {
			if i == timerAt {
				if err := workflow.Sleep(ctx, time.Minute); err != nil {
					return "", err
				}
			}
			if i == 2 {
				break
			}
			n, err := number.Receive(ctx)
			if err != nil {
				return "", err
			}
			all += fmt.Sprint(" ", n)
		}
		return all, nil
	}, opts...)
}

func TestWhatBecomesOfRunsThatDoNotFitTheirCode(t *testing.T) {
	before := changing(1)
	open := func(t *testing.T, m workflow.Mismatch, f func(w *world, after workflow.Type[string, string])) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, runtime.Config{})
			w.open(before)
			_, err := runtime.Start(w.ctx(), w.rt, "c", before, "in")
			require.NoError(t, err)
			require.NoError(t, w.rt.Signal(w.ctx(), "c", number.With(1)))
			time.Sleep(time.Second)
			w.close()
			after := changing(0, workflow.OnMismatch(m))
			w.open(after)
			time.Sleep(time.Second)
			f(w, after)
			w.close()
		})
	}
	t.Run("stall", func(t *testing.T) {
		open(t, workflow.StallRun, func(w *world, _ workflow.Type[string, string]) {
			d, err := w.rt.Describe(w.ctx(), "c")
			require.NoError(t, err)
			assert.Equal(t, query.Stalled, d.Status)
		})
	})
	t.Run("fail", func(t *testing.T) {
		open(t, workflow.FailRun, func(w *world, after workflow.Type[string, string]) {
			_, err := runtime.Result(w.ctx(), w.rt, "c", after)
			assert.ErrorContains(t, err, "code and history of workflow changing part at entry 1")
			d, err := w.rt.Describe(w.ctx(), "c")
			require.NoError(t, err)
			assert.Equal(t, query.Failed, d.Status)
		})
	})
	t.Run("asked at once", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, runtime.Config{})
			w.open(before)
			_, err := runtime.Start(w.ctx(), w.rt, "c", before, "in")
			require.NoError(t, err)
			require.NoError(t, w.rt.Signal(w.ctx(), "c", number.With(1)))
			w.close()
			w.open(changing(0, workflow.OnMismatch(workflow.RestartRun)))
			_, err = runtime.Query(w.ctx(), w.rt, "c", workflow.NewQuery[int]("none"))
			assert.ErrorIs(t, err, runtime.ErrInvalid, "the next run is asked, and knows no such query")
			w.close()
		})
	})
	t.Run("restart", func(t *testing.T) {
		open(t, workflow.RestartRun, func(w *world, after workflow.Type[string, string]) {
			require.NoError(t, w.rt.Signal(w.ctx(), "c", number.With(2)))
			out, err := runtime.Result(w.ctx(), w.rt, "c", after)
			require.NoError(t, err)
			assert.Equal(t, "in 1 2", out, "the signal of the run before was told again")
			d, err := w.rt.Describe(w.ctx(), "c")
			require.NoError(t, err)
			assert.Equal(t, uint64(2), d.Number)
			assert.Len(t, w.rows(query.Query{ID: "c", Status: query.Terminated}), 1)
		})
	})
}
