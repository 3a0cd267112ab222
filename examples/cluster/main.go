// Cluster shows several nodes sharing the work of one EventStoreDB, while some of them come to grief.
//
//	go run ./examples/cluster
//
// It starts a stand-in for the server, three nodes, which are processes of their own and reach it each through a proxy, and some
// thousand orders. Meanwhile a node is killed with SIGKILL, another one joins, one is stopped for three times its lease and wakes up
// with work in hand, one is cut off from the server, and one is replaced by another of the same name. In the end a table says what
// became of the orders: the exit code is 0 if none is lost and nothing was done twice that should not have been.
//
// What a node runs is in order.go, and how it joins in node.go: there is nothing else that nodes have in common. The rest is the
// trouble and the witness.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	if name := os.Getenv(nameVariable); name != "" {
		if err := work(name); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	o := options{out: os.Stdout}
	flag.IntVar(&o.orders, "orders", 2000, "how many orders")
	flag.IntVar(&o.nodes, "nodes", 3, "how many nodes at the beginning")
	flag.DurationVar(&o.lease, "lease", 4*time.Second, "after which a silent node is taken for dead")
	flag.DurationVar(&o.within, "for", 30*time.Second, "over how long a time the orders come in")
	calm := flag.Bool("calm", false, "nothing befalls the nodes")
	flag.Parse()
	acts := story(o)
	if *calm {
		acts = nil
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	r, err := play(ctx, o, acts)
	if err == nil {
		r.print(os.Stdout)
		err = r.verdict()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// options say how much is played.
type options struct {
	orders, nodes int
	lease, within time.Duration
	file          string // of the server, so that it survives; empty: in memory
	out           interface{ Write([]byte) (int, error) }
}

// act is something that happens at a moment after the beginning.
type act struct {
	at   time.Duration
	what string
	do   func(*stage) error
}

// story is the trouble of the example.
func story(o options) []act {
	part := func(n int) time.Duration { return o.within * time.Duration(n) / 10 }
	return []act{
		{part(1), "node-1 is killed", func(s *stage) error { return s.kill("node-1") }},
		{part(2), "node-4 joins", func(s *stage) error { return s.join("node-4") }},
		{part(3), "node-2 is stopped for three leases", func(s *stage) error { return s.stop("node-2") }},
		{part(3) + 3*o.lease, "node-2 goes on", func(s *stage) error { return s.goOn("node-2") }},
		{part(4) + 3*o.lease, "node-4 is replaced by another one of its name", func(s *stage) error { return s.replace("node-4") }},
		{part(5) + 3*o.lease, "node-3 is cut off from the server for two leases", func(s *stage) error { return s.cut("node-3") }},
		{part(5) + 5*o.lease, "node-3 reaches the server again", func(s *stage) error { return s.heal("node-3") }},
	}
}

// play plays a story, and returns what became of the orders.
func play(ctx context.Context, o options, acts []act) (report, error) {
	ctx, cancel := context.WithTimeout(ctx, o.within+3*time.Minute)
	defer cancel()
	s, err := open(o)
	if err != nil {
		return report{}, err
	}
	r, err := s.play(ctx, acts)
	return r, errors.Join(err, s.close())
}
