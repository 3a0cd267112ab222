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
}

func (c Signal) decide(s *history.State, _ time.Time) ([]history.Event, error) {
	if err := running(s); err != nil {
		return nil, err
	}
	if c.Unread >= MaxUnread {
		return nil, fmt.Errorf("%w: %d, the limit is %d", ErrTooManySignals, c.Unread, MaxUnread)
	}
	return follows(&history.Signaled{Name: c.Name, Value: c.Value})
}
