// Package coro runs functions as coroutines, one at a time, in a fixed order.
//
// A [Group] runs its coroutines first in, first out. A coroutine that has to wait names the [Bell]s that may wake it;
// ringing a bell makes those who wait for it ready, in the order in which they began to wait. Nothing looks at those who
// wait for something else, so waiting costs nothing. The order depends on nothing but the calls: no map, no clock, no
// scheduler.
package coro

import (
	"errors"
	"runtime/debug"
	"sync/atomic"
)

// A Group is a set of coroutines that run by turns. The zero Group is empty and ready. It is not for use by several
// goroutines at once.
type Group struct {
	Pool    *Pool            // of threads; nil: none
	Parks   func(*Coroutine) // called by a coroutine that is about to wait, on its own stack; nil: nothing is
	ready   []*Coroutine     // first in, first out, from next on
	next    int
	trying  list // coroutines that wait for a condition, by when they began
	living  list
	current atomic.Pointer[Coroutine]
	alone   *Coroutine // no other runs; nil: all do
	failed  *Panic
	stopped bool
}

// A Coroutine is a function that runs by turns.
type Coroutine struct {
	Name   string
	Tag    any // whatever its user wants to know it by; that of the coroutine which began it, unless it is given another
	group  *Group
	thread *thread
	cond   func() bool
	waits  []node // one for each bell it waits for
	awake  bool   // it is in the ready queue
	try    node
	life   node
}

// Panic is what a coroutine died of.
type Panic struct {
	Value     any
	Stack     string
	Coroutine string
}

var errStopped = errors.New("coro: stopped")

// Go adds a coroutine that runs f. It begins when its turn comes, in [Group.Run].
func (g *Group) Go(name string, f func()) *Coroutine {
	c := &Coroutine{Name: name, group: g}
	if by := g.current.Load(); by != nil {
		c.Tag = by.Tag
	}
	c.thread = g.Pool.start(func() { c.run(f) })
	c.life.c, c.try.c = c, c
	g.living.push(&c.life)
	g.wake(c)
	return c
}

// Goroutine is the number of the goroutine that c runs on, as the runtime's stacks have it. It may be asked from anywhere.
func (c *Coroutine) Goroutine() uint64 { return c.thread.id.Load() }

// run keeps what f panics with.
func (c *Coroutine) run(f func()) {
	returned := false
	defer func() {
		r := recover()
		switch {
		case returned, c.group.stopped:
		case r == nil:
			c.group.failed = &Panic{Value: "runtime.Goexit was called", Stack: string(debug.Stack()), Coroutine: c.Name}
		default:
			c.group.failed = &Panic{Value: r, Stack: string(debug.Stack()), Coroutine: c.Name}
		}
	}()
	f()
	returned = true
}

// Current is the coroutine that runs, nil outside of one. It may be asked from anywhere.
func (g *Group) Current() *Coroutine { return g.current.Load() }

// Run runs coroutines until each has returned or waits. It returns the panic of the one that panicked, if one did; the
// others are then left as they are.
func (g *Group) Run() *Panic {
	for g.failed == nil {
		if g.next < len(g.ready) {
			c := g.ready[g.next]
			g.ready[g.next] = nil
			g.next++
			if g.runs(c) {
				g.step(c)
			}
			continue
		}
		g.ready, g.next = g.ready[:0], 0
		if !g.tryConditions() {
			return g.failed
		}
	}
	return g.failed
}

// Alone lets no coroutine run from now on but the one that runs now: the others stay where they are until [Group.Stop].
func (g *Group) Alone() { g.alone = g.current.Load() }

func (g *Group) runs(c *Coroutine) bool { return g.alone == nil || g.alone == c }

func (g *Group) step(c *Coroutine) {
	c.awake = false
	g.current.Store(c)
	_, alive := c.thread.resume()
	g.current.Store(nil)
	if !alive || c.thread.ended {
		c.life.unlink()
		g.Pool.release(c.thread)
	}
}

