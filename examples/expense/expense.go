// Package expense asks a person, who answers through a link that carries a token; and another one after two days.
package expense

import (
	"errors"
	"time"

	"github.com/clewflow/clew/activity"
	"github.com/clewflow/clew/workflow"
)

// Expense is what somebody wants to have paid, and who is asked.
type Expense struct {
	Employee, Manager, Director string
	Cents                       int
}

// Question is an expense to be decided on.
type Question struct {
	To      string
	Expense Expense
}

// Decision is somebody's answer.
type Decision struct {
	Granted bool
	Comment string
}

// What the world does for an expense. [Desk] has the bodies.
var (
	// Ask goes on outside until the person has answered, or for two days. That is a limit of the whole, so it is told to the
	// workflow; a mail that cannot be sent is tried again.
	Ask = activity.Declare[Question, Decision]("expense.ask", activity.ScheduleToClose(48*time.Hour))
	Pay = activity.Declare[Expense, activity.None]("expense.pay")
)

// Approve is the life of an expense.
var Approve = workflow.Define("expense", approve)

func approve(ctx workflow.Context, e Expense) (Decision, error) {
	decision, err := workflow.Do(ctx, Ask, Question{e.Manager, e})
	if errors.Is(err, activity.ErrTimeout) {
		decision, err = workflow.Do(ctx, Ask, Question{e.Director, e}, activity.ScheduleToClose(7*24*time.Hour))
	}
	if err != nil || !decision.Granted {
		return decision, err
	}
	_, err = workflow.Do(ctx, Pay, e)
	return decision, err
}
