package workflow

import (
	"errors"
	"fmt"

	"github.com/clewflow/clew/internal/coro"
)

// Go runs fn as a coroutine. It begins when the others wait. The order in which coroutines run is fixed.
func Go(ctx Context, fn func(Context)) {
	ctx.run.driver.Change("beginning a coroutine")
	ctx.run.count++
	ctx.run.group.Go(fmt.Sprint("coroutine ", ctx.run.count), func() { fn(ctx) })
}

// What the bells of this file ring for.
func forCoroutines() string { return "other coroutines" }
func forSemaphore() string  { return "a semaphore" }
func forMutex() string      { return "a mutex" }
func forRoom() string       { return "room in a channel" }
func forValue() string      { return "a value from a channel" }

// WaitGroup waits for coroutines. The zero WaitGroup is ready.
type WaitGroup struct {
	open int
	bell coro.Bell
}

// Go runs fn as a coroutine for which Wait waits.
func (g *WaitGroup) Go(ctx Context, fn func(Context)) {
	g.open++
	Go(ctx, func(ctx Context) {
		fn(ctx)
		if g.open--; g.open == 0 {
			g.bell.Ring()
		}
	})
}

// Wait waits until all coroutines have returned. The error says that the scope ended first.
func (g *WaitGroup) Wait(ctx Context) error {
	for g.open > 0 {
		if err := ctx.Err(); err != nil {
			return err
		}
		ctx.wait(g.bell.For(forCoroutines))
	}
	return nil
}

// Semaphore lets at most n in at once.
type Semaphore struct {
	free int
	bell coro.Bell
}

// NewSemaphore makes a semaphore for n.
func NewSemaphore(n int) *Semaphore { return &Semaphore{free: n} }

// Acquire waits to be let in. The error says that the scope ended first.
func (s *Semaphore) Acquire(ctx Context) error {
	for s.free <= 0 {
		if err := ctx.Err(); err != nil {
			return err
		}
		ctx.wait(s.bell.For(forSemaphore))
	}
	s.free--
	return nil
}

// Release lets another in.
func (s *Semaphore) Release() {
	s.free++
	s.bell.Ring()
}

// Mutex lets one in at a time. The zero Mutex is free.
type Mutex struct {
	locked bool
	bell   coro.Bell
}

// Lock waits for the mutex. The error says that the scope ended first.
func (m *Mutex) Lock(ctx Context) error {
	for m.locked {
		if err := ctx.Err(); err != nil {
			return err
		}
		ctx.wait(m.bell.For(forMutex))
	}
	m.locked = true
	return nil
}

// Unlock frees the mutex.
func (m *Mutex) Unlock() {
	m.locked = false
	m.bell.Ring()
}

// ErrClosed is what receiving from a closed, empty channel returns.
var ErrClosed = errors.New("workflow: the channel is closed")

// Channel passes values between coroutines. As a [Case] it is ready when there is something to receive.
type Channel[T any] struct {
	size   int
	queue  []T
	taken  uint64 // values received so far
	sent   uint64
	closed bool
	filled coro.Bell
	freed  coro.Bell
}

// NewChannel makes a channel that holds up to size values beyond those that are waited for.
func NewChannel[T any](size int) *Channel[T] { return &Channel[T]{size: size} }

// Send passes v on. It waits while the channel is full; without a buffer, until v is received. The error says that the
// scope ended; v may then still be received if it had been put in.
func (c *Channel[T]) Send(ctx Context, v T) error {
	if c.closed {
		panic(stall("send on a closed channel"))
	}
	for c.size > 0 && len(c.queue) >= c.size {
		if err := ctx.Err(); err != nil {
			return err
		}
		ctx.wait(c.freed.For(forRoom))
	}
	c.queue = append(c.queue, v)
	c.sent++
	mine := c.sent
	c.filled.Ring()
	for c.size == 0 && c.taken < mine {
		if err := ctx.Err(); err != nil {
			return err
		}
		ctx.wait(c.freed.For(forRoom))
	}
	return nil
}

// Receive waits for a value. It returns ErrClosed when the channel is closed and empty; any other error says that the
// scope ended.
func (c *Channel[T]) Receive(ctx Context) (v T, err error) {
	for len(c.queue) == 0 {
		if c.closed {
			return v, ErrClosed
		}
		if err := ctx.Err(); err != nil {
			return v, err
		}
		ctx.wait(c.filled.For(forValue))
	}
	v = c.queue[0]
	var none T
	c.queue[0] = none
	c.queue = c.queue[1:]
	c.taken++
	ctx.run.spins = 0
	c.freed.Ring()
	return v, nil
}

// Close says that nothing more is sent.
func (c *Channel[T]) Close() {
	c.closed = true
	c.filled.Ring()
}

func (c *Channel[T]) ready(Context) bool      { return len(c.queue) > 0 || c.closed }
func (c *Channel[T]) bell(Context) *coro.Bell { return c.filled.For(forValue) }
