package commands

import (
	"time"

	"github.com/clewflow/clew/history"
)

// StartTimer is the code's wish to be told when some time has passed.
type StartTimer struct {
	Step  history.Step
	After time.Duration
}

func (c StartTimer) decide(s *history.State, now time.Time) ([]history.Event, error) {
	if err := running(s); err != nil {
		return nil, err
	}
	return follows(&history.TimerStarted{Step: c.Step, After: c.After, Due: now.Add(c.After)})
}

// CancelTimer is the code's wish not to be told any more.
type CancelTimer struct{ Step history.Step }

func (c CancelTimer) decide(s *history.State, _ time.Time) ([]history.Event, error) {
	if _, open := s.Timers[c.Step]; !open {
		return nothing()
	}
	return follows(&history.TimerCancelled{Step: c.Step})
}
