package commands

import (
	"time"

	"github.com/clewflow/clew/history"
)

// Wake decides the one thing that is due first, if anything is. It is given again until nothing follows, because what the
// code asks in answer may change what is due: a timer it stops is not to fire any more.
//
// Overdue are attempts whose limits have passed for all that those know who have them in hand. Each limit is looked at
// again here: a sign of life newer than the firing less the heartbeat limit saves the attempt.
type Wake struct {
	Overdue []Attempt
	Dice    float64
	Unread  []uint64 // signals that the code has not received, if that is known
	Limited bool     // runs of this workflow begin when they have a slot
}

func (c Wake) decide(s *history.State, now time.Time) ([]history.Event, error) {
	if !s.Open() {
		return nothing()
	}
	if step, due, ok := s.NextDue(); ok && !due.After(now) {
		if step == 0 {
			return c.run(s, now)
		}
		if _, timer := s.Timers[step]; timer {
			return follows(&history.TimerFired{Step: step})
		}
		a := s.Activities[step]
		_, limit := a.Due(s.Pause)
		return c.limit(s, a, c.inHand(s, a), limit, now)
	}
	for _, t := range c.Overdue {
		a, err := t.of(s)
		if err != nil {
			continue // settled, or a newer attempt has taken over
		}
		if limit := t.passed(a, now); limit != "" && !a.Overdue {
			return c.limit(s, a, t, limit, now)
		}
	}
	return nothing()
}

// inHand is what is known of the attempt at a: what its holder knows, else what is recorded.
func (c Wake) inHand(s *history.State, a *history.Activity) Attempt {
	for _, t := range c.Overdue {
		if _, err := t.of(s); err == nil && t.Step == a.Step {
			return t
		}
	}
	return Attempt{Step: a.Step, Serial: a.Serial, Started: a.Started, Beat: a.Beat, Checkpoint: a.Checkpoint}
}

// passed is the limit of the attempt that has passed at now, as far as its holder knows.
func (t Attempt) passed(a *history.Activity, now time.Time) string {
	p := a.Policy
	switch {
	case p.StartToClose > 0 && !(a.Pending && p.Assumed) && !now.Before(t.Started.Add(p.StartToClose)):
		return history.StartToClose
	case p.Heartbeat > 0 && !now.Before(t.Beat.Add(p.Heartbeat)):
		return history.HeartbeatLimit
	}
	return ""
}

// limit says what follows when a limit of a has passed.
func (c Wake) limit(s *history.State, a *history.Activity, t Attempt, limit string, now time.Time) ([]history.Event, error) {
	try, checkpoint := t.try(a), t.fresh(a)
	timedOut := &history.ActivityTimedOut{Try: try, Limit: limit, Failure: a.LastFailure, Checkpoint: t.last(a)}
	switch {
	case limit == history.HeartbeatLimit && t.Beat.Add(a.Policy.Heartbeat).After(now):
		return t.beat(a)
	case a.CancelRequested:
		return follows(&history.ActivityCancelled{Try: try, Failure: a.LastFailure, Checkpoint: t.last(a)})
	case limit == history.ScheduleToStart, limit == history.ScheduleToClose:
		return follows(timedOut)
	}
	switch a.Policy.OnTimeout {
	case history.ThenFailRun:
		return follows(&history.TimedOut{Limit: limit, Step: a.Step, Closing: closing(s, c.Unread)})
	case history.ThenAlert:
		return follows(&history.AttemptOverdue{Try: try, Limit: limit})
	case history.ThenRetry:
		if retryAt, final := next(s, a, now, 0, c.Dice); final == "" {
			return follows(&history.AttemptFailed{Try: try, Limit: limit, Checkpoint: checkpoint, RetryAt: retryAt})
		}
	}
	return follows(timedOut)
}

// run says what follows when a moment of the run itself has come.
func (c Wake) run(s *history.State, now time.Time) ([]history.Event, error) {
	over := func(t time.Time) bool { return !t.IsZero() && !t.After(now) && !s.Pause.HoldsLimits() }
	switch {
	case over(s.Run.Deadline):
		return follows(&history.TimedOut{Limit: "execution", Closing: closing(s, c.Unread)})
	case over(s.Run.RunDeadline):
		return follows(&history.TimedOut{Limit: "run", Closing: closing(s, c.Unread)})
	}
	if c.Limited {
		return follows(&history.Postponed{Deadline: s.Run.Deadline})
	}
	return follows(begun(s, now))
}
