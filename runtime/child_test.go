package runtime_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clewflow/clew/activity"
	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/query"
	"github.com/clewflow/clew/runtime"
	"github.com/clewflow/clew/workflow"
)

var errBroken = activity.NewError("child.broken", "it broke")

// parcel is a child that does what its input says.
var parcel = workflow.Define("parcel", func(ctx workflow.Context, what string) (string, error) {
	switch what {
	case "fail":
		return "", fmt.Errorf("packing: %w", errBroken)
	case "wait":
		if _, err := number.Receive(ctx); err != nil {
			return "", err
		}
	case "sleep":
		if err := workflow.Sleep(ctx, hour); err != nil {
			return "", err
		}
	case "stubborn":
		_ = workflow.Sleep(ctx, hour)
		return "stayed", workflow.Sleep(workflow.WithoutCancel(ctx), day)
	}
	return "did " + what, nil
})

func TestChildReturnsItsResult(t *testing.T) {
	parent := workflow.Define("parent", func(ctx workflow.Context, what string) (string, error) {
		return workflow.Child(ctx, parcel, what)
	})
	inWorld(t, func(w *world) {
		out, err := runtime.Do(w.ctx(), w.rt, "p", parent, "nothing")
		require.NoError(t, err)
		assert.Equal(t, "did nothing", out)
		told := slices.DeleteFunc(w.kinds("p"), func(kind string) bool { return kind == "child-started" }) // not of one that ends at once
		assert.Equal(t, []string{"started", "child-asked", "child-closed", "completed"}, told)
		d, err := w.rt.Describe(w.ctx(), "p~1.1")
		require.NoError(t, err)
		assert.Equal(t, history.Origin{Kind: "parent", ID: "p"}, d.Origin)
		rows := w.rows(query.Query{Parent: "p"})
		require.Len(t, rows, 1)
		assert.Equal(t, "p", rows[0].Root)
		assert.Equal(t, "parent:p", rows[0].Origin)
	}, parent, parcel)
}

func (w *world) rows(q query.Query) (all []query.Row) {
	w.t.Helper()
	for row, err := range w.rt.Find(w.ctx(), q) {
		require.NoError(w.t, err)
		all = append(all, row)
	}
	return all
}

func TestChildsFailureIsFoundInTheChain(t *testing.T) {
	parent := workflow.Define("parent", func(ctx workflow.Context, what string) (string, error) {
		_, err := workflow.Child(ctx, parcel, what)
		var e *workflow.Error
		if !errors.As(err, &e) || !errors.Is(err, errBroken) {
			return fmt.Sprintf("%T %v", err, err), nil
		}
		return fmt.Sprint(e.Status, " ", e.ID, " ", e.Type, " ", e.Step), err
	})
	inWorld(t, func(w *world) {
		_, err := runtime.Do(w.ctx(), w.rt, "p", parent, "fail")
		assert.ErrorIs(t, err, errBroken)
		assert.ErrorContains(t, err, "packing")
	}, parent, parcel)
}

