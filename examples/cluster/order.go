package main

import (
	"context"
	"os"
	"time"

	"github.com/clewflow/clew/activity"
	"github.com/clewflow/clew/workflow"
)

// purchase is what an order is about.
type purchase struct {
	Order   string
	Parcels int
}

// packed says that a parcel is ready.
var packed = workflow.NewSignal[string]("packed")

// order charges, waits until all parcels are packed and for the van, and ships them. Its result is what it was told.
var order = workflow.Define("order", func(ctx workflow.Context, p purchase) (parcels []string, err error) {
	if _, err := workflow.Do(ctx, charge, p.Order); err != nil {
		return nil, err
	}
	for range p.Parcels {
		parcel, err := packed.Receive(ctx)
		if err != nil {
			return nil, err
		}
		parcels = append(parcels, parcel)
	}
	if err := workflow.Sleep(ctx, 500*time.Millisecond); err != nil {
		return nil, err
	}
	if _, err := workflow.Do(ctx, ship, p.Order); err != nil {
		return nil, err
	}
	return parcels, nil
})

var charge = activity.Define("charge", activity.NoResult(made))

// made is what an activity does in the world outside: it leaves a line that nobody can take back.
func made(ctx context.Context, order string) error {
	return leave(ctx, order, activity.Info(ctx).Activity)
}

func leave(ctx context.Context, order, what string) error {
	a := activity.Info(ctx)
	return mark{
		order: order, activity: what, node: os.Getenv(nameVariable), at: time.Now(), attempt: a.Number, serial: a.Serial,
	}.leave(os.Getenv(witnessVariable))
}
