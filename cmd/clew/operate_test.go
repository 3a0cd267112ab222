package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/clewflow/clew/activity"
	"github.com/clewflow/clew/runtime"
	"github.com/clewflow/clew/workflow"
)

// running is a runtime that works until end is called.
func running(t *testing.T, c runtime.Config, definitions ...workflow.Definition) (rt *runtime.Runtime, end func()) {
	rt, err := runtime.Open(t.Context(), c, definitions...)
	require.NoError(t, err)
	ctx, stop := context.WithCancel(t.Context())
	ran := make(chan error, 1)
	go func() { ran <- rt.Run(ctx) }()
	<-rt.Ready()
	return rt, func() {
		stop()
		require.NoError(t, <-ran)
		require.NoError(t, rt.Close())
	}
}

// TestExecutionsAreOperatedFromOutside: through the process that has the store open, and in the store when nobody has.
func TestExecutionsAreOperatedFromOutside(t *testing.T) {
	dir := t.TempDir() + "/clew.data"
	more := workflow.NewSignal[int]("more")
	code := workflow.Define("waits", func(ctx workflow.Context, _ int) (int, error) { return more.Receive(ctx) })
	open := func() (*runtime.Runtime, func()) { return running(t, runtime.Config{Store: dir}, code) }
	rt, end := open()
	for _, id := range []string{"a", "b", "c", "d"} {
		_, err := runtime.Start(t.Context(), rt, id, code, 0, workflow.RunTimeout(72*time.Hour))
		require.NoError(t, err)
	}
	require.Equal(t, "a is paused\n", read(t, "pause", "a", "--reason", "the bank is down", "--by", "ann", "--dir", dir))
	require.Contains(t, read(t, "why", "a", "--dir", dir), "somebody to unpause it; it was paused by operator:ann because the bank is down")
	require.Contains(t, read(t, "show", "a", "--dir", dir), "operator:ann")
	require.Equal(t, "d is paused\n", read(t, "pause", "d", "--hold-limits", "--dir", dir))
	require.Contains(t, read(t, "why", "d", "--dir", dir), "The run does not time out meanwhile: its time is held, with ")
	require.Equal(t, "d goes on\n", read(t, "unpause", "d", "--dir", dir))
	require.Contains(t, read(t, "show", "d", "--dir", dir), "goes on after a pause, limits of time were held for ")
	require.Equal(t, "b is terminated\n", read(t, "terminate", "b", "--dir", dir))
	status, _, errs := tool(t, "pause", "b", "--dir", dir)
	require.Equal(t, failed, status)
	require.Contains(t, errs, "not running")
	status, _, errs = tool(t, "pause", "nobody", "--dir", dir)
	require.Equal(t, failed, status)
	require.Contains(t, errs, "no such execution")
	status, _, errs = tool(t, "pause", "a", "--namespace", "other", "--dir", dir)
	require.Equal(t, failed, status)
	require.Contains(t, errs, "namespace")
	require.NoError(t, rt.Signal(t.Context(), "a", more.With(5)))
	end()

	require.Equal(t, "c is asked to end\n", read(t, "cancel", "c", "--dir", dir))
	require.Equal(t, "a goes on\n", read(t, "unpause", "a", "--dir", dir))
	rt, end = open()
	out, err := runtime.Result(t.Context(), rt, "a", code)
	require.NoError(t, err)
	require.Equal(t, 5, out)
	_, err = runtime.Result(t.Context(), rt, "c", code)
	require.ErrorIs(t, err, workflow.ErrCancelled)
	end()
}

