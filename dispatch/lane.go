package dispatch

import (
	"slices"
	"strings"

	"github.com/clewflow/clew/history"
)

// What is ready to be taken stands in lanes. Attempts that no limit tells apart stand in one lane, first in first out; so whether a
// limit allows an attempt is asked of the first of a lane alone, and a lane that is not allowed is set aside until its limit has
// room. The cost of taking one does not depend on how many wait.
//
// Lanes of one key and priority are a flow. Flows take turns in a virtual time: to take an attempt moves its flow on by a stride that
// is the shorter the higher its share. A flow that comes begins at the present, so that it neither waits for what others have had nor
// has saved up what it did not use.

type lane struct {
	kind    laneKind
	flow    *flow
	buckets []*bucket // that must all allow an attempt
	first   *work
	last    *work
	place   int     // among the runnable of its flow, or those set aside by a bucket
	aside   *bucket // that it was set aside by
	woken   *bucket // that has let it try again
	since   uint64  // virtual time at which it was set aside
}

// laneKind tells lanes apart.
type laneKind struct {
	activity, queue, limits, key string
	rank                         int
	unbound                      bool // by limits
	refuses                      bool // is turned away instead of being set aside
}

type flow struct {
	kind  flowKind
	lanes heap[*lane] // runnable; the one with the oldest first
	count int         // lanes that hold something
	pass  uint64      // the virtual time of its next turn
	place int         // among the runnable flows
	spent int         // place among those that hold nothing and are ahead of the present
}

type flowKind struct {
	key  string
	rank int
}

// strides are how far priorities move on: each twice as far as the one above.
var strides = [...]uint64{0, 1 << 24, 1 << 25, 1 << 26, 1 << 27, 1 << 28}

// keptFlows is how many flows that hold nothing are remembered for what they have had.
const keptFlows = 4096

func (q *Queue) initLanes() {
	q.lanes, q.flows = map[laneKind]*lane{}, map[flowKind]*flow{}
	q.buckets = map[bucketKind]*bucket{}
	q.runnable = heap[*flow]{
		less: func(a, b *flow) bool {
			if a.pass != b.pass {
				return a.pass < b.pass
			}
			if a.kind.rank != b.kind.rank {
				return a.kind.rank < b.kind.rank
			}
			return a.lanes.top().first.turn < b.lanes.top().first.turn
		},
		place: func(f *flow) *int { return &f.place },
	}
	q.spent = heap[*flow]{less: func(a, b *flow) bool { return a.pass < b.pass }, place: func(f *flow) *int { return &f.spent }}
}

func (w *work) admission() *history.Admission {
	if w.Policy == nil {
		return &history.Admission{}
	}
	return &w.Policy.Admission
}

// laneFor is the lane that an attempt stands in.
func (q *Queue) laneFor(w *work) *lane {
	a := w.admission()
	kind := laneKind{activity: w.Activity, queue: w.Queue, key: a.Key, rank: a.Rank(), unbound: w.Local}
	switch len(a.Limits) {
	case 0:
	case 1:
		kind.limits = a.Limits[0]
	default:
		kind.limits = strings.Join(a.Limits, "\x00")
	}
	kind.refuses = a.WhenFull == history.Refused && w.Number <= 1 && !w.Local
	l := q.lanes[kind]
	if l == nil {
		l = &lane{kind: kind}
		if !w.Local {
			l.buckets = q.bucketsFor(w)
		}
		q.lanes[kind] = l
	}
	return l
}

func (q *Queue) flowFor(kind flowKind) *flow {
	f := q.flows[kind]
	if f == nil {
		f = &flow{kind: kind, pass: q.present, lanes: heap[*lane]{
			less:  func(a, b *lane) bool { return a.first.turn < b.first.turn },
			place: func(l *lane) *int { return &l.place },
		}}
		q.flows[kind] = f
	}
	return f
}

// push puts an attempt at the end of its lane.
func (q *Queue) push(w *work) {
	l := q.laneFor(w)
	q.turns++
	w.state, w.turn, w.lane, w.prev, w.next = ready, q.turns, l, l.last, nil
	if l.last != nil {
		l.last.next = w
		l.last = w
	} else {
		l.first, l.last = w, w
		l.flow = q.flowFor(flowKind{l.kind.key, l.kind.rank})
		l.flow.count++
		q.run(l)
	}
	q.signal()
}

// run lets a lane be tried.
func (q *Queue) run(l *lane) {
	f := l.flow
	f.lanes.push(l)
	if f.place > 0 {
		q.runnable.fix(f)
		return
	}
	f.pass = max(f.pass, q.present)
	q.runnable.push(f)
}

// halt takes a lane out of those that are tried.
func (q *Queue) halt(l *lane) {
	f := l.flow
	if f.lanes.len() == 1 {
		q.runnable.remove(f) // while it can still be compared
	}
	f.lanes.remove(l)
	if f.lanes.len() > 0 {
		q.runnable.fix(f)
	}
	if b := l.woken; b != nil {
		l.woken, b.woke = nil, nil
		defer q.stir(b)
	}
}

