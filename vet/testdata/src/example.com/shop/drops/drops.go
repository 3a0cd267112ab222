// Package drops drops what calls return.
package drops

import (
	"time"

	"github.com/clewflow/clew/workflow"
)

var Withdraw = workflow.NewSignal[string]("withdraw")

func Drop(ctx workflow.Context, n int) error {
	workflow.ContinueAsNew(ctx, n+1)                 // want `^workflow.ContinueAsNew does nothing by itself; return what it returns$`
	_ = workflow.ContinueAsNew(ctx, n+1)             // want `^workflow.ContinueAsNew does nothing`
	workflow.Sleep(ctx, time.Hour)                   // want `^the error of workflow.Sleep is dropped, .*; return the error$`
	workflow.SleepUntil(ctx, time.Time{})            // want `^the error of workflow.SleepUntil is dropped`
	workflow.Await(ctx, func() bool { return true }) // want `^the error of workflow.Await is dropped`
	Withdraw.Receive(ctx)                            // whoever waits for this may not care why it came
	_ = workflow.Sleep(ctx, time.Hour)               // is meant
	if err := workflow.Sleep(ctx, time.Hour); err != nil {
		return err
	}
	err := workflow.ContinueAsNew(ctx, n)
	return err
}

func Fine(ctx workflow.Context, n int) error { return workflow.ContinueAsNew(ctx, n+1) }
