package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/clewflow/clew/activity"
	"github.com/clewflow/clew/workflow"
)

// order charges, waits until the parcel is packed, and ships it.
var order = workflow.Define("order", func(ctx workflow.Context, id string) (string, error) {
	if _, err := workflow.Do(ctx, charge, id); err != nil {
		return "", err
	}
	if err := workflow.Sleep(ctx, 500*time.Millisecond); err != nil {
		return "", err
	}
	if _, err := workflow.Do(ctx, ship, id); err != nil {
		return "", err
	}
	return id, nil
})

var (
	charge = activity.Define("charge", func(ctx context.Context, id string) (activity.None, error) { return activity.None{}, made(ctx, id) })
	ship   = activity.Define("ship", func(ctx context.Context, id string) (activity.None, error) { return activity.None{}, made(ctx, id) })
)

// made is what an activity does in the world outside: it leaves a line that nobody can take back.
func made(ctx context.Context, id string) error {
	f, err := os.OpenFile(os.Getenv(witnessVariable), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	a := activity.Info(ctx)
	_, err = fmt.Fprintf(f, "%s %s %s %d\n", id, a.Activity, os.Getenv(nameVariable), time.Now().UnixMilli())
	return err
}
