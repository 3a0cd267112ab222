// Package shop has a workflow that does what it must not.
package shop

import (
	"log"
	"time"

	"example.com/shop/tools"

	"github.com/clewflow/clew/workflow"
)

var orders int

var Order = workflow.Define("order", order)

func order(ctx workflow.Context, prices map[string]int) (string, error) {
	orders++
	log.Printf("an order at %s", time.Now()) //clew:allow
	for item := range prices {
		workflow.Go(ctx, func(ctx workflow.Context) { pack(ctx, item) })
	}
	workflow.Sleep(ctx, time.Hour)
	return tools.Receipt(), nil
}

func pack(ctx workflow.Context, item string) {
	time.Sleep(time.Second) //clew:allow the scales need a moment, and nothing is asked meanwhile
}
