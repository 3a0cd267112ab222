package runtime

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/clewflow/clew/commands"
	"github.com/clewflow/clew/dispatch"
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

	heard atomic64    // the highest Seq that another node was heard to append
	asked atomic.Bool // what was heard is to be looked at, and that is in the inbox
	turn  atomic64    // 0, or the tick of the watchdog at which the code was told something
	lru   element
}

// A runner works on an execution until there is nothing to do or it is given up.
type runner struct {
	x      *execution
	owns   bool // this runtime acts for the execution
	asked  bool // the call needs the code
	halted bool // a rule halts the run
}

// A memory is what a history amounts to, and the code that runs along it.
type memory struct {
	state   *history.State
	machine *replay.Machine // nil: closed, stalled, or nobody runs code here
	stall   error           // why there is no machine though there should be one
	retryAt time.Time       // of the next try; zero: not in this process

	pending  []history.Entry  // not yet appended
	plain    []history.Entry  // the same with their payloads open; nil: they are
	failed   error            // why what is pending cannot be appended
	closed   error            // why payloads of the run cannot be opened; the code is not run then
	carried  []replay.Carried // what the run that is about to be continued leaves
	ends     []end            // of chains that others wait for, in what is pending
	first    names            // of the run that was open before what is pending
	guessed  bool             // that there is no history, which the append will tell
	current  bool             // nothing was appended by others but what this runtime was or will be told of
	fresh    bool             // it was read from the log for the calls at hand
	absorbed []history.Entry  // that others have appended, and that are not acted on yet
	past     past             // when the runs before this one were recorded
	began    uint64           // Seq of the Started of the run that was open before what is pending
	turns    []dispatch.Turn  // what runs in what is pending have taken
	partly   bool             // some of what is pending is recorded, or may be
	erased   bool             // something was taken away of the history, so this is to be forgotten
}

// end is the end of a chain and the Seq of the entry that closed its last run.
type end struct {
	seq uint64
	ended
}

// A call is a command or a look, and the answer to it.
type call struct {
	command commands.Command
	by      history.Actor
	request string
	named   bool                // the caller chose the request id, and may have used it long ago
	since   time.Time           // but not before this; zero: any time
	then    commands.Command    // to be decided after it, in the same append
	of      string              // the run that is meant, or the first of the chain; empty: whichever is there
	anew    *anew               // the run that is to follow the one that is there; instead of a command
	full    history.Full        // what becomes of the run that it starts, if a limit allows none
	exact   bool                // and not the first of its chain
	look    func(*memory) error // between turns; instead of a command
	code    bool                // the look needs the code
	heard   bool                // it was heard that others have appended

	answer answer
	done   chan struct{}
}

