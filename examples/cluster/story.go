package main

import (
	"fmt"
	"time"
)

// act is something that happens at a moment after the beginning.
type act struct {
	at   time.Duration
	what string
	do   func(*stage) error // nil: it is only said
}

// story is the trouble of the example, as far as there are nodes to go on.
func story(o options) []act {
	part := func(n int) time.Duration { return o.within * time.Duration(n) / 10 }
	if o.nodes == 1 {
		return []act{
			{0, "one node only: that one joins, one sleeps, and one is cut off, needs -nodes 2", nil},
			{part(1), "node-1 is killed, and nobody is there to go on", func(s *stage) error { return s.kill("node-1") }},
			{part(2), "node-1 is started again", func(s *stage) error {
				s.watch.struck("node-1") // until it is there nobody can get on
				defer func() { s.watch.healed("node-1", time.Now().Add(s.lease)) }()
				return s.join("node-1")
			}},
			{part(5) + 2*o.lease, "node-1 is replaced by another one of its name", func(s *stage) error { return s.replace("node-1") }},
		}
	}
	joins, isCut := nodeName(o.nodes+1), "node-3"
	if o.nodes == 2 {
		isCut = "node-2" // that it is another than the one that slept needs three
	}
	acts := []act{
		{part(1), "node-1 is killed", func(s *stage) error { return s.kill("node-1") }},
		{part(2), joins + " joins", func(s *stage) error { return s.join(joins) }},
		{part(3), "node-2 is stopped for three leases", func(s *stage) error { return s.strike("node-2", sleeps) }},
		{part(3) + 3*o.lease, "node-2 goes on", func(s *stage) error { return s.relieve("node-2", wakes) }},
		{part(4) + 3*o.lease, joins + " is replaced by another one of its name", func(s *stage) error { return s.replace(joins) }},
		{part(5) + 3*o.lease, isCut + " is cut off from the server for two leases", func(s *stage) error { return s.strike(isCut, cut) }},
		{part(5) + 5*o.lease, isCut + " reaches the server again", func(s *stage) error { return s.relieve(isCut, heal) }},
	}
	if o.nodes == 2 {
		acts = append([]act{{0, fmt.Sprintf("two nodes only: that %s, which slept, is not the one that is cut off, needs -nodes 3", isCut), nil}}, acts...)
	}
	return acts
}
