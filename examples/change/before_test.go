package change_test

import (
	"github.com/clewflow/clew/examples/change"
	"github.com/clewflow/clew/workflow"
)

// before is the code of deliveries as it was when testdata/before.json was recorded.
var before = workflow.Define("delivery", v1)

func v1(ctx workflow.Context, item string) (string, error) {
	if _, err := workflow.Do(ctx, change.Pack, item); err != nil {
		return "", err
	}
	if _, err := change.Courier.Receive(ctx); err != nil {
		return "", err
	}
	return workflow.Do(ctx, change.Ship, change.Parcel{Item: item})
}

// ready is a release between the two, for those who want a way back: it knows the gate, and keeps it shut. Runs that passed an open
// gate are weighed by it as well.
var ready = workflow.Define("delivery", gateShut)

func gateShut(ctx workflow.Context, item string) (string, error) {
	if _, err := workflow.Do(ctx, change.Pack, item); err != nil {
		return "", err
	}
	p := change.Parcel{Item: item}
	if workflow.Variant(ctx, "weigh", 0) > 0 { // 1 opens it, as Patched does
		var err error
		if p.Grams, err = workflow.Do(ctx, change.Weigh, item); err != nil {
			return "", err
		}
	}
	if _, err := change.Courier.Receive(ctx); err != nil {
		return "", err
	}
	return workflow.Do(ctx, change.Ship, p)
}

// naive is the change without the gate.
var naive = workflow.Define("delivery", withoutGate)

func withoutGate(ctx workflow.Context, item string) (string, error) {
	if _, err := workflow.Do(ctx, change.Pack, item); err != nil {
		return "", err
	}
	grams, err := workflow.Do(ctx, change.Weigh, item)
	if err != nil {
		return "", err
	}
	if _, err := change.Courier.Receive(ctx); err != nil {
		return "", err
	}
	return workflow.Do(ctx, change.Ship, change.Parcel{Item: item, Grams: grams})
}
