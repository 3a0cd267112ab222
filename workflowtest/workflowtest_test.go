package workflowtest_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/clewflow/clew/activity"
	"github.com/clewflow/clew/query"
	"github.com/clewflow/clew/runtime"
	"github.com/clewflow/clew/workflow"
	"github.com/clewflow/clew/workflowtest"
)

const day = 24 * time.Hour

var errBroke = activity.NewError("test.broke", "broke")

var (
	pay   = activity.Declare[int, string]("pay", activity.StartToClose(time.Minute))
	send  = activity.Declare[string, activity.None]("send", activity.StartToClose(activity.NoTimeout), activity.HeartbeatWithin(time.Minute), activity.ScheduleToClose(30*day))
	ok    = workflow.NewSignal[string]("ok")
	state = workflow.NewQuery[string]("state")
)

// sale pays, waits a month for somebody to say ok, sleeps a week and sends.
var sale = workflow.Define("sale", func(ctx workflow.Context, cents int) (string, error) {
	s := "paying"
	state.Handle(ctx, func() string { return s })
	receipt, err := workflow.Do(ctx, pay, cents)
	if err != nil {
		return "", err
	}
	s = "waiting"
	who, said, err := ok.ReceiveWithin(ctx, 30*day)
	if err != nil {
		return "", err
	}
	if !said {
		return "nobody", nil
	}
	s = "sleeping"
	if err := workflow.Sleep(ctx, 7*day); err != nil {
		return "", err
	}
	s = "sending"
	_, err = workflow.Do(ctx, send, receipt)
	return receipt + " by " + who, err
})

func TestThirtySevenDaysPassInMilliseconds(t *testing.T) {
	began := time.Now()
	run := workflowtest.Run(t, sale, 4200,
		workflowtest.Stub(pay).Returns("r1"),
		workflowtest.Stub(send).Returns(activity.None{}),
		workflowtest.At(30*day-time.Second, workflowtest.Send(ok.With("ann"))),
	)
	if out, err := run.Result(); out != "r1 by ann" || err != nil {
		t.Errorf("got %q, %v", out, err)
	}
	if want := 37*day - time.Second; run.Elapsed != want {
		t.Errorf("took %v on the virtual clock, want %v", run.Elapsed, want)
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("took %v on the real one", took)
	}
}

func TestNobodySaysOk(t *testing.T) {
	run := workflowtest.Run(t, sale, 1, workflowtest.Stub(pay).Returns("r1"), workflowtest.Stub(send).Never())
	if out, err := run.Result(); out != "nobody" || err != nil || run.Elapsed != 30*day {
		t.Errorf("got %q, %v after %v", out, err, run.Elapsed)
	}
}

func TestOutcomesComeOneForEachAttempt(t *testing.T) {
	paying := workflowtest.Stub(pay).Fails(errors.New("down")).TimesOut().Panics("ouch").Takes(30 * time.Second).Returns("r1")
	run := workflowtest.Run(t, sale, 7, paying, workflowtest.Stub(send).Never())
	if _, err := run.Result(); err != nil {
		t.Error(err)
	}
	if got := paying.Inputs(); !slices.Equal(got, []int{7, 7, 7, 7}) {
		t.Errorf("inputs of the attempts: %v", got)
	}
	if run.Elapsed < 30*day+90*time.Second {
		t.Errorf("took %v, want a limit of a minute and 30 s more than 30 days", run.Elapsed)
	}
}

func TestWhatAnActivityReturnsInTheEndIsTheWorkflows(t *testing.T) {
	run := workflowtest.Run(t, sale, 7, workflowtest.Stub(pay).Fails(activity.NonRetryable(errBroke)))
	_, err := run.Result()
	var failed *workflow.Error
	if !errors.As(err, &failed) || failed.Status != query.Failed || !errors.Is(err, errBroke) {
		t.Errorf("got %v, want a failed workflow because of %v", err, errBroke)
	}
}

