package coro

import (
	"iter"
	"runtime"
	"sync"
	"sync/atomic"
)

// A Pool keeps what coroutines run on, because a stack that has been used has the right size. A nil Pool keeps nothing. It
// may be used by many groups, each on its own goroutine.
type Pool struct {
	mu     sync.Mutex
	idle   []*thread
	most   int
	closed bool
}

// NewPool makes a pool that keeps up to most threads.
func NewPool(most int) *Pool { return &Pool{most: most} }

// A thread runs one coroutine after the other.
type thread struct {
	run    func() // the coroutine to be run next
	yield  func(struct{}) bool
	resume func() (struct{}, bool)
	stop   func()
	ended  bool // its coroutine has returned
	id     atomic.Uint64
}

// Here is the number of the calling goroutine, by which its stack is headed. It costs about a microsecond.
func Here() (n uint64) {
	var head [64]byte
	for _, c := range head[len("goroutine "):runtime.Stack(head[:], false)] {
		if c < '0' || c > '9' {
			break
		}
		n = 10*n + uint64(c-'0')
	}
	return n
}

// start takes a thread, or makes one, for a coroutine.
func (p *Pool) start(run func()) *thread {
	if t := p.take(); t != nil {
		t.run, t.ended = run, false
		return t
	}
	t := &thread{run: run}
	t.resume, t.stop = iter.Pull(func(yield func(struct{}) bool) {
		t.yield = yield
		t.id.Store(Here())
		for {
			t.run()
			t.run, t.ended = nil, true
			if !yield(struct{}{}) {
				return
			}
		}
	})
	return t
}

func (p *Pool) take() *thread {
	if p == nil {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.idle) == 0 {
		return nil
	}
	t := p.idle[len(p.idle)-1]
	p.idle = p.idle[:len(p.idle)-1]
	return t
}

// release keeps a thread whose coroutine has returned, or ends it.
func (p *Pool) release(t *thread) {
	if p != nil {
		p.mu.Lock()
		if !p.closed && len(p.idle) < p.most {
			p.idle = append(p.idle, t)
			p.mu.Unlock()
			return
		}
		p.mu.Unlock()
	}
	t.stop()
}

// Close ends the threads that are kept.
func (p *Pool) Close() {
	p.mu.Lock()
	idle := p.idle
	p.idle, p.closed = nil, true
	p.mu.Unlock()
	for _, t := range idle {
		t.stop()
	}
}
