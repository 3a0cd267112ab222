package commands

import (
	"fmt"
	"time"

	"github.com/clewflow/clew/history"
)

// MaxUpdates is the number of updates that a run may leave unanswered before more are refused.
const MaxUpdates = 1000

// Update is a request that the code has agreed to answer: its validator was asked before.
type Update struct {
	Update string // its id
	Name   string
	Input  history.Payload
	Most   int // entries of a run; 0: no limit
	Reason string
}

func (c Update) decide(s *history.State, _ time.Time) ([]history.Event, error) {
	if err := running(s); err != nil {
		return nil, err
	}
	if s.Updates[c.Update] != nil {
		return nothing()
	}
	if _, answered := s.Answered(c.Update); answered {
		return nothing()
	}
	if len(s.Updates) >= MaxUpdates {
		return nil, fmt.Errorf("%w: %d, the limit is %d", ErrTooManyUpdates, len(s.Updates), MaxUpdates)
	}
	if err := roomy(s, c.Most); err != nil {
		return nil, err
	}
	return follows(&history.UpdateAccepted{Update: c.Update, Name: c.Name, Input: c.Input, Reason: c.Reason})
}

// CompleteUpdate is the code's answer to an update.
type CompleteUpdate struct {
	Update string
	Result history.Payload
}

func (c CompleteUpdate) decide(s *history.State, _ time.Time) ([]history.Event, error) {
	if s.Updates[c.Update] == nil {
		return nothing()
	}
	return follows(&history.UpdateCompleted{Update: c.Update, Result: c.Result})
}

// FailUpdate is the error with which the code answers an update.
type FailUpdate struct {
	Update  string
	Failure history.Payload
}

func (c FailUpdate) decide(s *history.State, _ time.Time) ([]history.Event, error) {
	if s.Updates[c.Update] == nil {
		return nothing()
	}
	return follows(&history.UpdateFailed{Update: c.Update, Failure: c.Failure})
}
