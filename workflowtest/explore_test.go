package workflowtest_test

import (
	"errors"
	"testing"
	"time"

	"github.com/clewflow/clew/activity"
	"github.com/clewflow/clew/workflow"
	"github.com/clewflow/clew/workflowtest"
)

var (
	refund = activity.Declare[string, activity.None]("refund")
	ship   = activity.Declare[string, string]("ship", activity.StartToClose(time.Minute))
)

// careless pays again when paying fails, in a call of its own, and gives the money back only if it knows that it paid.
var careless = workflow.Define("careless", func(ctx workflow.Context, n int) (string, error) {
	receipt, err := workflow.Do(ctx, pay, n, activity.MaxAttempts(1))
	if err != nil {
		if receipt, err = workflow.Do(ctx, pay, n); err != nil {
			return "", err
		}
	}
	if _, err := workflow.Do(ctx, ship, receipt); err != nil {
		_, undone := workflow.Do(workflow.WithoutCancel(ctx), refund, receipt)
		return "", errors.Join(err, undone)
	}
	return receipt, nil
})

var stubs = func() []workflowtest.Option {
	return []workflowtest.Option{
		workflowtest.Stub(pay).Returns("r1"), workflowtest.Stub(refund).Returns(activity.None{}), workflowtest.Stub(ship).Returns("p1"),
	}
}

func TestExploreFindsWhatGoesWrongRarely(t *testing.T) {
	slow := workflow.Define("slow", func(ctx workflow.Context, n int) (string, error) { return workflow.Do(ctx, ship, "it") })
	mute := workflow.Define("mute", func(ctx workflow.Context, n int) (string, error) {
		if _, err := workflow.Do(ctx, pay, n); err != nil {
			return "", err
		}
		for {
			if _, took := ok.TryReceive(ctx); !took {
				break // what came before paying was done is lost
			}
		}
		return ok.Receive(ctx)
	})
	changed := workflow.Define("slow", func(ctx workflow.Context, n int) (string, error) {
		if err := workflow.Sleep(ctx, time.Second); err != nil {
			return "", err
		}
		return workflow.Do(ctx, ship, "it")
	})
	for name, c := range map[string]struct {
		test func(*testing.T)
		says []string
	}{
		"two charges": {
			func(t *testing.T) {
				workflowtest.Explore(t, careless, 7, append(stubs(), workflowtest.Once(pay))...)
			},
			[]string{
				"breaks it: pay has its effect once: it had it for 2 calls",
				"workflowtest.Explore(t, careless, 7, append(stubs(), workflowtest.Once(pay))...",
				"effects:", "pay step 1 attempt 1 of test: 7 → \"r1\"", "pay step 2 attempt 1 of test",
			},
		},
	} {
		t.Run(name, func(t *testing.T) { fails(t, c.test, c.says...) })
	}
	_, _, _ = slow, mute, changed
}
