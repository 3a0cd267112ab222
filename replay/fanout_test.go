package replay_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clewflow/clew/activity"
	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/replay"
	"github.com/clewflow/clew/workflow"
)

func doWork(ctx workflow.Context, n int) (int, error) { return workflow.Do(ctx, work, n) }

func upTo(n int) (items []int) {
	for i := range n {
		items = append(items, i)
	}
	return items
}

func TestMapReturnsResultsInTheOrderOfItsItems(t *testing.T) {
	w := yields(t, func(ctx workflow.Context) ([]int, error) { return workflow.Map(ctx, []int{5, 6, 7}, doWork) })
	for _, step := range []history.Step{2, 3, 1} {
		w.complete(step, 10*int(step))
	}
	assert.Equal(t, []int{10, 20, 30}, result[[]int](w))
}

func TestMapOfNothingReturnsNothing(t *testing.T) {
	w := yields(t, func(ctx workflow.Context) (string, error) {
		a, err := workflow.Map(ctx, nil, doWork)
		b, errB := workflow.MapAll(ctx, []int{}, doWork)
		return fmt.Sprint(a, b), errors.Join(err, errB)
	})
	assert.Equal(t, "[] []", result[string](w))
	assert.Equal(t, []string{"started", "completed"}, w.kinds())
}

func TestMapNeverExceedsItsLimit(t *testing.T) {
	for _, c := range []struct {
		opts []workflow.MapOption
		want int
	}{{nil, 16}, {[]workflow.MapOption{workflow.Limit(1)}, 1}, {[]workflow.MapOption{workflow.Limit(3)}, 3}, {[]workflow.MapOption{workflow.Limit(100)}, 40}} {
		t.Run(fmt.Sprint(c.want), func(t *testing.T) {
			w := yields(t, func(ctx workflow.Context) (int, error) {
				all, err := workflow.Map(ctx, upTo(40), doWork, c.opts...)
				return len(all), err
			})
			for step := history.Step(1); w.state.Open(); step++ {
				assert.Len(t, w.state.Activities, min(c.want, 41-int(step)), "before the end of %d", step)
				w.complete(step, 1)
			}
			assert.Equal(t, 40, result[int](w))
		})
	}
}

func TestALimitBelowOneStalls(t *testing.T) {
	for _, n := range []int{0, -1} {
		w := run(t, func(ctx workflow.Context) error {
			_, err := workflow.Map(ctx, upTo(3), doWork, workflow.Limit(n))
			return err
		})
		assert.EqualError(t, w.err, fmt.Sprintf("the Limit of Map is %d, want 1 or more", n))
	}
}

func TestTheFirstErrorOfMapEndsTheRest(t *testing.T) {
	var seen []string
	w := run(t, func(ctx workflow.Context) error {
		_, err := workflow.Map(ctx, upTo(10), func(ctx workflow.Context, n int) (int, error) {
			v, err := doWork(ctx, n)
			seen = append(seen, fmt.Sprint(n, " ", err))
			if err != nil && n != 1 {
				err = errors.Join(err, workflow.Sleep(workflow.WithoutCancel(ctx), time.Minute)) // cleaning up
			}
			return v, err
		}, workflow.Limit(3))
		return errors.Join(err, ctx.Err())
	})
	w.complete(1, 0)
	w.fail(2, errNo)
	require.True(t, w.state.Open(), "what was begun may clean up")
	w.pass(time.Minute)
	assert.EqualError(t, w.failure(), "activity work: no")
	assert.Equal(t, []string{"0 <nil>", "1 activity work: no", "2 cancelled", "3 cancelled"}, seen[:4])
	assert.Equal(t, []string{
		"started", "activity-scheduled 1", "activity-scheduled 2", "activity-scheduled 3", "activity-completed 1", "activity-scheduled 4", "activity-failed",
		"activity-cancel-requested 3", "activity-cancel-requested 4", "timer-started 5", "timer-started 6", "timer-fired 5", "timer-fired 6", "failed",
	}, w.kinds())
}

func TestMapEndsWithItsScope(t *testing.T) {
	begun := 0
	w := run(t, func(ctx workflow.Context) error {
		_, err := workflow.Map(ctx, upTo(10), func(ctx workflow.Context, n int) (int, error) {
			begun++
			return doWork(ctx, n)
		}, workflow.Limit(2))
		return err
	})
	w.cancel()
	assert.ErrorIs(t, w.failure(), workflow.ErrCancelled)
	assert.Equal(t, history.StatusCancelled, w.state.Status)
	assert.Equal(t, 2, begun, "no item is begun after the end of the scope")
}

