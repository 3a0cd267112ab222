package dispatch

import (
	"fmt"
	"slices"
	"time"

	"github.com/clewflow/clew/history"
)

type moment = time.Time

// A bucket counts attempts that have a limit in common: all of an activity, of a queue or under a named limit, or those of one key
// of these. It counts where no limit is set too, so that one that is set later is right at once.
type bucket struct {
	kind  bucketKind
	limit history.Limit
	most  history.Limit // that this process may have: less than the limit where nodes share it
	quota quota         // of this process, where they do
	from  moment        // what was begun up to then is not known, and may have been as much as the rate allows
	inUse int           // attempts in hand or outside
	begun []moment      // within the last Per, if there is a rate; oldest first
	waits heap[*lane]   // set aside until it has room; by virtual time
	woke  *lane         // that was let try again and has not tried
	refs  int           // lanes and attempts that count here
	past  int           // lanes that were let by here and are set aside by another
	short int           // lanes that wait and are not to: they are turned away if there is no room anywhere
	kept  bool          // for a while, for what was begun
}

type bucketKind struct {
	history.Subject
	key   string
	keyed bool
}

// Limits are those that hold, by what they are about.
type Limits map[history.Subject]history.Rule

// bucketsFor are those that an attempt counts in, the narrowest first: who waits for its own key stands in no other's way.
func (q *Queue) bucketsFor(w *work) (all []*bucket) {
	a := w.admission()
	of := make([]history.Subject, 0, 4)
	for _, name := range slices.Sorted(slices.Values(a.Limits)) { // in one order everywhere: nobody waits in a circle
		of = append(of, history.Subject{Of: history.OfLimit, Name: name})
	}
	of = append(of, history.Subject{Of: history.OfActivity, Name: w.Activity})
	if a.Key != "" {
		for _, s := range of {
			all = append(all, q.bucket(bucketKind{s, a.Key, true}))
		}
	}
	if w.Queue != "" {
		of = append(of, history.Subject{Of: history.OfQueue, Name: w.Queue})
	}
	for _, s := range of {
		all = append(all, q.bucket(bucketKind{s, "", false}))
	}
	return all
}

func (q *Queue) bucket(kind bucketKind) *bucket {
	b := q.buckets[kind]
	if b == nil {
		b = &bucket{kind: kind, from: q.unknown, waits: heap[*lane]{
			less: func(a, b *lane) bool {
				if a.since != b.since {
					return a.since < b.since
				}
				if a.kind.rank != b.kind.rank {
					return a.kind.rank < b.kind.rank
				}
				return a.first.turn < b.first.turn
			},
			place: func(l *lane) *int { return &l.place },
		}}
		q.buckets[kind] = b
		q.limit(b)
	}
	b.refs++
	return b
}

func (q *Queue) limitOf(kind bucketKind) history.Limit {
	rule := q.rules[kind.Subject]
	if kind.keyed {
		return rule.Key
	}
	return rule.All
}

// dropBucket forgets the bucket of a key in which nothing counts.
func (q *Queue) dropBucket(b *bucket) {
	if b.refs > 0 || !b.kind.keyed {
		return
	}
	b.trim(q.clock)
	if n := len(b.begun); n > 0 {
		b.kept = true
		q.refills.Set(b, b.begun[n-1].Add(b.limit.Per))
		return
	}
	q.refills.Drop(b)
	delete(q.buckets, b.kind)
}

// SetLimits puts limits in place of those that held. What is in hand beyond them goes on. unknown is a moment up to which it is not
// known what was begun; zero if nothing was, or all is known.
func (q *Queue) SetLimits(rules Limits, unknown, now time.Time) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.see(now)
	q.rules, q.unknown = rules, unknown
	for _, b := range q.buckets {
		if q.limit(b); b.limit.Rate == 0 {
			b.begun = nil
		}
		q.stir(b)
		q.look(b)
	}
	q.signal()
}

// see takes note of the time, which does not go back here.
func (q *Queue) see(now time.Time) {
	if now.After(q.clock) {
		q.clock = now
	}
}

// allows reports whether another attempt may be begun.
func (b *bucket) allows(now moment) bool {
	l := &b.limit
	switch {
	case l.None:
		return false
	case l.AtOnce > 0 && b.inUse >= b.most.AtOnce:
		return false
	case l.Rate > 0:
		b.trim(now)
		return len(b.begun) < b.most.Rate && !b.from.Add(l.Per).After(now)
	}
	return true
}

