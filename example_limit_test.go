package clew_test

import (
	"context"
	"errors"
	"fmt"
	"log"

	"github.com/clewflow/clew/activity"
	"github.com/clewflow/clew/runtime"
	"github.com/clewflow/clew/workflow"
)

// No more than two customers are charged at once, and none twice at once. Who does not want to wait is told so.
func Example_limits() {
	type order struct{ Customer string }
	begun, goOn := make(chan bool), make(chan bool)
	charge := activity.Define("charge", func(ctx context.Context, o order) (string, error) {
		begun <- true
		<-goOn
		return o.Customer + " is charged", nil
	}, activity.KeyOf(func(o order) string { return o.Customer }), activity.Limit{AtOnce: 2, KeyAtOnce: 1})
	sell := workflow.Define("sell", func(ctx workflow.Context, o order) (string, error) { return workflow.Do(ctx, charge, o) })
	hurry := workflow.Define("hurry", func(ctx workflow.Context, o order) (string, error) {
		done, err := workflow.Do(ctx, charge, o, activity.WhenFull(activity.Refused))
		if errors.Is(err, activity.ErrFull) {
			return "not now", nil
		}
		return done, err
	})

	ctx := context.Background()
	rt, err := runtime.Open(ctx, runtime.Config{Store: "memory:"}, sell, hurry, charge)
	if err != nil {
		log.Fatal(err)
	}
	defer rt.Close()
	go rt.Run(ctx)

	first, err := runtime.Start(ctx, rt, "order-1", sell, order{"ann"})
	if err != nil {
		log.Fatal(err)
	}
	<-begun
	second, err := runtime.Start(ctx, rt, "order-2", sell, order{"ann"})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(runtime.Do(ctx, rt, "order-3", hurry, order{"ann"}))
	d, err := rt.Describe(ctx, "order-2")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(d.Activities[0].Waits)

	goOn <- true
	<-begun
	goOn <- true
	fmt.Println(first.Result(ctx))
	fmt.Println(second.Result(ctx))
	// Output:
	// not now <nil>
	// limit of activity charge for key ann: 1 of 1 in use
	// ann is charged <nil>
	// ann is charged <nil>
}
