// Package outside hands functions to what runs them outside of workflows.
package outside

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"time"

	"github.com/clewflow/clew/activity"
	"github.com/clewflow/clew/workflow"
)

var Ask = activity.External[string]("ask")

var Charge = activity.Define("charge", func(ctx context.Context, in int) (int, error) {
	time.Sleep(1)
	return 0, os.Remove("x")
})

func Fine(ctx workflow.Context, name string) (string, error) {
	_, err := workflow.Step(ctx, "read", func(ctx context.Context) ([]byte, error) {
		go time.Sleep(1)
		return os.ReadFile(name)
	})
	now := workflow.Value(ctx, "now", func() time.Time { return time.Now() })
	now = workflow.Value(ctx, "now", time.Now)
	zone := workflow.Latest(ctx, "zone", func() string { return os.Getenv("ZONE") })
	answer, err := workflow.AwaitExternal(ctx, Ask, func(ctx context.Context, token string) error {
		_, err := http.Get("https://example.org/" + token)
		return err
	})
	kept := func() time.Time { return time.Now() }
	now = workflow.Value(ctx, "kept", kept)
	read := func(ctx context.Context) ([]byte, error) { return os.ReadFile(name) }
	_, err = workflow.Step(ctx, "read again", read)
	local := activity.Define("local", func(ctx context.Context, in int) (int, error) { return 1, os.Remove("x") })
	_ = Charge.Bind(func(ctx context.Context, in int) (int, error) { return 1, os.Remove("x") })
	_ = activity.NoResult(func(ctx context.Context, in int) error { return os.Remove("x") })
	_ = local
	return answer + zone + now.String(), err
}

func Inside(ctx workflow.Context, name string) (string, error) {
	_, _ = workflow.Step(ctx, os.Getenv("STEP"), func(ctx context.Context) (int, error) { return 1, nil }) // want `^os.Getenv `
	_ = workflow.Await(ctx, func() bool { return time.Now().IsZero() })                                    // want `^time.Now `
	workflow.Go(ctx, func(ctx workflow.Context) { fmt.Println(name) })                                     // want `^fmt.Println `
	_ = workflow.BeginFunc(ctx, func(ctx workflow.Context) (int, error) { time.Sleep(1); return 1, nil })  // want `^time.Sleep `
	_, _ = workflow.Map(ctx, []int{1}, func(ctx workflow.Context, i int) (int, error) {
		return i, os.Remove("x") // want `^os.Remove `
	})
	workflow.NewQuery[time.Time]("now").Handle(ctx, time.Now) // want `^time.Now `
	workflow.NewUpdate[int, int]("n").Handle(ctx, func(ctx workflow.Context, in int) (int, error) {
		return in, os.Remove("x") // want `^os.Remove `
	}, func(in int) error { time.Sleep(1); return nil }) // want `^time.Sleep `
	return workflow.Saga(ctx, func(undo *workflow.Undo) (string, error) {
		undo.Add(func(ctx workflow.Context) error { return os.Remove("x") }) // want `^os.Remove `
		undo.Add(workflow.Call(Charge, 1))
		return os.Getenv("HOME"), nil // want `^os.Getenv `
	})
}
