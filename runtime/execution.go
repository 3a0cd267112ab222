package runtime

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/clewflow/clew/commands"
	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/replay"
	"github.com/clewflow/clew/store"
)

// An execution is the one writer of its history here. Its runner, a goroutine that lives while there is something to do,
// takes the calls that have come, handles them one after the other in memory, appends what follows in one, and answers.
type execution struct {
	id history.ID
	rt *Runtime

	mu     sync.Mutex
	inbox  []*call
	busy   []*call // in the hands of the runner
	runner *runner // nil: nobody works
	known  *memory // nil: forgotten

	turn atomic64 // 0, or the tick of the watchdog at which the code was told something
	lru  element
}

// A runner works on an execution until there is nothing to do or it is given up.
type runner struct{ x *execution }

// A memory is what a history amounts to, and the code that runs along it.
type memory struct {
	state   *history.State
	machine *replay.Machine // nil: closed, stalled, or nobody runs code here
	stall   error           // why there is no machine though there should be one
	tries   int             // to remember while stalled
	retryAt time.Time       // of the next try; zero: not in this process

	pending []history.Entry // not yet appended
	asked   bool            // the code was told something in this batch
}

// A call is a command or a look, and the answer to it.
type call struct {
	command commands.Command
	by      history.Actor
	request string
	look    func(*memory) error // between turns; instead of a command
	code    bool                // the look needs the code

	answer answer
	done   chan struct{}
}

// answer is what a call is answered when everything that it depends on is durable.
type answer struct {
	err     error
	run     string // the run that it took effect in
	nothing bool   // nothing followed
}

// do puts a command to an execution and waits for the answer. When ctx ends first, the command may still take effect.
func (r *Runtime) do(ctx context.Context, id history.ID, c *call) (answer, error) {
	if err := ctx.Err(); err != nil {
		return answer{}, err
	}
	c.done = make(chan struct{})
	if err := r.submit(id, c); err != nil {
		return answer{}, err
	}
	select {
	case <-c.done:
		return c.answer, c.answer.err
	case <-ctx.Done():
		return answer{}, ctx.Err()
	}
}

// submit gives a call to the runner of an execution, which it starts if there is none.
func (r *Runtime) submit(id history.ID, c *call) error {
	x, err := r.executions.enter(r, id)
	if err != nil {
		return err
	}
	defer x.mu.Unlock()
	if x.runner == nil && !x.start() {
		return ErrClosed
	}
	x.inbox = append(x.inbox, c)
	return nil
}

// start starts a runner, unless the runtime is closed. The caller holds x.mu.
func (x *execution) start() bool {
	if !x.rt.executions.activate(x) {
		return false
	}
	w := &runner{x}
	x.runner = w
	x.rt.crew.run(w.work) // it rests when there is nothing to do, and Close waits until all rest
	return true
}

// work handles calls until there are none.
func (w *runner) work() {
	x, ended := w.x, false
	defer func() {
		if !ended { // the code called runtime.Goexit, which ends this goroutine too
			x.rt.giveUp(x, "the code called runtime.Goexit")
		}
	}()
	for {
		x.mu.Lock()
		if x.runner != w {
			x.mu.Unlock()
			break
		}
		if len(x.busy) == 0 {
			x.busy, x.inbox = x.inbox, x.busy
		}
		if len(x.busy) == 0 {
			x.runner = nil
			x.rt.executions.rest(x)
			x.mu.Unlock()
			break
		}
		calls, m := x.busy, x.known
		if m == nil {
			m = &memory{}
			x.known = m
		}
		x.mu.Unlock()
		n := w.handle(m, calls)
		if n == 0 {
			break // given up
		}
		x.mu.Lock()
		if x.runner != w {
			x.mu.Unlock()
			break
		}
		clear(x.busy[:n])
		x.busy = x.busy[n:]
		if len(x.busy) == 0 {
			x.busy = nil
		}
		x.mu.Unlock()
	}
	ended = true
}

// Sizes of an append, beyond which further calls wait for the next.
const (
	maxEntries = 2000
	maxBytes   = 1 << 20
)

// handle handles calls, at least one, and returns how many; 0 if the runner was given up meanwhile.
func (w *runner) handle(m *memory, calls []*call) int {
	for round := 0; ; round++ {
		n, err := w.turns(m, calls)
		if errors.Is(err, errGivenUp) {
			return 0
		}
		if err == nil && len(m.pending) > 0 {
			err = w.append(m)
		}
		if errors.Is(err, store.ErrConflict) {
			w.forget(m)
			continue
		}
		if err != nil {
			w.forget(m)
			n = len(calls)
			for _, c := range calls {
				c.answer = answer{err: err}
			}
		} else {
			w.act(m)
		}
		for _, c := range calls[:n] {
			if c.done != nil {
				close(c.done)
			}
		}
		return n
	}
}

