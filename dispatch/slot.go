package dispatch

import (
	"container/list"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/clewflow/clew/commands"
	"github.com/clewflow/clew/history"
)

// Slots say which runs may be open and begun at once, by the limits of their workflows. They count the runs of the workflows that
// anybody has limited, and nothing of the others.
//
// What counts is what the log says: a run that is about to be recorded takes a slot before, and gives it back if it is not. So what is
// counted is never less than what is recorded.
type Slots struct {
	some  atomic.Bool // a workflow is counted
	freed chan struct{}

	mu    sync.Mutex
	types map[string]*counted
	order []*counted               // the same
	runs  map[history.ID]*standing // the open ones of those workflows
	last  uint64
}

// counted is a workflow whose open runs are counted.
type counted struct {
	name  string
	limit history.Rule
	seen  map[history.ID]struct{} // executions of which something was recorded since counting began; nil: all is counted
	known chan struct{}           // closed when all is counted
	n     int                     // slots in use
	able  *list.List              // of *standing: who can make room, in the order of their beginning
	keys  map[string]*slotKey
	ready heap[*slotKey] // with runs that wait, and not for their key
}

// slotKey is a key of a workflow. Runs that have none are under the empty one, which is not limited.
type slotKey struct {
	of    *counted
	name  string
	n     int
	able  *list.List
	waits heap[*standing]
	place int // among the ready
}

// Turn is what a run that is about to begin is told.
type Turn struct {
	Queued   bool             // it has no slot
	Replaces history.Replaced // who makes room for it
	Full     *commands.Full   // that it is refused, as it wants to be
	Counting bool             // whether it is to be refused, or who is to make room, is not known yet

	of  history.ID
	run string
}

// NewSlots bound nothing.
func NewSlots() *Slots {
	return &Slots{freed: make(chan struct{}, 1), types: map[string]*counted{}, runs: map[history.ID]*standing{}}
}

// SetLimits has the limits of workflows hold from now on: those of subjects that are workflows, and no others. Who has begun goes on.
func (s *Slots) SetLimits(limits Limits) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for of, rule := range limits {
		if of.Of == history.OfWorkflow && (rule.All != (history.Limit{}) || rule.Key != (history.Limit{})) {
			s.count(of.Name)
		}
	}
	for name, c := range s.types {
		c.limit = limits[history.Subject{Of: history.OfWorkflow, Name: name}]
		for _, k := range c.keys {
			k.rank()
		}
	}
	s.tell()
}

// Count has the runs of a workflow counted, though it may not be limited any more.
func (s *Slots) Count(workflow string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.count(workflow)
}

func (s *Slots) count(workflow string) {
	if s.types[workflow] != nil {
		return
	}
	c := &counted{
		name: workflow, seen: map[history.ID]struct{}{}, known: make(chan struct{}), able: list.New(), keys: map[string]*slotKey{},
		ready: heap[*slotKey]{less: func(a, b *slotKey) bool { return a.waits.top().before(b.waits.top()) }, place: func(k *slotKey) *int { return &k.place }},
	}
	s.types[workflow] = c
	s.order = append(s.order, c)
	s.some.Store(true)
}

// Uncounted are the workflows of which it is not known how many runs are open.
func (s *Slots) Uncounted() (all []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for name, c := range s.types {
		if c.seen != nil {
			all = append(all, name)
		}
	}
	slices.Sort(all)
	return all
}

// Run is an open run of a workflow that is counted.
type Run struct {
	ID         history.ID
	Run, Chain string
	Key        string
	Queued     bool
	Started    time.Time
}

// Counted says which runs of a workflow were open at some time since it was to be counted. What was recorded of them since then is
// known better.
func (s *Slots) Counted(workflow string, runs []Run) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.types[workflow]
	if c == nil || c.seen == nil {
		return
	}
	for _, r := range runs {
		if _, seen := c.seen[r.ID]; seen {
			continue
		}
		state := begun
		if r.Queued {
			state = waits
		}
		s.add(c, &standing{id: r.ID, run: r.Run, chain: r.Chain, since: r.Started}, r.Key, state)
	}
	c.seen = nil
	close(c.known)
	s.tell()
}

