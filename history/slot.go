package history

import "time"

// Begun tells the code the input of a run that was not to begin at once, or that has waited for a slot, which it has from here on.
type Begun struct {
	RunDeadline time.Time // of the run from now on; zero: as it was
}

func (*Begun) Role() Role      { return Input }
func (*Begun) Kind() string    { return "begun" }
func (e *Begun) put(w *writer) { w.time("run_deadline", e.RunDeadline) }
func (e *Begun) take(r *reader, key string) bool {
	if key == "run_deadline" {
		e.RunDeadline = r.time()
		return true
	}
	return false
}
func (e *Begun) evolve(s *State, at *Entry) {
	s.Run.BeginAt = time.Time{}
	if at.Adopted == nil { // that an earlier run had a slot says nothing of this one
		s.Run.Queued = false
		if !e.RunDeadline.IsZero() {
			s.Run.RunDeadline = e.RunDeadline
			if s.Pause != nil {
				s.Pause.runSince = at.At
			}
		}
	}
	s.wakeRun()
}

// Postponed says that the time of a run has come which was not to begin at once, and that it waits for its slot now. How long it may take
// counts from where it has one.
type Postponed struct {
	Deadline time.Time // of the execution, which is the only one while the run waits
}

func (*Postponed) Role() Role      { return Note }
func (*Postponed) Kind() string    { return "postponed" }
func (e *Postponed) put(w *writer) { w.time("deadline", e.Deadline) }
func (e *Postponed) take(r *reader, key string) bool {
	if key == "deadline" {
		e.Deadline = r.time()
		return true
	}
	return false
}
func (*Postponed) evolve(s *State, _ *Entry) {
	s.Run.BeginAt, s.Run.RunDeadline, s.Run.Queued = time.Time{}, time.Time{}, true
	s.wakeRun()
}

// Replaced is an execution that makes room for a run, and the chain that is meant. The zero Replaced is none.
type Replaced struct{ ID, Chain string }

// Replacing reports whether a run waits for a slot that another is to give up for it: whoever acts for it sees to that.
func (s *State) Replacing() bool { return s.Open() && s.Run.Queued && s.Run.Replaces.ID != "" }

// Suspended reports whether the code, which has been told something, is told nothing more for now: somebody has paused the run, or it has
// adopted what it was told and waits for a slot.
func (s *State) Suspended() bool { return s.Pause != nil || s.Run.Queued && s.Run.Adopts != nil }

// SlotWanted is what a run waits for that has no slot.
func (r *Run) SlotWanted() string {
	text := "a slot among the open runs of workflow " + r.Type
	if r.Key != "" {
		text += " for key " + r.Key
	}
	return text
}
