package main

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/store"
)

// watch follows the log from outside and notes who works on what.
type watch struct {
	stop    context.CancelFunc
	ended   chan struct{}
	mu      sync.Mutex
	joined  chan struct{} // closed with the next announcement
	names   map[string]string
	owner   map[string]string // of each open order: who decided last
	entries map[string]int    // by names of nodes
	buried  []string
	deaths  []*death
}

// death is the end of a node, or what looks like it to others, and how long its orders waited for another.
type death struct {
	name        string
	at          time.Time
	orders      map[string]bool // that were its own and still are
	had         int
	first, last time.Duration // until the first, and the last, of them went on elsewhere
}

func newWatch(log store.Log) *watch {
	ctx, stop := context.WithCancel(context.Background())
	w := &watch{
		stop: stop, ended: make(chan struct{}), joined: make(chan struct{}), names: map[string]string{}, owner: map[string]string{}, entries: map[string]int{},
	}
	go func() {
		defer close(w.ended)
		for r, err := range log.Follow(ctx, store.Position{}) {
			if err != nil {
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
func (w *watch) wait(nodes int) error {
	late := time.After(30 * time.Second)
	for {
		w.mu.Lock()
		n, joined := len(w.names), w.joined
		w.mu.Unlock()
		if n >= nodes {
			return nil
		}
		select {
		case <-joined:
		case <-late:
			return errors.New("the nodes do not come up")
		}
	}
}

// died notes that a node has come to grief.
func (w *watch) died(name string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	d := &death{name: name, at: time.Now(), orders: map[string]bool{}}
	for order, owner := range w.owner {
		if w.names[owner] == name {
			d.orders[order] = true
		}
	}
	d.had = len(d.orders)
	w.deaths = append(w.deaths, d)
}

func (w *watch) see(r store.Record) {
	w.mu.Lock()
	defer w.mu.Unlock()
	e := r.Entry
	switch v := e.Event.(type) {
	case *history.NodeAnnounced:
		if _, known := w.names[r.ID.Workflow]; !known {
			w.names[r.ID.Workflow] = v.Name
			close(w.joined)
			w.joined = make(chan struct{})
		}
		return
	case *history.NodeBuried:
		w.buried = append(w.buried, w.names[r.ID.Workflow])
		return
	}
	if r.ID.Family() != "" {
		return
	}
	name := w.names[e.Node]
	if name == "" {
		name = "client"
	}
	w.entries[name]++
	if e.By == history.Client {
		return
	}
	id := r.ID.Workflow
	for _, d := range w.deaths {
		if took := time.Since(d.at); d.orders[id] && name != d.name {
			if delete(d.orders, id); d.first == 0 {
				d.first = took
			}
			d.last = max(d.last, took)
		}
	}
	if _, ended := e.Event.(*history.Completed); ended {
		delete(w.owner, id)
		for _, d := range w.deaths {
			delete(d.orders, id)
		}
	} else {
		w.owner[id] = e.Node
	}
}

// stricken reports whether a node ever came to grief, or was taken for dead.
func (w *watch) stricken(name string) bool {
	return slices.Contains(w.buried, name) || slices.ContainsFunc(w.deaths, func(d *death) bool { return d.name == name })
}
