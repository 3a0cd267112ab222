package clew_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/clewflow/clew/activity"
	"github.com/clewflow/clew/runtime"
	"github.com/clewflow/clew/workflow"
)

// A first workflow: it has a name made up and greets it. Each line of it is done once, whatever happens to the process.
func Example() {
	think := activity.Define("think", func(ctx context.Context, letter string) (string, error) {
		return letter + "riadne", nil
	})
	greet := workflow.Define("greet", func(ctx workflow.Context, letter string) (string, error) {
		name, err := workflow.Do(ctx, think, letter)
		if err != nil {
			return "", err
		}
		if err := workflow.Sleep(ctx, time.Millisecond); err != nil { // or a year
			return "", err
		}
		return "hello " + name, nil
	})

	ctx := context.Background()
	rt, err := runtime.Open(ctx, runtime.Config{Store: "memory:"}, greet, think) // or a directory
	if err != nil {
		log.Fatal(err)
	}
	defer rt.Close()
	go rt.Run(ctx)

	h, err := runtime.Start(ctx, rt, "greeting-1", greet, "A")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(h.Result(ctx))
	// Output: hello Ariadne <nil>
}

// A workflow waits for a signal, but not for ever. That time has passed is an answer and not an error.
func Example_signal() {
	answer := workflow.NewSignal[string]("answer")
	ask := workflow.Define("ask", func(ctx workflow.Context, patience time.Duration) (string, error) {
		text, answered, err := answer.ReceiveWithin(ctx, patience)
		if err != nil {
			return "", err // somebody cancelled
		}
		if !answered {
			return "nobody answered", nil
		}
		return "the answer is " + text, nil
	})

	ctx := context.Background()
	rt, err := runtime.Open(ctx, runtime.Config{Store: "memory:"}, ask)
	if err != nil {
		log.Fatal(err)
	}
	defer rt.Close()
	go rt.Run(ctx)

	patient, err := runtime.Start(ctx, rt, "patient", ask, 48*time.Hour)
	if err != nil {
		log.Fatal(err)
	}
	if err := rt.Signal(ctx, "patient", answer.With("yes")); err != nil {
		log.Fatal(err)
	}
	fmt.Println(patient.Result(ctx))
	fmt.Println(runtime.Do(ctx, rt, "hasty", ask, time.Millisecond))
	// Output:
	// the answer is yes <nil>
	// nobody answered <nil>
}

// An activity that fails is tried again, as its options say, unless it fails in a way that trying again does not change.
func Example_retry() {
	errEmpty := activity.NewError("fridge.empty", "the fridge is empty")
	fetch := activity.Define("fetch", func(ctx context.Context, what string) (string, error) {
		switch n := activity.Info(ctx).Number; {
		case what == "milk":
			return "", errEmpty
		case n < 3:
			return "", errors.New("the door is stuck")
		default:
			return fmt.Sprintf("%s at attempt %d", what, n), nil
		}
	}, activity.Retry{Initial: time.Millisecond, MaxAttempts: 5}, activity.NeverRetry(errEmpty))
	breakfast := workflow.Define("breakfast", func(ctx workflow.Context, what string) (string, error) {
		got, err := workflow.Do(ctx, fetch, what)
		if errors.Is(err, errEmpty) {
			return "no " + what, nil
		}
		return got, err
	})

	ctx := context.Background()
	rt, err := runtime.Open(ctx, runtime.Config{Store: "memory:"}, breakfast, fetch)
	if err != nil {
		log.Fatal(err)
	}
	defer rt.Close()
	go rt.Run(ctx)

	fmt.Println(runtime.Do(ctx, rt, "b-1", breakfast, "juice"))
	fmt.Println(runtime.Do(ctx, rt, "b-2", breakfast, "milk"))
	// Output:
	// juice at attempt 3 <nil>
	// no milk <nil>
}
