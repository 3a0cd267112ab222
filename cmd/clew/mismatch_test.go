package main

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/clewflow/clew/activity"
	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/replay"
	"github.com/clewflow/clew/workflow"
)

// TestWhyShowsAMismatch as it is recorded: what was changed, side by side, and the gate that would help.
func TestWhyShowsAMismatch(t *testing.T) {
	p := &past{}
	p.at(0, history.Client, started("audit", 1))
	p.at(0, history.Code, &history.TimerStarted{Step: 1, After: time.Minute, Due: noon.Add(time.Minute)})
	look := activity.Declare[string, string]("look")
	audit, _ := workflow.BodyOf(workflow.Define("audit", func(ctx workflow.Context, _ any) (string, error) {
		return workflow.Do(ctx, look, "around")
	}))
	m, err := replay.Remember(replay.Config{Code: audit.Code}, p.entries)
	m.Stop()
	var mismatch *replay.Mismatch
	require.True(t, errors.As(err, &mismatch), "%v", err)
	mismatch.Place = "/src/audit/audit.go:17 (audit.run)"
	p.at(time.Second, history.Code, &history.Stalled{Reason: mismatch.Error()})
	now = func() time.Time { return noon.Add(40 * time.Second) }
	t.Cleanup(func() { now = time.Now })
	dir := keep(t, map[string]*past{"audit-1": p})
	golden(t, "why-mismatch", read(t, "why", "audit-1", "--dir", dir))
	golden(t, "ls-mismatch", read(t, "ls", "--dir", dir))
}
