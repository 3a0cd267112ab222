package runtime_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clewflow/clew/activity"
	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/query"
	"github.com/clewflow/clew/runtime"
	"github.com/clewflow/clew/store"
	"github.com/clewflow/clew/store/memory"
	"github.com/clewflow/clew/workflow"
)

// tally counts signals and continues as new after every few.
type tally struct {
	Every, Until, Seen int
	Last               int
	OutOfOrder         int
}

var tallying = workflow.Define("tally", func(ctx workflow.Context, t tally) (tally, error) {
	for range t.Every {
		n, err := number.Receive(ctx)
		if err != nil {
			return t, err
		}
		if n != t.Last+1 {
			t.OutOfOrder++
		}
		t.Last = n
		if t.Seen++; t.Seen == t.Until {
			return t, nil
		}
	}
	return t, workflow.ContinueAsNew(ctx, t)
})

// TestSignalsTravelThroughManyRuns: one arrives in every turn, through hundreds of runs, and all are seen in order, once.
func TestSignalsTravelThroughManyRuns(t *testing.T) {
	const signals = 5000
	inWorld(t, func(w *world) {
		h, err := runtime.Start(w.ctx(), w.rt, "t", tallying, tally{Every: 12, Until: signals})
		require.NoError(t, err)
		for i := range signals {
			require.NoError(t, w.rt.Signal(w.ctx(), "t", number.With(i+1)))
		}
		out, err := h.Result(w.ctx())
		require.NoError(t, err)
		assert.Equal(t, tally{Every: 12, Until: signals, Seen: signals, Last: signals}, out)
		d, err := w.rt.Describe(w.ctx(), "t")
		require.NoError(t, err)
		assert.Greater(t, d.Number, uint64(400))
		rows := w.rows(query.Query{ID: "t", Status: query.Continued})
		assert.Len(t, rows, int(d.Number)-1)
	}, tallying)
}

// TestUnreadSignalsAreCarriedOn: signals that were not received are received by the next run, also after it was forgotten.
func TestUnreadSignalsAreCarriedOn(t *testing.T) {
	inWorld(t, func(w *world) {
		_, err := runtime.Start(w.ctx(), w.rt, "t", tallying, tally{Every: 1, Until: 50}, runtime.After(time.Hour))
		require.NoError(t, err)
		for i := range 40 {
			require.NoError(t, w.rt.Signal(w.ctx(), "t", number.With(i+1)))
		}
		time.Sleep(2 * hour)
		for i := range 10 {
			require.NoError(t, w.rt.Signal(w.ctx(), "t", number.With(41+i)))
		}
		out, err := runtime.Result(w.ctx(), w.rt, "t", tallying)
		require.NoError(t, err)
		assert.Equal(t, 50, out.Seen)
		assert.Zero(t, out.OutOfOrder)
	}, tallying)
}

// TestEachRunNamesItsBuild: what is decided does not depend on whether the execution was remembered from the log meanwhile.
// A run is remembered from its own first entry on.
func TestEachRunNamesItsBuild(t *testing.T) {
	for _, memory := range []int{0, runtime.Forget} {
		newWorldOf(t, runtime.Config{Build: "b1", Memory: memory}, func(w *world) {
			h, err := runtime.Start(w.ctx(), w.rt, "t", tallying, tally{Every: 1, Until: 3})
			require.NoError(t, err)
			for i := range 3 {
				require.NoError(t, w.rt.Signal(w.ctx(), "t", number.With(i+1)))
			}
			_, err = h.Result(w.ctx())
			require.NoError(t, err)
			for _, e := range w.entries("t") {
				want := ""
				if e.Event.Kind() == "started" {
					want = "b1"
				}
				assert.Equal(t, want, e.Build, "entry %d, %s, with memory %d", e.Seq, e.Event.Kind(), memory)
			}
		}, tallying)
	}
}