// TestRunsGoOnFromOutside: each command, as somebody types it, on a store that is open and on one that is not.
func TestRunsGoOnFromOutside(t *testing.T) {
	dir := t.TempDir() + "/clew.data"
	down := atomic.Bool{}
	down.Store(true)
	pay := activity.Define("pay", func(_ context.Context, amount int) (int, error) {
		if down.Load() {
			return 0, activity.NonRetryable(errors.New("the bank is down"))
		}
		return amount, nil
	})
	slow := activity.Define("slow", func(ctx context.Context, _ int) (int, error) { <-ctx.Done(); return 0, ctx.Err() })
	order := workflow.Define("order", func(ctx workflow.Context, amount int) (int, error) { return workflow.Do(ctx, pay, amount) })
	waits := workflow.Define("waits", func(ctx workflow.Context, _ int) (int, error) { return workflow.Do(ctx, slow, 0) })
	open := func() (*runtime.Runtime, func()) {
		return running(t, runtime.Config{Store: dir, Drain: time.Second}, order, waits, pay, slow)
	}
	rt, end := open()
	_, err := runtime.Do(t.Context(), rt, "o", order, 7)
	require.ErrorContains(t, err, "the bank is down")
	_, err = runtime.Start(t.Context(), rt, "w", waits, 7)
	require.NoError(t, err)
	down.Store(false)
	require.Regexp(t, `^o goes on from where it failed, as run \S{36}\n$`, read(t, "retry", "o", "--reason", "it answers", "--by", "ann", "--dir", dir))
	out, err := runtime.Result(t.Context(), rt, "o", order)
	require.NoError(t, err)
	require.Equal(t, 7, out)
	show := read(t, "show", "o", "--dir", dir)
	require.Contains(t, show, "going on from entry 3 of run")
	require.Contains(t, show, "it answers (by operator:ann) (adopted: entry 1, of ")
	require.Contains(t, read(t, "rerun", "o", "--activity", "pay", "--input", "9", "--dir", dir), "o goes on from there, as run ")
	out, err = runtime.Result(t.Context(), rt, "o", order)
	require.NoError(t, err)
	require.Equal(t, 9, out)
	status, _, errs := tool(t, "rerun", "o", "--dir", dir)
	require.Equal(t, misused, status)
	require.Contains(t, errs, "step")
	status, _, errs = tool(t, "rerun", "o", "--step", "7", "--dir", dir)
	require.Equal(t, failed, status)
	require.Contains(t, errs, "one of the run: 1 (pay)")
	status, _, errs = tool(t, "activity", "complete", "w", "1", `"five"`, "--dir", dir)
	require.Equal(t, failed, status)
	require.Equal(t, `clew: the result of slow is invalid: "\"five\"", want a value that its code can read: json: cannot unmarshal string into Go value of type int`+"\n", errs)
	require.Equal(t, "step 1 of w has the result\n", read(t, "activity", "complete", "w", "1", "5", "--dir", dir))
	out, err = runtime.Result(t.Context(), rt, "w", waits)
	require.NoError(t, err)
	require.Equal(t, 5, out)
	end()

	require.Contains(t, read(t, "restart", "o", "--input", "3", "--dir", dir), "o begins from the beginning, as run ")
	require.Equal(t, "o has other attributes\n", read(t, "set", "o", "env=uat", "size=3", "--dir", dir))
	require.Contains(t, read(t, "find", "attr.env = 'uat' and attr.size = 3", "--dir", dir), "order")
	rt, end = open()
	out, err = runtime.Result(t.Context(), rt, "o", order)
	require.NoError(t, err)
	require.Equal(t, 3, out)
	end()
	read(t, "verify", "--dir", dir)
}

func TestWhatTheCodeIsAskedNeedsAProcess(t *testing.T) {
	dir := world(t)
	before := read(t, "export", "order-1", "--dir", dir)
	for _, args := range [][]string{{"set-variable", "order-1", "rate", "3"}, {"move", "order-1", "2"}} {
		code, out, errs := tool(t, append(args, "--dir", dir)...)
		require.Equal(t, failed, code)
		require.Empty(t, out)
		require.Equal(t, "clew: no process has the store open, and the code of order-1 has to be asked: start the program that has it first\n", errs)
	}
	require.Equal(t, before, read(t, "export", "order-1", "--dir", dir), "nothing is recorded, no stall either")
}

