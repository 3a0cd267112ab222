package runtime

import (
	"container/list"
	"sync"
	"sync/atomic"

	"github.com/clewflow/clew/history"
)

type (
	atomic64 = atomic.Int64
	element  = *list.Element
)

// executions are those that somebody works on, and those that are remembered. Those that were used longest ago are
// forgotten when all together weigh too much.
type executions struct {
	mu       sync.Mutex
	all      map[history.ID]*execution
	active   map[*execution]struct{} // somebody works on them
	resting  *list.List              // nobody does, open; the one used last in front
	ended    *list.List              // nobody does, closed; at most maxEnded
	weights  map[*execution]int      // of the resting
	weight   int
	limit    int                   // Forget: none rests
	poison   map[history.ID]string // code that did not come back ran in these
	isClosed bool
	idle     chan struct{} // closed when nobody works any more, after the end
	begun    chan struct{} // receives when somebody works again
}

func (s *executions) init(limit int) {
	s.all, s.active, s.resting, s.ended = map[history.ID]*execution{}, map[*execution]struct{}{}, list.New(), list.New()
	s.begun = make(chan struct{}, 1)
	s.weights, s.poison, s.limit = map[*execution]int{}, map[history.ID]string{}, limit
}

// enter returns an execution with its mutex held.
func (s *executions) enter(r *Runtime, id history.ID) (*execution, error) {
	for {
		s.mu.Lock()
		if s.isClosed {
			s.mu.Unlock()
			return nil, ErrClosed
		}
		x := s.all[id]
		if x == nil {
			x = &execution{id: id, rt: r}
			s.all[id] = x
		}
		s.mu.Unlock()
		x.mu.Lock()
		if !x.gone() {
			return x, nil
		}
		x.mu.Unlock()
	}
}

// peek says how a remembered execution stands that nobody works on. known is false for any other.
func (s *executions) peek(id history.ID) (known bool, now ended) {
	s.mu.Lock()
	x := s.all[id]
	s.mu.Unlock()
	if x == nil || x.rt.node != nil { // others may have gone on with it
		return false, now
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.runner != nil || x.known == nil || x.known.state == nil || x.known.state.Status == 0 {
		return false, now
	}
	m := x.known.state
	return true, ended{m.Status, m.Run, m.Outcome}
}

// gone is asked with x.mu held.
func (x *execution) gone() bool { return x.turn.Load() < 0 }

// activate and rest are called with x.mu held.
func (s *executions) activate(x *execution) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.isClosed {
		return false
	}
	s.active[x] = struct{}{}
	if len(s.active) == 1 {
		select {
		case s.begun <- struct{}{}:
		default:
		}
	}
	if x.lru != nil {
		s.unrest(x)
	}
	return true
}

func (s *executions) rest(x *execution) {
	weight, open := 0, false
	if m := x.known; m != nil {
		weight, open = m.weight(), m.state != nil && m.state.Open()
	}
	s.mu.Lock()
	s.leave(x)
	s.weights[x] = weight
	if open {
		x.lru = s.resting.PushFront(x)
		s.weight += weight
	} else {
		x.lru = s.ended.PushFront(x)
	}
	var old []*execution
	for {
		last := s.oldest()
		if last == nil {
			break
		}
		if last != x && !last.mu.TryLock() { // somebody is about to use it
			s.resting.MoveToFront(last.lru)
			s.ended.MoveToFront(last.lru)
			break
		}
		s.unrest(last)
		delete(s.all, last.id)
		last.turn.Store(-1)
		old = append(old, last)
	}
	s.mu.Unlock()
	for _, o := range old {
		o.forget()
		if o != x {
			o.mu.Unlock()
		}
	}
}

// maxEnded is the number of closed executions that are remembered, for those who ask how they ended.
const maxEnded = 1024

// oldest is the one that is to be forgotten first, nil if there is room for all.
func (s *executions) oldest() *execution {
	most := maxEnded
	if s.limit < 0 {
		most = 0
	}
	switch {
	case s.ended.Len() > most:
		return s.ended.Back().Value.(*execution)
	case s.weight > s.limit && s.resting.Len() > 0:
		return s.resting.Back().Value.(*execution)
	}
	return nil
}

// unrest takes x off the list it is on. A list leaves alone what is on another.
func (s *executions) unrest(x *execution) {
	before := s.resting.Len()
	s.resting.Remove(x.lru)
	s.ended.Remove(x.lru)
	if s.resting.Len() < before {
		s.weight -= s.weights[x]
	}
	delete(s.weights, x)
	x.lru = nil
}

// leave is called with s.mu held.
func (s *executions) leave(x *execution) {
	delete(s.active, x)
	if s.isClosed && len(s.active) == 0 {
		close(s.idle)
	}
}

// forget drops what is known of x. The caller holds x.mu, and nobody works on x.
func (x *execution) forget() {
	if x.known != nil && x.known.machine != nil {
		x.known.machine.Stop()
	}
	x.known = nil
}

// end lets nobody in any more, waits until nobody works, and forgets everything.
func (s *executions) end() {
	s.mu.Lock()
	s.isClosed, s.idle = true, make(chan struct{})
	if len(s.active) == 0 {
		close(s.idle)
	}
	s.mu.Unlock()
	<-s.idle
	s.mu.Lock()
	all := s.all
	s.all = map[history.ID]*execution{}
	s.mu.Unlock()
	for _, x := range all {
		x.mu.Lock()
		x.forget()
		x.mu.Unlock()
	}
}

// worked reports whether somebody works on an execution.
func (s *executions) worked(id history.ID) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, active := s.active[s.all[id]]
	return active
}

// working lists those that somebody works on.
func (s *executions) working() []*execution {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]*execution, 0, len(s.active))
	for x := range s.active {
		all = append(all, x)
	}
	return all
}

// drop forgets what is known of an execution that nobody works on.
func (s *executions) drop(id history.ID) {
	s.mu.Lock()
	x := s.all[id]
	s.mu.Unlock()
	if x == nil {
		return
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.runner == nil {
		x.forget()
	}
}

// poisoned returns why the code of an execution is not run again in this process.
func (s *executions) poisoned(id history.ID) (reason string, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	reason, ok = s.poison[id]
	return reason, ok
}

// taint keeps the code of an execution from being run again.
func (s *executions) taint(id history.ID, reason string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.poison[id] = reason
}

// heal lets the code of an execution run again: the run in which it did not come back is over.
func (s *executions) heal(id history.ID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.poison, id)
}

// remembered is the number of executions in memory.
func (s *executions) remembered() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.all)
}

// find returns an execution that somebody works on or that is remembered, nil if it is neither.
func (s *executions) find(id history.ID) *execution {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.all[id]
}

// ids are those of the executions in memory.
func (s *executions) ids() []history.ID {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]history.ID, 0, len(s.all))
	for id := range s.all {
		all = append(all, id)
	}
	return all
}