func TestParentClosePolicies(t *testing.T) {
	parent := workflow.Define("parent", func(ctx workflow.Context, how string) (string, error) {
		for _, p := range []workflow.ParentClose{workflow.CancelChild, workflow.TerminateChild, workflow.AbandonChild} {
			workflow.BeginChild(ctx, parcel, "sleep", workflow.OnParentClose(p), workflow.ID("child-"+string(p)))
		}
		switch how {
		case "at once":
			return "", nil
		case "fail":
			_, err := workflow.AwaitWithin(ctx, time.Minute, func() bool { return false })
			return "", errors.Join(err, errBroken)
		}
		return "", workflow.Sleep(ctx, day)
	})
	ends := map[string]func(w *world){
		"at once":   func(*world) {},
		"fail":      func(*world) { time.Sleep(2 * time.Minute) },
		"terminate": func(w *world) { require.NoError(t, w.rt.Terminate(w.ctx(), "p")) },
		"cancel":    func(w *world) { require.NoError(t, w.rt.Cancel(w.ctx(), "p")) },
	}
	for how, end := range ends {
		t.Run(how, func(t *testing.T) {
			inWorld(t, func(w *world) {
				_, err := runtime.Start(w.ctx(), w.rt, "p", parent, how)
				require.NoError(t, err)
				time.Sleep(time.Second)
				end(w)
				time.Sleep(time.Second)
				status := func(id string) query.Status {
					d, err := w.rt.Describe(w.ctx(), id)
					if how == "at once" && errors.Is(err, runtime.ErrNotFound) {
						return query.Cancelled // it was never started
					}
					require.NoError(t, err)
					return d.Status
				}
				assert.Equal(t, query.Cancelled, status("child-cancel"))
				if how == "cancel" { // their scope has ended, whatever becomes of them when the run does
					assert.Equal(t, query.Cancelled, status("child-terminate"))
					assert.Equal(t, query.Cancelled, status("child-abandon"))
					return
				}
				if how != "at once" {
					assert.Equal(t, query.Terminated, status("child-terminate"))
				}
				assert.Equal(t, query.Running, status("child-abandon"))
				time.Sleep(2 * hour)
				assert.Equal(t, query.Completed, status("child-abandon"))
			}, parent, parcel)
		})
	}
}

func TestChildIsAskedToEndWithItsScope(t *testing.T) {
	for policy, want := range map[activity.Cancel]string{
		activity.TryCancel: "cancelled", activity.WaitCancelled: "stayed", activity.LeaveRunning: "cancelled",
	} {
		t.Run(string(policy), func(t *testing.T) {
			parent := workflow.Define("parent", func(ctx workflow.Context, _ workflow.None) (string, error) {
				within, cancel := workflow.WithCancel(ctx)
				child := workflow.BeginChild(within, parcel, "stubborn", workflow.OnCancel(policy), workflow.OnParentClose(workflow.AbandonChild))
				if err := child.Started(ctx); err != nil {
					return "", err
				}
				cancel()
				out, err := child.Get(within)
				if errors.Is(err, workflow.ErrCancelled) {
					return "cancelled", nil
				}
				return out, err
			})
			inWorld(t, func(w *world) {
				h, err := runtime.Start(w.ctx(), w.rt, "p", parent, workflow.None{})
				require.NoError(t, err)
				out, err := h.Result(w.ctx())
				require.NoError(t, err)
				assert.Equal(t, want, out)
				time.Sleep(time.Second)
				d, err := w.rt.Describe(w.ctx(), "p~1.1")
				require.NoError(t, err)
				assert.Equal(t, policy != activity.LeaveRunning, d.CancelRequested)
				if policy == activity.TryCancel {
					assert.Contains(t, w.kinds("p"), "child-cancel-requested")
				}
				time.Sleep(2 * day)
			}, parent, parcel)
		})
	}
}

func TestChildWhoseIDIsInUseIsAnError(t *testing.T) {
	parent := workflow.Define("parent", func(ctx workflow.Context, id string) (string, error) {
		_, err := workflow.Child(ctx, parcel, "nothing", workflow.ID(id))
		if errors.Is(err, workflow.ErrAlreadyRunning) {
			return "in use", nil
		}
		return fmt.Sprint(err), nil
	})
	inWorld(t, func(w *world) {
		_, err := runtime.Start(w.ctx(), w.rt, "taken", parcel, "sleep")
		require.NoError(t, err)
		out, err := runtime.Do(w.ctx(), w.rt, "p", parent, "taken")
		require.NoError(t, err)
		assert.Equal(t, "in use", out)
		out, err = runtime.Do(w.ctx(), w.rt, "q", parent, "a\nb")
		require.NoError(t, err)
		assert.Contains(t, out, "no control characters")
		require.NoError(t, w.rt.Terminate(w.ctx(), "taken"))
	}, parent, parcel)
}

