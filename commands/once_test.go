package commands

import (
	"fmt"
	"reflect"
	"time"

	"github.com/clewflow/clew/history"
)

// together holds what is decided at once: a run that continues is followed by the next of its chain.
func (w *world) together(events []history.Event) {
	if _, continues := events[0].(*history.Continued); !continues {
		return
	}
	if len(events) != 2 {
		w.failed("%d events follow a run that continues", len(events)-1)
	}
	next, ok := events[1].(*history.Started)
	run := w.live.Run
	if !ok || next.Chain != run.Chain || next.Number != run.Number+1 || next.Run == run.ID || next.Parent != run.Parent || next.Type != run.Type {
		w.failed("run %+v is continued by %+v", run, events[1])
	}
}

// once holds an event against I3: one outcome for each thing, nothing after it, nothing after the end but the next run.
func (w *world) once(event history.Event) {
	_, starts := event.(*history.Started)
	if starts == w.live.Open() {
		w.failed("%s follows while the run is %q", event.Kind(), w.live.Status)
	}
	w.onceForUpdates(event)
	_, closes := event.(*history.TimedOut)
	step := reflect.ValueOf(event).Elem().FieldByName("Step")
	if closes || !step.IsValid() {
		return
	}
	key := fmt.Sprintf("%s/%d", w.live.Run.ID, step.Uint())
	if outcome := w.settled[key]; outcome != "" && !leftOver(event, outcome) {
		w.failed("%s follows step %s, of which %s was the outcome", event.Kind(), key, outcome)
	}
	a, c := w.live.Activities[history.Step(step.Uint())], w.live.Children[history.Step(step.Uint())]
	switch e := event.(type) {
	case *history.TimerFired, *history.TimerCancelled, *history.ActivityCompleted, *history.ActivityFailed, *history.ActivityTimedOut,
		*history.ActivityCancelled, *history.ChildRefused, *history.ChildClosed, *history.Sent, *history.FindAnswered:
		w.settled[key] = event.Kind()
	case *history.ActivityCancelRequested:
		if a.Policy.OnCancel != history.WaitCancelled {
			w.settled[key] = event.Kind()
		}
	case *history.ChildCancelRequested:
		if c.CancelRequested {
			w.failed("child %s is asked to end twice", key)
		}
		if c.OnCancel != history.WaitCancelled {
			w.settled[key] = event.Kind()
		}
	case *history.ChildCancelDelivered:
		if !c.CancelRequested || c.CancelDelivered {
			w.failed("it is told of child %+v that it was asked to end", c)
		}
		if c.Settled() {
			w.settled[key] = event.Kind()
		}
	case *history.ChildStarted:
		if c.Chain != "" {
			w.failed("child %+v starts twice", c)
		}
	case *history.AttemptFailed:
		if e.RetryAt.Before(w.now) || !e.RetryAt.Before(w.live.DeadlineAt(a, w.now)) {
			w.failed("the next attempt is to be made at %s", e.RetryAt)
		}
	}
}

// leftOver reports whether an event is what remains to be done about a child that the code has given up.
func leftOver(event history.Event, outcome string) bool {
	if outcome != (*history.ChildCancelRequested)(nil).Kind() {
		return false
	}
	switch event.(type) {
	case *history.ChildStarted, *history.ChildCancelDelivered:
		return true
	}
	return false
}

// onceForUpdates holds an event against what is known of updates: each is accepted once in a run, and answered once.
func (w *world) onceForUpdates(event history.Event) {
	key := func(update string) string { return w.live.Run.ID + "/update " + update }
	switch e := event.(type) {
	case *history.Started:
		for _, u := range e.Updates {
			w.settled[e.Run+"/update "+u.Update] = "waits"
		}
	case *history.UpdateAccepted:
		if was := w.settled[key(e.Update)]; was != "" {
			w.failed("update %s is accepted, it was %s", e.Update, was)
		}
		w.settled[key(e.Update)] = "waits"
	case *history.UpdateCompleted:
		w.answered(key(e.Update))
	case *history.UpdateFailed:
		w.answered(key(e.Update))
	}
}

func (w *world) answered(key string) {
	if was := w.settled[key]; was != "waits" {
		w.failed("%s is answered, it %q", key, was)
	}
	w.settled[key] = "was answered"
}

// left is what was left of each limit that is held when the pause began, or when the limit did, by what it is of.
func (w *world) left() map[string]time.Duration {
	s := w.live
	if s.Pause == nil || !s.Pause.LimitsHeld {
		return nil
	}
	all := map[string]time.Duration{}
	from := func(what string, deadline, since time.Time) {
		if !deadline.IsZero() {
			if s.Pause.Since.After(since) {
				since = s.Pause.Since
			}
			all[what] = deadline.Sub(since)
		}
	}
	for step, a := range s.Activities {
		from(fmt.Sprint("step ", step), a.Deadline(), a.Scheduled)
	}
	if s.Run.BeginAt.IsZero() && w.begun.Before(s.Pause.Since) {
		from("run", s.Run.RunDeadline, s.Run.Started)
		from("execution", s.Run.Deadline, s.Run.Started)
	}
	return all
}

// kept checks that what was left of the limits that were held is left of them now.
func (w *world) kept(left map[string]time.Duration) {
	s := w.live
	for what, before := range left {
		deadline := map[string]time.Time{"run": s.Run.RunDeadline, "execution": s.Run.Deadline}[what]
		for step, a := range s.Activities {
			if what == fmt.Sprint("step ", step) {
				deadline = a.Deadline()
			}
		}
		if now := deadline.Sub(w.now); now != before {
			w.failed("%s of the limit of %s were left when the pause began, and %s are when it ends", before, what, now)
		}
	}
}

// earliest works out anew when something is due first.
func earliest(s *history.State) (first time.Time) {
	if !s.Open() {
		return first
	}
	due := func(t time.Time) {
		if !t.IsZero() && (first.IsZero() || t.Before(first)) {
			first = t
		}
	}
	due(s.Run.BeginAt)
	limited := func(t time.Time) {
		if s.Pause == nil || !s.Pause.LimitsHeld {
			due(t)
		}
	}
	limited(s.Run.RunDeadline)
	limited(s.Run.Deadline)
	for _, t := range s.Timers {
		if s.Pause == nil || s.Pause.TimersOn {
			due(t)
		}
	}
	for _, a := range s.Activities {
		p := a.Policy
		limited(a.Scheduled.Add(p.ScheduleToClose + a.Held))
		if a.Serial == 0 && p.ScheduleToStart > 0 {
			limited(a.Scheduled.Add(p.ScheduleToStart + a.Held))
		}
		if !a.Started.IsZero() && !a.Overdue {
			if p.StartToClose > 0 && !(a.Pending && p.Assumed) {
				due(a.Started.Add(p.StartToClose))
			}
			if p.Heartbeat > 0 {
				due(a.Beat.Add(p.Heartbeat))
			}
		}
	}
	return first
}
