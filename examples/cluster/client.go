package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

// patience is how long a client waits for an answer before it asks another node.
const patience = 2 * time.Second

// client asks nodes for something, each time another one, and again with the same request id until it has an answer.
type client struct {
	s    *stage
	name string

	mu   sync.Mutex
	rand *rand.Rand
}

// counts are what was asked.
type counts struct{ requests, repeated atomic.Int64 }

// ask returns when a node has said yes, with what it said if that was no, or with the end of ctx.
func (c *client) ask(ctx context.Context, r request) error {
	c.s.asked.requests.Add(1)
	var last *process
	for tries := 0; ctx.Err() == nil; tries++ {
		p := c.node(last)
		if p == nil {
			pause(ctx, 50*time.Millisecond) // nobody is there, or nobody answers
			last = nil
			continue
		}
		if tries > 0 {
			c.s.asked.repeated.Add(1)
		}
		a := p.ask(ctx, r)
		if !a.Unknown {
			if a.Error != "" {
				return fmt.Errorf("%s is refused %s by %s at try %d: %s", c.name, r.ID, p.name, tries+1, a.Error)
			}
			return nil
		}
		last = p
	}
	return context.Cause(ctx)
}

// node chooses one that answers, and not the one that did not answer last if there is another.
func (c *client) node(last *process) *process {
	all := c.s.answering()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.rand.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	for _, p := range all {
		if p != last {
			return p
		}
	}
	return nil
}
