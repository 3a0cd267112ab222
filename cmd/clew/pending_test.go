package main

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/clewflow/clew/activity"
	"github.com/clewflow/clew/runtime"
	"github.com/clewflow/clew/system"
	"github.com/clewflow/clew/workflow"
)

func TestAPolicyIsAppliedToWhatIsScheduled(t *testing.T) {
	dir := t.TempDir()
	failed := make(chan bool, 1)
	charge := activity.Define("charge", func(context.Context, int) (int, error) {
		select {
		case failed <- true:
		default:
		}
		return 0, errors.New("the bank is down")
	}, activity.Retry{Initial: time.Hour, Max: 10 * time.Hour})
	code := workflow.Define("order", func(ctx workflow.Context, n int) (int, error) { return workflow.Do(ctx, charge, n) })
	rt, err := runtime.Open(t.Context(), runtime.Config{Store: dir}, code, charge)
	require.NoError(t, err)
	ctx, stop := context.WithCancel(t.Context())
	ran := make(chan error, 1)
	go func() { ran <- rt.Run(ctx) }()
	<-rt.Ready()
	_, err = runtime.Start(t.Context(), rt, "a", code, 1)
	require.NoError(t, err)
	<-failed

	require.Contains(t, read(t, "policy", "set", "activity", "charge", "max-attempts=3", "--apply-to-pending", "--dry-run", "--dir", dir), "would be done to 1 execution, the first of a; nothing was done")
	require.Equal(t, "no policy is in force; what the definitions say holds\n", read(t, "policy", "--dir", dir))
	require.Equal(t, "activity charge: max-attempts=3 weight=4 (version 1 of the policies)\nwhat is scheduled is put under it by batch policies-1; see \"clew batch show policies-1\"\n",
		read(t, "policy", "set", "activity", "charge", "max-attempts=3", "weight=4", "--apply-to-pending", "--reason", "it costs", "--by", "ann", "--dir", dir))
	report, err := runtime.Result(t.Context(), rt, "policies-1", system.Batches)
	require.NoError(t, err)
	require.Equal(t, system.Report{Found: 1, Done: 1}, report)
	require.Contains(t, read(t, "show", "a", "--dir", dir), "activity charge (step 1) is under version 1 of the policies: max-attempts any→3, weight 1→4: it costs (by operator:ann)")
	why := read(t, "why", "a", "--dir", dir)
	require.Contains(t, why, "There are 3 attempts at most.")
	require.Regexp(t, `  By the rule of activity charge \(version 1, laid down by operator:ann at \S+Z, because it costs\): max-attempts 3, weight 4\.\n  By the definition: retry-initial 1h, retry-max 10h\.\n`, why)
	policy := read(t, "show", "a", "--step", "1", "--dir", dir)
	require.Regexp(t, `POLICY +VALUE +FROM\n`, policy)
	require.Regexp(t, `max-attempts +3 +the rule of activity charge \(version 1, laid down by operator:ann at \S+Z, because it costs\)\n`, policy)
	require.Regexp(t, `retry-max +10h +the definition\n`, policy)
	require.Regexp(t, `start-to-close +10m +default\n`, policy)

	read(t, "policy", "set", "activity", "charge", "max-attempts=5", "--by", "ann", "--dir", dir)
	require.Equal(t, "a has what is scheduled under the policies in force\n", read(t, "apply-policies", "a", "--activity", "charge", "--by", "bob", "--dir", dir))
	require.Contains(t, read(t, "show", "a", "--dir", dir), "max-attempts 3→5")
	status, _, errs := tool(t, "policy", "set", "queue", "slow", "at-once=3", "--apply-to-pending", "--dir", dir)
	require.Equal(t, 1, status)
	require.Contains(t, errs, "apply to pending is invalid")
	stop()
	require.NoError(t, <-ran)
	require.NoError(t, rt.Close())
}
