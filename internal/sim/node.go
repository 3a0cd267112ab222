package sim

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/clewflow/clew/internal/stage"
	"github.com/clewflow/clew/lookup"
	"github.com/clewflow/clew/runtime"
	"github.com/clewflow/clew/store"
)

// shareOfNodes: one world of so many has several nodes, which work on the log side by side.
const shareOfNodes = 4

// lease is that of nodes.
const lease = 4 * time.Second

// several is how bad a world of several nodes is.
type several struct {
	nodes    int           // in the beginning; 0: there is one process at a time, and none of this
	troubles float64       // a move: something becomes of a node
	skew     time.Duration // that a clock is wrong by at the most, either way
	apart    bool          // not every node makes every activity
}

// forecastNodes draws what is else in the weather of a world of several nodes. One process at a time has more: its code changes, and its
// clock is wrong by years.
func (w *World) forecastNodes() {
	rng := rand.New(rand.NewPCG(w.seed, 1))
	w.several = several{nodes: 2 + rng.IntN(3), apart: rng.IntN(3) == 0}
	if rng.IntN(4) > 0 {
		w.troubles = []float64{0.0005, 0.002, 0.005}[rng.IntN(3)]
	}
	if rng.IntN(2) == 0 {
		w.skew = time.Second
	}
	w.moves, w.deaths, w.offset, w.changes, w.pause = 2500+rng.IntN(3000), 0, 0, false, w.pause/10
}

// isWrongInTime reports whether what clocks say cannot be taken at their word.
func (w *World) isWrongInTime() bool { return w.offset > 0 || w.nodes > 0 }

// node is a process among others.
type node struct {
	name  string // empty: it is alone
	tag   string // of this process alone: who comes after it may have its name
	leave context.CancelFunc
	index *lookup.Index
	idle  bool // it does not make every activity

	mu      sync.Mutex
	held    chan struct{} // closed when it goes on; nil: it is not held up
	cut     bool          // off from the log
	leaving bool
	away    time.Time       // until when something was the matter with it
	ids     map[string]bool // under which it was a member
}

// plan is what becomes of a node later.
type plan struct {
	at time.Time
	do func()
}

// at is how places of this process differ from those of others.
func (n *node) at() string {
	if n.name == "" {
		return ""
	}
	return "@" + n.tag
}

// goesOn waits until the process is not held up.
func (n *node) goesOn(ctx context.Context) error {
	n.mu.Lock()
	held := n.held
	n.mu.Unlock()
	if held == nil {
		return nil
	}
	select {
	case <-held:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// reaches reports whether the process can get to the log.
func (n *node) reaches(ctx context.Context) error {
	if err := n.goesOn(ctx); err != nil {
		return err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.cut {
		return fmt.Errorf("cut off: %w", store.ErrUnavailable)
	}
	return nil
}

// finds takes note of what an append has come to.
func (l *life) finds(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if errors.Is(err, store.ErrConflict) && time.Since(l.away) < lease {
		l.w.sometimes("a node that was away finds that others have gone on")
	}
}

// isFine reports whether nothing was the matter with the process for a while.
func (n *node) isFine(d time.Duration) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.held == nil && !n.cut && !n.leaving && time.Since(n.away) > d
}

// populate begins what the world is to have: one process, or as many nodes as are missing.
func (w *World) populate() {
	if w.nodes == 0 {
		w.open()
		return
	}
	for len(w.all()) < w.nodes && !w.isWrong() { // one that cannot open has said so
		w.join("")
	}
}

// all are the nodes that are there.
func (w *World) all() []*life {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.lives)
}

// someone is a process that can be asked; nil if there is none, as when something was wrong and all has ended.
func (w *World) someone(n uint64) *life {
	if w.nodes == 0 {
		return w.alive()
	}
	all := w.all()
	if len(all) == 0 {
		return nil
	}
	return all[n%uint64(len(all))]
}

// node is whom a client asks next.
func (c *client) node() *life {
	if c.w.nodes == 0 {
		return c.w.alive()
	}
	return c.w.someone(c.dice.Uint64())
}

// join begins a node, under a name of its own if none is given.
func (w *World) join(name string) {
	if name == "" {
		w.names++
		name = fmt.Sprint("node-", w.names)
	}
	l := &life{w: w, ran: make(chan struct{})}
	w.processes++
	l.name, l.tag, l.ids, l.away = name, fmt.Sprint(name, ".", w.processes), map[string]bool{}, time.Now()
	l.ctx, l.end = context.WithCancel(w.ctx)
	var offset time.Duration
	if w.skew > 0 {
		w.fault("clocks apart")
		offset = time.Duration(w.dice.Int64N(int64(2*w.skew))) - w.skew
	}
	l.idle = w.apart && w.names%2 == 0 && slices.ContainsFunc(w.all(), func(o *life) bool { return !o.idle })
	w.note("%s joins: offset %s, idle %t", l.tag, offset, l.idle)
	for _, o := range w.all() {
		if o.isCut() {
			w.sometimes("a node joins while another is cut off")
		}
	}
	index, err := lookup.Open(w.ctx, ":memory:", lookup.Options{Logger: slog.New(slog.NewTextHandler(io.Discard, nil))})
	if err != nil {
		w.t.Fatal(err)
	}
	l.index = index
	var seed [32]byte
	for i := range seed {
		seed[i] = byte(w.dice.Uint32())
	}
	if !l.open(runtime.Config{
		Shared: true, Node: name, Lease: lease, Drain: 2 * time.Second, Dice: rand.NewChaCha8(seed), Hooks: runtime.Hooks{Offset: offset, Index: index},
	}, true) {
		return
	}
	w.mu.Lock()
	w.lives = append(w.lives, l)
	w.tags[l.tag] = l
	w.troubled = time.Now()
	w.mu.Unlock()
	ctx, leave := context.WithCancel(l.ctx)
	l.leave = leave
	l.run(ctx)
}

func (n *node) isLeaving() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.leaving
}

