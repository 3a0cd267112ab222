// Cluster shows several nodes sharing the work of one EventStoreDB, while some of them come to grief.
//
//	go run ./examples/cluster
//
// It starts a stand-in for the server, three nodes, which reach it each through a proxy, and four clients, who ask the nodes to
// start some thousand orders and tell these, each through another node, of one to three parcels that are packed. Server and nodes are
// processes of their own. Meanwhile a node is killed with SIGKILL, another one joins, one is stopped for three times its lease and wakes
// up with work in hand, one is replaced by another of the same name, and one is cut off from the server. A client who gets no answer
// asks another node, with the same request id. In the end a table says what became of the orders:
//
//	orders                                 2000 in 35.05s
//	completed                              2000
//	lost                                   0
//	signals accepted, and told once        3962
//	requests, and asked again              5962, 219
//	histories with a flaw                  0
//	activities made twice                  0
//	made again after a node's trouble      6
//
// The exit code is 0 if none is lost, every signal was told once, every history holds and replays, nothing was done twice unless who
// did it first had trouble at that time, and after each trouble every open order got on within 10 s,
// or three leases.
//
// With one or two nodes the story leaves out what needs more, and says so. -calm tells none, -seed plays random trouble instead, which kills
// the server too, and -quiet says only how it ends. If this program dies, so do those that it has started.
//
// What a node runs is in order.go, and how it joins in node.go: there is nothing else that nodes have in common. request.go is how it
// is asked. The rest is the trouble, the clients and the witness.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	if work := role(); work != nil {
		end(work())
	}
	o := options{out: os.Stdout}
	flag.IntVar(&o.orders, "orders", 2000, "how many orders")
	flag.IntVar(&o.nodes, "nodes", 3, "how many nodes at the beginning")
	flag.DurationVar(&o.lease, "lease", 4*time.Second, "after which a silent node is taken for dead")
	flag.DurationVar(&o.within, "for", 30*time.Second, "over how long a time the orders come in")
	flag.Uint64Var(&o.seed, "seed", 0, "of random trouble instead of the story; 0: the story")
	calm := flag.Bool("calm", false, "nothing befalls the nodes")
	quiet := flag.Bool("quiet", false, "say what became of the orders, and not what happens")
	flag.Parse()
	err := o.check()
	if flag.NArg() > 0 {
		err = fmt.Errorf("%q is not understood; everything is said by flags, see -help", flag.Arg(0))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	if *quiet {
		o.out = io.Discard
	}
	var acts []act
	switch {
	case *calm:
	case o.seed != 0:
		acts = chaos(o.seed, o)
	default:
		acts = story(o)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	r, err := play(ctx, o, acts)
	if err == nil {
		r.print(os.Stdout)
		err = r.verdict()
	}
	end(err)
}

// role is what this process was started to be by another of this program; nil: it is the one that starts the others.
func role() func() error {
	if name := os.Getenv(nameVariable); name != "" {
		return func() error { return work(name) }
	}
	if address := os.Getenv(listenVariable); address != "" {
		return func() error { return serve(address) }
	}
	return nil
}

func end(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// options say how much is played.
type options struct {
	orders, nodes int
	lease, within time.Duration
	seed          uint64 // of the trouble, and of what is ordered
	out           io.Writer
	kin           *os.File // every process inherits it, so it is closed when all have ended; nil: nothing
}

// check refuses what makes no sense.
func (o options) check() error {
	switch {
	case o.nodes < 1 || o.nodes > 20:
		return fmt.Errorf("-nodes is %d; give a number from 1 to 20", o.nodes)
	case o.orders < 1:
		return fmt.Errorf("-orders is %d; give a number from 1 on", o.orders)
	case o.lease < 200*time.Millisecond:
		return fmt.Errorf("-lease is %s; give 200ms or more", o.lease)
	case o.within <= 0:
		return fmt.Errorf("-for is %s; give a time above 0, such as 30s", o.within)
	}
	return nil
}

// limit is how long an order may wait for progress when a trouble is over. With a long lease that is longer: who was cut off may have
// been buried, and comes back as another.
func (o options) limit() time.Duration { return max(10*time.Second, 3*o.lease) }

// play plays a story, and returns what became of the orders.
func play(ctx context.Context, o options, acts []act) (report, error) {
	ctx, cancel := context.WithTimeout(ctx, o.within+2*time.Minute)
	defer cancel()
	s := &stage{options: o, nodes: map[string]*process{}, began: time.Now()}
	var r report
	err := s.open(ctx)
	if err == nil {
		r, err = s.play(ctx, acts)
	}
	return r, errors.Join(err, s.close())
}
