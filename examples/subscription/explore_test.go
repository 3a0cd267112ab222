package subscription_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/clewflow/clew/activity"
	"github.com/clewflow/clew/examples/subscription"
	"github.com/clewflow/clew/workflowtest"
)

// Through four months, whatever goes wrong: a month is charged once, and none is left out.
func TestAMonthIsNeverChargedTwice(t *testing.T) {
	workflowtest.Explore(t, subscription.Run, ann,
		workflowtest.Stub(subscription.Charge).Always(activity.None{}),
		workflowtest.Stub(subscription.Notify).Always(activity.None{}),
		workflowtest.At(40*day, workflowtest.Update(subscription.ChangePlan, large, func(time.Time, error) {})),
		workflowtest.At(130*day, workflowtest.Send(subscription.Stop.With("enough"))),
		workflowtest.Schedules(50),
		workflowtest.Invariant("one charge a month", func(ran *workflowtest.Ran[subscription.Subscription]) error {
			keys := map[int]string{}
			for _, charged := range workflowtest.Effects(ran, subscription.Charge) {
				month := charged.Input.Month
				if key, before := keys[month]; before && key != charged.Key {
					return fmt.Errorf("month %d was charged in two calls", month)
				}
				if keys[month] = charged.Key; len(keys) < month {
					return fmt.Errorf("month %d was charged before month %d", month, len(keys))
				}
			}
			if got, err := ran.Result(); err == nil && got.Paid != len(keys) {
				return fmt.Errorf("%d months are said to be paid, and %d were", got.Paid, len(keys))
			}
			return nil
		}),
	)
}