// unlink takes an attempt out of its lane.
func (q *Queue) unlink(w *work) {
	l := w.lane
	if w.prev == nil && w.next == nil {
		if b := l.aside; b != nil {
			l.takeBack()
			b.rest(q)
		} else {
			q.halt(l)
		}
	}
	if w.prev == nil {
		l.first = w.next
	} else {
		w.prev.next = w.next
	}
	if w.next == nil {
		l.last = w.prev
	} else {
		w.next.prev = w.prev
	}
	oldest := w.prev == nil
	w.prev, w.next = nil, nil
	switch {
	case l.first == nil:
		q.leave(l)
	case oldest && l.aside != nil:
		l.aside.waits.fix(l)
	case oldest:
		l.flow.lanes.fix(l)
		q.runnable.fix(l.flow)
	}
}

// leave is the end of a lane that holds nothing.
func (q *Queue) leave(l *lane) {
	f := l.flow
	l.flow = nil
	if f.count--; f.count == 0 {
		q.spend(f)
	}
	if l.kind.key != "" || len(q.lanes) > keptFlows {
		delete(q.lanes, l.kind)
		for _, b := range l.buckets {
			b.refs--
			q.dropBucket(b)
		}
	}
}

// spend remembers a flow that holds nothing until the present has reached it.
func (q *Queue) spend(f *flow) {
	switch {
	case f.pass <= q.present:
		q.forget(f)
	case f.spent == 0:
		q.spent.push(f)
	default:
		q.spent.fix(f)
	}
	for q.spent.len() > keptFlows {
		q.present = max(q.present, q.spent.top().pass)
		q.catchUp()
	}
}

// catchUp forgets the flows that the present has reached and that hold nothing.
func (q *Queue) catchUp() {
	for q.spent.len() > 0 && q.spent.top().pass <= q.present {
		f := q.spent.top()
		q.spent.remove(f)
		if f.count == 0 {
			q.forget(f)
		}
	}
}

func (q *Queue) forget(f *flow) {
	if f.spent > 0 {
		q.spent.remove(f)
	}
	delete(q.flows, f.kind)
}

// served moves the flow of an attempt that is taken on.
func (q *Queue) moveOn(f *flow, share int) {
	q.present = max(q.present, f.pass)
	f.pass += max(strides[min(max(f.kind.rank, 1), 5)]/uint64(max(share, 1)), 1)
	q.runnable.fix(f)
	if f.spent > 0 {
		q.spent.fix(f)
	}
	q.catchUp()
}

// choose finds the lane whose first attempt is to be taken, and sets aside those that no limit allows.
func (q *Queue) choose() *lane {
	for q.runnable.len() > 0 {
		l := q.runnable.top().lanes.top()
		full := l.full(q.clock)
		if full == nil {
			return l
		}
		if l.kind.refuses && !full.lacks() {
			q.turnAway(l, full)
			continue
		}
		l.since = max(l.flow.pass, q.present)
		q.haltInto(l, full)
	}
	return nil
}

// haltInto sets a lane aside. The bucket that had let it try may let another.
func (q *Queue) haltInto(l *lane, b *bucket) {
	q.halt(l)
	l.setAside(b)
	q.stir(b)
}

// setAside has a lane wait for a bucket; those before it have let it by.
func (l *lane) setAside(b *bucket) {
	l.aside = b
	b.waits.push(l)
	if l.kind.refuses {
		b.short++
	}
	for _, before := range l.buckets[:slices.Index(l.buckets, b)] {
		before.past++
	}
}

// takeBack ends that.
func (l *lane) takeBack() {
	b := l.aside
	b.waits.remove(l)
	l.aside = nil
	if l.kind.refuses {
		b.short--
	}
	for _, before := range l.buckets[:slices.Index(l.buckets, b)] {
		before.past--
	}
}

// full is a bucket that does not allow the first attempt of the lane; nil: all do.
func (l *lane) full(now moment) *bucket {
	for _, b := range l.buckets {
		if !b.allows(now) {
			return b
		}
	}
	return nil
}

// turnAway takes all attempts out of a lane that are not to wait.
func (q *Queue) turnAway(l *lane, full *bucket) {
	why := full.wait(q.clock)
	for l.first != nil {
		w := l.first
		more := w.next != nil
		q.unlink(w)
		w.state = turnedAway
		q.surplus = append(q.surplus, turned{w, why})
		if !more {
			return
		}
	}
}

type turned struct {
	work *work
	why  Wait
}

// Surplus returns the attempts that were turned away because their limits had no room, each once, with the limit. Each is to be
// settled, or offered again.
func (q *Queue) Surplus() (attempts []Attempt, why []Wait) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, t := range q.surplus {
		if !t.work.gone {
			attempts, why = append(attempts, t.work.Attempt), append(why, t.why)
		}
	}
	q.surplus = nil
	return attempts, why
}
