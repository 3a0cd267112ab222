package runtime

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/clewflow/clew/commands"
	"github.com/clewflow/clew/history"
)

// ErrNotHere: the code that is asked for is not in this process. The error names the nodes that have it.
var ErrNotHere = errors.New("clew: the code is not here")

// owns reports whether this runtime may act for an execution of a type: alone on its store it does for all.
func (r *Runtime) owns(id history.ID, name string, version int) bool {
	return r.node == nil || r.node.owns(id, name, version)
}

// stand finds out whether this runtime acts for the execution as it stands.
func (w *runner) stand(m *memory) {
	w.owns = w.x.rt.owns(w.x.id, m.state.Run.Type, m.state.Run.Version)
	before := w.halted
	if w.halted = w.x.rt.halted(m.state.Run.Type); w.halted != before {
		m.forgetCode() // it is not told what comes now, or was not told all
	}
}

// works reports whether the code is to be run along with what is recorded. Who does not own an execution records inputs alone, and
// leaves the answers to the owner.
func (w *runner) works() bool { return w.owns && w.x.rt.working.Load() }

// makes reports whether attempts of an activity are to be made here.
func (x *execution) makes(s *history.State, a *history.Activity) bool {
	n := x.rt.node
	if n == nil {
		return true
	}
	if a.Local {
		return x.rt.owns(x.id, s.Run.Type, s.Run.Version)
	}
	maker := n.members.Maker(x.id, s.Run.Type, s.Run.Version, a.Name, a.Queue)
	return maker != nil && maker.ID == n.me() && n.fit()
}

// notHere says who has the code of a type.
func (r *Runtime) notHere(name string, version int) error {
	var have []string
	for _, o := range r.node.members.All() {
		if o.Has(name, version) && !slices.Contains(have, o.Name) {
			have = append(have, o.Name)
		}
	}
	slices.Sort(have)
	who := "no node has it"
	if len(have) > 0 {
		who = "ask " + strings.Join(have, " or ")
	}
	return fmt.Errorf("%w: workflow %s%s; %s", ErrNotHere, name, versionText(version), who)
}

// disown drops what only the owner of an execution is to know: what is in hand goes on.
func (x *execution) disown(m *memory) {
	if m.machine != nil {
		m.machine.Stop()
		m.machine = nil
	}
	m.stall, m.retryAt = nil, time.Time{}
	x.rt.queue.Yield(x.id)
	x.rt.parked.forget(x.id)
}

// observe does what an entry says to those who do not own the execution.
func (x *execution) observe(m *memory, e *history.Entry) {
	r, q := x.rt, x.rt.queue
	switch v := e.Event.(type) {
	case *history.AttemptStarted:
		if v.Node == r.node.me() {
			q.Away(x.key(v.Step))
		}
	case *history.AttemptFailed:
		if v.Limit != "" {
			x.dispatch(m, e)
		}
	case *history.ActivityTimedOut, *history.ActivityCompleted, *history.ActivityFailed, *history.ActivityCancelled,
		*history.AttemptOverdue, *history.UpdateCompleted, *history.UpdateFailed:
		x.dispatch(m, e)
	case *history.ActivityCancelRequested:
		q.Cancel(x.key(v.Step), errCancelledElsewhere)
	default:
		if closes(e.Event) {
			x.dispatchToOthers(m, e)
		}
	}
}

// beatenLately reports whether a sign of life follows a recorded one so soon that it need not be recorded.
func beatenLately(s *history.State, c commands.Command) bool {
	b, ok := c.(commands.Beat)
	if !ok {
		return false
	}
	a := s.Activities[b.Step]
	if a == nil || a.Beat.IsZero() {
		return false
	}
	half := a.Policy.Heartbeat / 2
	if half == 0 {
		half = 30 * time.Second
	}
	return b.Beat.Sub(a.Beat) < half
}
