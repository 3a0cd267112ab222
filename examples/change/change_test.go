package change_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/clewflow/clew/examples/change"
	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/replay"
	"github.com/clewflow/clew/runtime"
	"github.com/clewflow/clew/store/memory"
	"github.com/clewflow/clew/workflow"
	"github.com/clewflow/clew/workflowtest"
)

var (
	courier = change.Courier.With(workflow.None{})
	arrived = change.Arrived.With(workflow.None{})
)

func TestDeliveriesAsTheyWereBefore(t *testing.T) {
	run := workflowtest.Run(t, before, "lamp",
		workflowtest.Use(new(change.Warehouse).Activities()...),
		workflowtest.At(time.Hour, workflowtest.Send(courier)))
	if got, err := run.Result(); got != "lamp, not weighed" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
	run.Golden("testdata/before.json")
}

func TestDeliveriesAsTheyAreNow(t *testing.T) {
	run := workflowtest.Run(t, change.Deliver, "lamp",
		workflowtest.Use(new(change.Warehouse).Activities()...),
		workflowtest.At(time.Minute, workflowtest.Crash),
		workflowtest.At(time.Hour, workflowtest.Send(courier)))
	if got, err := run.Result(); got != "lamp, 400 g" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
	run.Golden("testdata/after.json")
}

// TestTodaysCodeFitsAllThatIsKept: deliveries from before the gate and after it, and returns of both versions.
func TestTodaysCodeFitsAllThatIsKept(t *testing.T) {
	workflowtest.ReplayDir(t, "testdata", workflowtest.Use(change.Deliver, change.Return1, change.Return2))
}

// refused is what is said of a run from before and of code without a gate.
var refused = []string{
	"code and history of workflow delivery part at entry ",
	"the code now asks for activity change.weigh (step 2)", "asked     activity change.weigh, step 2",
	"in code   ", "before_test.go:",
	"put the change behind a gate:\n      if workflow.Patched(ctx, \"delivery.w",
}

func TestWithoutTheGateDeliveriesFromBeforeAreRefused(t *testing.T) {
	file, err := os.ReadFile("testdata/before.json")
	if err != nil {
		t.Fatal(err)
	}
	entries, err := history.Unmarshal(file)
	if err != nil {
		t.Fatal(err)
	}
	code, _ := workflow.BodyOf(naive)
	err = replay.Verify(func(string, int) workflow.Code { return code.Code }, replay.Strict, entries)
	if err == nil {
		t.Fatal("it replays")
	}
	for _, want := range refused {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("it does not say %q:\n%v", want, err)
		}
	}
}

// deploy opens a runtime on a disk, with some code, until during has returned and all that could be done is done. Waiting
// takes no time.
func deploy(t *testing.T, disk *memory.Disk, during func(*runtime.Runtime), definitions ...workflow.Definition) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	rt, err := runtime.Open(ctx, runtime.Config{Log: disk.Open(), Logger: slog.New(slog.DiscardHandler)}, definitions...)
	if err != nil {
		t.Fatal(err)
	}
	ran := make(chan error)
	go func() { ran <- rt.Run(ctx) }()
	defer func() {
		stop()
		if err := errors.Join(<-ran, rt.Close()); err != nil {
			t.Error(err)
		}
	}()
	<-rt.Ready()
	during(rt)
	synctest.Wait()
}