func TestAnAttemptThatIsMadeAgainAfterACrashKeepsItsOutcome(t *testing.T) {
	paying := workflowtest.Stub(pay).Fails(errors.New("down")).Takes(30 * time.Second).Returns("r1")
	sending := workflowtest.Stub(send).Takes(3 * day).Returns(activity.None{})
	run := workflowtest.Run(t, sale, 7, paying, sending,
		workflowtest.At(10*time.Second, workflowtest.Crash),
		workflowtest.At(day, workflowtest.Send(ok.With("ann")), workflowtest.Crash),
		workflowtest.At(2*day, workflowtest.Crash, func(w *workflowtest.World) {
			if got := workflowtest.Query(w, state); got != "sleeping" {
				t.Errorf("state = %q", got)
			}
		}),
		workflowtest.At(9*day, workflowtest.Crash, workflowtest.Crash),
	)
	if out, err := run.Result(); out != "r1 by ann" || err != nil {
		t.Errorf("got %q, %v", out, err)
	}
	if n := len(paying.Inputs()); n != 2 {
		t.Errorf("%d attempts to pay, want 2", n)
	}
	if n := len(sending.Inputs()); n != 1 {
		t.Errorf("%d attempts to send, want 1", n)
	}
	if run.Elapsed != 12*day {
		t.Errorf("took %v; what the process that died began at day 8 is begun again at day 9 and takes 3 days", run.Elapsed)
	}
}

func TestAPendingAttemptIsCompletedFromOutside(t *testing.T) {
	run := workflowtest.Run(t, sale, 7,
		workflowtest.Stub(pay).Pends(),
		workflowtest.At(20*time.Second, workflowtest.Crash),
		workflowtest.At(30*time.Second, workflowtest.Complete(pay, "r9")),
		workflowtest.At(time.Minute, workflowtest.Send(ok.With("bob"))),
		workflowtest.Stub(send).Always(activity.None{}),
	)
	if out, err := run.Result(); out != "r9 by bob" || err != nil {
		t.Errorf("got %q, %v", out, err)
	}
}

func TestCancelEndsTheWaiting(t *testing.T) {
	run := workflowtest.Run(t, sale, 7, workflowtest.Stub(pay).Returns("r1"), workflowtest.At(time.Hour, workflowtest.Cancel))
	if _, err := run.Result(); !errors.Is(err, workflow.ErrCancelled) || run.Elapsed != time.Hour {
		t.Errorf("got %v after %v", err, run.Elapsed)
	}
}

func TestCheckpointsReachTheNextAttempt(t *testing.T) {
	var seen []string
	work := activity.Define("work", func(ctx context.Context, _ int) (string, error) {
		last, _ := activity.Checkpoint[string](ctx)
		seen = append(seen, last)
		if last == "half" {
			return "whole", nil
		}
		if err := activity.Heartbeat(ctx, "half"); err != nil {
			return "", err
		}
		return "", errors.New("down")
	})
	working := workflow.Define("working", func(ctx workflow.Context, n int) (string, error) { return workflow.Do(ctx, work, n) })
	run := workflowtest.Run(t, working, 1, workflowtest.Use(work))
	if out, err := run.Result(); out != "whole" || err != nil {
		t.Errorf("got %q, %v", out, err)
	}
	if !slices.Equal(seen, []string{"", "half"}) {
		t.Errorf("the body was run %d times and saw %q; the second time it is played back", len(seen), seen)
	}

	stubbed := workflowtest.Run(t, working, 1, workflowtest.Stub(work).Beats("half").Fails(errBroke).
		Calls(func(ctx context.Context, _ int) (string, error) {
			last, _ := activity.Checkpoint[string](ctx)
			return last, nil
		}))
	if out, err := stubbed.Result(); out != "half" || err != nil {
		t.Errorf("got %q, %v", out, err)
	}
}