func TestChildrenOfChildrenAndManyOfThem(t *testing.T) {
	tree := workflow.Declare[int, int]("tree")
	body := tree.Bind(func(ctx workflow.Context, depth int) (int, error) {
		if depth == 0 {
			return 1, nil
		}
		counts, err := workflow.Map(ctx, []int{0, 1, 2}, func(ctx workflow.Context, _ int) (int, error) {
			return workflow.Child(ctx, tree, depth-1)
		}, workflow.Limit(2))
		sum := 1
		for _, n := range counts {
			sum += n
		}
		return sum, err
	})
	inWorld(t, func(w *world) {
		out, err := runtime.Do(w.ctx(), w.rt, "root", tree, 3)
		require.NoError(t, err)
		assert.Equal(t, 1+3+9+27, out)
		rows := w.rows(query.Query{Type: "tree"})
		assert.Len(t, rows, 40)
		for _, row := range rows {
			if row.ID != "root" {
				assert.Equal(t, "root", row.Root)
			}
		}
	}, body)
}

// TestDeathAtEachAppendBetweenParentAndChild: whatever is recorded when the process dies, the parent ends and no child is left.
func TestDeathAtEachAppendBetweenParentAndChild(t *testing.T) {
	parent := workflow.Define("parent", func(ctx workflow.Context, _ workflow.None) (string, error) {
		a := workflow.BeginChild(ctx, parcel, "sleep")
		within, cancel := workflow.WithCancel(ctx)
		b := workflow.BeginChild(within, parcel, "wait")
		workflow.BeginChild(ctx, parcel, "sleep", workflow.ID("survivor"), workflow.OnParentClose(workflow.AbandonChild))
		workflow.BeginChild(ctx, parcel, "wait", workflow.ID("orphan"))
		if err := b.Started(ctx); err != nil {
			return "", err
		}
		if err := workflow.Send(ctx, "p~1.1", number.With(1)); err != nil {
			return "", err
		}
		cancel()
		return a.Get(ctx)
	})
	most := 0
	for n := 0; n <= most; n++ {
		for _, stored := range []bool{false, true} {
			inFaulty(t, n, stored, func(w *world, appends func() int) {
				out, err := runtime.Result(w.ctx(), w.rt, "p", parent)
				require.NoError(t, err, "death at append %d", n)
				assert.Equal(t, "did sleep", out)
				time.Sleep(3 * hour)
				for row := range w.rt.Find(w.ctx(), query.Query{Status: query.Open}) {
					t.Errorf("death at append %d (stored: %v): %s is still open and waits for %s", n, stored, row.ID, row.Waiting)
				}
				for id, want := range map[string]query.Status{"survivor": query.Completed, "orphan": query.Cancelled, "p~1.1": query.Completed, "p~1.2": query.Cancelled} {
					rows := w.rows(query.Query{ID: id})
					if assert.Len(t, rows, 1, "death at append %d: %s", n, id) {
						assert.Equal(t, want, rows[0].Status, "death at append %d: %s", n, id)
					}
				}
				most = max(most, appends())
			}, func(w *world) {
				_, _ = runtime.Start(context.WithoutCancel(w.ctx()), w.rt, "p", parent, workflow.None{}, runtime.RequestID("once"))
			}, parent, parcel)
		}
	}
	assert.Greater(t, most, 12)
	t.Logf("%d appends", most)
}

// TestMessageReachesAChildThatIsJustStarting: a child begun before a message is there when the message is delivered, however the
// start and the delivery fall together.
func TestMessageReachesAChildThatIsJustStarting(t *testing.T) {
	child := workflow.Define("child", func(ctx workflow.Context, _ workflow.None) (int, error) { return number.Receive(ctx) })
	parent := workflow.Define("parent", func(ctx workflow.Context, n int) (int, error) {
		c := workflow.BeginChild(ctx, child, workflow.None{})
		if err := workflow.Send(ctx, c.ID, number.With(n)); err != nil {
			return 0, err
		}
		return c.Get(ctx)
	})
	inWorld(t, func(w *world) {
		var all []runtime.Handle[int]
		for n := range 500 {
			h, err := runtime.Start(w.ctx(), w.rt, fmt.Sprint("p", n), parent, n)
			require.NoError(t, err)
			all = append(all, h)
		}
		for n, h := range all {
			got, err := h.Result(w.ctx())
			assert.NoError(t, err)
			assert.Equal(t, n, got)
		}
	}, parent, child)
}