func TestABatchFromOutside(t *testing.T) {
	dir := t.TempDir() + "/clew.data"
	down := atomic.Bool{}
	down.Store(true)
	pay := activity.Define("pay", func(_ context.Context, amount int) (int, error) {
		if down.Load() {
			return 0, activity.NonRetryable(errors.New("the bank is down"))
		}
		return amount, nil
	})
	order := workflow.Define("order", func(ctx workflow.Context, amount int) (int, error) { return workflow.Do(ctx, pay, amount) })
	rt, end := running(t, runtime.Config{Store: dir, Drain: time.Second}, order, pay)
	for i := range 12 {
		_, err := runtime.Do(t.Context(), rt, fmt.Sprint("o", i), order, i)
		require.Error(t, err)
	}
	down.Store(false)
	require.Regexp(t, `^    12  order, failed\nclew retry would be done to 12 executions, the first of o11, o10, .*; nothing was done\n$`,
		read(t, "batch", "retry", "type = 'order' and status = failed", "--dry-run", "--dir", dir))
	out := read(t, "batch", "retry", "type = 'order' and status = failed", "--id", "b1", "--wait", "--rate", "1000", "--reason", "it answers", "--dir", dir)
	require.Contains(t, out, "batch b1 has begun; see \"clew batch show b1\"\n")
	require.Contains(t, out, "b1: completed; 12 found, 12 done, 0 refused\n")
	for i := range 12 {
		_, err := runtime.Result(t.Context(), rt, fmt.Sprint("o", i), order)
		require.NoError(t, err)
	}
	require.Equal(t, "b1: completed; 12 found, 12 done, 0 refused\n", read(t, "batch", "show", "b1", "--dir", dir))
	out = read(t, "batch", "pause", "type = 'order'", "--id", "b2", "--wait", "--dir", dir, "--rate", "1000")
	require.Contains(t, out, "b2: completed; 12 found, 0 done, 12 refused\n  12 runs were left alone: another run of the execution has followed\n  12 refused: the execution is not running\n")
	out = read(t, "batch", "delete", "type = 'order' AND id = 'o3'", "--id", "b3", "--wait", "--dir", dir, "--rate", "1000")
	require.Contains(t, out, "1 found, 1 done, 0 refused\n  1 run was left alone", "and goes with the current one")
	require.Equal(t, "0\n", read(t, "find", "id = 'o3'", "--count", "--dir", dir))
	status, out, _ := tool(t, "batch", "pause", "type = 'order'", "--id", "b5", "--wait", "--most", "1", "--dir", dir)
	require.Equal(t, failed, status, "it did not complete")
	require.Contains(t, out, "b5: failed; 0 found, 0 done, 0 refused\n")
	status, _, errs := tool(t, "batch", "retry", "typ = 'order'", "--dir", dir)
	require.Equal(t, misused, status)
	require.Contains(t, errs, "did you mean type?")
	status, _, errs = tool(t, "batch", "show", "o1", "--dir", dir)
	require.Equal(t, failed, status)
	require.Contains(t, errs, "o1 is no batch, but a workflow order")
	list := filepath.Join(t.TempDir(), "ids")
	require.NoError(t, os.WriteFile(list, []byte("o1\n\n o2 \nnobody\no1\n"), 0o600))
	require.Equal(t, "clew restart would be done to 3 executions; nothing was done\n", read(t, "batch", "restart", "@"+list, "--dry-run", "--dir", dir))
	out = read(t, "batch", "restart", "@"+list, "--id", "b4", "--wait", "--dir", dir, "--rate", "1000")
	require.Contains(t, out, "b4: completed; 3 found, 2 done, 1 refused\n  1 refused: no such execution\n")
	status, _, errs = tool(t, "batch", "restart", "@"+list+"-none", "--dir", dir)
	require.Equal(t, misused, status)
	require.Contains(t, errs, "reading the ids of executions")
	end()
}