// answer is what a call is answered when everything that it depends on is durable.
type answer struct {
	err     error
	run     string // the run that it took effect in
	chain   string // that run's
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

// see looks at what is known of an execution, between turns, and returns what it saw. When ctx ends first, the look may still be
// under way; then nothing of it is returned.
func see[T any](ctx context.Context, r *Runtime, id history.ID, look func(*memory) (T, error)) (T, error) {
	var seen, nothing T
	_, err := r.do(ctx, id, &call{look: func(m *memory) (err error) {
		seen, err = look(m)
		return err
	}})
	if err != nil {
		return nothing, err
	}
	return seen, nil
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
	w := &runner{x: x}
	x.runner = w
	x.rt.crew.run(w.work) // it rests when there is nothing to do, and Close waits until all rest
	return true
}

// work handles calls until there are none.
func (w *runner) work() {
	x, ended := w.x, false
	defer func() {
		if !ended { // the code called runtime.Goexit, which ends this goroutine too
			x.rt.giveUp(x, x.turn.Load(), "the code called runtime.Goexit")
		}
	}()
	for {
		x.rt.pace(x.rt.ctx, TurnPace, x.id)
		x.mu.Lock()
		if x.runner != w {
			x.mu.Unlock()
			break
		}
		if len(x.busy) == 0 {
			x.busy, x.inbox = x.inbox, x.busy
			x.rt.order(x.busy)
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
		n, err := w.turns(m, calls, round == 0)
		if errors.Is(err, errGivenUp) {
			return 0
		}
		if err == nil {
			err = m.failed
		}
		if err == nil && len(m.pending) > 0 {
			err = w.append(m)
		} else if err == nil && m.guessed {
			err = store.ErrConflict // nothing was appended that could have told
		}
		m.guessed = false
		if errors.Is(err, store.ErrConflict) {
			w.forget(m)
			if w.owns && w.x.rt.node != nil {
				defer w.x.rt.soon(w.x.id) // what others have recorded is yet to be acted on
			}
			if round > 2 { // somebody else is busy with it
				sleep(w.x.rt.ctx, time.Millisecond<<min(round, 10))
			}
			continue
		}
		if n > 1 && (errors.Is(err, ErrTooLarge) || m.failed != nil) {
			w.forget(m) // what one of them brings about cannot be recorded; the others are not to suffer for it
			calls = calls[:1]
			continue
		}
		if err == nil && n == 0 { // what had to be recorded first is
			w.act(m)
			continue
		}
		if err != nil {
			if w.x.rt.ctx.Err() != nil && errors.Is(err, context.Canceled) || errors.Is(err, store.ErrClosed) {
				err = fmt.Errorf("%w: %w", ErrClosed, err)
			}
			w.forget(m)
			w.x.rt.tryAgain(w.x.id, err)
			n = len(calls)
			for _, c := range calls {
				c.answer = answer{err: err}
			}
		} else {
			w.act(m)
		}
		if m.erased {
			w.forget(m)
		}
		for _, c := range calls[:n] {
			if c.done != nil {
				close(c.done)
			}
		}
		return n
	}
}

// forget drops what is known, so that it is remembered from the log.
func (w *runner) forget(m *memory) {
	if m.machine != nil {
		m.machine.Stop()
	}
	w.giveBack(m)
	*m = memory{}
}

// act does what follows from entries that are durable now.
func (w *runner) act(m *memory) {
	r, x := w.x.rt, w.x
	m.turns, m.partly = nil, false
	r.openRuns.Stands(x.id, m.state)
	open, adopted := m.pending, false
	if m.plain != nil {
		open = m.plain
	}
	for _, entries := range [][]history.Entry{m.absorbed, open} {
		for i := range entries {
			if entries[i].Adopted != nil {
				adopted = true // what of it is to be done the state says
				continue
			}
			if w.owns {
				x.dispatch(m, &entries[i])
			} else {
				x.observe(m, &entries[i])
			}
		}
	}
	m.absorbed, m.fresh = nil, false
	clear(m.pending)
	m.pending, m.plain, m.ends, m.began, m.first = m.pending[:0], nil, nil, m.state.Run.Began, names{m.state.Run.ID, m.state.Run.Chain}
	if !w.owns {
		x.disown(m)
		x.claim(m)
		return
	}
	if adopted && r.working.Load() {
		r.offerAll(x.id, m)
	}
	wake := m.state.Wake()
	halted := m.state.Suspended() || r.halted(m.state.Run.Type) // as of now: what was recorded as halted may be so no more
	if m.stall != nil && !halted && !m.retryAt.IsZero() && (wake.IsZero() || m.retryAt.Before(wake)) {
		wake = m.retryAt
	}
	if !m.state.Open() {
		wake = time.Time{}
	}
	r.wakes.Wake(x.id, wake, r.now())
	if at, broken := r.broken.Load(x.id); broken { // after that, because errands set both at any time
		r.wakes.WakeBy(x.id, at.(time.Time), r.now())
	}
	if m.state.Due() && m.stall == nil && !halted && r.working.Load() && m.machine == nil {
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
