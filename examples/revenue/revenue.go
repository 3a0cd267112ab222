// Revenue keeps what was sold on each day, as a projection: a fold over what orders recorded, with a state of its own that the runtime
// keeps up to date.
//
//	go run ./examples/revenue
//
// It runs orders on three days of a made-up calendar, prints the revenue by day, opens the store again with the same fold, and then with
// one that has changed: that is of another version, and built anew.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"slices"
	"time"

	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/query"
	"github.com/clewflow/clew/runtime"
	"github.com/clewflow/clew/workflow"
)

// Order is what somebody bought, in cents, on a day.
type Order struct {
	Day   string `json:"day"`
	Cents int    `json:"cents"`
}

// Sell is an order. What costs nothing is refused.
var Sell = workflow.Define("sell", func(_ workflow.Context, o Order) (Order, error) {
	if o.Cents <= 0 {
		return o, errors.New("an order costs something")
	}
	return o, nil
})

// Days are cents by day.
type Days map[string]int

// Revenue is what completed orders have cost, by day.
var Revenue = runtime.NewProjection("revenue", 1, func(days *Days, e runtime.Recorded) error {
	done, is := e.Event.(*history.Completed)
	if !is || e.Type != "sell" {
		return nil
	}
	var order Order
	if err := done.Result.Decode(&order); err != nil {
		return err
	}
	if *days == nil {
		*days = Days{}
	}
	(*days)[order.Day] += order.Cents
	return nil
})

// Largest is another way to look at the same orders: of each day the largest. It has the name of Revenue and the next version.
var Largest = runtime.NewProjection("revenue", 2, func(days *Days, e runtime.Recorded) error {
	done, is := e.Event.(*history.Completed)
	if !is || e.Type != "sell" {
		return nil
	}
	var order Order
	if err := done.Result.Decode(&order); err != nil {
		return err
	}
	if *days == nil {
		*days = Days{}
	}
	(*days)[order.Day] = max((*days)[order.Day], order.Cents)
	return nil
})

func main() {
	dir, err := os.MkdirTemp("", "revenue-")
	if err == nil {
		err = errors.Join(play(context.Background(), os.Stdout, dir), os.RemoveAll(dir))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func play(ctx context.Context, w io.Writer, dir string) error {
	err := with(ctx, dir, Revenue, func(rt *runtime.Runtime) error {
		for i, o := range []Order{{"2026-01-02", 1250}, {"2026-01-02", 400}, {"2026-01-03", 9900}, {"2026-01-03", 0}, {"2026-01-04", 75}} {
			h, err := runtime.Start(ctx, rt, fmt.Sprint("order-", i), Sell, o)
			if err != nil {
				return err
			}
			_, _ = h.Result(ctx) // one is refused
		}
		return show(ctx, w, "revenue by day", rt, Revenue)
	})
	if err != nil {
		return err
	}
	err = with(ctx, dir, Revenue, func(rt *runtime.Runtime) error { return show(ctx, w, "after a restart", rt, Revenue) })
	if err != nil {
		return err
	}
	return with(ctx, dir, Largest, func(rt *runtime.Runtime) error { return show(ctx, w, "largest order by day", rt, Largest) })
}

// with opens the store with a projection.
func with(ctx context.Context, dir string, p runtime.Projected, do func(*runtime.Runtime) error) error {
	rt, err := runtime.Open(ctx, runtime.Config{Store: dir, Projections: []runtime.Projected{p}, Logger: slog.New(slog.DiscardHandler)}, Sell)
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	ran := make(chan error, 1)
	go func() { ran <- rt.Run(ctx) }()
	err = do(rt)
	stop()
	return errors.Join(err, <-ran, rt.Close())
}

func show(ctx context.Context, w io.Writer, title string, rt *runtime.Runtime, p *runtime.Projection[Days]) error {
	ctx, stop := context.WithTimeout(ctx, time.Minute)
	defer stop()
	days, position, err := p.Read(ctx, rt) // with all that was acknowledged
	if err != nil {
		return err
	}
	then, err := rt.Count(ctx, query.Query{Status: query.Completed, AsOf: query.AsOf{Position: position}})
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "%s, of %d orders\n", title, then)
	for _, day := range slices.Sorted(maps.Keys(days)) {
		fmt.Fprintf(w, "  %s  %8.2f\n", day, float64(days[day])/100)
	}
	return nil
}
