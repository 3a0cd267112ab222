package dispatch

import (
	"slices"
	"time"

	"github.com/clewflow/clew/history"
)

// Where several nodes share the limits, a limit allows this one no more than its quota of it. Whoever uses the queue says what that is.

// Bounded is what a limit bounds: all of a subject, or those of one of its keys.
type Bounded struct {
	history.Subject
	Key   string
	Keyed bool
}

func (b Bounded) kind() bucketKind { return bucketKind{b.Subject, b.Key, b.Keyed} }

// Use is how a limit is used here.
type Use struct {
	Limit history.Limit
	InUse int  // in hand, or going on outside
	Begun int  // within the time of the rate
	Waits bool // attempts wait for it
	Keeps bool // attempts that it allows wait for another limit
	Fresh bool // something was given since an attempt was begun last
}

// Quota is how much of a limit this process has.
type Quota struct {
	AtOnce, Rate int
	Used         []time.Time // when others may have used what is new of the rate
	Contested    bool        // others want some of it: whenever its use changes that is told
	Denied       bool        // nothing is free of what attempts wait for: those that are not to wait are turned away
}

// quota is what a bucket has been given.
type quota struct {
	atOnce, rate int
	contested    bool
	fresh        bool
	told         bool // that it is to be looked at
}

// Share has limits allow no more than what [Queue.SetQuota] gives. It is called before anything else.
func (q *Queue) Share() { q.shared = true }

// Wanting receives when there may be something in [Queue.Wants].
func (q *Queue) Wanting() <-chan struct{} { return q.wanting }

// Wants returns what quotas are to be looked at, each once: attempts wait for more, more is used than was given, or others want some.
func (q *Queue) Wants() (all []Bounded) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, b := range q.wants {
		b.quota.told = false
		all = append(all, Bounded{b.kind.Subject, b.kind.key, b.kind.keyed})
	}
	q.wants = nil
	return all
}

func (q *Queue) tell(b *bucket) {
	if b.quota.told {
		return
	}
	b.quota.told = true
	q.wants = append(q.wants, b)
	select {
	case q.wanting <- struct{}{}:
	default:
	}
}

// look has a quota looked at if more is used than was given, or others want some of it.
func (q *Queue) look(b *bucket) {
	l := &b.limit
	bounded := l.AtOnce > 0 || l.Rate > 0
	if q.shared && bounded && (b.quota.contested || l.AtOnce > 0 && b.inUse > b.quota.atOnce) {
		q.tell(b)
	}
}

// lacks reports whether it is the quota that allows no other attempt, and not the limit.
func (b *bucket) lacks() bool {
	l := &b.limit
	return !l.None && (l.AtOnce > 0 && b.inUse >= b.most.AtOnce && b.inUse < l.AtOnce || l.Rate > 0 && len(b.begun) >= b.most.Rate && b.most.Rate < l.Rate)
}

// limit puts the limit in force that holds for a bucket.
func (q *Queue) limit(b *bucket) {
	b.limit = q.limitOf(b.kind)
	if b.most = b.limit; q.shared {
		b.most.AtOnce, b.most.Rate = min(b.limit.AtOnce, b.quota.atOnce), min(b.limit.Rate, b.quota.rate)
	}
}

// Uses says how a limit is used.
func (q *Queue) Uses(of Bounded, now time.Time) Use {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.see(now)
	b := q.buckets[of.kind()]
	if b == nil {
		return Use{Limit: q.limitOf(of.kind())}
	}
	b.trim(q.clock)
	return Use{b.limit, b.inUse, len(b.begun), b.waits.len() > 0 || b.woke != nil, b.past > 0, b.quota.fresh}
}

// SetQuota says how much of a limit this process has, and returns how many attempts it has in hand under it, which may be more.
func (q *Queue) SetQuota(of Bounded, to Quota, now time.Time) (inUse int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.see(now)
	b := q.buckets[of.kind()]
	if b == nil {
		return 0 // nothing is counted
	}
	b.quota.fresh = b.quota.fresh || to.AtOnce > b.quota.atOnce || to.Rate > b.quota.rate
	b.quota.atOnce, b.quota.rate, b.quota.contested = to.AtOnce, to.Rate, to.Contested
	if q.limit(b); len(to.Used) > 0 && b.limit.Rate > 0 {
		b.begun = append(b.begun, to.Used...)
		slices.SortFunc(b.begun, time.Time.Compare)
	}
	if to.Denied && b.short > 0 {
		q.deny(b)
	}
	told := b.quota.told
	b.quota.told = true // whoever says this knows
	q.stir(b)
	b.quota.told = told
	return b.inUse
}

// deny turns those away that wait for a bucket and are not to wait.
func (q *Queue) deny(b *bucket) {
	for _, l := range b.waits.all() {
		if l.kind.refuses {
			l.takeBack()
			q.run(l)
			q.turnAway(l, b)
		}
	}
	b.rest(q)
	q.signal()
}

// DropQuotas takes away all that was given.
func (q *Queue) DropQuotas() {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, b := range q.buckets {
		b.quota = quota{told: b.quota.told}
		q.limit(b)
		q.look(b)
		q.stir(b)
	}
}
