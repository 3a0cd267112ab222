package commands

import (
	"fmt"
	"time"

	"github.com/clewflow/clew/history"
)

// MaxUnread is the number of signals that a run may leave unread before more are refused.
const MaxUnread = 10_000

// Signal is a message for the code. Unread is the number of signals that the code has not yet received.
type Signal struct {
	Name   string
	Value  history.Payload
	Unread int
	Most   int // entries of a run; 0: no limit
}

func (c Signal) decide(s *history.State, _ time.Time) ([]history.Event, error) {
	if err := running(s); err != nil {
		return nil, err
	}
	if c.Unread >= MaxUnread {
		return nil, fmt.Errorf("%w: %d, the limit is %d", ErrTooManySignals, c.Unread, MaxUnread)
	}
	if err := roomy(s, c.Most); err != nil {
		return nil, err
	}
	return follows(&history.Signaled{Name: c.Name, Value: c.Value})
}

// roomy refuses messages for a run that has nearly as many entries as it may have: the rest is for what it waits for.
func roomy(s *history.State, most int) error {
	if entries := s.Entries(); most > 0 && entries >= most-most/20 {
		return fmt.Errorf("%w: run %s has %d entries of at most %d; let the workflow continue as new, or terminate it", ErrHistoryFull, s.Run.ID, entries, most)
	}
	return nil
}