// tryConditions wakes the first coroutine whose condition holds, in the order in which they began to wait.
func (g *Group) tryConditions() bool {
	for n := g.trying.first; n != nil; n = n.next {
		c := n.c
		if g.runs(c) && g.holds(c) {
			c.unlink()
			g.wake(c)
			return true
		}
		if g.failed != nil {
			return false
		}
	}
	return false
}

func (g *Group) holds(c *Coroutine) (ok bool) {
	defer func() {
		if r := recover(); r != nil {
			g.failed = &Panic{Value: r, Stack: string(debug.Stack()), Coroutine: c.Name}
		}
	}()
	return c.cond()
}

func (g *Group) wake(c *Coroutine) {
	if !c.awake {
		c.awake = true
		g.ready = append(g.ready, c)
	}
}

// Wait blocks the running coroutine until one of the bells rings.
func (g *Group) Wait(bells ...*Bell) { g.wait(nil, bells) }

// Await blocks the running coroutine until cond holds or one of the bells rings. cond is tried at once, and then
// whenever no coroutine can run.
func (g *Group) Await(cond func() bool, bells ...*Bell) {
	if !cond() {
		g.wait(cond, bells)
	}
}

func (g *Group) wait(cond func() bool, bells []*Bell) {
	c := g.current.Load()
	if c == nil {
		panic("clew: waiting is not possible here: this runs outside of the workflow's coroutines, as query handlers and conditions do")
	}
	if cap(c.waits) < len(bells) {
		c.waits = make([]node, 0, len(bells))
	}
	c.waits = c.waits[:len(bells)]
	for i, b := range bells {
		c.waits[i] = node{c: c, bell: b}
		b.waiting.push(&c.waits[i])
	}
	if c.cond = cond; cond != nil {
		g.trying.push(&c.try)
	}
	if g.Parks != nil {
		g.Parks(c)
	}
	alive := c.thread.yield(struct{}{})
	c.unlink()
	if !alive {
		panic(errStopped)
	}
}

// unlink takes c off everything that it waits for.
func (c *Coroutine) unlink() {
	for i := range c.waits {
		c.waits[i].unlink()
	}
	c.waits = c.waits[:0]
	c.try.unlink()
	c.cond = nil
}

// Stop unwinds every coroutine that has not returned. The group cannot be used after it.
func (g *Group) Stop() {
	g.stopped = true
	for g.living.first != nil {
		c := g.living.first.c
		c.life.unlink()
		g.current.Store(c) // what its deferred calls do, they do as this coroutine
		c.thread.stop()
		g.current.Store(nil)
	}
	g.ready, g.next = nil, 0
}

// Idle reports whether every coroutine has returned.
func (g *Group) Idle() bool { return g.living.first == nil }

// Reachable reports whether something from outside may wake a coroutine. conditions says whether what comes from outside
// may make a condition hold.
func (g *Group) Reachable(conditions bool) bool {
	for n := g.living.first; n != nil; n = n.next {
		if conditions && n.c.cond != nil {
			return true
		}
		for i := range n.c.waits {
			if n.c.waits[i].bell.Outside {
				return true
			}
		}
	}
	return false
}

// A Blocked says what a coroutine waits for.
type Blocked struct {
	Coroutine string
	For       []string // in words
	Bells     []*Bell  // of those words, in the same order; nil for a condition
	Of        *Coroutine
}

// Blocked lists the coroutines that wait, in the order in which they began to live.
func (g *Group) Blocked() []Blocked {
	var all []Blocked
	for n := g.living.first; n != nil; n = n.next {
		b := Blocked{Coroutine: n.c.Name, Of: n.c}
		for i := range n.c.waits {
			bell := n.c.waits[i].bell
			if bell.About != nil {
				b.For, b.Bells = append(b.For, bell.About()), append(b.Bells, bell)
			}
		}
		if n.c.cond != nil {
			b.For, b.Bells = append(b.For, "a condition"), append(b.Bells, nil)
		}
		all = append(all, b)
	}
	return all
}
