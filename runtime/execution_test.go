package runtime_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clewflow/clew/activity"
	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/query"
	"github.com/clewflow/clew/runtime"
	"github.com/clewflow/clew/workflow"
)

var (
	approve = workflow.NewSignal[string]("approve")
	status  = workflow.NewQuery[string]("status")
	echo    = activity.Define("echo", func(_ context.Context, s string) (string, error) { return s, nil })
	waiter  = workflow.Define("waiter", func(ctx workflow.Context, _ string) (string, error) {
		at := "waiting"
		status.Handle(ctx, func() string { return at })
		by, err := approve.Receive(ctx)
		at = "done"
		return by, err
	})
)

func TestRunsOfMonthsTakeNoTime(t *testing.T) {
	tries := 0
	charge := activity.Define("charge", func(context.Context, int) (string, error) {
		if tries++; tries < 3 {
			return "", errors.New("card network down")
		}
		return "receipt", nil
	})
	order := workflow.Define("order", func(ctx workflow.Context, cents int) (string, error) {
		receipt, err := workflow.Do(ctx, charge, cents)
		if err != nil {
			return "", err
		}
		by, ok, err := approve.ReceiveWithin(ctx, 2*day)
		if err != nil || !ok {
			return "refused", err
		}
		if err := workflow.Sleep(ctx, 30*day); err != nil {
			return "", err
		}
		return receipt + " by " + by, nil
	})
	inWorld(t, func(w *world) {
		tries = 0
		h, err := runtime.Start(w.ctx(), w.rt, "o1", order, 4200)
		require.NoError(t, err)
		time.Sleep(day)
		require.NoError(t, w.rt.Signal(w.ctx(), "o1", approve.With("ann")))
		out, err := h.Result(w.ctx())
		require.NoError(t, err)
		assert.Equal(t, "receipt by ann", out)
		assert.Equal(t, "started activity-scheduled attempt-failed attempt-failed activity-completed timer-started signaled "+
			"timer-cancelled timer-started timer-fired completed", strings.Join(w.kinds("o1"), " "))
	}, order, charge)
}

func TestIDReuse(t *testing.T) {
	inWorld(t, func(w *world) {
		first, err := runtime.Start(w.ctx(), w.rt, "a", waiter, "")
		require.NoError(t, err)

		_, err = runtime.Start(w.ctx(), w.rt, "a", waiter, "")
		assert.ErrorIs(t, err, runtime.ErrAlreadyRunning)
		assert.ErrorContains(t, err, first.Run)

		same, err := runtime.Start(w.ctx(), w.rt, "a", waiter, "", runtime.IfRunning(runtime.UseExisting))
		require.NoError(t, err)
		assert.Equal(t, first.Run, same.Run)
		assert.Len(t, w.entries("a"), 1)

		second, err := runtime.Start(w.ctx(), w.rt, "a", waiter, "", runtime.IfRunning(runtime.TerminateExisting))
		require.NoError(t, err)
		assert.NotEqual(t, first.Run, second.Run)
		assert.Equal(t, []string{"started", "terminated", "started"}, w.kinds("a"))

		require.NoError(t, w.rt.Signal(w.ctx(), "a", approve.With("x")))
		_, err = second.Result(w.ctx())
		require.NoError(t, err)
		_, err = runtime.Start(w.ctx(), w.rt, "a", waiter, "", runtime.IfClosed(runtime.AllowIfNotCompleted))
		assert.ErrorIs(t, err, runtime.ErrAlreadyExists)
		_, err = runtime.Start(w.ctx(), w.rt, "a", waiter, "", runtime.IfClosed(runtime.Reject))
		assert.ErrorIs(t, err, runtime.ErrAlreadyExists)
		third, err := runtime.Start(w.ctx(), w.rt, "a", waiter, "")
		require.NoError(t, err)
		require.NoError(t, w.rt.Terminate(w.ctx(), "a", runtime.Reason("enough")))
		_, err = third.Result(w.ctx())
		var failed *workflow.Error
		require.ErrorAs(t, err, &failed)
		assert.Equal(t, query.Terminated, failed.Status)
		assert.Equal(t, "enough", failed.Message)
	}, waiter)
}

