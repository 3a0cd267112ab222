package workflowtest_test

import (
	"testing"
	"time"

	"github.com/clewflow/clew/activity"
	"github.com/clewflow/clew/workflow"
	"github.com/clewflow/clew/workflowtest"
)

// The signal was there before the first activity was done. So the code before has passed the gate and asked for what follows it in one
// turn, and with what it was told alone the new code would ask for something else.
func TestAReleaseWithAGateTakesOverAfterATurnThatPassedIt(t *testing.T) {
	sold := func(gate bool) workflow.Type[int, string] {
		return workflow.Define("gated", func(ctx workflow.Context, n int) (string, error) {
			receipt, err := workflow.Do(ctx, pay, n)
			if err != nil {
				return "", err
			}
			if gate && workflow.Patched(ctx, "rest") {
				if err := workflow.Sleep(ctx, time.Hour); err != nil {
					return "", err
				}
			}
			if _, err := ok.Receive(ctx); err != nil {
				return "", err
			}
			_, err = workflow.Do(ctx, send, receipt)
			return receipt, err
		})
	}
	run := workflowtest.Run(t, sold(false), 7,
		workflowtest.Stub(pay).Takes(30*time.Second).Returns("r1"),
		workflowtest.Stub(send).Takes(day).Returns(activity.None{}),
		workflowtest.At(time.Second, workflowtest.Send(ok.With("ann"))),
		workflowtest.At(time.Hour, workflowtest.Deploy(sold(true))),
	)
	if got, err := run.Result(); got != "r1" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
}
