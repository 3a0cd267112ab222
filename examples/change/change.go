// Package change changes the code of workflows that have open runs, in the two ways there are.
//
// Deliveries were changed a little: parcels are weighed now. [workflow.Patched] asks which runs that is for. The code from
// before is in the tests, and so is what becomes of a run if the gate is forgotten.
//
// Returns were written anew: [Return1] and [Return2] are bound side by side until the last run of the first has ended.
package change

import (
	"github.com/clewflow/clew/activity"
	"github.com/clewflow/clew/workflow"
)

// Parcel is what is sent. What it weighs is left out where it was not weighed: so what is recorded of runs from before is
// what the code asks for today.
type Parcel struct {
	Item  string
	Grams int `json:",omitempty"`
}

// What a warehouse does. [Warehouse] has the bodies.
var (
	Pack  = activity.Declare[string, activity.None]("change.pack")
	Weigh = activity.Declare[string, int]("change.weigh") // new
	Ship  = activity.Declare[Parcel, string]("change.ship")
)

// Courier says that the courier is here.
var Courier = workflow.NewSignal[workflow.None]("courier")

// Deliver is a delivery, up to the tracking number.
var Deliver = workflow.Define("delivery", deliver)

func deliver(ctx workflow.Context, item string) (string, error) {
	if _, err := workflow.Do(ctx, Pack, item); err != nil {
		return "", err
	}
	p := Parcel{Item: item}
	if workflow.Patched(ctx, "weigh") { // take the gate away when no run from before is open any more
		var err error
		if p.Grams, err = workflow.Do(ctx, Weigh, item); err != nil {
			return "", err
		}
	}
	if _, err := Courier.Receive(ctx); err != nil {
		return "", err
	}
	return workflow.Do(ctx, Ship, p)
}
