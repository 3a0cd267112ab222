// Package commands says what may be asked of an execution, and what follows.
//
// A [Command] is a wish in the imperative: of a client, a worker, the clock, or the workflow code. [Decide] says which
// events follow from it in a given state at a given time, or why it is refused. It is pure: the time is an argument, and
// dice (ids, jitter, serials) and facts that only the shell knows (which attempts are in hand) come in with the command.
//
// The rule that makes repetition harmless: no events and no error means that nothing follows. A timer that fires late, a
// wake that comes too early, a second cancellation change nothing.
package commands

import (
	"errors"
	"fmt"
	"time"

	"github.com/clewflow/clew/history"
)

// Why commands are refused.
var (
	ErrInvalid        = errors.New("clew: invalid")
	ErrAlreadyRunning = errors.New("clew: the execution is already running")
	ErrAlreadyExists  = errors.New("clew: the execution already exists")
	ErrNotFound       = errors.New("clew: no such execution")
	ErrNotRunning     = errors.New("clew: the execution is not running")
	ErrSettled        = errors.New("clew: the activity is already settled")
	ErrStale          = errors.New("clew: a newer attempt, or a newer run, has taken over")
	ErrTooLarge       = errors.New("clew: too large")
	ErrTooManySignals = errors.New("clew: too many unread signals")
	ErrTooManyUpdates = errors.New("clew: too many updates are not answered")
	ErrEnding         = errors.New("clew: the execution is about to end")
	ErrHistoryFull    = errors.New("clew: the history of the run has reached its limit")
)

// Invalid says which value is wrong and what would be right. It is an ErrInvalid.
type Invalid struct {
	Field string
	Value string
	Want  string
}

func (e *Invalid) Error() string {
	return fmt.Sprintf("clew: %s is invalid: %s, want %s", e.Field, abridged(e.Value), e.Want)
}

// Is makes an Invalid an ErrInvalid.
func (e *Invalid) Is(target error) bool { return target == ErrInvalid }

func abridged(s string) string {
	if len(s) > 60 {
		return fmt.Sprintf("%q… (%d bytes)", s[:60], len(s))
	}
	return fmt.Sprintf("%q", s)
}

// Command is a wish. Only the types of this package are commands.
type Command interface {
	decide(s *history.State, now time.Time) ([]history.Event, error)
}

// Decide says what follows from c in state s at time now, or why c is refused. It changes neither.
func Decide(s *history.State, c Command, now time.Time) ([]history.Event, error) {
	return c.decide(s, now)
}

// Again reports whether a command of which these events followed is to be given again, because the code's answer to them may
// change what follows next.
func Again(c Command, events []history.Event) bool {
	switch c.(type) {
	case Wake:
		return len(events) > 0
	case FailActivity:
		if len(events) == 1 {
			_, progressed := events[0].(*history.ActivityProgressed)
			return progressed
		}
	}
	return false
}

func follows(events ...history.Event) ([]history.Event, error) { return events, nil }

func nothing() ([]history.Event, error) { return nil, nil }

// running refuses what can only be done to an open run.
func running(s *history.State) error {
	switch {
	case s.Status == 0:
		return ErrNotFound
	case !s.Open():
		return fmt.Errorf("%w: run %s is %s", ErrNotRunning, s.Run.ID, s.Status)
	}
	return nil
}
