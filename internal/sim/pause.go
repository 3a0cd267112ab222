package sim

import (
	"time"

	"github.com/clewflow/clew/history"
)

// lookAtPause looks whether an execution that is held is.
func (j *judge) lookAtPause(at func() string, s *stream, e history.Entry) {
	if _, pauses := e.Event.(*history.Paused); pauses {
		s.paused, s.pausedAt = time.Now(), e.At
	}
	if s.state.Pause == nil || !isOpen(&s.state) {
		return
	}
	_, scheduled := e.Event.(*history.ActivityScheduled)
	_, fired := e.Event.(*history.TimerFired)
	if scheduled || fired || e.Event.Role() == history.Decision || e.Told > s.state.Told {
		j.w.wrong("%s: it is paused since entry %d", at(), s.state.Pause.Seq)
	}
	if _, goesOn := e.Event.(*history.Unpaused); goesOn {
		if s.state.Untold() {
			j.w.sometimes("an execution goes on after a pause, and is told something")
		}
		if s.hold(e.At) {
			j.w.sometimes("a pause has held the limits of an activity")
		}
	}
}

// hold adds a pause that ends to what is known of the limits that it has held. It reports whether there were any.
func (s *stream) hold(until time.Time) (some bool) {
	if !s.state.Pause.HoldsLimits() {
		return false
	}
	for step := range s.state.Activities {
		if t := s.tries[step]; t != nil {
			t.held += min(until.Sub(s.pausedAt), until.Sub(t.since))
			some = true
		}
	}
	return some
}

// lookAtHeld holds a limit of what waits that is said to have passed against the pauses that have held it.
func (j *judge) lookAtHeld(at func() string, s *stream, e history.Entry, of history.Try, limit string) {
	t := s.tries[of.Step]
	within := map[string]time.Duration{history.ScheduleToStart: t.policy.ScheduleToStart, history.ScheduleToClose: t.policy.ScheduleToClose}[limit]
	switch {
	case within == 0:
	case s.state.Pause.HoldsLimits():
		j.w.wrong("%s: limits are held since entry %d", at(), s.state.Pause.Seq)
	case !j.w.isWrongInTime() && e.At.Before(t.since.Add(within+t.held)):
		j.w.wrong("%s: it passes %s after %s, is %s, and was held for %s", at(), e.At.Sub(t.since), t.since, within, t.held)
	}
}
