package replay

import (
	"fmt"

	"github.com/clewflow/clew/activity"
	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/workflow"
)

// deliver hands an input to whom it concerns. What concerns nobody any more, such as the result of an activity that the
// code has given up, changes nothing.
func (m *Machine) deliver(e *history.Entry) {
	switch v := e.Event.(type) {
	case *history.Started:
		if v.BeginAt.IsZero() && (!v.Queued || v.Adopts != nil) {
			m.start()
		}
	case *history.Begun:
		m.begun(e, v)
	case *history.CancelRequested:
		if m.returned {
			m.late = v
			return
		}
		m.cancelled = true
		if m.cancel != nil {
			m.cancel(workflow.ErrCancelled)
		}
	case *history.Signaled:
		m.inbox(v.Name).Put(e.Seq, v.Value)
	case *history.TimerFired:
		m.settle(v.Step, history.Payload{}, nil)
	case *history.ActivityCompleted:
		m.settle(v.Step, v.Result, nil)
	case *history.ActivityFailed:
		m.fail(v.Step, v)
	case *history.ActivityTimedOut:
		m.fail(v.Step, v)
	case *history.ActivityCancelled:
		m.fail(v.Step, v)
	case *history.ActivityProgressed:
		if o := m.open[v.Step]; o != nil {
			o.p.Progress(e.Seq, v.Checkpoint)
		}
	case *history.ChildStarted:
		if o := m.open[v.Step]; o != nil {
			o.p.Begin()
		}
	case *history.ChildRefused:
		m.settle(v.Step, history.Payload{}, m.childRefused(v))
		m.childTold(v.Step)
	case *history.ChildClosed:
		m.settle(v.Step, v.Result, m.childError(v))
		m.childTold(v.Step)
	case *history.ChildCancelDelivered:
		m.childTold(v.Step)
	case *history.Sent:
		m.settle(v.Step, history.Payload{}, sendError(v))
	case *history.FindAnswered:
		m.settle(v.Step, found(v), findError(v))
	case *history.UpdateAccepted:
		m.accept(e.Seq, v)
	}
}

func timeoutCause(e *history.ActivityTimedOut) error {
	if e.Failure.Absent() {
		return activity.ErrTimeout
	}
	return &timeoutError{e.Limit, activity.Recall(history.ReadFailure(e.Failure))}
}

// timeoutError is a time-out after an attempt that failed.
type timeoutError struct {
	limit string
	last  error
}

func (e *timeoutError) Error() string   { return fmt.Sprintf("timed out; before that: %v", e.last) }
func (e *timeoutError) Unwrap() []error { return []error{activity.ErrTimeout, e.last} }

func (m *Machine) settle(step history.Step, result history.Payload, err error) {
	if o := m.open[step]; o != nil {
		o.p.Settle(result, err)
	}
}

func (m *Machine) fail(step history.Step, e history.Event) {
	if o := m.open[step]; o != nil {
		o.p.Settle(history.Payload{}, ActivityError(o.activity, e))
	}
}

// ActivityError is what workflow code gets of an activity that did not complete: of the *[history.ActivityFailed],
// *[history.ActivityTimedOut] or *[history.ActivityCancelled] that ended it. Anything else is no error.
func ActivityError(name string, e history.Event) error {
	var failed *activity.Error
	switch v := e.(type) {
	case *history.ActivityFailed:
		failed = &activity.Error{Attempts: v.Attempt, Cause: activity.Recall(history.ReadFailure(v.Failure))}
	case *history.ActivityTimedOut:
		failed = &activity.Error{Attempts: v.Attempt, Limit: v.Limit, Cause: timeoutCause(v)}
	case *history.ActivityCancelled:
		failed = &activity.Error{Attempts: v.Attempt, Cause: workflow.ErrCancelled}
	default:
		return nil
	}
	failed.Activity, failed.Message, failed.Code = name, failed.Cause.Error(), activity.CodeOf(failed.Cause)
	if failed.Limit != "" {
		failed.Message = failed.Limit + " " + failed.Message
	}
	return failed
}