func TestRepeatedRequestGivesTheFirstAnswer(t *testing.T) {
	inWorld(t, func(w *world) {
		first, err := runtime.Start(w.ctx(), w.rt, "a", waiter, "", runtime.RequestID("r1"))
		require.NoError(t, err)
		again, err := runtime.Start(w.ctx(), w.rt, "a", waiter, "", runtime.RequestID("r1"))
		require.NoError(t, err)
		assert.Equal(t, first.Run, again.Run)
		for range 3 {
			require.NoError(t, w.rt.Signal(w.ctx(), "a", approve.With("x"), runtime.RequestID("s1")))
		}
		_, err = first.Result(w.ctx())
		require.NoError(t, err)
		require.NoError(t, w.rt.Signal(w.ctx(), "a", approve.With("x"), runtime.RequestID("s1")), "after closing too")
		assert.ErrorIs(t, w.rt.Signal(w.ctx(), "a", approve.With("x"), runtime.RequestID("s2")), runtime.ErrNotRunning)
		assert.Equal(t, []string{"started", "signaled", "completed"}, w.kinds("a"))
	}, waiter)
}

func TestCancelledCodeMayCleanUp(t *testing.T) {
	cleaned := ""
	clean := activity.Define("clean", func(_ context.Context, s string) (string, error) { cleaned = s; return s, nil })
	tidy := workflow.Define("tidy", func(ctx workflow.Context, s string) (string, error) {
		err := workflow.Sleep(ctx, day)
		if errors.Is(err, workflow.ErrCancelled) {
			_, err2 := workflow.Do(workflow.WithoutCancel(ctx), clean, s)
			return "", errors.Join(err, err2)
		}
		return s, err
	})
	inWorld(t, func(w *world) {
		cleaned = ""
		h, err := runtime.Start(w.ctx(), w.rt, "a", tidy, "x")
		require.NoError(t, err)
		time.Sleep(hour)
		require.NoError(t, w.rt.Cancel(w.ctx(), "a"))
		if err := w.rt.Cancel(w.ctx(), "a"); err != nil { // a second one changes nothing, or comes too late
			require.ErrorIs(t, err, runtime.ErrNotRunning)
		}
		_, err = h.Result(w.ctx())
		require.ErrorIs(t, err, workflow.ErrCancelled)
		var failed *workflow.Error
		require.ErrorAs(t, err, &failed)
		assert.Equal(t, query.Cancelled, failed.Status)
		assert.Equal(t, "x", cleaned)
		assert.Equal(t, "started timer-started cancel-requested timer-cancelled activity-scheduled activity-completed cancelled", strings.Join(w.kinds("a"), " "))
	}, tidy, clean)
}

func TestDeadlines(t *testing.T) {
	inWorld(t, func(w *world) {
		began := time.Now()
		h, err := runtime.Start(w.ctx(), w.rt, "a", waiter, "", workflow.RunTimeout(3*day), workflow.ExecutionTimeout(10*day))
		require.NoError(t, err)
		_, err = h.Result(w.ctx())
		assert.ErrorIs(t, err, workflow.ErrTimeout)
		assert.ErrorContains(t, err, "run")
		assert.Equal(t, 3*day, time.Since(began))
	}, waiter)
}

func TestDelayedStart(t *testing.T) {
	inWorld(t, func(w *world) {
		began := time.Now()
		quick := "x"
		h, err := runtime.Start(w.ctx(), w.rt, "a", waiter, quick, runtime.After(5*hour))
		require.NoError(t, err)
		require.NoError(t, w.rt.Signal(w.ctx(), "a", approve.With("early")))
		d, err := w.rt.Describe(w.ctx(), "a")
		require.NoError(t, err)
		assert.Contains(t, d.Waiting[0].Why, "beginning")
		out, err := h.Result(w.ctx())
		require.NoError(t, err)
		assert.Equal(t, "early", out)
		assert.Equal(t, 5*hour, time.Since(began))
	}, waiter)
}

func TestQueriesLeaveNoTrace(t *testing.T) {
	inWorld(t, func(w *world) {
		h, err := runtime.Start(w.ctx(), w.rt, "a", waiter, "")
		require.NoError(t, err)
		got, err := runtime.Query(w.ctx(), w.rt, "a", status)
		require.NoError(t, err)
		assert.Equal(t, "waiting", got)
		_, err = runtime.Query(w.ctx(), w.rt, "a", workflow.NewQuery[string]("unknown"))
		assert.ErrorIs(t, err, runtime.ErrInvalid)
		assert.ErrorContains(t, err, "status")
		_, err = runtime.Query(w.ctx(), w.rt, "none", status)
		assert.ErrorIs(t, err, runtime.ErrNotFound)
		require.NoError(t, w.rt.Signal(w.ctx(), "a", approve.With("x")))
		_, err = h.Result(w.ctx())
		require.NoError(t, err)
		got, err = runtime.Query(w.ctx(), w.rt, "a", status)
		require.NoError(t, err, "a closed run answers too")
		assert.Equal(t, "done", got)
		assert.Len(t, w.entries("a"), 3)
	}, waiter)
}

