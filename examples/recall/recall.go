// Package recall stops every delivery of a product that turned out to be faulty: one batch cancels them all, each cleans up after itself, and
// what could not be stopped is reported.
package recall

import (
	"context"
	"encoding/json"
	"time"

	"github.com/clewflow/clew/activity"
	"github.com/clewflow/clew/query"
	"github.com/clewflow/clew/runtime"
	"github.com/clewflow/clew/system"
	"github.com/clewflow/clew/workflow"
)

// Product is what deliveries can be found by.
var Product = workflow.NewAttribute[string]("product")

// Fetch has a parcel brought back that is on its way.
var Fetch = activity.Declare[string, activity.None]("recall.fetch")

// Delivery takes three days, and brings the parcel back if it is cancelled meanwhile.
var Delivery = workflow.Define("recall.delivery", deliver)

func deliver(ctx workflow.Context, parcel string) (string, error) {
	if err := workflow.Sleep(ctx, 3*24*time.Hour); err != nil {
		_, fetched := workflow.Do(workflow.WithoutCancel(ctx), Fetch, parcel) // the scope is cancelled; what cleans up is not
		if fetched != nil {
			return "", fetched
		}
		return "", err
	}
	return "delivered " + parcel, nil
}

// Recall cancels all deliveries of a product, five a second, and waits for the report. Started again under the same id it does nothing
// twice.
func Recall(ctx context.Context, rt *runtime.Runtime, id, product, reason string) (system.Report, error) {
	cancel, err := json.Marshal(runtime.Operation{Do: "cancel"})
	if err != nil {
		return system.Report{}, err
	}
	of := query.Where(query.Query{}, query.All(
		query.Runs.Type.Is(Delivery.Name()), query.Runs.Status.Is(query.Running), Product.Column().Is(product)))
	h, err := rt.Batch(ctx, id, system.Batch{
		Query:     of.Where, // the same as text, in which the product is a value whatever it is
		Operation: cancel, Reason: reason, By: "quality", Rate: 5,
	}, runtime.IfRunning(runtime.UseExisting), runtime.IfClosed(runtime.Reject))
	if err != nil {
		return system.Report{}, err
	}
	return h.Result(ctx)
}
