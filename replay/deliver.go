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
		if v.BeginAt.IsZero() {
			m.start()
		}
	case *history.Begun:
		m.start()
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
		m.fail(v.Try, "", activity.Recall(history.ReadFailure(v.Failure)))
	case *history.ActivityTimedOut:
		m.fail(v.Try, v.Limit, timeoutCause(v))
	case *history.ActivityCancelled:
		m.fail(v.Try, "", workflow.ErrCancelled)
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

func (m *Machine) fail(t history.Try, limit string, cause error) {
	o := m.open[t.Step]
	if o == nil {
		return
	}
	e := &activity.Error{Activity: o.activity, Attempts: t.Attempt, Limit: limit, Cause: cause, Message: cause.Error()}
	if limit != "" {
		e.Message = limit + " " + e.Message
	}
	e.Code = activity.CodeOf(cause)
	o.p.Settle(history.Payload{}, e)
}