func TestBadInputChangesNothing(t *testing.T) {
	small := runtime.Config{Payload: 1000}
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, small)
		w.open(waiter, echo)
		ctx := w.ctx()
		_, err := runtime.Start(ctx, w.rt, "healthy", waiter, "")
		require.NoError(t, err)
		start := func(id, in string, opts ...workflow.Option) error {
			_, err := runtime.Start(ctx, w.rt, id, waiter, in, opts...)
			return err
		}
		var invalid interface{ Error() string }
		for name, err := range map[string]error{
			"a long id":         start(strings.Repeat("x", 10_000), ""),
			"a NUL":             start("a\x00b", ""),
			"a newline":         start("a\nb", ""),
			"invalid UTF-8":     start("a\xffb", ""),
			"a negative delay":  start("a", "", runtime.After(-1)),
			"a huge delay":      start("a", "", runtime.After(200*365*day)),
			"a negative limit":  start("a", "", workflow.RunTimeout(-time.Second)),
			"a bad request id":  start("a", "", runtime.RequestID("r\n")),
			"no id for signal":  w.rt.Signal(ctx, "", approve.With("x")),
			"a bad signal name": w.rt.Signal(ctx, "healthy", workflow.NewSignal[int]("with space").With(1)),
			"a bad memo":        start("a", "", workflow.Memo("k", make(chan int))),
			"a bad token":       w.rt.Heartbeat(ctx, "AAAA", nil),
		} {
			require.ErrorIs(t, err, runtime.ErrInvalid, name)
			require.ErrorAs(t, err, &invalid, name)
		}
		require.ErrorIs(t, start("a", strings.Repeat("x", 2000)), runtime.ErrTooLarge)
		require.ErrorIs(t, w.rt.Signal(ctx, "healthy", approve.With(strings.Repeat("x", 2000))), runtime.ErrTooLarge)
		_, err = runtime.Start(ctx, w.rt, "a", workflow.Declare[string, string]("nobody"), "")
		require.ErrorIs(t, err, runtime.ErrUnknownType)
		require.ErrorContains(t, err, "waiter")
		require.ErrorIs(t, w.rt.Signal(ctx, "a", approve.With("x")), runtime.ErrNotFound)

		n, err := w.rt.Count(ctx, query.Query{})
		require.NoError(t, err)
		assert.Equal(t, 1, n)
		assert.Len(t, w.entries("healthy"), 1)
		w.close()
	})
}

func TestDefinitionsThatDoNotFitAreListed(t *testing.T) {
	double := activity.Define("echo", func(_ context.Context, s string) (string, error) { return s, nil })
	bad := activity.Define("a b", func(_ context.Context, s string) (string, error) { return s, nil }, activity.MaxAttempts(-1))
	_, err := runtime.Open(t.Context(), runtime.Config{Store: "memory:"}, echo, double, bad,
		activity.Declare[string, string]("nowhere"), workflow.Declare[string, string]("nothing"), activity.External[string]("outside"))
	require.Error(t, err)
	for _, want := range []string{"activity echo is bound twice", "activity nowhere is declared", "workflow nothing is declared", "MaxAttempts"} {
		assert.ErrorContains(t, err, want)
	}
	assert.NotContains(t, err.Error(), "outside")
}

func TestManyAtOnceAreFoundByLookup(t *testing.T) {
	inWorld(t, func(w *world) {
		for i := range 30 {
			_, err := runtime.Start(w.ctx(), w.rt, fmt.Sprint("w", i), waiter, "")
			require.NoError(t, err)
			time.Sleep(time.Second)
		}
		for i := range 10 {
			require.NoError(t, w.rt.Signal(w.ctx(), fmt.Sprint("w", i), approve.With("x")))
		}
		open, err := w.rt.Count(w.ctx(), query.Query{Status: query.Open})
		require.NoError(t, err)
		assert.Equal(t, 20, open)
		first := ""
		for row, err := range w.rt.Find(w.ctx(), query.Query{Status: query.Running, Limit: 7}) {
			require.NoError(t, err)
			if first == "" {
				first = row.ID
			}
			assert.Equal(t, "waiter", row.Type)
		}
		assert.Equal(t, "w29", first)
	}, waiter)
}