func TestStubsTellInputsApart(t *testing.T) {
	fan := workflow.Define("fan", func(ctx workflow.Context, n int) ([]string, error) {
		var all []workflow.Future[string]
		for i := range n {
			all = append(all, workflow.Begin(ctx, pay, i))
		}
		var out []string
		for _, f := range all {
			s, err := f.Get(ctx)
			if err != nil {
				s = "none"
			}
			out = append(out, s)
		}
		return out, nil
	})
	paying := workflowtest.Stub(pay).Always("any").
		When(func(n int) bool { return n == 2 }).Takes(time.Second).Returns("two").
		When(func(n int) bool { return n == 3 }).Fails(activity.NonRetryable(errBroke))
	run := workflowtest.Run(t, fan, 5, paying)
	if got, err := run.Result(); !slices.Equal(got, []string{"any", "any", "two", "none", "any"}) || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
	if got := paying.Inputs(); !slices.Equal(got, []int{0, 1, 2, 3, 4}) {
		t.Errorf("inputs: %v", got)
	}
	run.Golden("testdata/fan.json")
}

func TestGoldenIsTheSameOnEveryMachine(t *testing.T) {
	for range 3 {
		workflowtest.Run(t, sale, 7,
			workflowtest.Stub(pay).Fails(errors.New("down")).TimesOut().Panics("ouch").Returns("r1"),
			workflowtest.Stub(send).Takes(time.Hour).Beats("half").Takes(time.Hour).Returns(activity.None{}),
			workflowtest.At(day, workflowtest.Send(ok.With("ann")), workflowtest.Crash),
		).Golden("testdata/sale.json")
	}
}

func TestReplayTakesGoldenFiles(t *testing.T) {
	workflowtest.Replay(t, sale, "testdata/sale.json", "testdata/s*.json")
}

func TestActsMayStartOthers(t *testing.T) {
	child := workflow.Define("child", func(ctx workflow.Context, n int) (int, error) {
		return n + 1, workflow.Sleep(ctx, day)
	})
	times := 0
	run := workflowtest.Run(t, sale, 7, workflowtest.ID("s-1"), workflowtest.Use(child), workflowtest.Stub(pay).Returns("r1"),
		workflowtest.At(time.Hour, func(w *workflowtest.World) {
			times++
			if w.Again != (times == 2) {
				t.Errorf("Again is %t the time number %d", w.Again, times)
			}
			if w.ID != "s-1" {
				t.Errorf("the id is %s", w.ID)
			}
			if n, err := runtime.Do(w.Context, w.Runtime, "", child, 1, runtime.After(0)); !errors.Is(err, runtime.ErrStillRunning) {
				t.Errorf("got %d, %v", n, err)
			}
		}),
		workflowtest.At(2*time.Hour, workflowtest.Cancel),
	)
	if run.Elapsed != 2*time.Hour {
		t.Errorf("took %v", run.Elapsed)
	}
}

func TestWhatIsDueComesBeforeTheActsOfTheSameMoment(t *testing.T) {
	at := workflow.NewQuery[int]("at")
	steps := workflow.Define("steps", func(ctx workflow.Context, n int) (int, error) {
		now := 0
		at.Handle(ctx, func() int { return now })
		for now < n {
			if err := workflow.Sleep(ctx, time.Hour); err != nil {
				return now, err
			}
			if _, err := workflow.Do(ctx, pay, now); err != nil {
				return now, err
			}
			now++
		}
		return now, nil
	})
	check := func(want int) workflowtest.Act {
		return func(w *workflowtest.World) {
			if got := workflowtest.Query(w, at); got != want {
				t.Errorf("it is at %d, want %d", got, want)
			}
		}
	}
	workflowtest.Run(t, steps, 3, workflowtest.Stub(pay).Always("r"),
		workflowtest.At(2*time.Hour, check(2), workflowtest.Crash, check(2)), workflowtest.At(time.Hour, check(1)),
		workflowtest.At(0, check(0)), workflowtest.At(day, check(3)))
}

func TestAStubbedChildStaysStubbedWhenItsDefinitionIsUsed(t *testing.T) {
	child := workflow.Define("child", func(ctx workflow.Context, n int) (int, error) { return n, workflow.Sleep(ctx, day) })
	parent := workflow.Define("parent", func(ctx workflow.Context, n int) (int, error) { return workflow.Child(ctx, child, n) })
	run := workflowtest.Run(t, parent, 1, workflowtest.Use(child), workflowtest.StubChild(child).Returns(7))
	if got, err := run.Result(); got != 7 || err != nil {
		t.Errorf("got %d, %v", got, err)
	}
}
