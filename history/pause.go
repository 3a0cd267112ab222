package history

import (
	"maps"
	"slices"
	"time"
)

// Pause says why an execution is held.
type Pause struct {
	Reason     string
	By         Actor
	Since      time.Time
	Seq        uint64
	TimersOn   bool      // due timers fire all the same
	LimitsHeld bool      // limits of time do not pass, see [Paused]
	runSince   time.Time // from when the time of the run is held: it may begin later than the pause
	since      time.Time // and that of the execution
}

// HoldsLimits reports whether there is a pause and it holds limits of time.
func (p *Pause) HoldsLimits() bool { return p != nil && p.LimitsHeld }

// Paused holds an execution: what is in hand goes on and is recorded, nothing new is begun, and the code is told nothing until it is
// unpaused. Timers that come due wait until then, unless they are to go on. Limits of time go on, unless they are held: those of what
// waits, which are schedule-to-start and schedule-to-close of activities and the time of the run and of the execution. Start-to-close
// and heartbeat are limits of what is in hand and always go on.
type Paused struct {
	Reason     string
	TimersOn   bool
	LimitsHeld bool
}

func (*Paused) Role() Role   { return Note }
func (*Paused) Kind() string { return "paused" }
func (e *Paused) evolve(s *State, at *Entry) {
	s.Pause = &Pause{Reason: e.Reason, By: at.By, Since: at.At, Seq: at.Seq, TimersOn: e.TimersOn, LimitsHeld: e.LimitsHeld}
	if s.Pause.since = at.At; s.Run.BeginAt.After(at.At) {
		s.Pause.since = s.Run.BeginAt // from where the limits of a run count that is put off
	}
	s.Pause.runSince = s.Pause.since
	s.Status = StatusPaused
	if !e.TimersOn {
		for _, step := range inOrder(s.Timers) {
			s.wakes.drop(step)
		}
	}
	if e.LimitsHeld {
		s.wakeLimits()
	}
}
func (e *Paused) put(w *writer) {
	w.text("reason", e.Reason)
	w.flag("timersOn", e.TimersOn)
	w.flag("limits_held", e.LimitsHeld)
}
func (e *Paused) take(r *reader, key string) bool {
	switch key {
	case "timersOn":
		e.TimersOn = r.flag()
	case "limits_held":
		e.LimitsHeld = r.flag()
	default:
		return takeText(r, key, "reason", &e.Reason)
	}
	return true
}

// Unpaused lets an execution go on: the code is told in order what was held. If limits of time were held it says how they stand now.
type Unpaused struct {
	Reason      string
	Held        time.Duration // by how much limits move, of what was there when the pause began; 0: none does
	RunDeadline time.Time     // if limits move: of the run from now on; zero: none
	Deadline    time.Time     // and of the execution
}

func (*Unpaused) Role() Role   { return Note }
func (*Unpaused) Kind() string { return "unpaused" }
func (e *Unpaused) evolve(s *State, at *Entry) {
	held := s.Pause.HoldsLimits()
	s.Pause, s.Status = nil, StatusRunning
	if s.Stall != nil {
		s.Status = StatusStalled
	}
	for _, step := range inOrder(s.Timers) {
		s.wakes.set(step, s.Timers[step])
	}
	if !held {
		return
	}
	for _, a := range s.Activities {
		a.Held += a.share(e.Held, at.At)
	}
	if e.Held > 0 {
		s.Run.RunDeadline, s.Run.Deadline = e.RunDeadline, e.Deadline
	}
	s.wakeLimits()
}
func (e *Unpaused) put(w *writer) {
	w.text("reason", e.Reason)
	w.dur("held", e.Held)
	w.time("run_deadline", e.RunDeadline)
	w.time("deadline", e.Deadline)
}
func (e *Unpaused) take(r *reader, key string) bool {
	switch key {
	case "held":
		e.Held = r.dur()
	case "run_deadline":
		e.RunDeadline = r.time()
	case "deadline":
		e.Deadline = r.time()
	default:
		return takeText(r, key, "reason", &e.Reason)
	}
	return true
}

// HeldAt is by how much limits of time move if the pause that holds them ends at now. It is never negative.
func (s *State) HeldAt(now time.Time) time.Duration {
	if !s.Pause.HoldsLimits() {
		return 0
	}
	return max(0, now.Sub(s.Pause.Since))
}

// Deadlines are those of the run and of the execution as they stand if a pause that holds them ends at now; zero: there is none. What
// of the pause lies before their time begins to count does not move them.
func (s *State) Deadlines(now time.Time) (run, execution time.Time) {
	run, execution = s.Run.RunDeadline, s.Run.Deadline
	if !s.Pause.HoldsLimits() {
		return run, execution
	}
	return moved(run, now.Sub(s.Pause.runSince)), moved(execution, now.Sub(s.Pause.since))
}

// DeadlineAt is [Activity.Deadline] as it stands if a pause that holds it ends at now.
func (s *State) DeadlineAt(a *Activity, now time.Time) time.Time {
	return a.Deadline().Add(a.share(s.HeldAt(now), now))
}

// moved is a deadline, if there is one, that is held for d.
func moved(deadline time.Time, d time.Duration) time.Time {
	if deadline.IsZero() {
		return deadline
	}
	return deadline.Add(max(0, d))
}

// share is what of a pause that ends at now, and has held limits for d, concerns a: what lies before it was scheduled does not.
func (a *Activity) share(d time.Duration, now time.Time) time.Duration {
	return max(0, min(d, now.Sub(a.Scheduled)))
}

// wakeLimits sets the wakes of all limits of time anew.
func (s *State) wakeLimits() {
	for _, step := range inOrder(s.Activities) {
		s.wakeActivity(s.Activities[step])
	}
	s.wakeRun()
}

// inOrder are the steps of what is open. The heap of wakes is the same after the same entries, whatever the order of a map.
func inOrder[V any](open map[Step]V) []Step { return slices.Sorted(maps.Keys(open)) }
