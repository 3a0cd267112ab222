package replay

import (
	"errors"

	"github.com/clewflow/clew/activity"
	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/workflow"
)

// childRefused is the error of a child that could not be started.
func (m *Machine) childRefused(e *history.ChildRefused) error {
	o := m.open[e.Step]
	if o == nil {
		return nil
	}
	cause := workflow.Refused("child "+o.child, e.Reason, e.Message)
	return &workflow.Error{ID: o.child, Type: o.activity, Step: uint64(e.Step), Message: cause.Error(), Cause: cause}
}

// childError is how a child ended that did not complete.
func (m *Machine) childError(e *history.ChildClosed) error {
	o := m.open[e.Step]
	if o == nil || e.Status == history.StatusCompleted {
		return nil
	}
	return ErrorOf(o.child, o.activity, e.Run, uint64(e.Step), e.Status, history.Outcome{Result: e.Result, Failure: e.Failure, Reason: e.Reason})
}

// ErrorOf is how a run ended that did not complete.
func ErrorOf(id, workflowType, run string, step uint64, status history.Status, o history.Outcome) *workflow.Error {
	e := &workflow.Error{Status: status, ID: id, Run: run, Type: workflowType, Step: step}
	switch status {
	case history.StatusTerminated:
		e.Message = o.Reason
	case history.StatusTimedOut:
		e.Message, e.Cause = "the limit is "+o.Reason, activity.ErrTimeout
	default:
		e.Cause = activity.Recall(history.ReadFailure(o.Failure))
		e.Message = e.Cause.Error()
	}
	if status == history.StatusCancelled && !errors.Is(e.Cause, activity.ErrCancelled) {
		e.Cause = errors.Join(activity.ErrCancelled, e.Cause)
	}
	return e
}

func sendError(e *history.Sent) error {
	if e.Refused == "" {
		return nil
	}
	return workflow.Refused("it was not delivered", e.Refused, "")
}

// childTold takes note that a child was asked to end, or has ended.
func (m *Machine) childTold(step history.Step) {
	if o := m.open[step]; o != nil {
		o.p.Told()
	}
	if p := m.ending[step]; p != nil {
		p.Told()
		delete(m.ending, step)
	}
}
