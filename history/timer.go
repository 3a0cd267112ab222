package history

import "time"

// TimerStarted is a timer of the code's. Due is fixed when it is decided and never computed again.
type TimerStarted struct {
	Step  Step
	After time.Duration // as asked
	Due   time.Time
}

func (*TimerStarted) Role() Role   { return Decision }
func (*TimerStarted) Kind() string { return "timer-started" }
func (e *TimerStarted) evolve(s *State, at *Entry) {
	s.Timers[e.Step] = e.Due
	s.asked(e.Step)
	if s.Pause == nil || s.Pause.TimersOn {
		s.wakes.set(e.Step, e.Due)
	}
}
func (e *TimerStarted) put(w *writer) {
	w.num("step", uint64(e.Step))
	w.dur("after", e.After)
	w.time("due", e.Due)
}
func (e *TimerStarted) take(r *reader, key string) bool {
	switch key {
	case "after":
		e.After = r.dur()
	case "due":
		e.Due = r.time()
	default:
		return takeStep(r, key, &e.Step)
	}
	return true
}

// TimerFired tells the code that the time of a timer has come.
type TimerFired struct{ Step Step }

func (*TimerFired) Role() Role                        { return Input }
func (*TimerFired) Kind() string                      { return "timer-fired" }
func (e *TimerFired) evolve(s *State, at *Entry)      { s.dropTimer(e.Step) }
func (e *TimerFired) put(w *writer)                   { w.num("step", uint64(e.Step)) }
func (e *TimerFired) take(r *reader, key string) bool { return takeStep(r, key, &e.Step) }

// TimerCancelled is a timer that the code stopped.
type TimerCancelled struct{ Step Step }

func (*TimerCancelled) Role() Role                        { return Decision }
func (*TimerCancelled) Kind() string                      { return "timer-cancelled" }
func (e *TimerCancelled) evolve(s *State, at *Entry)      { s.dropTimer(e.Step) }
func (e *TimerCancelled) put(w *writer)                   { w.num("step", uint64(e.Step)) }
func (e *TimerCancelled) take(r *reader, key string) bool { return takeStep(r, key, &e.Step) }

func (s *State) dropTimer(step Step) {
	delete(s.Timers, step)
	s.wakes.drop(step)
}