func TestWhatOutlivesARunTravelsOn(t *testing.T) {
	region := workflow.NewAttribute[string]("region")
	phase := workflow.NewAttribute[int]("phase")
	w := workflow.Define("long", func(ctx workflow.Context, n int) (string, error) {
		info := workflow.Info(ctx)
		if n == 3 {
			return fmt.Sprint(info.Number, info.Headers["tenant"], info.CorrelationID, info.Deadline.Sub(info.Started) < 11*hour, info.Run != info.Chain), nil
		}
		workflow.SetAttributes(ctx, phase.Set(n))
		if err := workflow.Sleep(ctx, hour); err != nil {
			return "", err
		}
		return "", workflow.ContinueAsNew(ctx, n+1)
	}, workflow.ExecutionTimeout(12*hour), workflow.RunTimeout(2*hour))
	inWorld(t, func(wo *world) {
		h, err := runtime.Start(wo.ctx(), wo.rt, "l", w, 0, region.Set("eu"), workflow.Header("tenant", "acme"), workflow.CorrelationID("c-1"),
			workflow.Memo("note", "keep"))
		require.NoError(t, err)
		out, err := h.Result(wo.ctx())
		require.NoError(t, err)
		assert.Equal(t, "4acmec-1true true", out)
		rows := wo.rows(query.Query{ID: "l", Order: "started"})
		require.Len(t, rows, 4)
		for i, row := range rows {
			eu, ok := region.Of(row)
			assert.True(t, ok && eu == "eu")
			p, ok := phase.Of(row)
			assert.True(t, ok)
			assert.Equal(t, min(i, 2), p)
			assert.Equal(t, "client", row.Origin)
			assert.Equal(t, map[string]any{"note": "keep"}, row.Memo)
		}
	}, w)
}

func TestTheExecutionsDeadlineCountsOverAllRuns(t *testing.T) {
	w := workflow.Define("forever", func(ctx workflow.Context, n int) (workflow.None, error) {
		if err := workflow.Sleep(ctx, hour); err != nil {
			return workflow.None{}, err
		}
		return workflow.None{}, workflow.ContinueAsNew(ctx, n+1)
	}, workflow.ExecutionTimeout(10*hour+time.Minute))
	inWorld(t, func(wo *world) {
		h, err := runtime.Start(wo.ctx(), wo.rt, "f", w, 0)
		require.NoError(t, err)
		_, err = h.Result(wo.ctx())
		assert.ErrorIs(t, err, activity.ErrTimeout)
		d, err := wo.rt.Describe(wo.ctx(), "f")
		require.NoError(t, err)
		assert.Equal(t, uint64(11), d.Number)
	}, w)
}

func TestContinueAsNewIsToBeReturned(t *testing.T) {
	dropped := workflow.Define("dropped", func(ctx workflow.Context, n int) (int, error) {
		_ = workflow.ContinueAsNew(ctx, n+1)
		return n, nil
	})
	another := workflow.Define("another", func(ctx workflow.Context, n int) (int, error) {
		return n, workflow.ContinueAsNew(ctx, fmt.Sprint(n))
	})
	inWorld(t, func(w *world) {
		_, err := runtime.Start(w.ctx(), w.rt, "d", dropped, 1)
		require.NoError(t, err)
		_, err = runtime.Start(w.ctx(), w.rt, "a", another, 1)
		require.NoError(t, err)
		d, err := w.rt.Describe(w.ctx(), "d")
		require.NoError(t, err)
		assert.Contains(t, d.Stalled, "return …, workflow.ContinueAsNew")
		d, err = w.rt.Describe(w.ctx(), "a")
		require.NoError(t, err)
		assert.Contains(t, d.Stalled, "another takes int, got string")
		require.NoError(t, w.rt.Terminate(w.ctx(), "d"))
		require.NoError(t, w.rt.Terminate(w.ctx(), "a"))
	}, dropped, another)
}

// TestChildrenSurviveTheirParentsContinueAsNew and follow the end of its last run.
func TestChildrenSurviveTheirParentsContinueAsNew(t *testing.T) {
	parent := workflow.Define("parent", func(ctx workflow.Context, n int) (int, error) {
		workflow.BeginChild(ctx, parcel, "wait")
		if n == 2 {
			return n, workflow.Sleep(ctx, hour)
		}
		return n, workflow.ContinueAsNew(ctx, n+1)
	})
	inWorld(t, func(w *world) {
		_, err := runtime.Start(w.ctx(), w.rt, "p", parent, 0)
		require.NoError(t, err)
		time.Sleep(time.Minute)
		assert.Len(t, w.rows(query.Query{Type: "parcel", Status: query.Running}), 3)
		time.Sleep(2 * hour)
		assert.Len(t, w.rows(query.Query{Type: "parcel", Status: query.Cancelled}), 3)
	}, parent, parcel)
}

