package commands

import (
	"strings"
	"time"

	"github.com/clewflow/clew/history"
)

// Stall notes that the code of Build cannot go on. It is noted once per build and reason, however often it is tried.
type Stall struct {
	Reason string
	Build  string
	Detail history.Payload
}

func (c Stall) decide(s *history.State, _ time.Time) ([]history.Event, error) {
	c.Reason = strings.ToValidUTF8(c.Reason, "\ufffd") // as it will be read again
	if !s.Open() || s.Stall != nil && s.Stall.Reason == c.Reason && s.Stall.Build == c.Build {
		return nothing()
	}
	return follows(&history.Stalled{Reason: c.Reason, Detail: c.Detail})
}

// Resume notes that the execution goes on, if it had stalled.
type Resume struct{}

func (Resume) decide(s *history.State, _ time.Time) ([]history.Event, error) {
	if s.Stall == nil {
		return nothing()
	}
	return follows(&history.Resumed{})
}

// Tell moves the mark up to which the code has been told, if inputs were recorded above it.
type Tell struct{}

func (Tell) decide(s *history.State, _ time.Time) ([]history.Event, error) {
	if !s.Due() {
		return nothing()
	}
	return follows(&history.Told{})
}

// TryAgain has an execution tried at once whose code could not go on. Of one that has not stalled nothing follows.
type TryAgain struct{ Reason string }

func (c TryAgain) decide(s *history.State, _ time.Time) ([]history.Event, error) {
	if err := running(s); err != nil || s.Stall == nil {
		return nil, err
	}
	return follows(&history.TriedAgain{Reason: c.Reason})
}