// turns handles calls in memory, until all are handled or enough is to be appended.
func (w *runner) turns(m *memory, calls []*call) (n int, err error) {
	code := w.x.rt.working.Load()
	for _, c := range calls {
		code = code || c.code
	}
	if err := w.remember(m, code); err != nil {
		return 0, err
	}
	if w.x.rt.working.Load() {
		if err := w.catchUp(m); err != nil {
			return 0, err
		}
	}
	size := 0
	for _, c := range calls {
		before := len(m.pending)
		if err := w.turn(m, c); err != nil {
			return 0, err
		}
		n++
		for _, e := range m.pending[before:] {
			size += e.Size()
		}
		if len(m.pending) >= maxEntries || size >= maxBytes {
			break
		}
	}
	return n, nil
}

// turn handles one call.
func (w *runner) turn(m *memory, c *call) error {
	c.answer = answer{run: m.state.Run.ID}
	if c.look != nil {
		return w.look(m, c)
	}
	if _, again := m.state.Requested(c.request); again {
		c.answer.nothing = true
		return nil
	}
	command := c.command
	for first := true; ; first = false {
		command = w.informed(m, command)
		events, err := commands.Decide(m.state, command, w.x.rt.now())
		if err != nil {
			c.answer.err = err
			return nil
		}
		if len(events) == 0 {
			c.answer.nothing = first
			return nil
		}
		for _, e := range events {
			if err := w.record(m, e, c.by, c.request); err != nil {
				return err
			}
		}
		c.answer.run = m.state.Run.ID
		if _, again := command.(commands.Wake); !again || len(m.pending) >= maxEntries {
			return nil
		}
	}
}

func (w *runner) look(m *memory, c *call) error {
	if c.code && m.machine == nil && m.stall != nil {
		c.answer.err = fmt.Errorf("%w: %w", ErrStalled, m.stall)
		return nil
	}
	w.x.turn.Store(w.x.rt.tick.Load())
	err := c.look(m)
	w.x.turn.Store(0)
	if w.givenUp() {
		return errGivenUp
	}
	c.answer.err = err
	return nil
}

// informed adds what only those know who run the code and hold the attempts.
func (w *runner) informed(m *memory, c commands.Command) commands.Command {
	newest := func(a *commands.Attempt) {
		a.Newest = w.x.rt.queue.Newest(w.x.key(a.Step))
	}
	switch c := c.(type) {
	case commands.Signal:
		c.Unread = m.state.Run.Signals
		if m.machine != nil {
			c.Unread = m.machine.UnreadCount()
		}
		return c
	case commands.Terminate:
		if m.machine != nil {
			c.Unread = m.machine.Unread()
		}
		return c
	case commands.Wake:
		c.Overdue, c.Dice = w.x.rt.queue.Facts(w.x.id), luck(m.state.Hash)
		return c
	case commands.CompleteActivity:
		newest(&c.Attempt)
		return c
	case commands.FailActivity:
		c.Dice = luck(m.state.Hash)
		newest(&c.Attempt)
		return c
	}
	return c
}

// record makes an event the next entry, tells the code if it is an input, and makes what the code asks in answer the
// entries after it.
func (w *runner) record(m *memory, event history.Event, by history.Actor, request string) error {
	if _, begins := event.(*history.Started); begins {
		w.begin(m, event.(*history.Started))
	}
	e := w.entry(m, event, by)
	e.Request = request
	if m.machine == nil || event.Role() != history.Input {
		w.push(m, e)
		if _, begins := event.(*history.Started); begins {
			return w.observed(m, m.stall)
		}
		if m.machine != nil {
			return w.observed(m, m.machine.Observe(&e, m.state.Bytes))
		}
		return nil
	}
	err := w.tell(m, &e)
	if errors.Is(err, errGivenUp) {
		return err
	}
	if err != nil {
		w.push(m, e)
		return w.observed(m, err)
	}
	asks := m.machine.Asks()
	if len(asks) == 0 {
		e.Told = e.Seq
	}
	w.push(m, e)
	if err := w.answers(m, asks, e.Seq); err != nil {
		return err
	}
	return w.deadlock(m)
}

var errGivenUp = errors.New("runtime: given up")

// tell shows an input to the machine, under the eyes of the watchdog.
func (w *runner) tell(m *memory, e *history.Entry) error {
	w.x.turn.Store(w.x.rt.tick.Load())
	err := m.machine.Observe(e, m.state.Bytes)
	w.x.turn.Store(0)
	if w.givenUp() {
		return errGivenUp
	}
	return err
}

