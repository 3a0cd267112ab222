package main

import (
	"context"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/clewflow/clew/activity"
	"github.com/clewflow/clew/runtime"
	"github.com/clewflow/clew/workflow"
)

// TestPoliciesAreChangedFromOutside: through the process that has the store open, and in the store when nobody has.
func TestPoliciesAreChangedFromOutside(t *testing.T) {
	dir := t.TempDir() + "/clew.data"
	charge := activity.Define("charge", func(context.Context, int) (int, error) { return 1, nil })
	code := workflow.Define("charges", func(ctx workflow.Context, _ int) (int, error) {
		return workflow.Do(ctx, charge, 1, activity.LimitKey("ann"))
	})
	rt, err := runtime.Open(t.Context(), runtime.Config{Store: dir}, code, charge)
	require.NoError(t, err)
	ctx, stop := context.WithCancel(t.Context())
	ran := make(chan error, 1)
	go func() { ran <- rt.Run(ctx) }()
	<-rt.Ready()
	require.Equal(t, "no policy is in force; what the definitions say holds\n", read(t, "policy", "--dir", dir))
	require.Equal(t, "activity charge: at-once=3 rate=100/10s (version 1 of the policies)\n",
		read(t, "policy", "set", "activity", "charge", "at-once=3", "rate=100/10s", "--by", "ann", "--dir", dir))
	require.Equal(t, "activity charge: at-once=3 paused rate=100/10s (version 2 of the policies)\n",
		read(t, "policy", "pause", "activity", "charge", "--reason", "the bank is down", "--by", "bob", "--dir", dir))
	h, err := runtime.Start(t.Context(), rt, "c", code, 1)
	require.NoError(t, err)
	require.Regexp(t, `It waits for the limit of activity charge: 0, paused by operator:bob at \S+, because the bank is down\.`, read(t, "why", "c", "--dir", dir))
	require.Contains(t, read(t, "show", "c", "--dir", dir), "activity charge scheduled (step 1) for ann, under version 2 of the policies")
	status, _, errs := tool(t, "policy", "set", "activity", "charge", "at-once=-1", "--dir", dir)
	require.Equal(t, failed, status)
	require.Contains(t, errs, "at-once is invalid")
	status, _, errs = tool(t, "policy", "set", "activity", "charge", "speed=3", "--dir", dir)
	require.Equal(t, misused, status)
	require.Contains(t, errs, "max-attempts=N")
	status, _, _ = tool(t, "policy", "set", "activity", "--dir", dir)
	require.Equal(t, misused, status)
	read(t, "policy", "unpause", "activity", "charge", "--by", "bob", "--dir", dir)
	_, err = h.Result(t.Context())
	require.NoError(t, err)
	stop()
	require.NoError(t, <-ran)
	require.NoError(t, rt.Close())

	read(t, "policy", "remove", "activity", "charge", "--by", "ann", "--dir", dir)
	require.Equal(t, "activity charge: at-once=3 rate=100/10s (version 5 of the policies)\n", read(t, "policy", "restore", "1", "--by", "ann", "--dir", dir))
	status, _, errs = tool(t, "policy", "restore", "17", "--dir", dir)
	require.Equal(t, failed, status)
	require.Contains(t, errs, "no version 17")
	read(t, "policy", "set", "limit", "bank", "per-key=2", "--by", "ann", "--dir", dir)
	at, gaps := regexp.MustCompile(`\d{4}-\S+Z`), regexp.MustCompile(` {2,}`)
	require.Equal(t, `VERSION|AT|BY|OF|NAME|BEFORE|AFTER|REASON
1|AT|operator:ann|activity|charge|nothing|at-once=3 rate=100/10s|
2|AT|operator:bob|activity|charge|at-once=3 rate=100/10s|at-once=3 paused rate=100/10s|the bank is down
3|AT|operator:bob|activity|charge|at-once=3 paused rate=100/10s|at-once=3 rate=100/10s|
4|AT|operator:ann|activity|charge|at-once=3 rate=100/10s|nothing|
5|AT|operator:ann|activity|charge|nothing|at-once=3 rate=100/10s|
`, gaps.ReplaceAllString(at.ReplaceAllString(read(t, "policy", "history", "activity", "charge", "--dir", dir), "AT"), "|"))
	require.Regexp(t, `limit +bank +per-key=2 +6 +\S+ +operator:ann`, read(t, "policy", "list", "--dir", dir))
	require.NotContains(t, read(t, "verify", "--dir", dir), "broken")
}