func (n *node) isCut() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.cut
}

// kill ends a node where it stands.
func (w *World) kill(l *life) {
	w.note("%s is killed", l.tag)
	w.fault("death of a node")
	w.judge.dies()
	w.without(l)
	l.end()
	if !l.isLeaving() { // else it is waited for
		w.dying.Go(func() {
			<-l.ran
			_ = l.rt.Close() // of a log in memory
			_ = l.index.Close()
		})
	}
	w.rest() // it ends before anything else happens
}

// leave ends a node as its users do.
func (w *World) leave(l *life) {
	w.note("%s leaves", l.tag)
	w.fault("a node leaves")
	if len(l.hands.inHand()) > 0 {
		w.sometimes("a node leaves with work in hand")
	}
	w.without(l)
	l.mu.Lock()
	l.leaving = true
	l.mu.Unlock()
	l.leave()
	w.dying.Go(func() {
		<-l.ran
		l.end()
		_ = l.rt.Close()
		_ = l.index.Close()
	})
}

func (w *World) without(l *life) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.lives = slices.DeleteFunc(w.lives, func(o *life) bool { return o == l })
	w.troubled = time.Now()
}

// crashOf ends the process that has made an append.
func (w *World) crashOf(p stage.Place) {
	if w.nodes == 0 {
		w.crash()
		return
	}
	w.kill(w.tags[p.What])
	if len(w.all()) == 0 {
		w.join("")
	}
}

// trouble is what becomes of a node, or of several.
func (w *World) trouble() {
	all := w.all()
	l := all[w.dice.IntN(len(all))]
	switch n := w.dice.IntN(12); {
	case n < 2 && len(all) > 1:
		w.kill(l)
	case n < 3:
		w.kill(l)
		w.rest()
		w.join(l.name)
	case n < 4 && len(all) > 1:
		w.leave(l)
	case n < 5:
		w.leave(l)
		w.rest()
		w.join(l.name)
	case n < 7 && len(all) < 5:
		w.join("")
	case n < 9:
		w.holdUp(l)
	default:
		w.cutOff(l)
	}
}

// after is how long a trouble lasts: up to three leases.
func (w *World) after() time.Duration { return time.Duration(w.dice.Int64N(int64(3 * lease))) }

// holdUp stops a process for a while.
func (w *World) holdUp(l *life) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.held != nil {
		return
	}
	w.note("%s is held up", l.tag)
	w.fault("a node is held up")
	held := make(chan struct{})
	l.held = held
	w.plan(func() {
		w.note("%s goes on", l.tag)
		l.mu.Lock()
		defer l.mu.Unlock()
		l.held, l.away = nil, time.Now()
		close(held)
	})
}

// cutOff keeps a process from the log for a while.
func (w *World) cutOff(l *life) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.cut {
		return
	}
	w.note("%s is cut off", l.tag)
	w.fault("a node is cut off")
	l.cut = true
	w.plan(func() {
		w.note("%s is cut off no more", l.tag)
		l.mu.Lock()
		defer l.mu.Unlock()
		l.cut, l.away = false, time.Now()
	})
}

// plan has something done when a trouble ends.
func (w *World) plan(do func()) { w.plans = append(w.plans, plan{time.Now().Add(w.after()), do}) }

// carryOut does what is planned for now.
func (w *World) carryOut() {
	for i := 0; i < len(w.plans); {
		if p := w.plans[i]; !time.Now().Before(p.at) {
			w.plans = slices.Delete(w.plans, i, i+1)
			p.do()
			w.rest() // what follows from it does before anything else
			w.hasChanged()
			continue
		}
		i++
	}
}

// wasAway takes note that all nodes were held up: who waited at the stage could not go on.
func (w *World) wasAway() {
	for _, l := range w.all() {
		l.mu.Lock()
		l.away = time.Now()
		l.mu.Unlock()
	}
}

// hasChanged takes note that something has become of a node just now.
func (w *World) hasChanged() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.troubled = time.Now()
}

// heal ends all troubles. Who is dead stays dead.
func (w *World) heal() {
	for _, p := range w.plans {
		p.do()
	}
	w.plans = nil
	w.hasChanged()
}

// dieOut ends all processes. What the nodes among them have in their indexes is judged later.
func (w *World) dieOut() {
	if w.nodes == 0 {
		w.die()
		return
	}
	w.heal() // who is held up could not end
	for _, l := range w.all() {
		w.without(l)
		w.survivors = append(w.survivors, l.index)
		l.end()
		w.dying.Go(func() {
			<-l.ran
			_ = l.rt.Close()
		})
	}
}
