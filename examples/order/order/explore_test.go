package order_test

import (
	"errors"
	"testing"
	"time"

	"github.com/clewflow/clew/activity"
	"github.com/clewflow/clew/examples/order/order"
	"github.com/clewflow/clew/workflowtest"
)

// Who pays gets his parcel or his money back, whatever goes wrong, and also if the order is cancelled.
func TestWhoPaysGetsHisParcelOrHisMoneyBack(t *testing.T) {
	workflowtest.Explore(t, order.Process, lamp,
		workflowtest.Stub(order.Charge).Returns(order.Receipt{Charge: "c1"}),
		workflowtest.Stub(order.Refund).Returns(activity.None{}),
		workflowtest.Stub(order.Ship).Takes(20*time.Second).Returns(order.Parcel{Tracking: "p1"}),
		workflowtest.At(1*day, workflowtest.Send(order.Approve.With(order.Approval{By: "bob", Granted: true}))),
		workflowtest.At(1*day+time.Minute, workflowtest.Cancel),
		workflowtest.Schedules(100),
		workflowtest.Once(order.Charge),
		workflowtest.Within(30*day),
		workflowtest.Undoes(order.Refund, order.Charge), // unless it completes
		workflowtest.Invariant("an order that completes was shipped or refunded", func(ran *workflowtest.Ran[order.Done]) error {
			got, err := ran.Result()
			refunded := len(workflowtest.Effects(ran, order.Refund)) > 0
			switch shipped := len(workflowtest.Effects(ran, order.Ship)) > 0; {
			case err != nil:
				return nil
			case got.Status == "shipped" && (!shipped || refunded):
				return errors.New("it was not shipped, or was refunded")
			case got.Status == "refused" && (shipped || !refunded):
				return errors.New("it was refused, and was shipped or not refunded")
			}
			return nil
		}),
	)
}
