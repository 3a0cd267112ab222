package runtime

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/members"
	"github.com/clewflow/clew/store"
)

// A node is this process among those that work on the same store. It tells the others that it lives by entries in a stream of its
// own, one every quarter of a lease; it hears of them, and of what they record, by following the log. It acts for the executions
// that it owns while its last sign of life is recorded and not older than three quarters of a lease, and while it hears the log.
// Who was not heard for a lease is buried by the others and comes back as another node.
type node struct {
	r       *Runtime
	name    string
	lease   time.Duration
	members *members.Members // none before it listens
	hears   chan struct{}    // closed when it listens
	speak   chan struct{}    // announce at once
	release chan struct{}    // what is not owned any more is to be let go
	take    chan struct{}    // what is owned now is to be taken up

	saying   chan struct{} // full while an entry of its own is on its way
	mu       sync.Mutex
	id       string // new with each life
	entry    history.Entry
	joined   bool           // announced, and neither leaving, buried nor lost
	leaving  bool           // it acts for nothing any more
	released bool           // and has let go of everything, which the others may know
	acked    time.Time      // when the last announcement that is recorded was begun
	echoed   time.Time      // when the last announcement that was heard was begun
	heardTo  store.Position // by the ear
	actedTo  store.Position // on who joined and who went
	acts     bool           // it has acted on such a change, and is to say so
	changing bool           // there are changes that were not acted on
	missed   bool           // something was let pass because the node was not fit
	anew     bool           // nothing is taken for taken up any more
	gone     []string       // members that are no more, and whose attempts are lost
	keepsTo  uint64         // the version of the policies that it keeps to

	sharing *sharing
}

func newNode(r *Runtime, name string, lease time.Duration) *node {
	signal := func() chan struct{} { return make(chan struct{}, 1) }
	return &node{
		r: r, name: name, lease: lease, members: members.New(store.Position{}), hears: make(chan struct{}), speak: signal(), release: signal(), take: signal(), saying: signal(), id: r.newID(), anew: true,
		sharing: newSharing(),
	}
}

func tell(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// me is the id under which this process works now.
func (n *node) me() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.id
}

// other reports whether an attempt is in hand of another node.
func (n *node) other(id string) bool { return n != nil && id != "" && id != n.me() }

// has reports whether another node that is there has an attempt in hand.
func (n *node) has(id string) bool { return n.other(id) && n.members.Has(id) }

// owns reports whether this node may act for an execution.
func (n *node) owns(id history.ID, name string, version int) bool {
	return n.fit() && n.members.May(n.me(), id, name, version)
}

// fit reports whether this node may act at all: the others know that it lives, and it hears what they do.
func (n *node) fit() bool {
	now := n.r.now()
	n.mu.Lock()
	defer n.mu.Unlock()
	fit := n.joined && !n.leaving && now.Sub(n.acked) < n.lease*3/4 && now.Sub(n.echoed) < n.lease
	n.missed = n.missed || !fit
	return fit
}

// missedSome reports whether the node was unfit when it was asked to do something, and forgets it: what it has let pass is to be looked
// for.
func (n *node) missedSome() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	missed := n.missed
	n.missed = false
	return missed
}

var (
	errBuried = errors.New("clew: the other nodes have not heard this one for too long")
	errDeaf   = errors.New("clew: this node does not hear the log")
)

// live keeps this process a member until ctx ends.
func (n *node) live(ctx context.Context) {
	select {
	case <-n.hears:
	case <-ctx.Done():
		return
	}
	for ctx.Err() == nil {
		err := n.lead(ctx)
		if ctx.Err() != nil {
			return
		}
		n.r.logger.Warn("this node has stopped and comes back as another", "node", n.me(), "reason", err)
		n.die()
	}
}

// lead leads one life: from the first announcement until the node is buried, or hears nothing.
func (n *node) lead(ctx context.Context) error {
	fit, next := false, n.r.now()
	for ctx.Err() == nil {
		n.r.pace(ctx, "beat", history.ID{Workflow: n.name})
		now := n.r.now()
		if !now.Before(next) || n.toSpeak() {
			next = now.Add(n.lease / 4)
			if err := n.announce(ctx, &history.NodeAnnounced{}); errors.Is(err, store.ErrConflict) {
				return errBuried
			} else if err != nil {
				n.r.logger.Warn("this node cannot say that it lives, and is tried again", "node", n.me(), "error", err)
				next = n.r.now().Add(n.lease / 16)
			}
		}
		was := fit
		if fit = n.fit(); fit && n.missedSome() {
			n.again()
		} else if was && !fit && !n.isLeaving() {
			n.r.queue.Interrupt(errLapsed)
		}
		if n.deaf() {
			return errDeaf
		}
		if fit {
			n.bury(ctx)
		}
		n.r.await(ctx, n.r.now().Add(n.lease/16), n.speak, nil)
	}
	return ctx.Err()
}

// toSpeak reports whether the others wait for an announcement, and forgets it.
func (n *node) toSpeak() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	speaks := n.acts && n.joined
	n.acts = n.acts && !speaks
	return speaks
}

func (n *node) isLeaving() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.leaving
}

// again has everything that is owned taken up, as after a restart.
func (n *node) again() {
	n.mu.Lock()
	n.anew = true
	n.mu.Unlock()
	tell(n.take)
}

