package check_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/clewflow/clew/check"
	"github.com/clewflow/clew/runtime"
	"github.com/clewflow/clew/workflow"
)

func checkDeploy(ctx context.Context, dir string, definitions ...workflow.Definition) error {
	store, err := check.OpenStore(dir, "default")
	if err != nil {
		return err
	}
	defer store.Close()
	opener, err := check.Opener(dir)
	if err != nil {
		return err
	}
	histories := store.Histories(ctx, check.Sample{Closed: 1000})
	report, err := check.Histories(ctx, check.CodeOf(definitions...), histories, check.Config{Vault: opener})
	if err != nil {
		return err
	}
	if !report.Fits() {
		return fmt.Errorf("this release does not fit runs that there are:\n%s", report)
	}
	return nil
}

// A release is held against a store in which the one before has worked.
func ExampleHistories() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "clew-example-")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)

	nap := workflow.Define("nap", func(ctx workflow.Context, d time.Duration) (string, error) {
		return "rested", workflow.Sleep(ctx, d)
	})
	rt, err := runtime.Open(ctx, runtime.Config{Store: dir, Logger: slog.New(slog.DiscardHandler)}, nap)
	if err != nil {
		panic(err)
	}
	working, stop := context.WithCancel(ctx)
	ended := make(chan error)
	go func() { ended <- rt.Run(working) }()
	if _, err := runtime.Do(ctx, rt, "nap-1", nap, time.Nanosecond); err != nil {
		panic(err)
	}
	if _, err := runtime.Start(ctx, rt, "nap-2", nap, time.Hour); err != nil {
		panic(err)
	}
	stop()
	fmt.Println(<-ended, rt.Close())

	noNap := workflow.Define("nap", func(workflow.Context, time.Duration) (string, error) { return "awake", nil })
	fmt.Println("as it was:", checkDeploy(ctx, dir, nap))
	fmt.Println("as it is to be:", strings.Split(fmt.Sprint(checkDeploy(ctx, dir, noNap)), "\n")[0])
	// Output:
	// <nil> <nil>
	// as it was: <nil>
	// as it is to be: this release does not fit runs that there are:
}

// TestTheCodeOnThePageIsRun: each block of Go there stands, word for word, in this file.
func TestTheCodeOnThePageIsRun(t *testing.T) {
	page, err := os.ReadFile(filepath.Join("..", "docs", "check.md"))
	if err != nil {
		t.Fatal(err)
	}
	here, err := os.ReadFile("example_test.go")
	if err != nil {
		t.Fatal(err)
	}
	_, block, ok := strings.Cut(string(page), "```go\n")
	block, _, _ = strings.Cut(block, "```")
	if !ok || !strings.Contains(string(here), block) {
		t.Errorf("this is in docs/check.md and not in example_test.go:\n%s", block)
	}
}
