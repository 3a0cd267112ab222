package commands

import (
	"errors"
	"fmt"
	"time"

	"github.com/clewflow/clew/history"
)

// Slot is what the shell knows of the limits that a run counts under: what they allow is not recorded, what follows from it is.
type Slot struct {
	Key      string
	Queued   bool // there is none for it now
	Replaces history.Replaced
}

// wait has a run that begins from its beginning wait for a slot. What limits it runs from where it begins.
func (c Slot) wait(e *history.Started) {
	if c.Queued && e.BeginAt.IsZero() {
		e.Queued, e.Replaces, e.RunDeadline = true, c.Replaces, time.Time{}
	}
}

// waitBehind has a run that takes over entries of another one wait for a slot behind them.
func (c Slot) waitBehind(e *history.Started) {
	if c.Queued {
		e.Queued, e.Replaces, e.RunDeadline = true, c.Replaces, time.Time{}
	}
}

// Admit gives a run its slot. Of any other than the one that waits for it nothing follows.
type Admit struct{ Run string }

func (c Admit) decide(s *history.State, now time.Time) ([]history.Event, error) {
	if !s.Open() || s.Run.ID != c.Run || !s.Run.Queued {
		return nothing()
	}
	return follows(begun(s, now))
}

// begun begins a run: from here on its time counts, if it did not yet.
func begun(s *history.State, now time.Time) *history.Begun {
	if s.Run.Queued || s.Run.RunDeadline.IsZero() {
		return &history.Begun{RunDeadline: after(now, s.Run.RunTimeout)}
	}
	return &history.Begun{}
}

// ErrFull is in the chain of the error of a start that a limit of open runs refuses.
var ErrFull = errors.New("clew: the limit of open runs is reached")

// Full says which limit refuses a start, and how full it is.
type Full struct {
	Workflow string
	Key      string // the limit is that of this key; empty: of all
	InUse    int
	Most     int
}

// Of names what is limited.
func (e *Full) Of() string {
	if e.Key != "" {
		return fmt.Sprintf("workflow %s for key %s", e.Workflow, e.Key)
	}
	return "workflow " + e.Workflow
}

// Use says how full the limit is.
func (e *Full) Use() string {
	if e.Most == 0 {
		return fmt.Sprintf("0, with %d open", e.InUse)
	}
	return fmt.Sprintf("%d of %d in use", e.InUse, e.Most)
}

func (e *Full) Error() string {
	return fmt.Sprintf("%v: that of %s: %s; try again when one of these runs has ended, or start it with WhenFull(WaitWhenFull)", ErrFull, e.Of(), e.Use())
}

func (e *Full) Unwrap() error { return ErrFull }
