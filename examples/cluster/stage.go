package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/internal/proxy"
	"github.com/clewflow/clew/store/eventstore"
)

// howManyClients there are.
const howManyClients = 4

// stage is where the story is played: the server, the nodes, the clients, and the one who watches.
type stage struct {
	options
	dir     string
	server  *process
	address string // of the server
	log     *eventstore.Log
	clients []*client
	asked   counts
	watch   *watch
	began   time.Time

	mu    sync.Mutex
	nodes map[string]*process
	old   []*process // that were followed by others, or by nobody
}

// open starts the server and the nodes. The caller closes the stage, also after an error.
func (s *stage) open(ctx context.Context) (err error) {
	if s.dir, err = os.MkdirTemp("", "clew-cluster-"); err != nil {
		return err
	}
	if err := os.WriteFile(s.witness(), nil, 0o600); err != nil {
		return err
	}
	if err := s.startServer("127.0.0.1:0"); err != nil {
		return err
	}
	if s.log, err = eventstore.Open(ctx, s.url(s.address), eventstore.Options{}); err != nil {
		return err
	}
	s.watch = newWatch(s.log, s.lease)
	for i := range howManyClients {
		s.clients = append(s.clients, &client{s: s, name: fmt.Sprint("client-", i+1), rand: rand.New(rand.NewPCG(s.seed, uint64(i)))})
	}
	for i := range s.options.nodes {
		if err := s.join(nodeName(i + 1)); err != nil {
			return err
		}
	}
	return s.watch.wait(ctx, s.options.nodes)
}

func nodeName(n int) string { return fmt.Sprint("node-", n) }

func (s *stage) witness() string { return filepath.Join(s.dir, "witness") }

func (s *stage) file() string { return filepath.Join(s.dir, "server") }

func (s *stage) complaints(of string) string { return filepath.Join(s.dir, of+".log") }

func (s *stage) url(address string) string { return "esdb://" + address + "?tls=false" }

func (s *stage) id(order string) history.ID { return history.ID{Namespace: "default", Workflow: order} }

func (s *stage) say(format string, args ...any) {
	fmt.Fprintf(s.out, "%6.1fs  %s\n", time.Since(s.began).Seconds(), fmt.Sprintf(format, args...))
}

// node finds one that is there.
func (s *stage) node(name string) (*process, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p := s.nodes[name]; p != nil {
		return p, nil
	}
	return nil, fmt.Errorf("there is no %s", name)
}

// answering are the nodes that are worth asking.
func (s *stage) answering() (all []*process) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.nodes {
		if p.answers() {
			all = append(all, p)
		}
	}
	return all
}

// join starts a node. One of the same name that was there before is there no more.
func (s *stage) join(name string) error {
	way, err := proxy.Listen(s.address)
	if err != nil {
		return err
	}
	s.watch.expects(name)
	p, err := spawn(name, s.complaints(name), s.kin, nil, nameVariable+"="+name, storeVariable+"="+s.url(way.Address()),
		leaseVariable+"="+s.lease.String(), witnessVariable+"="+s.witness())
	if err != nil {
		return errors.Join(err, way.Close())
	}
	p.proxy = way
	s.mu.Lock()
	defer s.mu.Unlock()
	if before := s.nodes[name]; before != nil {
		s.old = append(s.old, before)
	}
	s.nodes[name] = p
	return nil
}

// kill ends a node at once.
func (s *stage) kill(name string) error {
	p, err := s.node(name)
	if err != nil {
		return err
	}
	s.watch.struck(name)
	err = p.end(syscall.SIGKILL)
	s.watch.healed(name, time.Now().Add(s.lease))
	s.mu.Lock()
	defer s.mu.Unlock()
	s.old = append(s.old, p)
	delete(s.nodes, name)
	return err
}

// replace starts another node of the same name and then ends the one before, as a rolling update does.
func (s *stage) replace(name string) error {
	before, err := s.node(name)
	if err != nil {
		return err
	}
	if err := s.join(name); err != nil {
		return err
	}
	return before.end(syscall.SIGTERM)
}

// strike begins a trouble of a node.
func (s *stage) strike(name string, how func(*process) error) error {
	p, err := s.node(name)
	if err != nil {
		return err
	}
	s.watch.struck(name)
	return how(p)
}

// relieve ends it.
func (s *stage) relieve(name string, how func(*process) error) error {
	p, err := s.node(name)
	if err != nil {
		return err
	}
	err = how(p)
	s.watch.healed(name, time.Now())
	return err
}

