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
	resting  *list.List              // nobody does; the one used last in front
	weights  map[*execution]int      // of the resting
	weight   int
	limit    int                   // Forget: none rests
	poison   map[history.ID]string // code that did not come back ran in these
	isClosed bool
	idle     chan struct{} // closed when nobody works any more, after the end
	begun    chan struct{} // receives when somebody works again
}

func (s *executions) init(limit int) {
	s.all, s.active, s.resting = map[history.ID]*execution{}, map[*execution]struct{}{}, list.New()
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
		s.resting.Remove(x.lru)
		s.weight -= s.weights[x]
		delete(s.weights, x)
		x.lru = nil
	}
	return true
}

func (s *executions) rest(x *execution) {
	weight := 0
	if x.known != nil {
		weight = x.known.weight()
	}
	s.mu.Lock()
	s.leave(x)
	x.lru = s.resting.PushFront(x)
	s.weights[x] = weight
	s.weight += weight
	var old []*execution
	for s.weight > s.limit && s.resting.Len() > 0 {
		last := s.resting.Back()
		o := last.Value.(*execution)
		if o != x && !o.mu.TryLock() {
			s.resting.MoveToFront(last) // somebody is about to use it
			break
		}
		s.drop(o)
		old = append(old, o)
	}
	s.mu.Unlock()
	for _, o := range old {
		o.forget()
		if o != x {
			o.mu.Unlock()
		}
	}
}

// leave is called with s.mu held.
func (s *executions) leave(x *execution) {
	delete(s.active, x)
	if s.isClosed && len(s.active) == 0 {
		close(s.idle)
	}
}

// drop takes x off everything. The caller holds both mutexes.
func (s *executions) drop(x *execution) {
	s.resting.Remove(x.lru)
	s.weight -= s.weights[x]
	delete(s.weights, x)
	delete(s.all, x.id)
	x.lru = nil
	x.turn.Store(-1)
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

// poisoned returns why the code of an execution is not run again in this process.
func (s *executions) poisoned(id history.ID) (reason string, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	reason, ok = s.poison[id]
	return reason, ok
}

// remembered is the number of executions in memory.
func (s *executions) remembered() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.all)
}
