package history

import "time"

// Pause says why an execution is held.
type Pause struct {
	Reason   string
	By       Actor
	Since    time.Time
	Seq      uint64
	TimersOn bool // due timers fire all the same
}

// Paused holds an execution: what is in hand goes on and is recorded, nothing new is begun, and the code is told nothing until it is
// unpaused. Timers that come due wait until then, unless they are to go on; time-outs go on.
type Paused struct {
	Reason   string
	TimersOn bool
}

func (*Paused) Role() Role   { return Note }
func (*Paused) Kind() string { return "paused" }
func (e *Paused) evolve(s *State, at *Entry) {
	s.Pause = &Pause{Reason: e.Reason, By: at.By, Since: at.At, Seq: at.Seq, TimersOn: e.TimersOn}
	s.Status = StatusPaused
	for step := range s.Timers {
		if !e.TimersOn {
			s.wakes.drop(step)
		}
	}
}
func (e *Paused) put(w *writer) {
	w.text("reason", e.Reason)
	w.flag("timersOn", e.TimersOn)
}
func (e *Paused) take(r *reader, key string) bool {
	if key == "timersOn" {
		e.TimersOn = r.flag()
		return true
	}
	return takeText(r, key, "reason", &e.Reason)
}

// Unpaused lets an execution go on: the code is told in order what was held.
type Unpaused struct{ Reason string }

func (*Unpaused) Role() Role   { return Note }
func (*Unpaused) Kind() string { return "unpaused" }
func (e *Unpaused) evolve(s *State, _ *Entry) {
	s.Pause, s.Status = nil, StatusRunning
	if s.Stall != nil {
		s.Status = StatusStalled
	}
	for step, due := range s.Timers {
		s.wakes.set(step, due)
	}
}
func (e *Unpaused) put(w *writer)                   { w.text("reason", e.Reason) }
func (e *Unpaused) take(r *reader, key string) bool { return takeText(r, key, "reason", &e.Reason) }
