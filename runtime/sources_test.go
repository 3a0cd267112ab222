package runtime_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/clewflow/clew/activity"
	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/runtime"
	"github.com/clewflow/clew/workflow"
)

// TestEachValueSaysWhereItComesFrom: from the history, after a crash too, and after the rules are taken back; who laid a rule down
// is found by its version.
func TestEachValueSaysWhereItComesFrom(t *testing.T) {
	charge := activity.Define("charge", func(ctx context.Context, _ int) (int, error) {
		<-ctx.Done()
		return 0, ctx.Err()
	}, activity.MaxAttempts(9), activity.Priority(2), activity.Limit{AtOnce: 3}, activity.Limits("bank"))
	code := workflow.Define("sell", func(ctx workflow.Context, _ int) (int, error) {
		return workflow.Do(ctx, charge, 1, activity.ScheduleToClose(100*day), activity.StartToClose(90*day))
	}, workflow.ExecutionTimeout(60*day), workflow.RunLimit{AtOnce: 7})
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, runtime.Config{})
		w.open(code, charge)
		ctx, began := w.ctx(), time.Now().UTC()
		set := func(of runtime.Subject, rule runtime.Rule, opts ...runtime.CallOption) {
			_, err := w.rt.SetPolicy(ctx, of, rule, opts...)
			require.NoError(t, err)
		}
		set(runtime.OfActivity("charge"), runtime.Rule{Retry: history.Retry{MaxAttempts: 5}, ScheduleToClose: 50 * day, Force: true}, runtime.Operator("bob"), runtime.Reason("it costs"))
		set(runtime.OfNamespace(), runtime.Rule{StartToClose: day, OnTimeout: history.ThenReturn, RunTimeout: 40 * day}, runtime.Operator("ann"))
		set(runtime.OfLimit("bank"), runtime.Rule{All: history.Limit{Rate: 10, Per: time.Second}, Key: history.Limit{AtOnce: 2}}, runtime.Operator("ann"))
		_, err := runtime.Start(ctx, w.rt, "a", code, 1)
		require.NoError(t, err)
		synctest.Wait()

		ruled := func(field, value, of string, version uint64, force bool) runtime.Setting {
			s := runtime.Setting{Field: field, Value: value, From: history.FromRule, Rule: of, Version: version, Force: force, By: "operator:ann", At: began}
			if version == 1 {
				s.By, s.Reason = "operator:bob", "it costs"
			}
			return s
		}
		bank := []runtime.Setting{ruled("rate", "10/1s", "limit bank", 3, false), ruled("per-key", "2", "limit bank", 3, false)}
		of := func() (activity, run []runtime.Setting) {
			d, err := w.rt.Describe(w.ctx(), "a")
			require.NoError(t, err)
			require.Len(t, d.Activities, 1)
			return d.Activities[0].Policy, d.Policy
		}
		want := []runtime.Setting{
			{Field: "start-to-close", Value: "2160h", From: history.FromCall},
			ruled("schedule-to-close", "1200h", "activity charge", 1, true),
			ruled("max-attempts", "5", "activity charge", 1, true),
			ruled("on-timeout", "return", "namespace", 2, false),
			{Field: "priority", Value: "2", From: history.FromDefinition},
			{Field: "limits", Value: "bank", From: history.FromDefinition},
			{Field: "at-once", Value: "3", From: history.FromDefinition},
		}
		runs := []runtime.Setting{
			ruled("run-timeout", "960h", "namespace", 2, false),
			{Field: "execution-timeout", Value: "until " + began.Add(60*day).Format(time.RFC3339), From: history.FromDefinition},
			{Field: "at-once", Value: "7", From: history.FromDefinition},
		}
		got, run := of()
		require.Equal(t, append(want, bank...), got)
		require.Equal(t, runs, run)

		w.close()
		w.open(code, charge)
		got, run = of()
		require.Equal(t, append(want, bank...), got, "the history has it")
		require.Equal(t, runs, run)
		for _, subject := range []runtime.Subject{runtime.OfActivity("charge"), runtime.OfNamespace(), runtime.OfLimit("bank")} {
			_, err := w.rt.SetPolicy(w.ctx(), subject, runtime.Rule{})
			require.NoError(t, err)
		}
		got, run = of()
		require.Equal(t, want, got, "what was scheduled keeps what its entry says; limits hold as they are now")
		require.Equal(t, runs, run)
		w.close()
	})
}
