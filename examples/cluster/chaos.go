package main

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/clewflow/clew/store/eventstore/esdbtest"
)

// chaos is trouble from a seed, a piece of it every half lease or so. At each moment one node at least is well.
func chaos(seed uint64, o options) (acts []act) {
	rng := rand.New(rand.NewPCG(seed, 1))
	var well []string
	for i := range o.nodes {
		well = append(well, fmt.Sprint("node-", i+1))
	}
	next := o.nodes + 1
	add := func(at time.Duration, what string, do func(*stage) error) { acts = append(acts, act{at, what, do}) }
	for at := o.lease; at < o.within; at += o.lease/4 + time.Duration(rng.Int64N(int64(o.lease/2))) {
		victim := well[rng.IntN(len(well))]
		lasts := o.lease/2 + time.Duration(rng.Int64N(int64(5*o.lease/2)))
		back := func(what string, do func(*stage) error) {
			well = slices.DeleteFunc(well, func(n string) bool { return n == victim })
			add(at+lasts, victim+what, do)
		}
		switch n := rng.IntN(7); {
		case n == 0 || len(well) == 1:
			name := fmt.Sprint("node-", next)
			next++
			well = append(well, name)
			add(at, name+" joins", func(s *stage) error { return s.join(name) })
		case n == 1:
			well = slices.DeleteFunc(well, func(n string) bool { return n == victim })
			add(at, victim+" is killed", func(s *stage) error { return s.kill(victim) })
		case n == 2:
			add(at, victim+" is stopped", func(s *stage) error { return s.stop(victim) })
			back(" goes on", func(s *stage) error { return s.goOn(victim) })
		case n == 3:
			add(at, victim+" is cut off", func(s *stage) error { return s.cut(victim) })
			back(" is connected again", func(s *stage) error { return s.heal(victim) })
		case n == 4:
			add(at, "nothing reaches "+victim+", or comes from it", func(s *stage) error { return s.stall(victim) })
			back(" is reached again", func(s *stage) error { return s.resume(victim) })
		case n == 5:
			add(at, victim+" is replaced by another one of its name", func(s *stage) error { return s.replace(victim) })
		default:
			add(at, "the server is started anew", (*stage).restart)
		}
	}
	slices.SortStableFunc(acts, func(a, b act) int { return int(a.at - b.at) })
	return acts
}

func (s *stage) stall(name string) error {
	s.watch.died(name)
	s.nodes[name].proxy.Stall()
	return nil
}

func (s *stage) resume(name string) error {
	s.nodes[name].proxy.Resume()
	return nil
}

// restart ends the server and starts it again from its file. For as long as that takes nobody reaches it, so whoever has something in
// hand may lose it.
func (s *stage) restart() error {
	for name := range s.nodes {
		s.watch.died(name)
	}
	address := s.server.Address(0)
	if err := s.server.Close(); err != nil {
		return err
	}
	server, err := esdbtest.Start(esdbtest.Options{Address: address, File: s.file})
	if err != nil {
		return err
	}
	s.server = server
	return nil
}
