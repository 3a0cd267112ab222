package runtime

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/clewflow/clew/dispatch"
	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/quotas"
	"github.com/clewflow/clew/store"
)

// sharing is what a node has of the limits that it shares with others, see [quotas.Quotas].
type sharing struct {
	known *quotas.Quotas
	tell  chan struct{} // others have changed something

	late bool // what was told is still to be looked at

	mu      sync.Mutex                  // before that of the node
	as      string                      // the id of the node that has it; empty: nothing was taken yet in its life
	heard   map[string]bool             // streams that are to be looked at: others have changed them, or more is wanted
	missing map[string]time.Time        // nodes that have something and are not members, since when
	left    map[string]bool             // of these: that have nothing in hand any more
	mine    map[string]map[bounded]bool // by stream: of what this node has or wants something
	wanting map[bounded]time.Time       // since when more is wanted of it, and nothing came
	eager   bool                        // something is wanted that may come without a word
	full    time.Time                   // when all was looked at last
}

type bounded = dispatch.Bounded

func newSharing() *sharing {
	return &sharing{
		known: quotas.New(), tell: make(chan struct{}, 1), heard: map[string]bool{}, missing: map[string]time.Time{}, left: map[string]bool{},
		mine: map[string]map[bounded]bool{}, wanting: map[bounded]time.Time{},
	}
}

// share keeps the quotas of this node until ctx ends.
func (n *node) share(ctx context.Context) {
	q := n.r.queue
	for {
		n.r.await(ctx, n.nextShare(), q.Wanting(), n.sharing.tell)
		if ctx.Err() != nil {
			return
		}
		n.r.look(ctx, "share limits", n.sharing.tell)
		if n.sharing.late = !n.lives(); !n.sharing.late {
			n.shareAll(ctx)
		}
	}
}

// nextShare is when to look without having been told.
func (n *node) nextShare() time.Time {
	s, soon := n.sharing, n.r.now().Add(n.lease/16)
	s.mu.Lock()
	defer s.mu.Unlock()
	switch next := s.full.Add(n.lease / 4); {
	case s.late:
		return soon
	case len(s.mine) == 0:
		return time.Time{}
	case s.eager || next.Before(soon):
		return soon
	default:
		return next
	}
}

// lives reports whether the others know that this node lives, though it may be leaving.
func (n *node) lives() bool {
	now := n.r.now()
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.joined && now.Sub(n.acked) < n.lease*3/4 && now.Sub(n.echoed) < n.lease
}

