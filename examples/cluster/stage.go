package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/internal/proxy"
	"github.com/clewflow/clew/runtime"
	"github.com/clewflow/clew/store/eventstore"
	"github.com/clewflow/clew/store/eventstore/esdbtest"
)

// stage is where the story is played: the server, the nodes, and the one who sends orders and watches.
type stage struct {
	options
	dir    string
	server *esdbtest.Server
	log    *eventstore.Log
	client *runtime.Runtime // starts orders and waits for them, and works on none
	nodes  map[string]*process
	old    []*process
	watch  *watch
	stderr *os.File
	began  time.Time
}

// process is a node and its way to the server.
type process struct {
	name  string
	cmd   *exec.Cmd
	proxy *proxy.Proxy
	ended chan error
}

func open(o options) (s *stage, err error) {
	s = &stage{options: o, nodes: map[string]*process{}, began: time.Now()}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close())
		}
	}()
	if s.dir, err = os.MkdirTemp("", "clew-cluster-"); err != nil {
		return s, err
	}
	if err := os.WriteFile(s.witness(), nil, 0o600); err != nil {
		return s, err
	}
	if s.stderr, err = os.Create(filepath.Join(s.dir, "nodes.log")); err != nil {
		return s, err
	}
	if s.server, err = esdbtest.Start(esdbtest.Options{File: o.file}); err != nil {
		return s, err
	}
	silent := slog.New(slog.DiscardHandler)
	if s.log, err = eventstore.Open(context.Background(), s.server.URL(), eventstore.Options{}); err != nil {
		return s, err
	}
	if s.client, err = runtime.Open(context.Background(), runtime.Config{Store: s.server.URL(), Logger: silent}, order, charge, ship); err != nil {
		return s, err
	}
	s.watch = newWatch(s.log)
	for i := range o.nodes {
		if err := s.join(fmt.Sprint("node-", i+1)); err != nil {
			return s, err
		}
	}
	return s, s.watch.wait(o.nodes)
}

func (s *stage) witness() string { return filepath.Join(s.dir, "witness") }

func (s *stage) say(format string, args ...any) {
	fmt.Fprintf(s.out, "%6.1fs  %s\n", time.Since(s.began).Seconds(), fmt.Sprintf(format, args...))
}

// join starts a node.
func (s *stage) join(name string) error {
	program, err := os.Executable()
	if err != nil {
		return err
	}
	p := &process{name: name, cmd: exec.Command(program), ended: make(chan error, 1)}
	if p.proxy, err = proxy.Listen(s.server.Address(0)); err != nil {
		return err
	}
	p.cmd.Env = append(os.Environ(), nameVariable+"="+name, storeVariable+"=esdb://"+p.proxy.Address()+"?tls=false",
		leaseVariable+"="+s.lease.String(), witnessVariable+"="+s.witness())
	p.cmd.Stderr = s.stderr
	if err := p.cmd.Start(); err != nil {
		return errors.Join(err, p.proxy.Close())
	}
	go func() { p.ended <- p.cmd.Wait() }()
	s.nodes[name] = p
	return nil
}

func (s *stage) signal(name string, what syscall.Signal) error {
	p := s.nodes[name]
	if p == nil {
		return fmt.Errorf("there is no %s", name)
	}
	return p.cmd.Process.Signal(what)
}

// kill ends a node at once.
func (s *stage) kill(name string) error {
	err := s.signal(name, syscall.SIGKILL)
	s.watch.died(name)
	s.old = append(s.old, s.nodes[name])
	delete(s.nodes, name)
	return err
}

// stop stops a node as if its machine slept.
func (s *stage) stop(name string) error {
	s.watch.died(name)
	return s.signal(name, syscall.SIGSTOP)
}

func (s *stage) goOn(name string) error { return s.signal(name, syscall.SIGCONT) }

func (s *stage) cut(name string) error {
	s.watch.died(name)
	s.nodes[name].proxy.Cut()
	return nil
}

func (s *stage) heal(name string) error {
	s.nodes[name].proxy.Heal()
	return nil
}

// replace starts another node of the same name and then ends the one before, as a rolling update does.
func (s *stage) replace(name string) error {
	before := s.nodes[name]
	if err := s.join(name); err != nil {
		return err
	}
	s.old = append(s.old, before)
	return before.cmd.Process.Signal(syscall.SIGTERM)
}

// play starts orders one after the other, lets happen what is to happen, and waits for the orders.
func (s *stage) play(ctx context.Context, acts []act) (report, error) {
	s.began = time.Now()
	s.say("%d nodes share the server at %s", len(s.nodes), s.server.URL())
	var done, started atomic.Int64
	var g errgroup.Group
	g.Go(func() error {
		for _, a := range acts {
			select {
			case <-time.After(a.at - time.Since(s.began)):
			case <-ctx.Done():
				return ctx.Err()
			}
			s.say("%s (%d orders begun, %d done)", a.what, started.Load(), done.Load())
			if err := a.do(s); err != nil {
				return fmt.Errorf("%s: %w", a.what, err)
			}
		}
		return nil
	})
	failed := make([]error, s.orders)
	for i := range s.orders {
		select {
		case <-time.After(s.within*time.Duration(i)/time.Duration(s.orders) - time.Since(s.began)):
		case <-ctx.Done():
		}
		g.Go(func() error {
			id := fmt.Sprintf("order-%05d", i)
			h, err := runtime.Start(ctx, s.client, id, order, id)
			if started.Add(1); err == nil {
				_, err = h.Result(ctx)
			}
			done.Add(1)
			failed[i] = err
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return report{}, err
	}
	s.say("all orders are done")
	return s.judge(failed)
}

// close ends everything that was started.
func (s *stage) close() error {
	var all []error
	for _, p := range s.nodes {
		s.old = append(s.old, p)
		_ = p.cmd.Process.Signal(syscall.SIGCONT)
		_ = p.cmd.Process.Signal(syscall.SIGTERM) // it may have ended
	}
	for _, p := range s.old {
		select {
		case <-p.ended:
		case <-time.After(10 * time.Second):
			all = append(all, fmt.Errorf("%s does not end and is killed", p.name), p.cmd.Process.Kill())
			<-p.ended
		}
		all = append(all, p.proxy.Close())
	}
	if s.watch != nil {
		s.watch.close()
	}
	for _, c := range []io.Closer{s.client, s.log, s.server} {
		if !isNil(c) {
			all = append(all, c.Close())
		}
	}
	if s.stderr != nil {
		all = append(all, s.stderr.Close())
	}
	return errors.Join(append(all, os.RemoveAll(s.dir))...)
}

func isNil(c io.Closer) bool {
	switch c := c.(type) {
	case *runtime.Runtime:
		return c == nil
	case *eventstore.Log:
		return c == nil
	case *esdbtest.Server:
		return c == nil
	}
	return c == nil
}

func (s *stage) id(order string) history.ID { return history.ID{Namespace: "default", Workflow: order} }
