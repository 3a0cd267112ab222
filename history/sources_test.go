package history

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// sourcesOf are the fields of an activity's policy that are no default, each as "max-attempts 5: rule activity charge 3".
func sourcesOf(t *testing.T, a *Activity) map[string]Setting {
	t.Helper()
	all := map[string]Setting{}
	for _, s := range a.Settings() {
		if s.From != FromDefault {
			all[s.Field] = s
		}
	}
	return all
}

// scheduled is an activity as it is read again from what is recorded of it.
func scheduled(t *testing.T, p *Policy) *Activity {
	t.Helper()
	entries := sealed(&Started{Run: "r1", Chain: "r1", Number: 1, Type: "order"}, &ActivityScheduled{Step: 1, Name: "charge", Queue: "gpu", Policy: p})
	read, err := Unmarshal(Marshal(entries))
	require.NoError(t, err)
	return Fold(read...).Activities[1]
}

func TestEachFieldSaysWhereItComesFrom(t *testing.T) {
	called := StandardPolicy
	called.StartToClose, called.Assumed, called.Retry.MaxAttempts, called.Heartbeat, called.NeverRetry = time.Minute, false, 9, time.Second, []string{"gone", "broke"}
	called.From = Sources{Recorded: true, Asked: StartToCloseField | NeverRetryField | MaxAttemptsField, Definition: MaxAttemptsField | HeartbeatField | NeverRetryField | QueueField}
	p := &Policies{Rules: map[Subject]Standing{
		{Of: OfNamespace}:       {Rule: Rule{Retry: Retry{MaxAttempts: 4, Initial: time.Hour}, StartToClose: time.Hour, Heartbeat: time.Hour, Priority: 1}, Version: 3},
		{OfActivity, "charge"}:  {Rule: Rule{Retry: Retry{MaxAttempts: 5}, Priority: 2, Force: true}, Version: 2},
		{OfActivity, "another"}: {Rule: Rule{Weight: 9, Force: true}, Version: 4},
	}}
	assert.Equal(t, map[string]Setting{
		"start-to-close": {Field: "start-to-close", Value: "1m", From: FromCall},
		"never-retry":    {Field: "never-retry", Value: "gone,broke", From: FromBoth},
		"heartbeat":      {Field: "heartbeat", Value: "1h", From: FromRule, Rule: "namespace", Version: 3},
		"retry-initial":  {Field: "retry-initial", Value: "1h", From: FromRule, Rule: "namespace", Version: 3},
		"retry-max":      {Field: "retry-max", Value: "1h", From: FromRule, Rule: "namespace", Version: 3}, // no less than the first delay
		"max-attempts":   {Field: "max-attempts", Value: "5", From: FromRule, Rule: "activity charge", Version: 2, Force: true},
		"priority":       {Field: "priority", Value: "2", From: FromRule, Rule: "activity charge", Version: 2, Force: true},
		"queue":          {Field: "queue", Value: "gpu", From: FromDefinition},
	}, sourcesOf(t, scheduled(t, p.Governs("charge", &called))))

	plain := scheduled(t, &StandardPolicy)
	assert.Empty(t, sourcesOf(t, plain), "what is recorded of nothing but defaults is nothing")
}

func TestOfEarlierHistoriesItIsNotRecorded(t *testing.T) {
	p := StandardPolicy
	p.Retry.MaxAttempts, p.Heartbeat, p.From = 9, time.Minute, Sources{Asked: HeartbeatField}
	a := scheduled(t, &p)
	all := sourcesOf(t, a)
	assert.Equal(t, FromCall, all["heartbeat"].From, "that they did record")
	assert.Equal(t, NotRecorded, all["max-attempts"].From)
	assert.Equal(t, NotRecorded, all["jitter"].From)

	rules := &Policies{Rules: map[Subject]Standing{{OfActivity, "charge"}: {Rule: Rule{Retry: Retry{MaxAttempts: 2}}, Version: 5}}}
	all = sourcesOf(t, scheduled(t, rules.Governed("charge", a.Policy)))
	assert.Equal(t, Setting{Field: "max-attempts", Value: "2", From: FromRule, Rule: "activity charge", Version: 5}, all["max-attempts"])
	assert.Equal(t, NotRecorded, all["jitter"].From, "what was applied later says nothing of the rest")
}

func TestBoundsOfRunsSayWhereTheyComeFrom(t *testing.T) {
	p := &Policies{Rules: map[Subject]Standing{
		{Of: OfNamespace}:     {Rule: Rule{RunTimeout: time.Hour, ExecutionTimeout: 3 * time.Hour}, Version: 3},
		{OfWorkflow, "order"}: {Rule: Rule{RunTimeout: 2 * time.Hour}, Version: 4},
	}}
	b := p.Bounds("order", Bounds{Execution: time.Hour, From: Sources{Recorded: true, Asked: ExecutionTimeoutField, Definition: RunTimeoutField}})
	settings := func(run *Started) []Setting {
		read, err := Unmarshal(Marshal(sealed(run)))
		require.NoError(t, err)
		return Fold(read...).Settings()
	}
	run := Started{Run: "r1", Chain: "r1", Number: 1, Type: "order", RunTimeout: b.Run, Deadline: when.Add(b.Execution), From: b.From}
	execution := Setting{Field: "execution-timeout", Value: "until 2026-01-02T04:04:05Z", From: FromStart}
	assert.Equal(t, []Setting{{Field: "run-timeout", Value: "2h", From: FromRule, Rule: "workflow order", Version: 4}, execution}, settings(&run))

	run.From = b.From.AskedAnew(RunTimeoutField)
	assert.Equal(t, []Setting{{Field: "run-timeout", Value: "2h", From: FromStart}, execution}, settings(&run), "the code has asked for another")
	run.From = Sources{}
	assert.Equal(t, NotRecorded, settings(&run)[0].From)
	run.RunTimeout, run.Deadline = 0, time.Time{}
	assert.Equal(t, FromDefault, settings(&run)[0].From, "nobody has bounded it")
}