// trim forgets what was begun so long ago that it does not count any more.
func (b *bucket) trim(now moment) {
	n := 0
	for n < len(b.begun) && !b.begun[n].Add(b.limit.Per).After(now) {
		n++
	}
	if n == len(b.begun) {
		b.begun = b.begun[:0]
	} else {
		b.begun = b.begun[n:]
	}
}

// until is when the rate allows another; zero if it does now, or something else does not.
func (b *bucket) until(now moment) (at moment) {
	l := &b.limit
	if l.None || b.most.Rate == 0 || l.AtOnce > 0 && b.inUse >= b.most.AtOnce {
		return at
	}
	if n := len(b.begun); n >= b.most.Rate {
		at = b.begun[n-b.most.Rate].Add(l.Per)
	}
	if t := b.from.Add(l.Per); t.After(now) && t.After(at) {
		at = t
	}
	return at
}

// stir lets the next lane try that waits for the bucket, if it has room. One is enough: when it has tried, the next is let. If there
// will be room at a moment that is known, that is put down.
func (q *Queue) stir(b *bucket) {
	if b.waits.len() == 0 || b.woke != nil {
		return
	}
	if !b.allows(q.clock) {
		if at := b.until(q.clock); !at.IsZero() {
			q.refills.Set(b, at)
			q.signal()
		}
		if b.lacks() {
			q.tell(b)
		}
		return
	}
	l := b.waits.top()
	l.takeBack()
	l.woken, b.woke = b, l
	q.run(l)
	q.signal()
}

// rest takes the bucket off the agenda when nobody waits for it.
func (b *bucket) rest(q *Queue) {
	if b.waits.len() == 0 && !b.kept {
		q.refills.Drop(b)
	}
}

// refill lets those try whose rate allows another now, and says when the next one will.
func (q *Queue) refill() (next time.Time) {
	due, next := q.refills.Due(q.clock, 256)
	for len(due) > 0 {
		for _, b := range due {
			b.kept = false
			q.stir(b)
			q.dropBucket(b)
		}
		due, next = q.refills.Due(q.clock, 256)
	}
	return next
}

// hold counts an attempt that is begun, or that goes on.
func (q *Queue) hold(w *work, buckets []*bucket, begins bool) {
	w.held = buckets
	for _, b := range buckets {
		b.inUse++
		b.refs++
		if begins && b.limit.Rate > 0 {
			b.begun = append(b.begun, q.clock)
		}
		b.quota.fresh = false
		q.look(b)
	}
}

// giveBack counts an attempt no more.
func (q *Queue) giveBack(w *work) {
	held := w.held
	w.held = nil
	for _, b := range held {
		b.inUse--
		b.refs--
		q.stir(b)
		q.look(b)
		q.dropBucket(b)
	}
}

// Wait says which limit an attempt waits for.
type Wait struct {
	history.Subject
	Key    string // of which it is the limit; empty: of all
	Limit  history.Limit
	InUse  int
	Begins time.Time // when the rate allows the next; zero: that is not what it waits for
}

func (b *bucket) wait(now moment) Wait {
	return Wait{b.kind.Subject, b.kind.key, b.limit, b.inUse, b.until(now)}
}

// Name is that of the limit.
func (w Wait) Name() string {
	if w.Key != "" {
		return "limit of " + w.Subject.String() + " for key " + w.Key
	}
	return "limit of " + w.Subject.String()
}

func (w Wait) String() string {
	switch {
	case w.Limit.None:
		return w.Name() + ": 0, none are begun"
	case !w.Begins.IsZero(), w.Limit.AtOnce == 0:
		return fmt.Sprintf("%s: %d begun within %s", w.Name(), w.Limit.Rate, w.Limit.Per)
	}
	return fmt.Sprintf("%s: %d of %d in use", w.Name(), w.InUse, w.Limit.AtOnce)
}

// Waits says which limit a ready attempt of an activity waits for; ok is false if none keeps it.
func (q *Queue) Waits(k Key, now time.Time) (why Wait, ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.see(now)
	w := q.work[k]
	if w == nil || w.state != ready {
		return why, false
	}
	if b := w.lane.full(q.clock); b != nil {
		return b.wait(q.clock), true
	}
	return why, false
}
