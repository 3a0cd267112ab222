package runtime

import (
	"time"

	"github.com/clewflow/clew/history"
)

// Agenda is what a runtime is about to do for an execution: that which is due, or the reason why nothing is, must be in it.
// It is for those who check that nobody is forgotten.
type Agenda struct {
	Working bool           // somebody works on it at the moment
	Wake    time.Time      // when it is woken; zero: it is not, or only after the log is looked through
	Look    time.Time      // when the log is looked through for what is further away; zero: it need not be
	Again   time.Time      // when it is taken up again, because something could not be read or recorded; zero: it is not
	Steps   []history.Step // whose activities are to be made, are in hand, or go on outside
	Ready   []history.Step // of these, that can be made at once
	Slot    string         // what a run waits for that has no slot; empty: it has one, or is about to begin
}

// Agenda says what the runtime is about to do for an execution.
func (r *Runtime) Agenda(id string) Agenda {
	h := r.id(id)
	wake, _ := r.wakes.Of(h)
	a := Agenda{Working: r.executions.worked(h), Wake: wake, Look: r.wakes.Look()}
	a.Steps, a.Ready = r.queue.Steps(h)
	a.Slot = r.openRuns.Why(h)
	if at, broken := r.broken.Load(h); broken {
		a.Again = at.(time.Time)
	}
	return a
}