// TestParentWaitsForTheLastRunOfAChild: a child that continues as new has not ended.
func TestParentWaitsForTheLastRunOfAChild(t *testing.T) {
	parent := workflow.Define("parent", func(ctx workflow.Context, _ workflow.None) (tally, error) {
		child := workflow.BeginChild(ctx, tallying, tally{Every: 2, Until: 9})
		for i := range 9 {
			if err := workflow.Send(ctx, child.ID, number.With(i+1)); err != nil {
				return tally{}, err
			}
		}
		return child.Get(ctx)
	})
	inWorld(t, func(w *world) {
		out, err := runtime.Do(w.ctx(), w.rt, "p", parent, workflow.None{})
		require.NoError(t, err)
		assert.Equal(t, 9, out.Seen)
		assert.Zero(t, out.OutOfOrder)
	}, parent, tallying)
}

// TestARunAtItsLimitStalls and says so. Signals are refused before that; the rest works.
func TestARunAtItsLimitStalls(t *testing.T) {
	newWorldOf(t, runtime.Config{Entries: 200}, func(w *world) {
		_, err := runtime.Start(w.ctx(), w.rt, "t", tallying, tally{Every: 1000, Until: 1000})
		require.NoError(t, err)
		var refused error
		n := 0
		for ; refused == nil && n < 1000; n++ {
			refused = w.rt.Signal(w.ctx(), "t", number.With(n+1))
		}
		assert.ErrorIs(t, refused, runtime.ErrHistoryFull)
		assert.Equal(t, 190, n)
		_, err = runtime.Start(w.ctx(), w.rt, "s", sleeper, 1000)
		require.NoError(t, err)
		time.Sleep(day)
		d, err := w.rt.Describe(w.ctx(), "s")
		require.NoError(t, err)
		assert.Contains(t, d.Stalled, "limit of 200 entries")
		require.NoError(t, w.rt.Cancel(w.ctx(), "s"))
		require.NoError(t, w.rt.Terminate(w.ctx(), "s"))
		require.NoError(t, w.rt.Terminate(w.ctx(), "t"))
	}, tallying, sleeper)
}

var sleeper = workflow.Define("sleeper", func(ctx workflow.Context, n int) (workflow.None, error) {
	for range n {
		if err := workflow.Sleep(ctx, time.Minute); err != nil {
			return workflow.None{}, err
		}
	}
	return workflow.None{}, nil
})

func TestShouldContinueAsNewFromFourFifthsOn(t *testing.T) {
	var at []int
	w := workflow.Define("budget", func(ctx workflow.Context, n int) (int, error) {
		for !workflow.ShouldContinueAsNew(ctx) {
			if err := workflow.Sleep(ctx, time.Second); err != nil {
				return 0, err
			}
		}
		at = append(at, workflow.Info(ctx).Entries)
		if n == 2 {
			return n, nil
		}
		return n, workflow.ContinueAsNew(ctx, n+1)
	})
	newWorldOf(t, runtime.Config{Budget: history.Budget{Entries: 100}}, func(wo *world) {
		h, err := runtime.Start(wo.ctx(), wo.rt, "b", w, 0)
		require.NoError(t, err)
		out, err := h.Result(wo.ctx())
		require.NoError(t, err)
		assert.Equal(t, 2, out)
		for _, n := range at {
			assert.InDelta(t, 80, n, 2)
		}
	}, w)
}

