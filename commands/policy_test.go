package commands

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clewflow/clew/history"
)

var charge, bank, slow = history.Subject{Of: "activity", Name: "charge"}, history.Subject{Of: "limit", Name: "bank"}, history.Subject{Of: "queue", Name: "slow"}

func ruleOf(t *testing.T, text string) history.Rule {
	t.Helper()
	r, err := ParseRule(strings.Fields(text)...)
	require.NoError(t, err, text)
	return r
}

func TestRulesAreReadAsTheyAreWritten(t *testing.T) {
	for _, text := range []string{
		"at-once=3", "rate=100/10s", "per-key=2 key-rate=5/1m", "at-once=3 paused", "max-attempts=5 backoff=linear retry-factor=1.5", "per-key=0",
		"start-to-close=30s heartbeat=5s retry-initial=1s retry-max=none jitter=none", "on-timeout=alert priority=1 force",
	} {
		r := ruleOf(t, text)
		require.Equal(t, r, ruleOf(t, r.String()), text)
		require.NoError(t, CheckRule(charge, r), text)
	}
	assert.Equal(t, history.Rule{All: history.Limit{None: true}}, ruleOf(t, "at-once=0"))
}

func TestChangesOfPoliciesAreEvents(t *testing.T) {
	three := ruleOf(t, "at-once=3")
	p := &history.Policies{Rules: map[history.Subject]history.Standing{charge: {Rule: three}}}
	events, err := SetPolicies(p, []PolicyChange{
		{Subject: charge, Pause: true}, {Subject: bank, Rule: ruleOf(t, "rate=1/1s")}, {Subject: slow, Unpause: true},
	}, "the bank asked")
	require.NoError(t, err)
	paused := three
	paused.All.None = true
	assert.Equal(t, []history.Event{
		&history.PolicySet{Subject: charge, Before: three, After: paused, Reason: "the bank asked"},
		&history.PolicySet{Subject: bank, After: history.Rule{All: history.Limit{Rate: 1, Per: time.Second}}, Reason: "the bank asked"},
	}, events, "what is as it was needs none")

	events, err = SetPolicies(p, []PolicyChange{{Subject: charge}}, "")
	require.NoError(t, err)
	assert.Equal(t, []history.Event{&history.PolicySet{Subject: charge, Before: three}}, events, "an empty rule takes back what was there")
}

func TestWrongPoliciesAreRefusedAsAWhole(t *testing.T) {
	for name, c := range map[string]PolicyChange{
		"negative":          {Subject: charge, Rule: ruleOf(t, "at-once=-1")},
		"negative rate":     {Subject: charge, Rule: ruleOf(t, "rate=-1/1s")},
		"no time":           {Subject: charge, Rule: ruleOf(t, "rate=1/0s")},
		"too long":          {Subject: charge, Rule: ruleOf(t, "start-to-close=2000000h")},
		"no rate":           {Subject: charge, Rule: ruleOf(t, "rate=0/1s")},
		"per key":           {Subject: charge, Rule: ruleOf(t, "per-key=-1")},
		"key of a queue":    {Subject: slow, Rule: ruleOf(t, "per-key=1")},
		"retries of limits": {Subject: bank, Rule: ruleOf(t, "max-attempts=1")},
		"attempts":          {Subject: charge, Rule: ruleOf(t, "max-attempts=-1")},
		"priority":          {Subject: charge, Rule: ruleOf(t, "priority=6")},
		"factor":            {Subject: charge, Rule: ruleOf(t, "retry-factor=0.5")},
		"jitter":            {Subject: charge, Rule: ruleOf(t, "jitter=2")},
		"backoff":           {Subject: charge, Rule: ruleOf(t, "backoff=steep")},
		"on time-out":       {Subject: charge, Rule: ruleOf(t, "on-timeout=shrug")},
		"of":                {Subject: history.Subject{Of: "mood", Name: "x"}},
		"name":              {Subject: history.Subject{Of: "queue", Name: "no spaces"}},
		"twice":             {Subject: bank, Rule: ruleOf(t, "at-once=4")},
	} {
		t.Run(name, func(t *testing.T) {
			events, err := SetPolicies(&history.Policies{}, []PolicyChange{{Subject: bank, Rule: ruleOf(t, "at-once=3")}, c}, "")
			require.ErrorIs(t, err, ErrInvalid)
			require.Empty(t, events)
		})
	}
	for _, word := range []string{"speed=3", "at-once=many", "rate=3", "rate=x/1s", "start-to-close=long", "jitter=much", ""} {
		_, err := ParseRule(word)
		require.ErrorIs(t, err, ErrInvalid, word)
	}
}

func TestRunsAreHaltedByRulesForWorkflowsAndTheNamespaceAlone(t *testing.T) {
	order, all := history.Subject{Of: history.OfWorkflow, Name: "order"}, history.Subject{Of: history.OfNamespace}
	events, err := SetPolicies(&history.Policies{}, []PolicyChange{{Subject: order, Pause: true}, {Subject: all, Pause: true}}, "")
	require.NoError(t, err)
	halted := history.Rule{Halt: true}
	assert.Equal(t, []history.Event{&history.PolicySet{Subject: order, After: halted}, &history.PolicySet{Subject: all, After: halted}}, events)
	p := &history.Policies{Rules: map[history.Subject]history.Standing{order: {Rule: halted}}}
	events, err = SetPolicies(p, []PolicyChange{{Subject: order, Unpause: true}}, "")
	require.NoError(t, err)
	assert.Equal(t, []history.Event{&history.PolicySet{Subject: order, Before: halted}}, events)
	stopped := ruleOf(t, "at-once=0 halt run-timeout=1h")
	p.Rules[order] = history.Standing{Rule: stopped}
	events, err = SetPolicies(p, []PolicyChange{{Subject: order, Unpause: true}}, "")
	require.NoError(t, err)
	assert.Equal(t, []history.Event{&history.PolicySet{Subject: order, Before: stopped, After: ruleOf(t, "run-timeout=1h")}}, events, "nothing stops it any more")
	read, err := ParseRule(halted.String())
	require.NoError(t, err)
	assert.Equal(t, halted, read)
	for _, wrong := range []PolicyChange{
		{Subject: history.Subject{Of: history.OfNamespace, Name: "shop"}, Pause: true},
		{Subject: history.Subject{Of: history.OfActivity, Name: "charge"}, Rule: halted},
		{Subject: history.Subject{Of: history.OfNamespace}, Rule: history.Rule{All: history.Limit{AtOnce: 1}}},
	} {
		_, err := SetPolicies(p, []PolicyChange{wrong}, "")
		assert.ErrorIs(t, err, ErrInvalid)
	}
}
