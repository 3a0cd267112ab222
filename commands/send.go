package commands

import (
	"time"

	"github.com/clewflow/clew/history"
)

// Send is the code's wish that another execution be told something: a signal, or that it is to end.
type Send struct {
	Step   history.Step
	ID     string // workflow id
	Cancel bool
	Name   string
	Value  history.Payload
}

func (c Send) decide(s *history.State, _ time.Time) ([]history.Event, error) {
	if err := running(s); err != nil {
		return nil, err
	}
	return follows(&history.SendAsked{Step: c.Step, ID: c.ID, Cancel: c.Cancel, Name: c.Name, Value: c.Value})
}

// NoteSent says what became of something that the code wanted another execution to be told.
type NoteSent struct {
	Run     string // of the sender
	Step    history.Step
	Refused string // one of the reasons in package history; empty: it was delivered
}

func (c NoteSent) decide(s *history.State, _ time.Time) ([]history.Event, error) {
	if !s.Open() || s.Run.ID != c.Run || s.Sends[c.Step] == nil {
		return nothing()
	}
	return follows(&history.Sent{Step: c.Step, Refused: c.Refused})
}
