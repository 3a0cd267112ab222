package runtime

import (
	"fmt"

	"github.com/clewflow/clew/activity"
	"github.com/clewflow/clew/history"
)

// dispatch does what an entry says is to be done, and tells those who wait for it.
func (x *execution) dispatch(m *memory, e *history.Entry) {
	s, q, now := m.state, x.rt.queue, x.rt.now()
	if e.Seq < s.Run.Began && !closes(e.Event) && !answers(e.Event) {
		return // of a run that was closed in the same append: what it had asked for is over
	}
	switch v := e.Event.(type) {
	case *history.ActivityScheduled:
		if a := s.Activities[v.Step]; a != nil && a.Seq == e.Seq && x.ready(m, a) {
			q.Offer(x.attempt(s, a, v.Input), now, now)
		}
	case *history.ActivityChanged:
		q.Settle(x.key(v.Step), errSettledElsewhere) // so that it is offered as if it were new
		x.offer(m, v.Step, now)
	case *history.PolicyApplied:
		x.govern(s, v.Step, now)
	case *history.AttemptFailed:
		if v.Limit != "" { // the attempt still goes on, and is told which limit it has passed
			q.Settle(x.key(v.Step), fmt.Errorf("%w: %s", activity.ErrTimeout, v.Limit))
		}
		x.offer(m, v.Step, now)
	case *history.AttemptLost:
		if q.Newest(x.key(v.Step)) <= v.Serial { // else a later one is in hand
			x.offer(m, v.Step, now)
		}
	case *history.AttemptStarted:
		if a := s.Activities[v.Step]; a != nil && a.Serial == v.Serial && (v.Pending || x.rt.node.other(v.Node)) {
			q.Outside(x.attempt(s, a, history.Payload{}), a.Started, a.Beat)
		}
	case *history.Heartbeat:
		q.ResumeAt(x.key(v.Step), v.Checkpoint)
	case *history.AttemptOverdue:
		q.Unlimit(x.key(v.Step))
	case *history.ActivityCancelRequested:
		x.cancelActivity(s, v.Step)
	case *history.ActivityTimedOut:
		x.settle(v.Step, fmt.Errorf("%w: %s", activity.ErrTimeout, v.Limit))
	case *history.ActivityCompleted:
		x.settle(v.Step, errSettledElsewhere)
	case *history.ActivityFailed:
		x.settle(v.Step, errSettledElsewhere)
	case *history.ActivityCancelled:
		x.settle(v.Step, activity.ErrCancelled)
	case *history.Begun:
		if s.Run.Adopts != nil {
			x.rt.soon(x.id) // what it has taken over is to be done now
		}
	case *history.Paused:
		q.Yield(x.id)   // what is in hand goes on
		x.rt.soon(x.id) // so does what goes on outside, which is known again then
	case *history.Unpaused:
		x.rt.soon(x.id)
	case *history.UpdateCompleted:
		x.rt.results.tell(awaited{x.id, v.Update})
	case *history.UpdateFailed:
		x.rt.results.tell(awaited{x.id, v.Update})
	default:
		x.dispatchToOthers(m, e)
	}
}

// dispatchToOthers is dispatch for what concerns other executions, and for the end of a run.
func (x *execution) dispatchToOthers(m *memory, e *history.Entry) {
	if started, ok := e.Event.(*history.Started); ok && started.Replaces.ID != "" {
		x.replace(m.state)
	}
	if !closes(e.Event) {
		x.children(m.state, e)
		x.sends(m.state, e)
		x.finds(m.state, e)
		return
	}
	x.rt.queue.SettleAll(x.id, errRunClosed)
	x.rt.locals.forget(x.id)
	x.rt.parked.forget(x.id)
	x.rt.results.tellAll(x.id)
	for _, end := range m.ends {
		if end.seq == e.Seq {
			x.closed(end.ended)
		}
	}
}

// closes reports whether an event ends a run.
func closes(e history.Event) bool {
	switch e.(type) {
	case *history.Completed, *history.Failed, *history.Cancelled, *history.Continued, *history.Terminated, *history.TimedOut:
		return true
	}
	return false
}

// answers reports whether an event answers an update.
func answers(e history.Event) bool {
	switch e.(type) {
	case *history.UpdateCompleted, *history.UpdateFailed:
		return true
	}
	return false
}
