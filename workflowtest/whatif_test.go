package workflowtest_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/clewflow/clew/activity"
	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/runtime"
	"github.com/clewflow/clew/workflow"
	"github.com/clewflow/clew/workflowtest"
)

// TestWhatIf: a run that failed, with another result; what is recorded stands for what has no stub.
func TestWhatIf(t *testing.T) {
	reserve := activity.Declare[string, int]("reserve")
	charge := activity.Declare[int, string]("charge")
	ship := activity.Declare[string, string]("ship")
	code := workflow.Define("order", func(ctx workflow.Context, item string) (string, error) {
		price, err := workflow.Do(ctx, reserve, item)
		if err != nil {
			return "", err
		}
		if err := workflow.Sleep(ctx, 24*time.Hour); err != nil {
			return "", err
		}
		if _, err := workflow.Do(ctx, charge, price); err != nil {
			return "", err
		}
		return workflow.Do(ctx, ship, item)
	})
	was := workflowtest.Run(t, code, "chair", workflowtest.ID("order-17"), workflowtest.Stub(reserve).Returns(70), workflowtest.Stub(charge).Fails(activity.NonRetryable(errors.New("declined"))))
	_, err := was.Result()
	require.ErrorContains(t, err, "declined")
	file := filepath.Join(t.TempDir(), "order-17.jsonl")
	lines := history.AppendHeading(nil, history.ID{Namespace: "shop", Workflow: "order-17"})
	require.NoError(t, os.WriteFile(file, append(lines, history.Marshal(was.Entries)...), 0o600))

	began := time.Now()
	ran := workflowtest.WhatIf(t, file, code, runtime.AtActivity("charge", 1), workflowtest.Stub(charge).Returns("paid"), workflowtest.Stub(ship).Returns("parcel"))
	out, err := ran.Result()
	require.NoError(t, err)
	require.Equal(t, "parcel", out)
	require.Equal(t, was.Entries, ran.Entries[:len(was.Entries)], "what was stands")
	require.Equal(t, history.StatusCompleted, history.Fold(ran.Entries...).Status)
	require.Less(t, time.Since(began), time.Hour)

	ran = workflowtest.WhatIf(t, file, code, runtime.AtActivity("reserve", 1)) // all of it, as it was
	_, err = ran.Result()
	require.ErrorContains(t, err, "declined")

	charged := 0
	ran = workflowtest.WhatIf(t, file, code, runtime.AtActivity("reserve", 1), workflowtest.Stub(reserve).Returns(50), workflowtest.Stub(charge).Calls(func(_ context.Context, price int) (string, error) {
		charged = price
		return "paid", nil
	}), workflowtest.Stub(ship).Returns("parcel"))
	_, err = ran.Result()
	require.NoError(t, err)
	require.Equal(t, 50, charged)
}
