package workflow

import (
	"time"

	"github.com/clewflow/clew/commands"
	"github.com/clewflow/clew/internal/coro"
)

// A scope ends at most once, and with it everything that was begun in it.
type scope struct {
	err    error
	bell   coro.Bell
	within hook // in the scope around it
	hooks  hook // a ring of what is to be done at the end, in the order in which it was begun

	endless bool // nothing ends it
}

// A hook is something to be done when a scope ends. It is a link of a ring, so that taking it out costs the same however
// many there are.
type hook struct {
	do         func(error)
	prev, next *hook
}

func (h *hook) unlink() {
	if h.next != nil {
		h.prev.next, h.next.prev = h.next, h.prev
		h.prev, h.next = nil, nil
	}
}

// onEnd adds h; if the scope has ended, h is done at once.
func (s *scope) onEnd(h *hook) {
	if s.err != nil {
		h.do(s.err)
		return
	}
	ring := &s.hooks
	if ring.next == nil {
		ring.prev, ring.next = ring, ring
	}
	h.prev, h.next = ring.prev, ring
	ring.prev.next, ring.prev = h, h
}

func (s *scope) end(err error) {
	if s.err != nil {
		return
	}
	s.err = err
	s.within.unlink()
	s.bell.Ring()
	for ring := &s.hooks; ring.next != nil && ring.next != ring; {
		h := ring.next
		h.unlink()
		h.do(err)
	}
}

// CancelFunc ends a scope. Only the first call does anything.
type CancelFunc func()

// WithCancel returns a Context whose scope ends with ErrCancelled when the function is called, or with ctx.
func WithCancel(ctx Context) (Context, CancelFunc) {
	s := &scope{}
	s.within.do = s.end
	ctx.scope.onEnd(&s.within)
	return Context{ctx.run, s}, func() {
		ctx.run.driver.Change("ending a scope")
		s.end(ErrCancelled)
	}
}

// WithTimeout returns a Context whose scope ends with ErrTimeout after d, with ErrCancelled when the function is called,
// or with ctx. Calling the function stops the timer.
func WithTimeout(ctx Context, d time.Duration) (Context, CancelFunc) {
	within, cancel := WithCancel(ctx)
	if d <= 0 {
		within.scope.end(ErrTimeout)
		return within, cancel
	}
	t := NewTimer(within, d)
	if t.p.done { // it cannot be that long, or ctx has ended
		within.scope.end(t.p.err)
		return within, cancel
	}
	t.p.onSettled = func() {
		if t.p.err == nil {
			within.scope.end(ErrTimeout)
		}
	}
	return within, cancel
}

// WithoutCancel returns a Context that does not end with ctx, for cleaning up.
func WithoutCancel(ctx Context) Context { return Context{ctx.run, &scope{endless: true}} }

// begun ties something that was asked for to the scope: at its end, cancel is asked and p is settled with the reason.
func (c Context) begun(p *Pending, cancel commands.Command) {
	p.hook.do = func(err error) {
		c.run.ask(cancel)
		p.ending = true
		if !p.waits {
			p.Settle(p.result, err)
		}
	}
	c.scope.onEnd(&p.hook)
}