// Troubles and their ends: a node sleeps as if its machine did, its way to the server is cut, or swallows everything.
func sleeps(p *process) error  { return p.cmd.Process.Signal(syscall.SIGSTOP) }
func wakes(p *process) error   { return p.cmd.Process.Signal(syscall.SIGCONT) }
func cut(p *process) error     { p.proxy.Cut(); return nil }
func heal(p *process) error    { p.proxy.Heal(); return nil }
func stall(p *process) error   { p.proxy.Stall(); return nil }
func resumes(p *process) error { p.proxy.Resume(); return nil }

// play lets orders come in one after the other and what is to happen happen, and waits for the orders.
func (s *stage) play(ctx context.Context, acts []act) (report, error) {
	s.began = time.Now()
	if s.options.nodes == 1 {
		s.say("node-1 has the server at %s for itself", s.url(s.address))
	} else {
		s.say("%d nodes share the server at %s", s.options.nodes, s.url(s.address))
	}
	var done, started atomic.Int64
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		for _, a := range acts {
			if !pause(ctx, a.at-time.Since(s.began)) {
				return context.Cause(ctx)
			}
			s.say("%s (%d orders begun, %d done)", a.what, started.Load(), done.Load())
			if a.do == nil {
				continue
			}
			if err := a.do(s); err != nil {
				return errors.Join(fmt.Errorf("%s: %w", a.what, err), errors.Join(s.fallen()...))
			}
		}
		return nil
	})
	wanted := purchases(s.orders, s.seed)
	failed := make([]error, s.orders)
	for i, p := range wanted {
		if !pause(ctx, s.within*time.Duration(i)/time.Duration(s.orders)-time.Since(s.began)) {
			break
		}
		g.Go(func() error {
			started.Add(1)
			failed[i] = s.order(ctx, i, p)
			done.Add(1)
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return report{}, err
	}
	if ctx.Err() != nil && len(wanted) > 0 && started.Load() < int64(len(wanted)) {
		return report{}, context.Cause(ctx)
	}
	s.say("all orders are done")
	return s.judge(wanted, failed)
}

// fallen are the processes that have ended though nobody had told them to.
func (s *stage) fallen() (all []error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range append(slices.Collect(maps.Values(s.nodes)), append(s.old, s.server)...) {
		if err := p.fell(); err != nil {
			all = append(all, err)
		}
	}
	return all
}

// purchases are of one to three parcels.
func purchases(n int, seed uint64) []purchase {
	rng := rand.New(rand.NewPCG(seed, 2))
	all := make([]purchase, n)
	for i := range all {
		all[i] = purchase{Order: fmt.Sprintf("order-%05d", i), Parcels: 1 + rng.IntN(3)}
	}
	return all
}

func (p purchase) start() string { return p.Order + "-start" }

func (p purchase) parcel(n int) string { return fmt.Sprintf("%s-parcel-%d", p.Order, n) }

// order lets one client start an order and others tell it of its parcels, all at once, and waits until it is done.
func (s *stage) order(ctx context.Context, i int, p purchase) error {
	of := func(n int) *client { return s.clients[n%len(s.clients)] }
	if err := of(i).ask(ctx, request{ID: p.start(), Order: p.Order, Start: p.Parcels}); err != nil {
		return err
	}
	g, ctx := errgroup.WithContext(ctx)
	for n := range p.Parcels {
		g.Go(func() error {
			return of(i+1+n).ask(ctx, request{ID: p.parcel(n), Order: p.Order, Parcel: p.parcel(n)})
		})
	}
	g.Go(func() error { return s.watch.completed(ctx, p.Order) })
	return g.Wait()
}

// close ends everything that was started.
func (s *stage) close() error {
	var all []error
	ending := slices.Clone(s.old)
	for _, p := range s.nodes {
		ending = append(ending, p)
		all = append(all, p.end(0))
	}
	var g errgroup.Group
	for _, p := range ending {
		g.Go(p.bury)
	}
	all = append(all, g.Wait())
	if s.watch != nil {
		s.watch.close()
	}
	if s.log != nil {
		all = append(all, s.log.Close())
	}
	if s.server != nil {
		all = append(all, s.server.end(0), s.server.bury())
	}
	return errors.Join(append(all, os.RemoveAll(s.dir))...)
}