// TestDeathAtEachAppendOfAChainOfRuns: nothing accepted is lost, whatever is recorded when the process dies.
func TestDeathAtEachAppendOfAChainOfRuns(t *testing.T) {
	most := 0
	for n := 0; n <= most; n++ {
		for _, stored := range []bool{false, true} {
			inFaulty(t, n, stored, func(w *world, appends func() int) {
				out, err := runtime.Result(w.ctx(), w.rt, "t", tallying)
				require.NoError(t, err)
				assert.Equal(t, 20, out.Seen, "death at append %d (stored: %v)", n, stored)
				assert.Zero(t, out.OutOfOrder, "death at append %d (stored: %v)", n, stored)
				most = max(most, appends())
			}, func(w *world) {
				ctx := context.WithoutCancel(w.ctx())
				_, err := runtime.Start(ctx, w.rt, "t", tallying, tally{Every: 3, Until: 20}, runtime.RequestID("start"))
				for i := 0; i < 20 && err == nil; i++ {
					if err = w.rt.Signal(ctx, "t", number.With(i+1), runtime.RequestID(fmt.Sprint("signal ", i))); errors.Is(err, runtime.ErrNotRunning) {
						err = nil
					}
				}
			}, tallying)
		}
	}
	assert.Greater(t, most, 15)
}

// TestACallMayMeanOneRun: a chain by its first run; one that is over is not taken for the one that followed it.
func TestACallMayMeanOneRun(t *testing.T) {
	inWorld(t, func(w *world) {
		first, err := runtime.Start(w.ctx(), w.rt, "t", tallying, tally{Every: 1, Until: 2})
		require.NoError(t, err)
		require.NoError(t, w.rt.Signal(w.ctx(), "t", number.With(1), runtime.OfRun(first.Run)), "it has continued since, in the same chain")
		require.NoError(t, w.rt.Signal(w.ctx(), "t", number.With(2), runtime.OfRun(first.Run)))
		second, err := runtime.Start(w.ctx(), w.rt, "t", tallying, tally{Every: 5, Until: 1})
		require.NoError(t, err)
		assert.ErrorIs(t, w.rt.Signal(w.ctx(), "t", number.With(3), runtime.OfRun(first.Run)), runtime.ErrNotRunning)
		assert.ErrorIs(t, w.rt.Terminate(w.ctx(), "t", runtime.OfRun("another")), runtime.ErrNotRunning)
		out, err := runtime.Result(w.ctx(), w.rt, "t", tallying, runtime.OfRun(first.Run))
		require.NoError(t, err)
		assert.Equal(t, 2, out.Seen)
		require.NoError(t, w.rt.Signal(w.ctx(), "t", number.With(1), runtime.OfRun(second.Run)))
		out, err = second.Result(w.ctx())
		require.NoError(t, err)
		assert.Equal(t, 1, out.Seen)
	}, tallying)
}

// slow is a log whose appends take a second, so that what comes meanwhile is handled together.
type slow struct{ *memory.Log }

func (s slow) AppendTail(ctx context.Context, id history.ID, tail *store.Tail, entries ...history.Entry) error {
	time.Sleep(time.Second)
	return s.Log.AppendTail(ctx, id, tail, entries...)
}

// TestRequestOfTheSameBatchIsKnown: a request that comes twice at once is one request, though the run in which it took effect
// has continued as new before the second is looked at, and nothing of that is in the log yet.
func TestRequestOfTheSameBatchIsKnown(t *testing.T) {
	turns := workflow.Define("turns", func(ctx workflow.Context, n int) (int, error) {
		if _, err := number.Receive(ctx); err != nil || n == 5 {
			return n, err
		}
		return n, workflow.ContinueAsNew(ctx, n+1)
	})
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, runtime.Config{})
		w.c.Log = slow{w.disk.Open()}
		w.openOn(turns)
		h, err := runtime.Start(w.ctx(), w.rt, "a", turns, 1)
		require.NoError(t, err)
		signal := func(n int, request string) {
			assert.NoError(t, w.rt.Signal(w.ctx(), "a", number.With(n), runtime.RequestID(request)))
		}
		var sent sync.WaitGroup
		sent.Go(func() { signal(1, "first") })
		time.Sleep(time.Millisecond)
		for range 3 {
			sent.Go(func() { signal(2, "twice") })
		}
		sent.Wait()
		for n := range 3 {
			signal(n, fmt.Sprint("last ", n))
		}
		out, err := h.Result(w.ctx())
		require.NoError(t, err)
		assert.Equal(t, 5, out)
		n := 0
		for _, e := range w.entries("a") {
			if e.Request == "twice" {
				n++
			}
		}
		assert.Equal(t, 1, n)
		w.close()
	})
}
