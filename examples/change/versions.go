package change

import (
	"time"

	"github.com/clewflow/clew/activity"
	"github.com/clewflow/clew/workflow"
)

// What is done for a return.
var (
	Refund = activity.Declare[string, activity.None]("change.refund")
	Bill   = activity.Declare[string, activity.None]("change.bill")
)

// Arrived says that what was returned is here.
var Arrived = workflow.NewSignal[workflow.None]("arrived")

// Return1 and Return2 are one workflow in two versions. New runs are of the newest, and each stays with the version that
// it began with, so that neither needs a gate.
var (
	Return1 = workflow.Define("return", return1, workflow.Version(1))
	Return2 = workflow.Define("return", return2, workflow.Version(2))
)

// return1 refunds what has arrived.
func return1(ctx workflow.Context, item string) (string, error) {
	if _, err := Arrived.Receive(ctx); err != nil {
		return "", err
	}
	_, err := workflow.Do(ctx, Refund, item)
	return "refunded", err
}

const twoWeeks = 14 * 24 * time.Hour

// return2 refunds at once, and bills what does not arrive.
func return2(ctx workflow.Context, item string) (string, error) {
	if _, err := workflow.Do(ctx, Refund, item); err != nil {
		return "", err
	}
	_, arrived, err := Arrived.ReceiveWithin(ctx, twoWeeks)
	if err != nil || arrived {
		return "refunded at once", err
	}
	_, err = workflow.Do(ctx, Bill, item)
	return "billed again", err
}
