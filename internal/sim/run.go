package sim

import (
	"context"
	"slices"

	"github.com/clewflow/clew/history"
)

// lookAtBeginning looks at what the run before has left to a run that begins.
func (j *judge) lookAtBeginning(at func() string, s *stream, e *history.Started) {
	clear(s.outcomes)
	clear(s.tries)
	if e.Run == e.Chain {
		clear(s.letters)
		clear(s.updates)
	}
	carried := map[string]bool{}
	for _, u := range e.Updates {
		carried[u.Update] = true
	}
	if e.Adopts != nil { // what was accepted and not answered is among what is adopted
		clear(s.updates)
	}
	for update, n := range s.updates {
		if !carried[update] && !takesTime(n) { // what a handler was about to answer ends with its run

			j.w.wrong("%s: update %s was accepted in the run before, and nobody answers it", at(), update)
		}
	}
	s.cancels = e.Run != e.Chain && e.Adopts == nil && s.state.Run.CancelRequested // else its code would have ended it
	j.begun[e.Run] = true
	depth := 0
	if parent := j.all[idOf(e.Parent.ID)]; e.Parent.ID != "" {
		depth = parent.state.Run.Depth + 1
	}
	if e.Depth != depth {
		j.w.wrong("%s: it stands %d below the topmost, want %d", at(), e.Depth, depth)
	}
}

// owe keeps count of what is to be answered.
func (j *judge) owe(s *stream, e history.Entry) {
	switch v := e.Event.(type) {
	case *history.CancelRequested, *history.Terminated:
		s.cancels = false
	case *history.UpdateAccepted:
		var n int
		if err := v.Input.Decode(&n); err == nil {
			s.updates[v.Update] = n
		}
	case *history.UpdateCompleted:
		delete(s.updates, v.Update)
	case *history.UpdateFailed:
		delete(s.updates, v.Update)
	}
}

// lookAtResult holds what a workflow says that it has read against what it was sent.
func (j *judge) lookAtResult(s *stream, e *history.Completed) {
	var p Program
	if err := e.Result.Decode(&p); err != nil || p.Gap != "" {
		j.w.wrong("the workflow of run %s says that letters are missing: %s%v", s.state.Run.ID, p.Gap, err)
		return
	}
	unread := map[string]int{}
	for _, seq := range e.Unread {
		var l letter
		if v, ok := s.entries[seq-1].Event.(*history.Signaled); ok && v.Value.Decode(&l) == nil {
			unread[l.From]++
		}
	}
	for from, sent := range s.letters {
		if p.Read[from]+unread[from] != sent {
			j.w.wrong("run %s was sent %d letters by %s, has read %d of them, and %d are left over", s.state.Run.ID, sent, from, p.Read[from], unread[from])
		}
	}
}

// lookAtTail holds the row that was stored with an append against what the history amounts to.
func (j *judge) lookAtTail(id history.ID, s *stream) {
	tail, ok, _ := j.w.disk.Open().Tail(context.Background(), id) // of memory
	switch {
	case ok != isOpen(&s.state):
		j.w.wrong("%s has a tail: %t, and is %s", id.Workflow, ok, s.state.Status)
	case !ok:
	case tail.Seq != s.state.Seq || tail.Began != s.state.Run.Began || !tail.Wake.Equal(s.state.Wake()) || tail.Unsettled != s.state.Unsettled() || s.state.Due() && !tail.Due:
		j.w.wrong("%s has the tail %+v, and is at entry %d of the run from %d on, to be woken at %s, with %d things unsettled, due: %t", id.Workflow, tail, s.state.Seq, s.state.Run.Began, s.state.Wake(), s.state.Unsettled(), s.state.Due())
	}
}

// isLeft reports whether an execution is the child of a parent that has ended, and was to end with it.
func (j *judge) isLeft(s *history.State) bool {
	p := s.Run.Parent
	if p.ID == "" || p.OnClose == history.AbandonChild || s.Run.CancelRequested && p.OnClose == history.CancelChild {
		return false
	}
	parent := j.of(idOf(p.ID))
	return !isOpen(&parent.state) || parent.state.Run.Chain != p.Chain
}

// limits that no program comes to when nothing is wrong.
var neverPassed = []string{"execution", "run"}

// lookAtEnd looks at a run that was ended by a limit.
func (j *judge) lookAtEnd(at func() string, s *stream, e *history.TimedOut) {
	if s.state.Pause.HoldsLimits() && slices.Contains(neverPassed, e.Limit) {
		j.w.wrong("%s: limits are held since entry %d", at(), s.state.Pause.Seq)
	}
	if !j.w.isWrongInTime() && slices.Contains(neverPassed, e.Limit) {
		j.w.wrong("%s: the run has come to its limit, which takes longer than anything that it was to do", at())
	}
}