func TestMapReturnsWhatItHasThoughItsScopeEnded(t *testing.T) {
	w := yields(t, func(ctx workflow.Context) ([]int, error) {
		return workflow.Map(ctx, upTo(2), func(ctx workflow.Context, n int) (int, error) {
			return workflow.Do(ctx, work, n, activity.OnCancel(activity.WaitCancelled))
		})
	})
	w.cancel()
	w.complete(1, 1)
	w.complete(2, 2)
	assert.Equal(t, []int{1, 2}, result[[]int](w), "all items were done")
}

func TestMapInAnEndedScopeBeginsNothing(t *testing.T) {
	w := yields(t, func(ctx workflow.Context) (string, error) {
		ended, cancel := workflow.WithCancel(ctx)
		cancel()
		a, err := workflow.Map(ended, upTo(3), doWork)
		b, errB := workflow.MapAll(ended, upTo(3), doWork)
		return fmt.Sprint(a, err, len(b), errB), nil
	})
	assert.Equal(t, "[] cancelled 3 cancelled", result[string](w))
	assert.Equal(t, []string{"started", "completed"}, w.kinds())
}

func TestMapAllGoesOnAfterErrors(t *testing.T) {
	w := yields(t, func(ctx workflow.Context) (string, error) {
		all, err := workflow.MapAll(ctx, upTo(4), doWork, workflow.Limit(2))
		return fmt.Sprint(all, err), nil
	})
	w.fail(1, errNo)
	w.complete(2, 20)
	w.complete(4, 40)
	w.fail(3, errNo)
	assert.Equal(t, "[{0 activity work: no} {20 <nil>} {0 activity work: no} {40 <nil>}] <nil>", result[string](w))
}

func TestMapAllTellsThatItsScopeEnded(t *testing.T) {
	code := func(limit int) func(ctx workflow.Context) (string, error) {
		return func(ctx workflow.Context) (string, error) {
			all, err := workflow.MapAll(ctx, upTo(3), doWork, workflow.Limit(limit))
			return fmt.Sprint(all, err), nil
		}
	}
	w := yields(t, code(2))
	w.complete(2, 20)
	w.cancel()
	assert.Equal(t, "[{0 cancelled} {20 <nil>} {0 cancelled}] <nil>", result[string](w), "each item was begun and has its outcome")
	w = yields(t, code(2))
	w.cancel()
	assert.Equal(t, "[{0 cancelled} {0 cancelled} {0 <nil>}] cancelled", result[string](w), "one was not begun")
}

func TestMapWorksOnChildrenAndSteps(t *testing.T) {
	w := yields(t, func(ctx workflow.Context) ([]string, error) {
		return workflow.Map(ctx, upTo(2), func(ctx workflow.Context, n int) (string, error) {
			v, err := workflow.Child(ctx, parcel, n)
			return fmt.Sprint(n, " ", v), err
		})
	})
	w.childCompletes(2, 20)
	w.childCompletes(1, 10)
	assert.Equal(t, []string{"0 10", "1 20"}, result[[]string](w))
}

// TestMapOfTenThousandItemsGrowsByAConstantForEach counts what is recorded, asked and open, and takes no time.
func TestMapOfTenThousandItemsGrowsByAConstantForEach(t *testing.T) {
	const n = 10_000
	for what, c := range map[string]struct {
		do  func(workflow.Context, int) (int, error)
		end func(w *world, step history.Step)
	}{
		"activities": {doWork, func(w *world, step history.Step) { w.complete(step, 1) }},
		"children": {
			func(ctx workflow.Context, n int) (int, error) { return workflow.Child(ctx, parcel, n) },
			func(w *world, step history.Step) { w.childCompletes(step, 1) },
		},
	} {
		t.Run(what, func(t *testing.T) {
			calls := 0
			w := untold(t, replay.Config{Code: codeOf(func(ctx workflow.Context, _ int) (int, error) {
				all, err := workflow.Map(ctx, upTo(n), func(ctx workflow.Context, i int) (int, error) {
					calls++
					return c.do(ctx, i)
				})
				return len(all), err
			})})
			w.give(start(t, 1))
			for step := history.Step(1); step <= n; step++ {
				c.end(w, step)
				require.LessOrEqual(t, w.state.Unsettled(), 16)
			}
			assert.Equal(t, n, result[int](w))
			assert.Equal(t, n, calls)
			assert.Len(t, w.entries, 2*n+2)
			assert.EqualValues(t, n, w.state.Run.Steps)
			require.NoError(t, replay.Verify(w.codes, replay.Strict, w.entries))
			assert.Equal(t, 2*n, calls)
		})
	}
}
