package sim

import (
	"time"

	"github.com/clewflow/clew/history"
)

// lookAtPause looks whether an execution that is held is.
func (j *judge) lookAtPause(at func() string, s *stream, e history.Entry) {
	if _, pauses := e.Event.(*history.Paused); pauses {
		s.paused = time.Now()
	}
	if s.state.Pause == nil || !isOpen(&s.state) {
		return
	}
	_, scheduled := e.Event.(*history.ActivityScheduled)
	_, fired := e.Event.(*history.TimerFired)
	if scheduled || fired || e.Event.Role() == history.Decision || e.Told > s.state.Told {
		j.w.wrong("%s: it is paused since entry %d", at(), s.state.Pause.Seq)
	}
	if _, goesOn := e.Event.(*history.Unpaused); goesOn && s.state.Untold() {
		j.w.sometimes("an execution goes on after a pause, and is told something")
	}
}
