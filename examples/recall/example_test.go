package recall_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"sync"

	"github.com/clewflow/clew/activity"
	"github.com/clewflow/clew/examples/recall"
	"github.com/clewflow/clew/runtime"
	"github.com/clewflow/clew/workflow"
)

// Example recalls the lamps, and not the chair.
func Example() {
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	var mu sync.Mutex
	var fetched []string
	fetch := recall.Fetch.Bind(activity.NoResult(func(_ context.Context, parcel string) error {
		mu.Lock()
		defer mu.Unlock()
		fetched = append(fetched, parcel)
		return nil
	}))
	logger := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError}))
	rt, err := runtime.Open(ctx, runtime.Config{Store: "memory:", Logger: logger}, recall.Delivery, fetch)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer rt.Close()
	go func() { _ = rt.Run(ctx) }()
	for _, parcel := range []string{"lamp-1", "lamp-2", "lamp-3", "chair-1"} {
		if _, err := runtime.Start(ctx, rt, parcel, recall.Delivery, parcel, recall.Product.Set(parcel[:len(parcel)-2])); err != nil {
			fmt.Println(err)
		}
	}

	report, err := recall.Recall(ctx, rt, "recall-lamp", "lamp", "it catches fire")
	fmt.Printf("%d found, %d asked to end, %d refused, %v\n", report.Found, report.Done, report.Refused, err)
	for _, parcel := range []string{"lamp-1", "lamp-2", "lamp-3"} {
		_, err := runtime.Result(ctx, rt, parcel, recall.Delivery)
		fmt.Println(parcel, errors.Is(err, workflow.ErrCancelled))
	}
	slices.Sort(fetched)
	fmt.Println("brought back:", fetched)
	d, err := rt.Describe(ctx, "chair-1")
	fmt.Println("chair-1 is", d.StatusName, err)

	// Output:
	// 3 found, 3 asked to end, 0 refused, <nil>
	// lamp-1 true
	// lamp-2 true
	// lamp-3 true
	// brought back: [lamp-1 lamp-2 lamp-3]
	// chair-1 is running <nil>
}