func (w *runner) givenUp() bool {
	w.x.mu.Lock()
	defer w.x.mu.Unlock()
	return w.x.runner != w
}

// answers records what the code asks. The last ask in answer to an input carries the mark that the input has been told;
// told is the input of the last one.
func (w *runner) answers(m *memory, asks []replay.Ask, told uint64) error {
	for i, a := range asks {
		events, err := commands.Decide(m.state, a.Command, w.x.rt.now())
		if err != nil || len(events) != 1 {
			return w.observed(m, fmt.Errorf("clew: a bug: the code asks for %T, and what follows is %d events, %v", a.Command, len(events), err))
		}
		e := w.entry(m, events[0], history.Code)
		switch {
		case i == len(asks)-1:
			e.Told = told
		case asks[i+1].Input != a.Input:
			e.Told = a.Input
		}
		w.push(m, e)
		if m.machine == nil { // that was the end
			return nil
		}
		if err := m.machine.Observe(&e, m.state.Bytes); err != nil {
			return w.observed(m, err)
		}
	}
	return nil
}

// deadlock notes that nothing can ever wake the code. The machine stays: somebody may still cancel.
func (w *runner) deadlock(m *memory) error {
	if m.machine == nil {
		return nil
	}
	if err := m.machine.Deadlock(); err != nil {
		return w.noteStall(m, err)
	}
	return nil
}

// entry makes an event the next entry, not yet sealed.
func (w *runner) entry(m *memory, event history.Event, by history.Actor) history.Entry {
	at := w.x.rt.now()
	if at.Before(m.state.At) {
		at = m.state.At
	}
	e := history.Entry{Seq: m.state.Seq + 1, At: at, By: by, Event: event}
	if m.state.Build != w.x.rt.build {
		e.Build = w.x.rt.build
	}
	return e
}

// push seals an entry and folds it.
func (w *runner) push(m *memory, e history.Entry) {
	history.Seal(m.state.Hash, &e)
	m.state.Evolve(e)
	m.pending = append(m.pending, e)
	if m.state.Open() {
		return
	}
	w.x.rt.executions.heal(w.x.id)
	if m.machine != nil {
		m.machine.Stop()
		m.machine = nil
	}
}

// append makes what is pending durable. An unknown outcome is asked for again, with the same entries at the same place,
// until the answer is definite.
func (w *runner) append(m *memory) error {
	r, delay := w.x.rt, time.Millisecond
	for {
		var err error
		ctx := context.WithoutCancel(r.ctx) // what is under way is not given up
		if r.tails != nil {
			err = r.tails.AppendTail(ctx, w.x.id, m.tail(w.x.id), m.pending...)
		} else {
			err = r.log.Append(ctx, w.x.id, m.pending...)
		}
		if !errors.Is(err, store.ErrUnknownOutcome) {
			return err
		}
		r.logger.Warn("an append has an unknown outcome and is repeated", "id", w.x.id.Workflow, "error", err)
		if !sleep(r.ctx, delay) {
			return ErrClosed
		}
		delay = min(2*delay, time.Second)
	}
}

func (m *memory) tail(id history.ID) *store.Tail {
	s := m.state
	if !s.Open() {
		return nil
	}
	return &store.Tail{
		ID: id, Began: s.Run.Began, Seq: s.Seq, Hash: s.Hash, Wake: s.Wake(), Due: s.Due() || s.Stall != nil, Activities: len(s.Activities),
	}
}

// forget drops what is known, so that it is remembered from the log.
func (w *runner) forget(m *memory) {
	if m.machine != nil {
		m.machine.Stop()
	}
	tries, retryAt := m.tries, m.retryAt
	*m = memory{tries: tries, retryAt: retryAt}
}

// act does what follows from entries that are durable now.
func (w *runner) act(m *memory) {
	r, x := w.x.rt, w.x
	for i := range m.pending {
		x.dispatch(m.state, &m.pending[i])
	}
	clear(m.pending)
	m.pending = m.pending[:0]
	wake := m.state.Wake()
	if m.stall != nil && !m.retryAt.IsZero() && (wake.IsZero() || m.retryAt.Before(wake)) {
		wake = m.retryAt
	}
	if !m.state.Open() {
		wake = time.Time{}
	}
	r.wakes.Wake(x.id, wake, r.now())
	if m.state.Due() && m.stall == nil && r.working.Load() && m.machine == nil {
		// Run began while the input was recorded alone.
		_ = r.submit(x.id, &call{look: func(*memory) error { return nil }})
	}
}

// sleep waits for d; it reports false if ctx ended first.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