// deaf reports whether announcements are recorded and not heard.
func (n *node) deaf() bool {
	now := n.r.now()
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.joined && now.Sub(n.echoed) > n.lease && now.Sub(n.acked) < n.lease/2
}

// die ends a life. What is in hand is given up, and everything is forgotten.
func (n *node) die() {
	n.rebirth(func() { n.entry, n.joined, n.keepsTo, n.anew = history.Entry{}, false, 0, true })
	n.r.queue.Interrupt(errLapsed)
	tell(n.release)
}

// announce records a sign of life, or the farewell. While it is not known whether that is recorded the same is tried again.
func (n *node) announce(ctx context.Context, event history.Event) error {
	select {
	case n.saying <- struct{}{}:
		defer func() { <-n.saying }()
	case <-ctx.Done():
	}
	if ctx.Err() != nil {
		return ctx.Err() // also when it was its turn at the same moment
	}
	r, now := n.r, n.r.now()
	n.mu.Lock()
	e := history.Entry{Seq: n.entry.Seq + 1, At: now, By: history.Clock, Node: n.id, Event: event}
	if e.At.Before(n.entry.At) {
		e.At = n.entry.At
	}
	if a, ok := event.(*history.NodeAnnounced); ok {
		a.Name, a.Leaving, a.Build = n.name, n.released, r.build
		a.Types, a.Activities, a.Queues = r.types(), r.activities(), r.config.Queues
		a.Policies = n.keepsTo
		a.Applied = history.Place(n.actedTo)
		if said, ok := n.entry.Event.(*history.NodeAnnounced); ok {
			a.Joined = said.Joined
		}
	}
	id := members.ID(r.config.Namespace, n.id)
	history.Seal(n.entry.Hash, &e)
	n.mu.Unlock()

	err := n.record(ctx, id, e)
	if err == nil {
		n.mu.Lock()
		defer n.mu.Unlock()
		if n.id == id.Workflow {
			if n.entry.Seq == 0 {
				n.echoed = now // it has a lease's time to be heard
			}
			n.entry, n.acked, n.joined = e, now, true
		}
	}
	return err
}

// record appends to the stream of a node, until it is known whether that is done.
func (n *node) record(ctx context.Context, id history.ID, e history.Entry) error {
	unknown := false
	for {
		within, cancel := context.WithTimeout(context.WithoutCancel(ctx), n.lease)
		err := n.r.log.Append(within, id, e)
		cancel()
		unknown = unknown || errors.Is(err, store.ErrUnknownOutcome) || errors.Is(err, context.DeadlineExceeded)
		if err == nil || errors.Is(err, store.ErrConflict) || !unknown || ctx.Err() != nil {
			return err
		}
		if !sleep(ctx, n.lease/64) {
			return err
		}
	}
}

// bury ends the lives of those that were not heard for a lease. That the entry finds its place proves that they have recorded nothing
// since.
func (n *node) bury(ctx context.Context) {
	now, me := n.r.now(), n.me()
	for _, o := range n.members.Silent(now, n.lease) {
		if ctx.Err() != nil {
			return // each of them may take a lease
		}
		if o.ID == me {
			continue
		}
		e := history.Entry{Seq: o.Seq + 1, At: now, By: history.Clock, Node: me, Event: &history.NodeBuried{By: me}}
		if e.At.Before(o.At) {
			e.At = o.At
		}
		history.Seal(o.Hash, &e)
		switch err := n.record(ctx, members.ID(n.r.config.Namespace, o.ID), e); {
		case err == nil:
			n.r.logger.Warn("a node was not heard for too long; its work is shared anew", "node", o.ID, "name", o.Name, "silent", now.Sub(o.Heard))
		case !errors.Is(err, store.ErrConflict): // else it lives, or another has buried it
			n.r.logger.Warn("a node that was not heard for too long cannot be buried now", "node", o.ID, "name", o.Name, "error", err)
		}
	}
}

// leave has others take over at once: what is in hand goes on and is theirs to know of.
func (n *node) leave(ctx context.Context) {
	n.mu.Lock()
	joined := n.joined
	n.leaving = true
	n.mu.Unlock()
	if !joined {
		return
	}
	if !n.letGo(ctx) {
		return
	}
	n.mu.Lock()
	n.released = true
	n.mu.Unlock()
	n.r.pace(ctx, "leave", history.ID{Workflow: n.name})
	if err := n.announce(ctx, &history.NodeAnnounced{}); err != nil {
		n.r.logger.Warn("this node leaves and cannot say so; the others find out", "node", n.me(), "error", err)
	}
}

// farewell says that nothing is in hand any more.
func (n *node) farewell(ctx context.Context) {
	n.mu.Lock()
	joined := n.joined
	n.joined = false
	n.mu.Unlock()
	if !joined {
		return
	}
	n.r.pace(ctx, "farewell", history.ID{Workflow: n.name})
	if err := n.announce(ctx, &history.NodeLeft{}); err != nil {
		n.r.logger.Warn("this node cannot say farewell; the others find out", "node", n.me(), "error", err)
	}
	n.rebirth(func() {
		n.entry, n.joined, n.leaving, n.released, n.keepsTo, n.anew = history.Entry{}, false, false, false, 0, true
	})
}
