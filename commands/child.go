package commands

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"time"

	"github.com/clewflow/clew/history"
)

// AskChild is the code's wish that another execution be started for it.
type AskChild struct {
	Step             history.Step
	ID               string // workflow id
	Type             string
	Version          int // 0: the newest
	Input            history.Payload
	OnParentClose    history.ParentClose
	OnCancel         history.Cancel
	RunTimeout       time.Duration
	ExecutionTimeout time.Duration
	CorrelationID    string
	Memo, Attributes history.Payload
	Headers          history.Payload // absent: those of the parent
	Once             bool            // only if the id was never used
	LimitKey         string          // for whom it is; empty: as its definition says
	WhenFull         history.Full    // what becomes of it if a limit allows no further run; empty: as its definition says
}

func (c AskChild) decide(s *history.State, _ time.Time) ([]history.Event, error) {
	if err := running(s); err != nil {
		return nil, err
	}
	if c.Headers.Absent() {
		c.Headers = s.Run.Headers
	}
	return follows(&history.ChildAsked{
		Step: c.Step, ID: c.ID, Type: c.Type, Version: c.Version, Input: c.Input, OnParentClose: c.OnParentClose, OnCancel: c.OnCancel,
		RunTimeout: c.RunTimeout, ExecutionTimeout: c.ExecutionTimeout, CorrelationID: c.CorrelationID, Memo: c.Memo, Attributes: c.Attributes,
		Headers: c.Headers, Once: c.Once, LimitKey: c.LimitKey, WhenFull: c.WhenFull,
	})
}

// ChildID is the workflow id of a child that is given none: it names the parent, its run and the step, so that it is the
// same however often the child is asked for.
func ChildID(parent string, run uint64, step history.Step) string {
	suffix := fmt.Sprintf("~%d.%d", run, step)
	if len(parent)+len(suffix) <= MaxName {
		return parent + suffix
	}
	sum := sha256.Sum256([]byte(parent))
	return "~" + base64.RawURLEncoding.EncodeToString(sum[:18]) + suffix
}

// NoteChildStarted says that a child exists.
type NoteChildStarted struct {
	Run   string // of the parent
	Step  history.Step
	Chain string // of the child
}

func (c NoteChildStarted) decide(s *history.State, _ time.Time) ([]history.Event, error) {
	child, err := askedChild(s, c.Run, c.Step)
	if child == nil {
		return nil, err
	}
	return follows(&history.ChildStarted{Step: c.Step, Chain: c.Chain})
}

// openChild returns a child of the current run, by the name of that or of one from which it has adopted the child. If the run has ended, or is
// another one, the error says so.
func openChild(s *history.State, run string, step history.Step) (*history.Child, error) {
	if err := running(s); err != nil {
		return nil, err
	}
	child := s.Children[step]
	if s.Run.ID != run && (child == nil || !s.Of(child, run)) {
		return nil, fmt.Errorf("%w: run %s has continued as %s", ErrNotRunning, run, s.Run.ID)
	}
	return child, nil
}

// askedChild is openChild for what came of its start: nil if that is known. A run that has adopted a child asks for it anew itself. What came
// late of the start that the run before has asked for is nothing to it: the child may have been refused because it was started by the run
// that is there, or be about to end with the run that asked for it.
func askedChild(s *history.State, run string, step history.Step) (*history.Child, error) {
	child, err := openChild(s, run, step)
	switch {
	case child == nil || child.Chain != "" && !child.Again:
		return nil, err
	case s.Run.ID != run:
		return nil, fmt.Errorf("%w: run %s was followed by %s, which asks for the child itself", ErrNotRunning, run, s.Run.ID)
	}
	return child, nil
}

// RefuseChild says why a child could not be started.
type RefuseChild struct {
	Run     string // of the parent
	Step    history.Step
	Reason  string // one of the reasons in package history
	Message string
}

func (c RefuseChild) decide(s *history.State, _ time.Time) ([]history.Event, error) {
	child, err := askedChild(s, c.Run, c.Step)
	switch {
	case child == nil:
		return nil, err
	case child.Settled():
		return follows(&history.ChildCancelDelivered{Step: c.Step})
	}
	return follows(&history.ChildRefused{Step: c.Step, Reason: c.Reason, Message: c.Message})
}

// CancelChild is the code's wish that a child end.
type CancelChild struct{ Step history.Step }

func (c CancelChild) decide(s *history.State, _ time.Time) ([]history.Event, error) {
	if child := s.Children[c.Step]; child == nil || child.CancelRequested {
		return nothing()
	}
	return follows(&history.ChildCancelRequested{Step: c.Step})
}

// NoteChildCancelled says that a child was asked to end, or has ended before.
type NoteChildCancelled struct {
	Run  string // of the parent
	Step history.Step
}

func (c NoteChildCancelled) decide(s *history.State, _ time.Time) ([]history.Event, error) {
	child, err := openChild(s, c.Run, c.Step)
	if child == nil || !child.CancelRequested || child.CancelDelivered {
		return nil, err
	}
	return follows(&history.ChildCancelDelivered{Step: c.Step})
}

// CloseChild says how the chain of a child ended.
type CloseChild struct {
	Run     string // of the parent
	Step    history.Step
	Last    string // run of the child
	Status  history.Status
	Outcome history.Outcome
}

func (c CloseChild) decide(s *history.State, _ time.Time) ([]history.Event, error) {
	child, err := openChild(s, c.Run, c.Step)
	switch {
	case child == nil:
		return nil, err
	case child.Settled():
		return follows(&history.ChildCancelDelivered{Step: c.Step})
	case child.Again && c.Status != history.StatusCompleted:
		return nothing() // it is asked for again
	case s.Run.ID != c.Run && child.Chain != "" && !child.Again && !child.CancelRequested:
		return nothing() // the run that is there has had it begun again, and this is the end that came before
	}
	return follows(&history.ChildClosed{
		Step: c.Step, Run: c.Last, Status: c.Status, Result: c.Outcome.Result, Failure: c.Outcome.Failure, Reason: c.Outcome.Reason,
	})
}

// FollowParent says to a child that the chain of its parent has ended. What follows was fixed when the child started.
type FollowParent struct {
	Chain  string // of the parent
	Run    string // that the child was seen to belong to
	Unread []uint64
}

func (c FollowParent) decide(s *history.State, _ time.Time) ([]history.Event, error) {
	if !s.Open() || s.Run.Parent.Chain != c.Chain || s.Run.Parent.Run != c.Run {
		return nothing()
	}
	p := s.Run.Parent
	reason := "its parent " + p.ID + " has ended"
	switch {
	case p.OnClose == history.TerminateChild:
		return follows(&history.Terminated{Reason: reason, Closing: closing(s, c.Unread)})
	case p.OnClose == history.CancelChild && !s.Run.CancelRequested:
		return follows(&history.CancelRequested{Reason: reason})
	}
	return nothing()
}
