package runtime

import (
	"github.com/clewflow/clew/commands"
	"github.com/clewflow/clew/history"
)

// An activity that the owner of an execution cannot make is made by another node that can: it claims each attempt by recording its
// start, and records how it ended as an input that the owner answers.

// claim offers the activities of an execution that is not owned here and that are to be made here all the same.
func (x *execution) claim(m *memory) {
	n := x.rt.node
	if n == nil || m.state == nil || !m.state.Open() || m.state.Pause != nil || len(m.state.Activities) == 0 || n.members.Alike() {
		return
	}
	durable, now := m.state.Seq-uint64(len(m.pending)), x.rt.now()
	for _, step := range sorted(m.state.Activities) {
		a := m.state.Activities[step]
		if a.Seq > durable || a.Local || !a.Started.IsZero() || a.CancelRequested || x.rt.queue.Has(x.key(step), a.Attempt) || !x.makes(m.state, a) {
			continue
		}
		attempt := x.attempt(m.state, a, history.Payload{})
		attempt.Claim = true
		x.rt.queue.OfferNew(attempt, a.RetryAt, now)
	}
}

// handed are the attempts in hand of an execution that another node works on from now on.
func (r *Runtime) handed(id history.ID) []commands.Attempt {
	r.queue.Yield(id) // first: what is not in hand now is not handed out any more
	all := r.queue.Taken(id)
	for i := range all {
		all[i].Node = r.node.me()
	}
	return all
}
