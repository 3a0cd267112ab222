package expense_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/clewflow/clew/activity"
	"github.com/clewflow/clew/examples/expense"
	"github.com/clewflow/clew/workflowtest"
)

// Answers come early, late and twice, of the manager and of the director: what is paid was granted, and is paid once.
func TestOnlyWhatWasGrantedIsPaidAndOnce(t *testing.T) {
	yes := workflowtest.Complete(expense.Ask, expense.Decision{Granted: true})
	no := workflowtest.Complete(expense.Ask, expense.Decision{Comment: "walk"})
	workflowtest.Explore(t, expense.Approve, taxi,
		workflowtest.Stub(expense.Ask).Pends(),
		workflowtest.Stub(expense.Pay).Always(activity.None{}),
		workflowtest.At(47*hour, no),
		workflowtest.At(49*hour, yes),
		workflowtest.At(72*hour, yes),
		workflowtest.Schedules(100),
		workflowtest.Once(expense.Pay),
		workflowtest.Within(2*9*24*hour),
		workflowtest.Invariant("paid if and only if granted", func(ran *workflowtest.Ran[expense.Decision]) error {
			decision, err := ran.Result()
			paid := len(workflowtest.Effects(ran, expense.Pay)) > 0
			switch {
			case err == nil && paid != decision.Granted:
				return fmt.Errorf("granted: %t, paid: %t", decision.Granted, paid)
			case errors.Is(err, activity.ErrTimeout) && paid:
				return fmt.Errorf("it was paid, and says: %w", err)
			}
			return nil
		}),
	)
}
