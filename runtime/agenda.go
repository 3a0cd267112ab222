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
	Steps   []history.Step // whose activities are to be made, are in hand, or go on outside
}

// Agenda says what the runtime is about to do for an execution.
func (r *Runtime) Agenda(id string) Agenda {
	h := r.id(id)
	wake, _ := r.wakes.Of(h)
	return Agenda{Working: r.executions.worked(h), Wake: wake, Look: r.wakes.Look(), Steps: r.queue.Steps(h)}
}
