package commands

import (
	"time"

	"github.com/clewflow/clew/history"
)

// Keep records an answer that the code could not work out twice.
type Keep struct {
	Gate  bool
	Name  string
	Call  int // of a value that may change
	Value history.Payload
}

func (c Keep) decide(s *history.State, _ time.Time) ([]history.Event, error) {
	if err := running(s); err != nil {
		return nil, err
	}
	return follows(&history.Kept{Gate: c.Gate, Name: c.Name, Call: c.Call, Value: c.Value})
}