func TestRequestOfAnEarlierRunIsRecognised(t *testing.T) {
	inWorld(t, func(w *world) {
		first, err := runtime.Start(w.ctx(), w.rt, "a", waiter, "", runtime.RequestID("r1"))
		require.NoError(t, err)
		require.NoError(t, w.rt.Signal(w.ctx(), "a", approve.With("x"), runtime.RequestID("s1")))
		_, err = first.Result(w.ctx())
		require.NoError(t, err)
		second, err := runtime.Start(w.ctx(), w.rt, "a", waiter, "")
		require.NoError(t, err)
		again, err := runtime.Start(w.ctx(), w.rt, "a", waiter, "", runtime.RequestID("r1"))
		require.NoError(t, err)
		assert.Equal(t, first.Run, again.Run)
		require.NoError(t, w.rt.Signal(w.ctx(), "a", approve.With("x"), runtime.RequestID("s1")))
		require.NoError(t, w.rt.Terminate(w.ctx(), "a"))
		assert.Equal(t, "started signaled completed started terminated", strings.Join(w.kinds("a"), " "))

		out, err := first.Result(w.ctx())
		require.NoError(t, err, "a handle is of its run, whatever came after")
		assert.Equal(t, "x", out)
		_, err = second.Result(w.ctx())
		assert.ErrorContains(t, err, "terminated")
	}, waiter)
}

func TestUnreadSignalsAreListedWhenARunEnds(t *testing.T) {
	unread := func(w *world) []uint64 {
		entries := w.entries("a")
		for i := len(entries) - 1; i >= 0; i-- {
			switch e := entries[i].Event.(type) {
			case *history.TimedOut:
				return e.Unread
			case *history.Terminated:
				return e.Unread
			}
		}
		return nil
	}
	deaf := workflow.Define("deaf", func(ctx workflow.Context, _ string) (string, error) {
		return "", workflow.Sleep(ctx, 2*day)
	})
	inWorld(t, func(w *world) {
		h, err := runtime.Start(w.ctx(), w.rt, "a", deaf, "", workflow.RunTimeout(day))
		require.NoError(t, err)
		require.NoError(t, w.rt.Signal(w.ctx(), "a", approve.With("x")))
		_, err = h.Result(w.ctx())
		require.ErrorIs(t, err, workflow.ErrTimeout)
		assert.Equal(t, []uint64{3}, unread(w))
		_, err = runtime.Start(w.ctx(), w.rt, "a", deaf, "")
		require.NoError(t, err)
		require.NoError(t, w.rt.Signal(w.ctx(), "a", approve.With("y")))
		_, err = runtime.Start(w.ctx(), w.rt, "a", deaf, "", runtime.IfRunning(runtime.TerminateExisting))
		require.NoError(t, err)
		assert.Equal(t, []uint64{7}, unread(w))
	}, deaf)
}

func TestConditionsOnSignalsAreNoDeadlock(t *testing.T) {
	counts := workflow.Define("counts", func(ctx workflow.Context, _ string) (int, error) {
		err := workflow.Await(ctx, func() bool { return approve.Unread(ctx) == 2 })
		return approve.Unread(ctx), err
	})
	inWorld(t, func(w *world) {
		h, err := runtime.Start(w.ctx(), w.rt, "a", counts, "")
		require.NoError(t, err)
		d, err := w.rt.Describe(w.ctx(), "a")
		require.NoError(t, err)
		assert.Empty(t, d.Stalled)
		for range 2 {
			require.NoError(t, w.rt.Signal(w.ctx(), "a", approve.With("x")))
		}
		n, err := h.Result(w.ctx())
		require.NoError(t, err)
		assert.Equal(t, 2, n)
	}, counts)
}

func TestQueuesThatAreNotServedWait(t *testing.T) {
	elsewhere := activity.Define("elsewhere", func(context.Context, string) (string, error) { return "done", nil }, activity.Queue("gpu"))
	caller := calling(elsewhere)
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, runtime.Config{Queues: []string{""}})
		w.open(elsewhere, caller)
		_, err := runtime.Start(w.ctx(), w.rt, "a", caller, "")
		require.NoError(t, err)
		time.Sleep(hour)
		assert.Len(t, w.entries("a"), 2)
		w.close()
		w.c.Queues = []string{"gpu"}
		w.open(elsewhere, caller)
		out, err := runtime.Result(w.ctx(), w.rt, "a", caller)
		require.NoError(t, err)
		assert.Equal(t, "done", out)
		w.close()
	})
}

type report struct {
	Region string
	Pages  int
}

func (r *report) Defaults() {
	if r.Region == "" {
		r.Region = "eu"
	}
}

func TestDefaultsAreRecorded(t *testing.T) {
	reports := workflow.Define("report", func(_ workflow.Context, r report) (report, error) { return r, nil })
	inWorld(t, func(w *world) {
		out, err := runtime.Do(w.ctx(), w.rt, "a", reports, report{Pages: 3})
		require.NoError(t, err)
		assert.Equal(t, report{"eu", 3}, out)
		assert.Contains(t, string(history.Marshal(w.entries("a"))), `{"Region":"eu","Pages":3}`)
	}, reports)
}
