package runtime

import (
	"context"
	"errors"
	"time"

	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/members"
	"github.com/clewflow/clew/quotas"
	"github.com/clewflow/clew/store"
)

// listen follows the log until ctx ends: this node hears who else is there, and what others record.
func (n *node) listen(ctx context.Context) {
	at, ok := n.prepare(ctx)
	if !ok {
		return
	}
	if n.r.insist(ctx, "read the policies", history.ID{Workflow: n.name}, n.r.readPolicies) != nil { // what was recorded up to there
		return
	}
	close(n.hears)
	for delay := 10 * time.Millisecond; ; delay = min(2*delay, time.Second) {
		for record, err := range n.r.log.Follow(ctx, at) {
			if err != nil {
				if ctx.Err() == nil && !errors.Is(err, store.ErrClosed) {
					n.r.logger.Warn("this node cannot follow the log and tries again", "position", at, "error", err)
				}
				if errors.Is(err, store.ErrCorrupt) && record.Position.After(at) {
					at = record.Position // the others go on
				}
				break
			}
			delay = 10 * time.Millisecond
			at = record.Position
			n.hear(record)
		}
		if !sleep(ctx, delay) {
			return
		}
	}
}

// prepare finds out who is there, from the index, which has followed the log so far.
func (n *node) prepare(ctx context.Context) (at store.Position, ok bool) {
	err := n.r.insist(ctx, "find out which nodes there are", history.ID{Workflow: n.name}, func(ctx context.Context) error {
		head, err := n.r.log.Head(ctx)
		if err != nil {
			return err
		}
		if err := n.r.index.Reached(ctx, head); err != nil {
			return err
		}
		records, from, err := n.r.index.Members(ctx, n.r.config.Namespace)
		if err != nil {
			return err
		}
		shared, _, err := n.r.index.Quotas(ctx, n.r.config.Namespace)
		if err != nil {
			return err
		}
		for _, r := range shared {
			n.sharing.known.Apply(r, n.r.now())
		}
		at = from
		n.members.Begin(from)
		for _, r := range records {
			n.members.Restore(r, n.r.now())
		}
		return nil
	})
	n.heardTo, n.actedTo = at, at
	return at, err == nil
}

// hear takes in what anybody has recorded.
func (n *node) hear(record store.Record) {
	n.r.pace(n.r.ctx, "hear", record.ID)
	switch family := record.ID.Family(); {
	case family == members.Family && record.ID == members.ID(n.r.config.Namespace, record.ID.Workflow):
		n.hearOf(record)
	case family == quotas.Family:
		n.hearQuotas(record)
	case record.ID == history.PolicyID(n.r.config.Namespace):
		n.hearPolicy(record)
	case record.ID == history.AdminOf(n.r.config.Namespace):
		n.hearActs(record)
	case family == "" && record.ID.Namespace == n.r.config.Namespace && record.Entry.Node != n.me():
		n.r.heard(record)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.heardTo = record.Position
	if !n.changing {
		n.actedTo = record.Position
	}
}

// hearOf takes in what a node says of itself, or others of it.
func (n *node) hearOf(record store.Record) {
	now, id := n.r.now(), record.ID.Workflow
	change := n.members.Apply(record, now)
	if _, left := record.Entry.Event.(*history.NodeLeft); left {
		n.sharing.leaves(id)
	}
	n.mu.Lock()
	switch record.Entry.Event.(type) {
	case *history.NodeAnnounced:
		if id == n.id {
			n.echoed = record.Entry.At
		}
	case *history.NodeLeft, *history.NodeBuried:
		if n.joined { // else everything is taken up when it is
			n.gone = append(n.gone, id)
		}
		n.r.admin.later() // it may have died while it took something away
	}
	n.changing = n.changing || change == members.Shared
	n.mu.Unlock()
	if d := record.Entry.At.Sub(now).Abs(); change == members.Shared && d > clockTolerance {
		n.r.logger.Warn("the clock of a node differs from the one here", "node", id, "by", d)
	}
	switch change {
	case members.Shared:
		tell(n.release)
	case members.Heard:
		tell(n.take)
	}
}

// clockTolerance is how much clocks of nodes may differ, with the time it takes to hear of one, without a word.
const clockTolerance = 5 * time.Second

// hearPolicy takes in what an operator has laid down.
func (n *node) hearPolicy(record store.Record) {
	defer tell(n.sharing.tell) // it says to which version it keeps
	if n.r.lay(record.Entry) {
		return
	}
	_ = n.r.insist(n.r.ctx, "read the policies", record.ID, n.r.readPolicies) // else it ends
}

// heard takes in what another node has recorded of an execution.
func (r *Runtime) heard(record store.Record) {
	id, e, tail := record.ID, record.Entry, record.Tail
	closing := closes(e.Event)
	if closing || answers(e.Event) {
		r.results.tellAll(id)
	}
	x := r.executions.find(id)
	if x != nil && uint64(x.heard.Load()) < e.Seq {
		x.heard.Store(int64(e.Seq)) // the ear alone does
	}
	switch {
	case tail != nil && r.owns(id, tail.Type, tail.Version):
	case tail == nil && !closing:
		return // the last entry of the append comes yet
	case r.queue.Knows(id):
	case tail != nil && tail.Unsettled > 0 && !r.node.members.Alike():
	default:
		return
	}
	r.attend(id)
}

// attend has looked at what others have recorded of an execution.
func (r *Runtime) attend(id history.ID) {
	x, err := r.executions.enter(r, id)
	if err != nil {
		return
	}
	defer x.mu.Unlock()
	if x.asked.Swap(true) {
		return // it is to be looked at already
	}
	c := &call{heard: true, look: func(m *memory) error {
		if m.fresh && len(r.offerAll(id, m)) > 0 {
			r.soon(id)
		}
		return nil
	}}
	if x.runner == nil && !x.start() {
		return
	}
	x.inbox = append(x.inbox, c)
}

// hearActs takes in what was done to the record. What another has begun and died with is done by those that are left.
func (n *node) hearActs(record store.Record) {
	done, is := record.Entry.Event.(*history.Erased)
	if !is || record.Entry.Node == n.me() {
		return
	}
	_ = n.r.insist(n.r.ctx, "forget what was taken away", record.ID, func(ctx context.Context) error { return n.r.hearErased(ctx, done) }) // else it ends
}