func TestAnOpenDeliveryGoesOnWhenTheCodeIsExchanged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk, warehouse := memory.NewDisk(), new(change.Warehouse)
		start := func(rt *runtime.Runtime, id, item string, w workflow.Type[string, string]) {
			if _, err := runtime.Start(t.Context(), rt, id, w, item); err != nil {
				t.Fatal(err)
			}
		}
		deploy(t, disk, func(rt *runtime.Runtime) { start(rt, "old", "lamp", before) }, with(warehouse, before)...)

		// Code that does not fit harms nothing: the delivery stalls, and keeps what it is told.
		deploy(t, disk, func(rt *runtime.Runtime) {
			if err := rt.Signal(t.Context(), "old", courier); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			d, err := rt.Describe(t.Context(), "old")
			if err != nil {
				t.Fatal(err)
			}
			for _, want := range refused {
				if !strings.Contains(d.Stalled, want) {
					t.Errorf("it does not say %q: it stalls because of %q", want, d.Stalled)
				}
			}
		}, with(warehouse, naive)...)

		deploy(t, disk, func(rt *runtime.Runtime) {
			start(rt, "new", "book", change.Deliver)
			if err := rt.Signal(t.Context(), "new", courier); err != nil {
				t.Fatal(err)
			}
			for id, want := range map[string]string{"old": "lamp, not weighed", "new": "book, 400 g"} {
				if got, err := runtime.Result(t.Context(), rt, id, change.Deliver); got != want || err != nil {
					t.Errorf("%s: got %q, %v, want %q", id, got, err, want)
				}
			}
		}, with(warehouse, change.Deliver)...)

		got := warehouse.Notes()
		slices.Sort(got)
		if want := []string{"packed book", "packed lamp", "shipped book", "shipped lamp", "weighed book"}; !slices.Equal(got, want) {
			t.Errorf("done: %q, want %q", got, want)
		}
	})
}

func with(w *change.Warehouse, workflows ...workflow.Definition) []workflow.Definition {
	return append(workflows, w.Activities()...)
}

func TestReturnsOfBothVersions(t *testing.T) {
	warehouse := workflowtest.Use(new(change.Warehouse).Activities()...)
	first := workflowtest.Run(t, change.Return1, "lamp", warehouse, workflowtest.At(time.Hour, workflowtest.Send(arrived)))
	if got, err := first.Result(); got != "refunded" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
	first.Golden("testdata/return-1.json")
	second := workflowtest.Run(t, change.Return2, "lamp", warehouse)
	if got, err := second.Result(); got != "billed again" || err != nil || second.Elapsed != 14*24*time.Hour {
		t.Errorf("got %q, %v after %v", got, err, second.Elapsed)
	}
	second.Golden("testdata/return-2.json")
}

func TestAReturnStaysWithTheVersionItBeganWith(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk, warehouse := memory.NewDisk(), new(change.Warehouse)
		deploy(t, disk, func(rt *runtime.Runtime) {
			if _, err := runtime.Start(t.Context(), rt, "old", change.Return1, "lamp"); err != nil {
				t.Fatal(err)
			}
		}, with(warehouse, change.Return1)...)

		deploy(t, disk, func(rt *runtime.Runtime) {
			if _, err := runtime.Start(t.Context(), rt, "new", change.Return2, "book"); err != nil {
				t.Fatal(err)
			}
			if _, err := runtime.Start(t.Context(), rt, "pinned", change.Return2, "vase", workflow.Version(1)); err != nil {
				t.Fatal(err)
			}
			for id, want := range map[string]string{"old": "refunded", "new": "refunded at once", "pinned": "refunded"} {
				if err := rt.Signal(t.Context(), id, arrived); err != nil {
					t.Fatal(err)
				}
				if got, err := runtime.Result(t.Context(), rt, id, change.Return2); got != want || err != nil {
					t.Errorf("%s: got %q, %v, want %q", id, got, err, want)
				}
			}
		}, with(warehouse, change.Return1, change.Return2)...)
	})
}

func Example() {
	ctx := context.Background()
	warehouse := new(change.Warehouse)
	definitions := append(warehouse.Activities(), change.Deliver, change.Return1, change.Return2)
	rt, err := runtime.Open(ctx, runtime.Config{Store: "memory:", Logger: slog.New(slog.DiscardHandler)}, definitions...)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer rt.Close()
	go rt.Run(ctx)

	fmt.Println(runtime.Do(ctx, rt, "d-1", change.Deliver, "lamp", runtime.AndSignal(courier)))
	fmt.Println(runtime.Do(ctx, rt, "r-1", change.Return1, "lamp", runtime.AndSignal(arrived), workflow.Version(1)))
	fmt.Println(runtime.Do(ctx, rt, "r-2", change.Return2, "lamp", runtime.AndSignal(arrived)))
	// Output:
	// lamp, 400 g <nil>
	// refunded <nil>
	// refunded at once <nil>
}
