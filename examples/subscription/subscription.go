// Package subscription charges a customer each month, for years, until told to stop.
package subscription

import (
	"fmt"
	"time"

	"github.com/clewflow/clew/activity"
	"github.com/clewflow/clew/workflow"
)

// Plan is what a month costs.
type Plan struct {
	Name  string
	Cents int
}

// Subscription is what is carried from month to month.
type Subscription struct {
	Customer string
	Plan     Plan
	Began    time.Time
	Paid     int // months so far
}

// Renews is when the next month is to be paid: on the day of the month on which it began, or the last one there is.
func (s Subscription) Renews() time.Time {
	at := s.Began.AddDate(0, s.Paid+1, 0)
	if at.Day() != s.Began.Day() { // the 31st of a shorter month became one of the first days of the next
		at = at.AddDate(0, 0, -at.Day())
	}
	return at
}

// Invoice is a month to be paid.
type Invoice struct {
	Customer     string
	Cents, Month int
}

// What the world does for a subscription. [Service] has the bodies.
var (
	Charge = activity.Declare[Invoice, activity.None]("subscription.charge", activity.ScheduleToClose(3*24*time.Hour))
	Notify = activity.Declare[Notice, activity.None]("subscription.notify")
)

// Notice is to be told to a customer.
type Notice struct{ Customer, Text string }

// How to talk to a subscription.
var (
	Stop       = workflow.NewSignal[string]("stop") // with the reason
	ChangePlan = workflow.NewUpdate[Plan, time.Time]("change-plan")
	Current    = workflow.NewQuery[Subscription]("current")
)

// PlanName is what subscriptions are found by.
var PlanName = workflow.NewAttribute[string]("plan")

// Run is the life of a subscription.
var Run = workflow.Define("subscription", run)

// run is one month. The next month is the next run of the same execution, so that no history grows for years.
func run(ctx workflow.Context, s Subscription) (Subscription, error) {
	Current.Handle(ctx, func() Subscription { return s })
	ChangePlan.Handle(ctx, func(ctx workflow.Context, p Plan) (from time.Time, err error) {
		s.Plan = p
		workflow.SetAttributes(ctx, PlanName.Set(p.Name))
		return s.Renews(), nil
	}, priced)
	if workflow.Info(ctx).Number == 1 { // attributes travel on
		workflow.SetAttributes(ctx, PlanName.Set(s.Plan.Name))
	}

	reason, stopped, err := Stop.ReceiveWithin(ctx, s.Renews().Sub(workflow.Now(ctx)))
	if err != nil {
		return s, err
	}
	if stopped {
		_, err := workflow.Do(ctx, Notify, Notice{s.Customer, fmt.Sprintf("good bye after %d months: %s", s.Paid, reason)})
		return s, err
	}

	if _, err := workflow.Do(ctx, Charge, Invoice{s.Customer, s.Plan.Cents, s.Paid + 1}); err != nil {
		return s, err
	}
	s.Paid++
	return s, workflow.ContinueAsNew(ctx, s)
}

// priced refuses a plan before it is recorded.
func priced(p Plan) error {
	if p.Cents <= 0 {
		return fmt.Errorf("plan %q has no price", p.Name)
	}
	return nil
}
