package polling_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/clewflow/clew/activity"
	"github.com/clewflow/clew/examples/polling"
	"github.com/clewflow/clew/workflow"
	"github.com/clewflow/clew/workflowtest"
)

// The job is done in the moment in which patience ends, or it is withdrawn: there is one answer, in time, and nobody asks afterwards.
func TestThereIsOneAnswerInTime(t *testing.T) {
	later := activity.RetryAfter(3*hour, errors.New("not done yet"))
	workflowtest.Explore(t, polling.Follow, job,
		workflowtest.Stub(polling.Poll).Fails(later).Fails(later).Returns(polling.Done{Status: "done"}),
		workflowtest.At(5*hour, workflowtest.Send(polling.Withdraw.With(workflow.None{}))),
		workflowtest.Schedules(100),
		workflowtest.Within(6*hour+time.Minute), // a process that died is a while away
		workflowtest.Invariant("done only if it was", func(ran *workflowtest.Ran[polling.Done]) error {
			got, err := ran.Result()
			done := workflowtest.Effects(ran, polling.Poll)
			if err == nil && got.Status == "done" && len(done) == 0 {
				return errors.New("nobody has said so")
			}
			for _, d := range done {
				if d.Output.Status != "done" {
					return fmt.Errorf("somebody said %q", d.Output.Status)
				}
			}
			return nil
		}),
	)
}
