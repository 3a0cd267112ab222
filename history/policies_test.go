package history

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestPoliciesAreWhatWasLaidDownLast(t *testing.T) {
	charge, bank := Subject{OfActivity, "charge"}, Subject{OfLimit, "bank"}
	three, two := Rule{All: Limit{AtOnce: 3}}, Rule{All: Limit{AtOnce: 2}}
	entries := sealed(
		&PolicySet{Subject: charge, After: three, Reason: "slow"}, &PolicySet{Subject: bank, After: two},
		&PolicySet{Subject: charge, Before: three, After: two, Reason: "slower"}, &PolicySet{Subject: bank, Before: two},
	)
	none := &Policies{}
	p := none
	for _, e := range entries {
		p = p.With(e)
	}
	assert.Empty(t, none.Rules)
	assert.Equal(t, []Subject{charge}, p.Subjects())
	assert.Equal(t, Standing{two, 3, "", entries[2].At, "slower"}, p.Rules[charge])
	assert.Equal(t, uint64(4), p.Version)
	assert.Equal(t, entries[3].Hash, p.Hash)
	assert.Same(t, p, p.With(entries[1]), "it is in them already")
}

func TestARuleHaltsTheRunsOfItsWorkflowAndThatOfTheNamespaceAll(t *testing.T) {
	order, all := Subject{OfWorkflow, "order"}, Subject{Of: OfNamespace}
	p := &Policies{Rules: map[Subject]Standing{order: {Rule: Rule{Halt: true}, Reason: "prices"}}}
	of, rule, halted := p.Halts("order", true)
	assert.True(t, halted)
	assert.Equal(t, order, of)
	assert.Equal(t, "prices", rule.Reason)
	_, _, halted = p.Halts("other", false)
	assert.False(t, halted)
	p.Rules[all] = Standing{Rule: Rule{Halt: true}}
	of, _, halted = p.Halts("other", false)
	assert.True(t, halted)
	assert.Equal(t, "namespace", of.String())
	_, _, halted = p.Halts("clew.batch", true)
	assert.False(t, halted, "what is exempt goes on")
}

func TestARuleGivesWayToTheCallUnlessItIsForced(t *testing.T) {
	defined := StandardPolicy
	defined.Retry.MaxAttempts = 2
	called := defined
	called.From.Asked = StartToCloseField | MaxAttemptsField
	called.StartToClose, called.Assumed, called.Retry.MaxAttempts = time.Hour, false, 9

	rule := &Rule{StartToClose: time.Minute, ScheduleToClose: 2 * time.Hour, Retry: Retry{MaxAttempts: 4, Initial: 5 * time.Minute, Jitter: -1}, Priority: 1}
	p := called.Under(OfActivity, rule, 7)
	assert.Equal(t, time.Hour, p.StartToClose, "the call asked for it")
	assert.Equal(t, 9, p.Retry.MaxAttempts)
	assert.Equal(t, 2*time.Hour, p.ScheduleToClose, "the call did not")
	assert.Equal(t, 5*time.Minute, p.Retry.Initial)
	assert.Equal(t, 5*time.Minute, p.Retry.Max, "no less than the first delay")
	assert.Zero(t, p.Retry.Jitter)
	assert.Equal(t, 1, p.Admission.Priority)
	assert.Equal(t, uint64(7), p.Version)
	assert.Zero(t, called.Version, "the call's own stays as it is")

	rule.Force = true
	p = called.Under(OfActivity, rule, 8)
	assert.Equal(t, time.Minute, p.StartToClose)
	assert.Equal(t, 4, p.Retry.MaxAttempts)

	p = defined.Under(OfActivity, &Rule{Heartbeat: time.Second}, 1)
	assert.Zero(t, p.StartToClose, "an attempt that beats may take as long as it beats")
}

func TestRulesAreWrittenAsTheyAreGiven(t *testing.T) {
	require.Equal(t, "nothing", Rule{}.String())
	require.Equal(t, "paused per-key=2 key-rate=5/1m start-to-close=1m30s retry-max=none jitter=none priority=2 force", Rule{
		All: Limit{None: true}, Key: Limit{AtOnce: 2, Rate: 5, Per: time.Minute}, StartToClose: 90 * time.Second,
		Retry: Retry{Max: -1, Jitter: -1}, Priority: 2, Force: true,
	}.String())
}

func TestTheNamespaceComesBehindTheActivityAndBeforeTheDefinition(t *testing.T) {
	all, charge := Subject{Of: OfNamespace}, Subject{OfActivity, "charge"}
	p := &Policies{Rules: map[Subject]Standing{
		all:    {Rule: Rule{StartToClose: time.Minute, Priority: 5, Retry: Retry{MaxAttempts: 4}}, Version: 3},
		charge: {Rule: Rule{StartToClose: time.Hour}, Version: 2},
	}}
	defined := StandardPolicy
	defined.Retry.MaxAttempts = 9
	called := defined
	called.From.Asked = PriorityField
	got := p.Governs("charge", &called)
	assert.Equal(t, time.Hour, got.StartToClose, "the activity's own comes first")
	assert.Equal(t, 4, got.Retry.MaxAttempts, "then the namespace's, before the definition")
	assert.Zero(t, got.Admission.Priority, "the call asked for another")
	assert.Equal(t, uint64(3), got.Version)
	assert.Equal(t, time.Minute, p.Governs("ship", &defined).StartToClose)

	forced := p.Rules[all]
	forced.Force = true
	p.Rules[all] = forced
	assert.Equal(t, 5, p.Governs("charge", &called).Admission.Priority)
	p.Rules[all] = Standing{Rule: Rule{Halt: true}, Version: 4}
	assert.Zero(t, p.Governs("ship", &defined).Version, "a rule about runs has no part in it")
}

func TestRunsAreBoundedByTheStartThenTheWorkflowThenTheNamespace(t *testing.T) {
	all, order := Subject{Of: OfNamespace}, Subject{OfWorkflow, "order"}
	p := &Policies{Rules: map[Subject]Standing{
		all:   {Rule: Rule{RunTimeout: time.Hour, ExecutionTimeout: 3 * time.Hour}},
		order: {Rule: Rule{RunTimeout: 2 * time.Hour}},
	}}
	bounds := func(run time.Duration, asked Fields) [2]time.Duration {
		b := p.Bounds("order", Bounds{Run: run, From: Sources{Asked: asked}})
		return [2]time.Duration{b.Run, b.Execution}
	}
	assert.Equal(t, [2]time.Duration{2 * time.Hour, 3 * time.Hour}, bounds(time.Second, 0))
	assert.Equal(t, time.Minute, bounds(time.Minute, RunTimeoutField)[0], "the start has asked for it")
	p.Rules[order] = Standing{Rule: Rule{RunTimeout: 2 * time.Hour, Force: true}}
	assert.Equal(t, 2*time.Hour, bounds(time.Minute, RunTimeoutField)[0])
	assert.Equal(t, [2]time.Duration{2 * time.Hour, 3 * time.Hour}, bounds(0, 0))
}
