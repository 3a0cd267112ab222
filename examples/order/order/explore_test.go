package order_test

import (
	"errors"
	"testing"
	"time"

	"github.com/clewflow/clew/activity"
	"github.com/clewflow/clew/examples/order/order"
	"github.com/clewflow/clew/workflowtest"
)

// TestWhateverGoesWrong holds orders against what must be so however it comes.
func TestWhateverGoesWrong(t *testing.T) {
	workflowtest.Explore(t, order.Process, lamp,
		workflowtest.Stub(order.Charge).Returns(order.Receipt{Charge: "c1"}),
		workflowtest.Stub(order.Refund).Returns(activity.None{}),
		workflowtest.Stub(order.Ship).Takes(20*time.Second).Returns(order.Parcel{Tracking: "p1"}),
		workflowtest.At(1*day, workflowtest.Send(order.Approve.With(order.Approval{By: "bob", Granted: true}))),
		workflowtest.Once(order.Charge),
		workflowtest.Within(30*day),
		workflowtest.Invariant("what is shipped was charged and is not refunded", func(ran *workflowtest.Ran[order.Done]) error {
			shipped := len(workflowtest.Effects(ran, order.Ship)) > 0
			if shipped && len(workflowtest.Effects(ran, order.Charge)) == 0 {
				return errors.New("it was not charged")
			}
			if shipped && len(workflowtest.Effects(ran, order.Refund)) > 0 {
				return errors.New("it was refunded")
			}
			return nil
		}),
	)
}
