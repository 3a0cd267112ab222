package runtime

import (
	"sync"

	"github.com/clewflow/clew/activity"
	"github.com/clewflow/clew/dispatch"
	"github.com/clewflow/clew/history"
)

// locals are the functions of local steps that are not settled. They are the code's, so after they were forgotten they are had
// again by running the code along its history.
type locals struct {
	mu  sync.Mutex
	all map[history.ID]map[history.Step]activity.Handler
}

func (l *locals) set(k dispatch.Key, h activity.Handler) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.all == nil {
		l.all = map[history.ID]map[history.Step]activity.Handler{}
	}
	if l.all[k.ID] == nil {
		l.all[k.ID] = map[history.Step]activity.Handler{}
	}
	l.all[k.ID][k.Step] = h
}

func (l *locals) of(k dispatch.Key) activity.Handler {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.all[k.ID][k.Step]
}

func (l *locals) drop(k dispatch.Key) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if steps := l.all[k.ID]; steps != nil {
		if delete(steps, k.Step); len(steps) == 0 {
			delete(l.all, k.ID)
		}
	}
}

func (l *locals) forget(id history.ID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.all, id)
}

// ready reports whether an activity can be made: a local step needs its function, which is there when the code has asked
// for it.
func (x *execution) ready(m *memory, a *history.Activity) bool {
	if m.state.Suspended() || !x.makes(m.state, a) {
		return false
	}
	if !a.Local {
		return true
	}
	if m.machine == nil {
		return false // the code cannot go on; when it can, it is offered
	}
	h := m.machine.LocalOf(a.Step)
	if h == nil {
		return false
	}
	if around := x.rt.config.Hooks.Local; around != nil {
		h = around(h)
	}
	x.rt.locals.set(x.key(a.Step), h)
	return true
}

// offerLocals offers the local steps of code that was remembered. One that was in hand when the process before died is offered
// when that has been recorded.
func (x *execution) offerLocals(m *memory) {
	now := x.rt.now()
	for _, step := range sorted(m.state.Activities) {
		a := m.state.Activities[step]
		if a.Local && a.Started.IsZero() && !a.CancelRequested && !x.rt.queue.Has(x.key(step), a.Attempt) && x.ready(m, a) && !x.rt.notes.has(x.key(step)) {
			x.rt.queue.OfferNew(x.attempt(m.state, a, history.Payload{}), a.RetryAt, now)
		}
	}
}
