// Package covered is a workflow in which most things can happen, and whose tests show some of them.
package covered

import (
	"context"
	"errors"
	"time"

	"github.com/clewflow/clew/activity"
	"github.com/clewflow/clew/workflow"
)

var (
	Reserve = activity.Declare[int, string]("reserve")
	Release = activity.Declare[string, activity.None]("release")
	Charge  = activity.Declare[int, string]("charge", activity.StartToClose(time.Hour), activity.HeartbeatWithin(time.Minute), activity.MaxAttempts(1))
	Refund  = activity.Declare[string, activity.None]("refund")
	Parcel  = workflow.Declare[int, string]("parcel")

	Approve = workflow.NewSignal[bool]("approve")
	Hurry   = workflow.NewSignal[string]("hurry")
	Price   = workflow.NewUpdate[int, int]("price")
	Status  = workflow.NewQuery[string]("status")
	Total   = workflow.NewQueryOf[int, int]("total")

	Shop = workflow.Define("shop", shop)
)

func shop(ctx workflow.Context, n int) (string, error) {
	status, hurried := "begun", false
	Status.Handle(ctx, func() string { return status })
	Total.Handle(ctx, func(tax int) (int, error) { return n + tax, nil })
	Price.Handle(ctx, func(_ workflow.Context, cents int) (int, error) { n = cents; return n, nil })

	if _, err := workflow.Step(ctx, "greet", func(context.Context) (string, error) { return "hello", nil }); err != nil {
		return "", err
	}
	if workflow.Patched(ctx, "waits") {
		if err := workflow.Sleep(ctx, time.Minute); err != nil {
			return "", err
		}
	}
	late := workflow.NewTimer(ctx, 24*time.Hour)
	switch got, err := workflow.Select(ctx, Approve, Hurry, late); got {
	case Approve:
		if yes, _ := Approve.TryReceive(ctx); !yes {
			return "refused", nil
		}
	case Hurry:
		_, _ = Hurry.TryReceive(ctx)
		hurried = true
	case late:
		return "forgotten", nil
	case nil:
		return "", err
	}
	late.Stop()
	if held, err := workflow.AwaitWithin(ctx, time.Hour, func() bool { return hurried || n > 100 }); err != nil || !held {
		return "cheap", err
	}
	return workflow.Saga(ctx, func(undo *workflow.Undo) (string, error) {
		place, err := workflow.Do(ctx, Reserve, n)
		if err != nil {
			return "", err
		}
		undo.Add(workflow.Call(Release, place))
		receipt, err := workflow.Do(ctx, Charge, n)
		if err != nil {
			return "", err
		}
		undo.Add(workflow.Call(Refund, receipt))
		parcel, err := workflow.Child(ctx, Parcel, n)
		if err != nil {
			return "", err
		}
		if _, ok, err := Hurry.ReceiveWithin(ctx, time.Hour); ok || err != nil {
			return "", errors.Join(errors.New("too late"), err)
		}
		return parcel, nil
	})
}
