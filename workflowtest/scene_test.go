package workflowtest_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/clewflow/clew/activity"
	"github.com/clewflow/clew/query"
	"github.com/clewflow/clew/runtime"
	"github.com/clewflow/clew/workflow"
	"github.com/clewflow/clew/workflowtest"
)

func TestLocalStepsAndValuesCanBeStubbed(t *testing.T) {
	w := workflow.Define("w", func(ctx workflow.Context, _ int) (string, error) {
		host := workflow.Value(ctx, "host", func() string { return "this one" })
		key, err := workflow.Step(ctx, "read-key", func(context.Context) (string, error) { return "", errors.New("there is no file") })
		if err != nil {
			return "", err
		}
		real, err := workflow.Step(ctx, "real", func(context.Context) (string, error) { return "real", nil })
		return host + " " + key + " " + real, err
	})
	key := workflowtest.StubStep[string]("read-key").Fails(errors.New("locked")).Returns("key")
	got, err := workflowtest.Run(t, w, 1, key, workflowtest.StubValue("host", func() string { return "another" })).Result()
	if got != "another key real" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
	if n := len(key.Inputs()); n != 2 {
		t.Errorf("read in %d attempts", n)
	}
}

func TestActsWaitForConditions(t *testing.T) {
	answers := 0
	run := workflowtest.Run(t, sale, 42, workflowtest.Stub(pay).Takes(30*time.Second).Returns("r1"), workflowtest.Stub(send).Returns(activity.None{}),
		workflowtest.When(func(w *workflowtest.World) bool {
			for _, e := range w.Entries() {
				if e.Event.Kind() == "timer-started" {
					return true
				}
			}
			return false
		}, workflowtest.Send(ok.With("ann")), func(*workflowtest.World) { answers++ }),
	)
	if _, err := run.Result(); err != nil || run.Elapsed != 30*time.Second+7*day {
		t.Errorf("it took %v, %v", run.Elapsed, err)
	}
	if answers != 2 { // once in each of the two times that the test is performed
		t.Errorf("the acts were performed %d times", answers)
	}
}

func TestAnActMayWaitForWhatOnlyTheRuntimeCanDo(t *testing.T) {
	workflowtest.Run(t, sale, 42, workflowtest.Stub(pay).Always("r1"), workflowtest.At(day, func(w *workflowtest.World) {
		other, err := runtime.Start(w.Context, w.Runtime, "other", sale, 43)
		if err != nil {
			w.T.Fatal(err)
		}
		if _, err := other.Result(w.Context); err != nil {
			w.T.Error(err)
		}
		if rows := workflowtest.Find(w, query.Query{Status: query.Completed}); len(rows) != 2 {
			w.T.Errorf("found %v", rows)
		}
	}))
}

func TestAnAttemptThatHangsIsGivenUp(t *testing.T) {
	limited := workflow.Define("limited", func(ctx workflow.Context, n int) (string, error) {
		return workflow.Do(ctx, pay, n, activity.StartToClose(time.Minute))
	})
	run := workflowtest.Run(t, limited, 1, workflowtest.Stub(pay).Hangs().Returns("r2"))
	if got, err := run.Result(); got != "r2" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestAnotherReleaseTakesOver(t *testing.T) {
	before := workflow.Define("w", func(ctx workflow.Context, _ int) (string, error) { return "before", workflow.Sleep(ctx, 2*day) })
	after := workflow.Define("w", func(ctx workflow.Context, _ int) (string, error) { return "after", workflow.Sleep(ctx, 2*day) })
	if got, err := workflowtest.Run(t, before, 1, workflowtest.At(day, workflowtest.Deploy(after))).Result(); got != "after" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestEffectsAreKnownThoughTheyWereNotRecorded(t *testing.T) {
	run := workflowtest.Run(t, sale, 42, workflowtest.Stub(pay).Fails(errBroke).Returns("r1"))
	effects := workflowtest.Effects(run, pay)
	if len(effects) != 1 || effects[0].Input != 42 || effects[0].Output != "r1" || effects[0].Attempt != 2 || effects[0].Key == "" {
		t.Errorf("effects: %+v", effects)
	}
}

func TestWhatIsToBeFoundOfARun(t *testing.T) {
	region := workflow.NewAttribute[string]("region")
	w := workflow.Define("w", func(ctx workflow.Context, _ int) (int, error) {
		workflow.SetAttributes(ctx, region.Set("eu"))
		workflow.Publish(ctx, []string{"begun"})
		return 1, workflow.Sleep(ctx, day)
	})
	run := workflowtest.Run(t, w, 1)
	if where, _ := region.Of(run.Row); run.Row.Status != query.Completed || where != "eu" || run.Row.Type != "w" {
		t.Errorf("found %+v", run.Row)
	}
	if view, ok := workflowtest.Published[[]string](run); !ok || view[0] != "begun" {
		t.Errorf("published %v", view)
	}
	if _, ok := workflowtest.Published[int](run); ok {
		t.Error("it is a number")
	}
}