// Known is closed when it is known how many runs of a workflow are open; nil if it is not counted.
func (s *Slots) Known(workflow string) <-chan struct{} {
	if !s.some.Load() {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if c := s.types[workflow]; c != nil {
		return c.known
	}
	return nil
}

// Counts reports whether runs of a workflow need a slot to begin.
func (s *Slots) Counts(workflow string) bool { return s.Known(workflow) != nil }

// Take gives a run that is about to be recorded its slot, or says that there is none and what follows from that. What was taken is to be
// given back if the run is not recorded. now is when it asks.
func (s *Slots) Take(id history.ID, run, workflow, key string, full history.Full, now time.Time) (t Turn) {
	if !s.some.Load() {
		return t
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.types[workflow]
	if c == nil {
		return t
	}
	t.of, t.run = id, run
	if c.seen != nil {
		t.Queued, t.Counting = true, full == history.Refused || replaces(full)
		return t
	}
	k := c.key(key)
	defer c.drop(k)
	if r := s.runs[id]; r != nil {
		t.Queued = r.key != k || r.state < reserved || r.leaving // else it goes over to the run that takes the place of the one there
		return t
	}
	if c.room() && k.room() && c.ready.len() == 0 {
		s.add(c, &standing{id: id, run: run, chain: run, since: now}, key, reserved)
		return t
	}
	t.Queued = true
	switch {
	case full == history.Refused:
		t.Full = c.full(k)
	case replaces(full) && !c.limit.All.None && !c.limit.Key.None:
		if r := c.leaves(k, full == history.ReplaceNewest); r != nil {
			r.leave()
			t.Replaces = history.Replaced{ID: r.id.Workflow, Chain: r.chain}
		}
	}
	return t
}

func replaces(f history.Full) bool { return f == history.ReplaceOldest || f == history.ReplaceNewest }

// leaves is the run that makes room for one that begins; nil: there is none.
func (c *counted) leaves(k *slotKey, newest bool) *standing {
	all := c.able
	if !k.room() {
		all = k.able
	}
	e := all.Front()
	if newest {
		e = all.Back()
	}
	if e == nil {
		return nil
	}
	return e.Value.(*standing)
}

// GiveBack takes back what Take has done for a run that was not recorded.
func (s *Slots) GiveBack(t Turn) {
	if t.run == "" {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if r := s.runs[t.of]; r != nil && r.run == t.run && r.state == reserved {
		s.remove(r)
	}
	if r := s.runs[history.ID{Namespace: t.of.Namespace, Workflow: t.Replaces.ID}]; r != nil && r.leaving && r.chain == t.Replaces.Chain {
		r.leaving = false
		r.list()
	}
	s.tell()
}

// Stands takes in how an execution stands, as it is recorded.
func (s *Slots) Stands(id history.ID, state *history.State) {
	if !s.some.Load() {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	c, r, run := s.types[state.Run.Type], s.runs[id], &state.Run
	if c != nil && c.seen != nil {
		c.seen[id] = struct{}{}
	}
	if c == nil || !state.Open() || !run.BeginAt.IsZero() {
		if r != nil {
			s.remove(r)
		}
		return
	}
	now := begun
	if run.Queued {
		now = waits
	}
	switch {
	case r != nil && (r.key.of != c || r.key.name != run.Key || r.chain != run.Chain && now == waits):
		s.remove(r)
		r = nil
	case r != nil && r.run != run.ID: // the run before has handed on its slot, or its place among those that wait
		r.run, r.chain = run.ID, run.Chain
		if now == waits {
			s.turn(r, waits)
		}
	}
	if r == nil {
		since := run.Started
		if now == waits {
			since = state.At
		}
		r = &standing{id: id, run: run.ID, chain: run.Chain, since: since}
		s.add(c, r, run.Key, now)
	}
	switch {
	case now == begun && r.state != begun:
		s.turn(r, begun)
	case now == waits && r.state == begun:
		s.turn(r, waits)
	}
	if now == waits {
		s.makesRoom(r, run.Replaces)
	}
	s.tell()
}

// makesRoom takes in who makes room for a run that waits.
func (s *Slots) makesRoom(r *standing, of history.Replaced) {
	if of.ID == "" {
		return
	}
	if other := s.runs[history.ID{Namespace: r.id.Namespace, Workflow: of.ID}]; other != nil && other.chain == of.Chain && other != r {
		other.leave()
	}
	if r.first {
		return
	}
	r.first = true
	if r.place > 0 {
		r.key.waits.fix(r)
		r.key.rank()
	}
	r.list()
}

// Next gives the run whose turn it is its slot, and names it. It is to be recorded then that it begins.
func (s *Slots) Next() (id history.ID, run string, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.order {
		if c.seen != nil || c.ready.len() == 0 || !c.room() {
			continue
		}
		r := c.ready.top().waits.top()
		s.turn(r, given)
		return r.id, r.run, true
	}
	return id, "", false
}

// Freed receives when it may be somebody's turn.
func (s *Slots) Freed() <-chan struct{} { return s.freed }

// SetApart takes its slot from a run of which it could not be recorded that it begins, and leaves it out until it is put back.
func (s *Slots) SetApart(id history.ID, run string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r := s.runs[id]; r != nil && r.run == run && r.state == given {
		s.turn(r, apart)
		s.tell()
	}
}

// PutBack has a run wait again that was set apart.
func (s *Slots) PutBack(id history.ID, run string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r := s.runs[id]; r != nil && r.run == run && r.state == apart {
		s.turn(r, waits)
		s.tell()
	}
}

// Why says which limit a run waits for, and how full it is; empty if it waits for none.
func (s *Slots) Why(id history.ID) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.runs[id]
	if r == nil || r.state > apart {
		return ""
	}
	c := r.key.of
	switch {
	case c.seen != nil:
		return fmt.Sprintf("the open runs of workflow %s to be counted", c.name)
	case !c.room() || !r.key.room():
		full := c.full(r.key)
		return fmt.Sprintf("the limit of %s: %s", full.Of(), full.Use())
	}
	return fmt.Sprintf("its turn among the runs of workflow %s", c.name)
}

// Use is how many runs of a workflow have a slot, and how many wait for one.
func (s *Slots) Use(workflow string) (inUse, waiting int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.types[workflow]
	if c == nil {
		return 0, 0
	}
	for _, k := range c.keys {
		waiting += k.waits.len()
	}
	return c.n, waiting
}

// tell says that it may be somebody's turn.
func (s *Slots) tell() {
	select {
	case s.freed <- struct{}{}:
	default:
	}
}

func (s *Slots) add(c *counted, r *standing, key string, state slotState) {
	s.last++
	r.number, r.key, r.state = s.last, c.key(key), apart
	s.runs[r.id] = r
	s.turn(r, state)
}

func (s *Slots) remove(r *standing) {
	s.turn(r, apart)
	r.leave()
	delete(s.runs, r.id)
	r.key.of.drop(r.key)
	s.tell()
}

// turn makes a run stand otherwise.
func (s *Slots) turn(r *standing, state slotState) {
	k := r.key
	used, uses := r.state >= reserved, state >= reserved
	if r.place > 0 {
		k.waits.remove(r)
	}
	if r.state = state; state == waits {
		k.waits.push(r)
	}
	switch {
	case uses && !used:
		k.n, k.of.n = k.n+1, k.of.n+1
		r.list()
	case used && !uses:
		k.n, k.of.n = k.n-1, k.of.n-1
		if !r.first {
			r.unlist()
		}
	}
	k.rank()
}

func (c *counted) room() bool { return room(c.limit.All, c.n) }

func (k *slotKey) room() bool { return k.name == "" || room(k.of.limit.Key, k.n) }

func room(l history.Limit, n int) bool { return !l.None && (l.AtOnce == 0 || n < l.AtOnce) }

// full says which limit is full.
func (c *counted) full(k *slotKey) *commands.Full {
	if !c.room() || k.room() {
		return &commands.Full{Workflow: c.name, InUse: c.n, Most: most(c.limit.All)}
	}
	return &commands.Full{Workflow: c.name, Key: k.name, InUse: k.n, Most: most(c.limit.Key)}
}

func most(l history.Limit) int {
	if l.None {
		return 0
	}
	return l.AtOnce
}
