package main

import (
	"maps"
	"math/rand/v2"
	"slices"
	"time"
)

// Bounds of chaos: of the processes, and of those that are well, without whom each take-over would wait for the next one.
const (
	mostNodes  = 5
	leastNodes = 2
)

// breath is for how many leases the server is left alone after it was killed. Without it nobody gets on: who lost it is buried, comes back
// as another and takes up his work, all of which needs the server.
const breath = 6

// chaos is trouble from a seed, a piece of it every lease or so. At each moment some nodes are well, but for the server, without
// which none is.
func chaos(seed uint64, o options) (acts []act) {
	rng := rand.New(rand.NewPCG(seed, 1))
	ill := map[string]time.Duration{} // until when
	for i := range o.nodes {
		ill[nodeName(i+1)] = 0
	}
	next := o.nodes + 1
	served := 2 * o.lease // from when on the server may be killed
	add := func(at time.Duration, what string, do func(*stage) error) { acts = append(acts, act{at, what, do}) }
	for at := o.lease; at < o.within; at += o.lease/2 + time.Duration(rng.Int64N(int64(o.lease))) {
		var well []string
		for _, name := range slices.Sorted(maps.Keys(ill)) {
			if ill[name] < at {
				well = append(well, name)
			}
		}
		kind := rng.IntN(7)
		if kind == 6 && at < served {
			kind = rng.IntN(6)
		}
		switch {
		case len(well) <= leastNodes && len(ill) >= mostNodes:
			continue
		case len(well) <= leastNodes:
			kind = 0
		case kind == 0 && len(ill) >= mostNodes:
			kind = 1
		}
		if kind == 0 {
			name := nodeName(next)
			next++
			ill[name] = at + o.lease // until it works
			add(at, name+" joins", func(s *stage) error { return s.join(name) })
			continue
		}
		victim := well[rng.IntN(len(well))]
		lasts := o.lease/2 + time.Duration(rng.Int64N(int64(5*o.lease/2)))
		back := func(what string, do func(*stage) error) {
			ill[victim] = at + lasts
			add(at+lasts, victim+what, do)
		}
		switch kind {
		case 1:
			delete(ill, victim)
			add(at, victim+" is killed", func(s *stage) error { return s.kill(victim) })
		case 2:
			add(at, victim+" is stopped", func(s *stage) error { return s.strike(victim, sleeps) })
			back(" goes on", func(s *stage) error { return s.relieve(victim, wakes) })
		case 3:
			add(at, victim+" is cut off", func(s *stage) error { return s.strike(victim, cut) })
			back(" is connected again", func(s *stage) error { return s.relieve(victim, heal) })
		case 4:
			add(at, "nothing reaches "+victim+", or comes from it", func(s *stage) error { return s.strike(victim, stall) })
			back(" is reached again", func(s *stage) error { return s.relieve(victim, resumes) })
		case 5:
			add(at, victim+" is replaced by another one of its name", func(s *stage) error { return s.replace(victim) })
		default:
			served = at + breath*o.lease
			down := time.Duration(rng.Int64N(int64(o.lease)))
			add(at, "the server is killed, and started again", func(s *stage) error { return s.restart(down) })
		}
	}
	slices.SortStableFunc(acts, func(a, b act) int { return int(a.at - b.at) })
	return acts
}
