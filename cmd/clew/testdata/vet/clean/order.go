// Package clean has a workflow that does nothing wrong.
package clean

import (
	"context"
	"os"
	"time"

	"example.com/money"

	"github.com/clewflow/clew/workflow"
)

// Order waits, and reads a file where it may.
var Order = workflow.Define("order", func(ctx workflow.Context, days int) ([]byte, error) {
	if err := workflow.Sleep(ctx, time.Duration(days)*24*time.Hour); err != nil {
		return nil, err
	}
	return workflow.Step(ctx, "read "+money.Format(3), func(context.Context) ([]byte, error) { return os.ReadFile("terms.txt") })
})
