package commands

import (
	"maps"
	"slices"
	"time"

	"github.com/clewflow/clew/history"
)

// ApplyPolicies has the policies in force hold for what is scheduled and not settled too: one event for each activity that they change.
// Limits of time are reckoned from their recorded beginnings, and an attempt that waits for its time gets the time that the new rule gives it;
// one that is in hand, or that is to be made already, is made. Where they change nothing nothing follows.
type ApplyPolicies struct {
	Policies *history.Policies
	Subject  history.Subject // only activities that this is about; of another kind than activity and namespace: none
	Reason   string
	Dice     float64 // 0 up to 1, for the jitter
}

func (c ApplyPolicies) decide(s *history.State, now time.Time) (events []history.Event, err error) {
	if err := running(s); err != nil {
		return nil, err
	}
	for _, step := range slices.Sorted(maps.Keys(s.Activities)) {
		a := s.Activities[step]
		if a.Local || !c.about(a.Name) {
			continue
		}
		after := c.Policies.Governed(a.Name, a.Policy)
		if a.Policy.Same(after) {
			continue
		}
		events = append(events, &history.PolicyApplied{
			Step: step, Before: a.Policy, After: after, Version: c.Policies.Version, RetryAt: retriedAt(s, a, after, now, c.Dice), Reason: c.Reason,
		})
	}
	return events, nil
}

func (c ApplyPolicies) about(activity string) bool {
	return c.Subject.Of == history.OfNamespace || c.Subject == history.Subject{Of: history.OfActivity, Name: activity}
}

// retriedAt is when an attempt that waits for its time is to be made by another policy; zero: when it was to be. A delay that the policy
// before cannot have given is one that the activity itself has asked for, and stays.
func retriedAt(s *history.State, a *history.Activity, after *history.Policy, now time.Time, dice float64) (at time.Time) {
	now = later(now, s.At) // as which it is recorded
	before, n := a.Policy.Retry, a.Attempt-1
	timing := func(r history.Retry) history.Retry { r.MaxAttempts = 0; return r }
	if timing(before) == timing(after.Retry) || !a.RetryAt.After(now) || a.Failed.IsZero() {
		return at
	}
	if delay := a.RetryAt.Sub(a.Failed); delay < before.Delay(n, 0) || delay > before.Delay(n, 1) {
		return at
	}
	governed := *a
	governed.Policy = after
	at = a.Failed.Add(min(after.Retry.Delay(n, dice), s.DeadlineAt(&governed, now).Sub(a.Failed))) // then its time is over anyway
	return later(at, now)
}
