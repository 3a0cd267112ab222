package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"
	"time"

	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/store"
)

// watch follows the log from outside and notes who works on what, and who had trouble.
type watch struct {
	lease time.Duration
	stop  context.CancelFunc
	ended chan struct{}
	err   error // why it has ended

	mu       sync.Mutex
	joined   chan struct{}            // closed with the next announcement
	names    map[string]string        // of nodes by their ids, which are new with each life
	heard    map[string]time.Time     // when a node last announced itself, by ids
	expected map[string]int           // how many processes of a name were started
	lives    map[string]int           // how many ids of a name there were
	owner    map[string]string        // of each open order: who decided last
	open     map[string]bool          // orders
	done     map[string]chan struct{} // closed when an order has completed
	entries  map[string]int           // by names of nodes
	buried   []string
	troubles []*trouble
	deaths   []*death
	healings []*healing
}

// death is the end of a node, or what looks like it to others, and how long its orders waited for another.
type death struct {
	name        string
	at          time.Time
	orders      map[string]bool // that were its own and still are
	had         int
	first, last time.Duration // until the first, and the last, of them went on elsewhere
}

// healing is the end of a trouble, and how long what was open then waited for progress: a new entry.
type healing struct {
	name    string
	from    time.Time
	orders  map[string]bool // that have made none yet
	longest time.Duration
	of      string // the order that waited so long
}

// who had the trouble.
func (h healing) who() string {
	if h.name == "" {
		return "the server"
	}
	return h.name
}

func newWatch(log store.Log, lease time.Duration) *watch {
	ctx, stop := context.WithCancel(context.Background())
	w := &watch{
		lease: lease, stop: stop, ended: make(chan struct{}), joined: make(chan struct{}), names: map[string]string{}, heard: map[string]time.Time{},
		expected: map[string]int{}, lives: map[string]int{}, owner: map[string]string{}, open: map[string]bool{}, done: map[string]chan struct{}{},
		entries: map[string]int{},
	}
	go func() {
		defer close(w.ended)
		for r, err := range log.Follow(ctx, store.Position{}) {
			if err != nil {
				w.err = err
				return
			}
			w.see(r)
		}
	}()
	return w
}

func (w *watch) close() {
	w.stop()
	<-w.ended
}

// wait waits until as many nodes have joined.
func (w *watch) wait(ctx context.Context, nodes int) error {
	late := time.After(time.Minute)
	for {
		w.mu.Lock()
		n, joined := len(w.names), w.joined
		w.mu.Unlock()
		if n >= nodes {
			return nil
		}
		select {
		case <-joined:
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-late:
			return errors.New("the nodes do not come up")
		}
	}
}

// completed waits until an order has.
func (w *watch) completed(ctx context.Context, order string) error {
	w.mu.Lock()
	done := w.doneOf(order)
	w.mu.Unlock()
	select {
	case <-done:
		return nil
	case <-w.ended:
		return fmt.Errorf("the log cannot be followed any more: %w", w.err)
	case <-ctx.Done():
		return fmt.Errorf("it has not completed: %w", context.Cause(ctx))
	}
}

func (w *watch) doneOf(order string) chan struct{} {
	if w.done[order] == nil {
		w.done[order] = make(chan struct{})
	}
	return w.done[order]
}

// expects notes that a process is started under a name.
func (w *watch) expects(name string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.expected[name]++
}

// struck notes that a node comes to grief; all of them, if the name is empty, because the server does. Its orders, and
// those of which nobody knows whose they are, are not expected to get on any more until it is healed.
func (w *watch) struck(name string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.troubles = append(w.troubles, &trouble{node: name, from: time.Now()})
	for _, h := range w.healings {
		maps.DeleteFunc(h.orders, func(id string, _ bool) bool { return name == "" || w.owner[id] == "" || w.names[w.owner[id]] == name })
	}
	if name == "" {
		return
	}
	d := &death{name: name, at: time.Now(), orders: map[string]bool{}}
	for order, owner := range w.owner {
		if w.names[owner] == name {
			d.orders[order] = true
		}
	}
	d.had = len(d.orders)
	w.deaths = append(w.deaths, d)
}

// healed notes that the trouble of a node is over, and that everything is to get on from a moment on: at once, or, if the node is dead,
// when a lease has passed.
func (w *watch) healed(name string, from time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, t := range w.troubles {
		if t.node == name && t.to.IsZero() {
			t.to = time.Now()
		}
	}
	w.healings = append(w.healings, &healing{name: name, from: from, orders: maps.Clone(w.open)})
}

func (w *watch) see(r store.Record) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch v := r.Entry.Event.(type) {
	case *history.NodeAnnounced:
		w.announced(r.ID.Workflow, v.Name, r.Entry.At)
	case *history.NodeBuried:
		name := w.names[r.ID.Workflow]
		w.buried = append(w.buried, name)
		w.noticed(name, w.heard[r.ID.Workflow])
	default:
		if r.ID.Family() == "" {
			w.progress(r.ID.Workflow, r.Entry)
		}
	}
}

// announced notes a sign of life, and what those before it say about the node: it stops by itself when three quarters of a lease
// have passed since its last one was recorded, and comes back under another id when it does not hear its own.
func (w *watch) announced(id, name string, at time.Time) {
	last, known := w.heard[id]
	w.heard[id] = at
	if known {
		if time.Since(last) > w.lease*3/4 {
			w.noticed(name, last)
		}
		return
	}
	w.names[id] = name
	if w.lives[name]++; w.lives[name] > w.expected[name] {
		w.noticed(name, at.Add(-2*w.lease))
		w.expected[name]++
	}
	close(w.joined)
	w.joined = make(chan struct{})
}

// noticed notes a trouble that nobody made, such as a machine that is too slow, as far as the log shows it.
func (w *watch) noticed(name string, from time.Time) {
	w.troubles = append(w.troubles, &trouble{node: name, from: from, to: time.Now()})
}

// progress notes an entry of an order.
func (w *watch) progress(id string, e history.Entry) {
	name := w.names[e.Node]
	if name == "" {
		name = "others"
	}
	w.entries[name]++
	for _, h := range w.healings {
		if h.orders[id] {
			delete(h.orders, id)
			if took := time.Since(h.from); took > h.longest {
				h.longest, h.of = took, id
			}
		}
	}
	w.open[id] = true
	if e.By == history.Client {
		return
	}
	for _, d := range w.deaths {
		if took := time.Since(d.at); d.orders[id] && name != d.name {
			if delete(d.orders, id); d.first == 0 {
				d.first = took
			}
			d.last = max(d.last, took)
		}
	}
	w.owner[id] = e.Node
	if _, ended := e.Event.(*history.Completed); ended {
		delete(w.owner, id)
		delete(w.open, id)
		for _, d := range w.deaths {
			delete(d.orders, id)
		}
		close(w.doneOf(id))
	}
}

// stuck is the healing after which an order waited longest, or still does.
func (w *watch) stuck() (worst healing) {
	for _, h := range w.healings {
		for id := range h.orders {
			if waits := time.Since(h.from); waits > h.longest {
				h.longest, h.of = waits, id
			}
		}
		if h.longest > worst.longest {
			worst = *h
		}
	}
	return worst
}