// shareAll takes, wants and gives back what is to be, wherever something has changed.
func (n *node) shareAll(ctx context.Context) {
	version, me := n.r.Policies().Version, n.me()
	todo, idle := n.toShare(me)
	if idle {
		n.sharing.forget()
	}
	done := true
	for _, stream := range slices.Sorted(maps.Keys(todo)) {
		err := n.shareOne(ctx, stream, me, todo[stream], idle)
		if done = done && err == nil; err == nil || ctx.Err() != nil {
			continue
		}
		n.sharing.mu.Lock()
		n.sharing.heard[stream], n.sharing.eager = true, true
		n.sharing.mu.Unlock()
		if !errors.Is(err, store.ErrConflict) {
			n.r.logger.Warn("a limit cannot be shared now, and is tried again", "limit", stream, "error", err)
		}
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if done && n.id == me && n.keepsTo < version {
		n.keepsTo, n.acts = version, true
		tell(n.speak)
	}
}

// toShare is what is to be looked at, by stream; idle: all, and what was idle for some time is given back.
func (n *node) toShare(me string) (todo map[string][]bounded, idle bool) {
	s, now := n.sharing, n.r.now()
	s.mu.Lock()
	defer s.mu.Unlock()
	if n.me() != me {
		tell(s.tell)
		return nil, false // it has just come back as another
	}
	wants := n.r.queue.Wants()
	if s.as != me {
		s.as, s.mine, s.wanting = me, map[string]map[bounded]bool{}, map[bounded]time.Time{}
	}
	look := s.heard
	s.heard = map[string]bool{}
	for _, of := range wants {
		stream := quotas.Stream(of.Subject, of.Key, of.Keyed)
		if s.mine[stream] == nil {
			s.mine[stream] = map[bounded]bool{}
		}
		s.mine[stream][of], look[stream] = true, true
	}
	if idle = !now.Before(s.full.Add(n.lease / 4)); idle {
		s.full = now
	}
	todo = map[string][]bounded{}
	for stream, mine := range s.mine {
		if look[stream] || idle {
			todo[stream] = slices.SortedFunc(maps.Keys(mine), func(a, b bounded) int {
				return cmp.Or(strings.Compare(a.Of, b.Of), strings.Compare(a.Name, b.Name), strings.Compare(a.Key, b.Key))
			})
		}
	}
	s.eager = false
	return todo, idle
}

// forget forgets nodes that have nothing any more.
func (s *sharing) forget() {
	s.mu.Lock()
	few := len(s.left)+len(s.missing) < 64
	s.mu.Unlock()
	if few {
		return
	}
	has := map[string]bool{} // not under the lock: who looks at quotas asks who is gone
	for _, stream := range s.known.Streams() {
		for _, id := range s.known.Nodes(stream) {
			has[id] = true
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	hasNone := func(id string) bool { return !has[id] }
	maps.DeleteFunc(s.left, func(id string, _ bool) bool { return hasNone(id) })
	maps.DeleteFunc(s.missing, func(id string, _ time.Time) bool { return hasNone(id) })
}

// part is what a node is to have of one limit.
type part struct {
	of     bounded
	quota  dispatch.Quota
	rows   []history.Quota // as they are to be recorded
	wants  bool
	denied bool // and got nothing
	over   bool // there is nothing to look after any more
}

// denies reports whether those who would not wait need not: nothing has come for so long that others use what they have.
func (s *sharing) denies(p *part, now time.Time, patience time.Duration) bool {
	if !p.denied {
		delete(s.wanting, p.of)
		return false
	}
	since, ok := s.wanting[p.of]
	if !ok {
		s.wanting[p.of], since = now, now
	}
	return now.Sub(since) >= patience
}

// shareOne takes, wants and gives back what is to be in one stream, by one append.
func (n *node) shareOne(ctx context.Context, stream, me string, all []bounded, idle bool) error {
	known, gone := n.sharing.known, n.isGone
	head := known.Head(stream) // before anything is looked at: what others append meanwhile stands in the way
	var parts []*part
	var rows []history.Quota
	for _, of := range all {
		p := n.aim(stream, me, of, idle)
		if p == nil {
			return nil // it has come back as another
		}
		parts, rows = append(parts, p), append(rows, p.rows...)
	}
	set, changed := known.Set(stream, me, rows, gone)
	if changed {
		if err := n.recordQuotas(ctx, stream, me, head, set); err != nil {
			return err
		}
	}
	s := n.sharing
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.as != me {
		return nil
	}
	for _, p := range parts {
		p.quota.Denied = s.denies(p, n.r.now(), n.lease/8)
		n.r.queue.SetQuota(p.of, p.quota, n.r.now())
		if p.wants {
			s.heard[stream], s.eager = true, true
		}
		if p.over {
			delete(s.mine[stream], p.of)
		}
	}
	if len(s.mine[stream]) == 0 {
		delete(s.mine, stream)
	}
	return nil
}

// lower has nothing begun beyond a quota from now on. It reports false if the node has come back as another, which has none.
func (n *node) lower(me string, of bounded, to dispatch.Quota) (inUse int, ok bool) {
	s := n.sharing
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.as != me {
		return 0, false
	}
	return n.r.queue.SetQuota(of, to, n.r.now()), true
}

// aim finds out what this node is to have of a limit, and begins nothing beyond that; nil if it has come back as another.
func (n *node) aim(stream, me string, of bounded, idle bool) *part {
	q, known, now := n.r.queue, n.sharing.known, n.r.now()
	use := q.Uses(of, now)
	l := use.Limit
	if l.None {
		l = history.Limit{}
	}
	leaving := n.isLeaving()
	need := quotas.Need{
		Key: of.Key, Waits: use.Waits && !leaving, Keeps: use.Keeps && !leaving, Fresh: use.Fresh, Takes: n.behind(of) == "" && !leaving, Frees: leaving || idle && of.Keyed,
	}
	hand, begin := need, need
	hand.Most, hand.Used = l.AtOnce, use.InUse
	begin.Most, begin.Used, begin.Rate = l.Rate, use.Begun, true
	had, _ := known.Held(stream, of.Key, false, me, n.isGone)
	hadRate, _ := known.Held(stream, of.Key, true, me, n.isGone)
	atOnce, rate := known.Aim(stream, me, hand, n.isGone), known.Aim(stream, me, begin, n.isGone)

	p := &part{of: of, quota: dispatch.Quota{AtOnce: min(had, atOnce.Held), Rate: min(hadRate, rate.Held), Contested: atOnce.Contested || rate.Contested}}
	inUse, ok := n.lower(me, of, p.quota)
	if !ok {
		return nil
	}
	row := history.Quota{Key: of.Key, Held: atOnce.Held, Wants: atOnce.Wants}
	if l.AtOnce > 0 && inUse > row.Held { // it is given back when it is not in use any more
		row.Held, row.Wants = inUse, max(0, row.Held+row.Wants-inUse)
	}
	p.rows = []history.Quota{row, {Key: of.Key, Rate: true, Held: rate.Held, Wants: rate.Wants, Spent: max(0, min(use.Begun-rate.Held, hadRate-rate.Held))}}
	p.wants = row.Wants > 0 || rate.Wants > 0
	p.over = !p.wants && !use.Waits && row.Held == 0 && rate.Held == 0
	p.quota.AtOnce, p.quota.Rate = atOnce.Held, rate.Held
	p.denied = p.wants && need.Takes && atOnce.Held <= had && rate.Held <= hadRate
	if more := rate.Held - hadRate; more > 0 {
		p.quota.Used = known.Used(stream, of.Key, more, l.Rate, l.Per, now, n.isGone)
	}
	return p
}

// behind is a node that does not keep to the rule yet by which a limit is limited: what it has in hand is not counted.
func (n *node) behind(of bounded) string {
	rule := n.r.Policies().Rules[of.Subject]
	if rule.All == (history.Limit{}) && rule.Key == (history.Limit{}) {
		return "" // it is in the code that it has
	}
	return n.members.Behind(rule.Version)
}

// recordQuotas has it recorded behind head how a limit is shared from now on.
func (n *node) recordQuotas(ctx context.Context, stream, me string, head history.Entry, set *history.QuotasSet) error {
	r := n.r
	e := history.Entry{Seq: head.Seq + 1, At: r.now(), By: history.Clock, Node: me, Event: set}
	if e.At.Before(head.At) {
		e.At = head.At
	}
	history.Seal(head.Hash, &e)
	id := history.QuotaID(r.config.Namespace, stream)
	if err := n.record(ctx, id, e); err != nil {
		return err
	}
	n.sharing.known.Apply(store.Record{ID: id, Entry: e}, r.now())
	return nil
}

// hearQuotas takes in how others share a limit.
func (n *node) hearQuotas(record store.Record) {
	if record.ID != history.QuotaID(n.r.config.Namespace, record.ID.Workflow) || !n.sharing.known.Apply(record, n.r.now()) {
		return
	}
	n.sharing.mu.Lock()
	n.sharing.heard[record.ID.Workflow] = true
	n.sharing.mu.Unlock()
	tell(n.sharing.tell)
}

// leaves notes that a node has said farewell.
func (s *sharing) leaves(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.left[id] = true
	tell(s.tell)
}

// isGone reports whether what a node has of limits is free: it has said farewell, or was buried so long ago that its attempts have ended.
func (n *node) isGone(id string) bool {
	if id == n.me() || n.members.Has(id) {
		return false
	}
	s, now := n.sharing, n.r.now()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.left[id] {
		return true
	}
	since, ok := s.missing[id]
	if !ok {
		s.missing[id], since = now, now
	}
	return now.Sub(since) >= n.lease/2
}

// rebirth gives this node another id. What it has of limits it has no more.
func (n *node) rebirth(reset func()) {
	s := n.sharing
	s.mu.Lock()
	defer s.mu.Unlock()
	s.as = ""
	n.mu.Lock()
	n.id = n.r.newID()
	reset()
	n.mu.Unlock()
	n.r.queue.DropQuotas()
}

// waits says what an attempt waits for, counted over all nodes.
func (n *node) waits(why dispatch.Wait) string {
	of := bounded{Subject: why.Subject, Key: why.Key, Keyed: why.Key != ""}
	if name := n.behind(of); name != "" {
		return why.Name() + ", which is new: node " + name + " has yet to say what it has in hand"
	}
	stream := quotas.Stream(of.Subject, of.Key, of.Keyed)
	mine, others := n.sharing.known.Held(stream, of.Key, false, n.me(), n.isGone)
	why.InUse = mine + others
	return why.String()
}
