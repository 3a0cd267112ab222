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

// A workflow starts another one and waits for its result. The child has an id and a history of its own.
func Example_child() {
	bake := workflow.Define("bake", func(ctx workflow.Context, cake string) (string, error) {
		return cake + ", made by " + workflow.Info(ctx).ID, nil
	})
	feast := workflow.Define("feast", func(ctx workflow.Context, guests int) (string, error) {
		cake, err := workflow.Child(ctx, bake, "plum cake", workflow.ID("oven-1"))
		return fmt.Sprintf("%s, for %d", cake, guests), err
	})

	ctx := context.Background()
	rt, err := runtime.Open(ctx, runtime.Config{Store: "memory:"}, feast, bake)
	if err != nil {
		log.Fatal(err)
	}
	defer rt.Close()
	go rt.Run(ctx)

	fmt.Println(runtime.Do(ctx, rt, "f-1", feast, 12))
	// Output: plum cake, made by oven-1, for 12 <nil>
}

// Map does something for each of many, for several at once, and returns the results in their order.
func Example_map() {
	weigh := activity.Define("weigh", func(ctx context.Context, fruit string) (int, error) { return 100 * len(fruit), nil })
	basket := workflow.Define("basket", func(ctx workflow.Context, fruits []string) (grams []int, err error) {
		return workflow.Map(ctx, fruits, func(ctx workflow.Context, fruit string) (int, error) {
			return workflow.Do(ctx, weigh, fruit)
		}, workflow.Limit(2))
	})

	ctx := context.Background()
	rt, err := runtime.Open(ctx, runtime.Config{Store: "memory:"}, basket, weigh)
	if err != nil {
		log.Fatal(err)
	}
	defer rt.Close()
	go rt.Run(ctx)

	fmt.Println(runtime.Do(ctx, rt, "b-1", basket, []string{"fig", "apple", "pear"}))
	// Output: [300 500 400] <nil>
}

// A saga that fails undoes what was done, the last first. What cannot be undone does not keep the rest.
func Example_saga() {
	say := activity.Define("say", func(ctx context.Context, text string) (int, error) { return fmt.Println(text) })
	move := workflow.Define("move", func(ctx workflow.Context, to string) (workflow.None, error) {
		return workflow.Saga(ctx, func(undo *workflow.Undo) (none workflow.None, _ error) {
			for _, thing := range []string{"table", "chairs"} {
				if _, err := workflow.Do(ctx, say, "carry the "+thing+" to "+to); err != nil {
					return none, err
				}
				undo.Add(workflow.Call(say, "carry the "+thing+" back"))
			}
			return none, errors.New("the piano does not fit")
		})
	})

	ctx := context.Background()
	rt, err := runtime.Open(ctx, runtime.Config{Store: "memory:"}, move, say)
	if err != nil {
		log.Fatal(err)
	}
	defer rt.Close()
	go rt.Run(ctx)

	fmt.Println(runtime.Do(ctx, rt, "m-1", move, "Rome"))
	// Output:
	// carry the table to Rome
	// carry the chairs to Rome
	// carry the chairs back
	// carry the table back
	// {} workflow m-1 (move) failed: the piano does not fit
}

// A workflow that goes on for ever begins a new run, with an empty history, now and then.
func Example_continueAsNew() {
	drop := workflow.NewSignal[int]("drop")
	barrel := workflow.Define("barrel", func(ctx workflow.Context, litres int) (string, error) {
		n, err := drop.Receive(ctx)
		if err != nil {
			return "", err
		}
		if litres += n; litres < 100 {
			return "", workflow.ContinueAsNew(ctx, litres)
		}
		return fmt.Sprintf("%d litres in run %d", litres, workflow.Info(ctx).Number), nil
	})

	ctx := context.Background()
	rt, err := runtime.Open(ctx, runtime.Config{Store: "memory:"}, barrel)
	if err != nil {
		log.Fatal(err)
	}
	defer rt.Close()
	go rt.Run(ctx)

	h, err := runtime.Start(ctx, rt, "b-1", barrel, 0)
	for range 3 {
		err = errors.Join(err, rt.Signal(ctx, "b-1", drop.With(40)))
	}
	text, failed := h.Result(ctx)
	fmt.Println(text, errors.Join(err, failed))
	// Output: 120 litres in run 3 <nil>
}

// An update is a request with an answer. What its validator refuses is not recorded.
func Example_update() {
	deposit := workflow.NewUpdate[int, int]("deposit")
	account := workflow.Define("account", func(ctx workflow.Context, balance int) (workflow.None, error) {
		deposit.Handle(ctx, func(ctx workflow.Context, cents int) (int, error) {
			balance += cents
			return balance, nil
		}, func(cents int) (err error) {
			if cents <= 0 {
				err = errors.New("that is no deposit")
			}
			return err
		})
		return workflow.None{}, workflow.Await(ctx, func() bool { return balance >= 1000 })
	})

	ctx := context.Background()
	rt, err := runtime.Open(ctx, runtime.Config{Store: "memory:"}, account)
	if err != nil {
		log.Fatal(err)
	}
	defer rt.Close()
	go rt.Run(ctx)

	_, err = runtime.Start(ctx, rt, "a-1", account, 100)
	_, refused := runtime.Update(ctx, rt, "a-1", deposit, -5)
	balance, failed := runtime.Update(ctx, rt, "a-1", deposit, 900)
	fmt.Println(balance, errors.Join(err, failed), refused)
	// Output: 1000 <nil> clew: the workflow refuses: that is no deposit
}

// A step is a short piece of work with effects that needs no definition. It is recorded and tried again as an activity is.
func Example_step() {
	lamps := map[string]int{"red": 3}
	order := workflow.Define("order", func(ctx workflow.Context, colour string) (string, error) {
		left, err := workflow.Step(ctx, "count-lamps", func(context.Context) (int, error) { return lamps[colour], nil })
		if err != nil {
			return "", err
		}
		return fmt.Sprintf("%d %s lamps", left, colour), nil
	})

	ctx := context.Background()
	rt, err := runtime.Open(ctx, runtime.Config{Store: "memory:"}, order)
	if err != nil {
		log.Fatal(err)
	}
	defer rt.Close()
	go rt.Run(ctx)

	fmt.Println(runtime.Do(ctx, rt, "o-1", order, "red"))
	// Output: 3 red lamps <nil>
}
