// Package threads has goroutines, channels and locks.
package threads

import (
	"sync"
	"sync/atomic"

	"github.com/clewflow/clew/workflow"
)

type shelf struct {
	sync.Mutex
	inner sync.RWMutex
	once  sync.Once
	n     atomic.Int64
}

func Work(ctx workflow.Context, s *shelf) {
	go func() {}()         // want `^a go statement runs when the scheduler likes; use workflow.Go$`
	c := make(chan int, 1) // want `^making a channel is in no history, .*; use workflow.NewChannel$`
	c <- 1                 // want `^sending to a channel `
	v, ok := <-c           // want `^receiving from a channel `
	_, _ = v, ok           //
	close(c)               // want `^closing a channel `
	for range c {          // want `^range over a channel `
	} //
	select { // want `^a select statement takes by chance what is ready; use workflow.Select$`
	case c <- 2: //
		go println() // want `a go statement`
	default: //
	} //
	s.Lock()                   // want `^sync.Mutex.Lock is for threads, .*; use workflow.Mutex, WaitGroup or Semaphore`
	s.Unlock()                 // goes with it
	s.inner.RLock()            // want `^sync.RWMutex.RLock `
	defer s.inner.RUnlock()    //
	s.once.Do(func() {})       // want `^sync.Once.Do `
	s.n.Add(1)                 // want `^atomic.Int64.Add `
	var n int64                //
	atomic.AddInt64(&n, 1)     // want `^atomic.AddInt64 `
	_ = sync.OnceValue(mk)     // want `^sync.OnceValue `
	_ = sync.NewCond(&s.inner) // want `^sync.NewCond `
	new(sync.Pool).Get()       // want `^sync.Pool.Get `
	new(sync.Map).Store(1, 2)  // want `^sync.Map.Store `
	new(sync.WaitGroup).Wait() // want `^sync.WaitGroup.Wait `
	new(sync.Cond).Wait()      // want `^sync.Cond.Wait `
	print("x")                 // want `^print is said again each time`
}

func mk() int { return len(make([]int, 1)) + len(make(map[int]int, 1)) }

func Fine(ctx workflow.Context) error {
	c := workflow.NewChannel[int](1)
	var g workflow.WaitGroup
	g.Go(ctx, func(ctx workflow.Context) { _ = c.Send(ctx, 1) })
	workflow.Go(ctx, func(ctx workflow.Context) { _, _ = c.Receive(ctx) })
	return g.Wait(ctx)
}
