package commands

import (
	"time"

	"github.com/clewflow/clew/history"
)

// Pause holds an open execution, see [history.Paused]. One that is held already stays as it is.
type Pause struct {
	Reason     string
	TimersOn   bool // due timers fire all the same; the code is told of that when the execution goes on
	HoldLimits bool // limits of time of what waits do not pass meanwhile
}

func (c Pause) decide(s *history.State, _ time.Time) ([]history.Event, error) {
	if err := running(s); err != nil || s.Pause != nil {
		return nil, err
	}
	return follows(&history.Paused{Reason: c.Reason, TimersOn: c.TimersOn, LimitsHeld: c.HoldLimits})
}

// Unpause lets an execution that is held go on, with what was left of its limits when the pause began if they were held. Of one that is not nothing follows.
type Unpause struct{ Reason string }

func (c Unpause) decide(s *history.State, now time.Time) ([]history.Event, error) {
	if err := running(s); err != nil || s.Pause == nil {
		return nil, err
	}
	e := &history.Unpaused{Reason: c.Reason, Held: s.HeldAt(now)}
	if e.Held > 0 {
		e.RunDeadline, e.Deadline = s.Deadlines(now)
	}
	return follows(e)
}
