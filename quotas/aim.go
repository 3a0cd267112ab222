package quotas

import (
	"cmp"
	"slices"
	"time"

	"github.com/clewflow/clew/history"
)

// Need is what a node would have of a limit.
type Need struct {
	Key   string
	Rate  bool
	Most  int  // that the limit allows all nodes; 0: nothing, or there is no limit
	Used  int  // by this node: attempts in hand, or begun within the time of a rate
	Waits bool // attempts wait for more
	Keeps bool // attempts that wait for another limit are about to use what is idle
	Takes bool // more may be taken now
	Fresh bool // nothing was begun since something was taken
	Frees bool // what is idle is given back though nobody wants it
}

// Aim is what a node is to have, and what it wants beyond that.
type Aim struct {
	Held      int
	Wants     int
	Contested bool // others want what this node has
}

// Aim says what a node is to have. Where it has more it begins nothing until it uses no more than that, and gives the rest back. What others have
// that are gone does not count.
func (q *Quotas) Aim(stream, me string, n Need, gone func(node string) bool) Aim {
	q.mu.Lock()
	defer q.mu.Unlock()
	v := q.table(stream).view(me, n, gone)
	wish := 0
	if n.Most > 0 {
		wish = n.Used
		if n.Rate && !n.Waits {
			wish = min(wish, v.held)
		}
		if n.Waits {
			wish += max(1, n.Used)
		}
		if n.Keeps {
			wish = max(wish, n.Used+1)
		}
		wish = min(wish, n.Most)
	}
	if wish > 0 || v.held > 0 {
		v.sharers++
	}
	aim := Aim{Held: v.held, Contested: v.unmet > 0 || v.free < 0}
	if give := v.gives(n, wish); give > 0 {
		aim.Held -= give
	} else if wish > v.held && n.Takes {
		aim.Held += max(0, min(wish-v.held, v.free-v.ahead(v.share(n.Most))))
	}
	aim.Wants = max(0, wish-aim.Held)
	return aim
}

// view is a place as a node sees it.
type view struct {
	mine    history.Quota
	others  []history.Quota
	held    int // by this node; what it uses counts though it was never taken
	free    int // of the limit; below 0: more is held than it allows
	unmet   int // that others want, and is not free
	sharers int // nodes that have or want something
}

func (t *table) view(me string, n Need, gone func(node string) bool) *view {
	p := place{n.Key, n.Rate}
	v := &view{mine: t.of(p, me)}
	v.held = v.mine.Held
	if !n.Rate {
		v.held = max(v.held, n.Used)
	}
	v.free = n.Most - v.held
	for _, row := range t.rows[p] {
		if row.Node == me || gone(row.Node) {
			continue
		}
		v.others = append(v.others, row)
		v.free -= row.Held
		v.unmet += row.Wants
		v.sharers++
	}
	v.unmet -= max(v.free, 0)
	return v
}

// share is what each node would have if all had the same.
func (v *view) share(most int) int { return (most + v.sharers - 1) / max(v.sharers, 1) }

// gives is how much of what it has the node is to give back.
func (v *view) gives(n Need, wish int) int {
	idle := max(0, v.held-wish)
	switch {
	case v.free < 0:
		return min(v.held, -v.free)
	case n.Frees || n.Most == 0:
		return idle
	case v.unmet <= 0:
		return 0
	}
	if n.Fresh {
		return min(v.unmet, idle)
	}
	fair := v.held - v.share(n.Most)
	if fair <= 0 && v.held > 0 && v.sharers > n.Most && slices.ContainsFunc(v.others, isPoor) {
		fair = 1 // there is not one for each: they take turns
	}
	return min(v.unmet, max(idle, fair))
}

func isPoor(q history.Quota) bool { return q.Held == 0 && q.Wants > 0 }

// ahead is how much is for others first: those that have less, or have waited for longer. It is no more than their share.
func (v *view) ahead(share int) (n int) {
	for _, o := range v.others {
		if o.Held < v.held || o.Held == v.held && (v.mine.Wants == 0 || o.Since < v.mine.Since) {
			n += max(0, min(o.Wants, share-o.Held))
		}
	}
	return n
}

// Set says how a stream's quotas stand when a node has and wants what is given for each place; changed is false if they stand so
// already. What nodes have that are gone is left out.
func (q *Quotas) Set(stream, me string, mine []history.Quota, gone func(node string) bool) (set *history.QuotasSet, changed bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	t := q.table(stream)
	set = new(history.QuotasSet)
	own := map[place]bool{}
	for _, now := range mine {
		p := placeOf(now)
		own[p] = true
		before := t.of(p, me)
		now.Node, now.Since = me, 0
		if now.Wants > 0 {
			now.Since = t.head.Seq + 1
			if before.Wants > 0 && now.Held >= before.Held {
				now.Since = before.Since
			}
		}
		if now.Held >= before.Held {
			now.Spent = 0
		}
		before.Spent = now.Spent
		changed = changed || now != before
		if now.Held > 0 || now.Wants > 0 || now.Spent > 0 {
			set.Quotas = append(set.Quotas, now)
		}
	}
	for p, rows := range t.rows {
		for _, row := range rows {
			stands := row.Held > 0 || row.Wants > 0
			if stands && (row.Node != me || !own[p]) && (row.Node == me || !gone(row.Node)) {
				set.Quotas = append(set.Quotas, row)
			}
		}
	}
	slices.SortFunc(set.Quotas, compare)
	return set, changed
}

func compare(a, b history.Quota) int {
	rate := func(q history.Quota) int {
		if q.Rate {
			return 1
		}
		return 0
	}
	return cmp.Or(cmp.Compare(a.Key, b.Key), cmp.Compare(rate(a), rate(b)), cmp.Compare(a.Node, b.Node))
}

// Used are the moments at which n of what is free of a rate may have been used last, by others: what is taken counts as begun
// then. most is what the rate allows, within a time.
func (q *Quotas) Used(stream, key string, n, most int, within time.Duration, now time.Time, gone func(node string) bool) []time.Time {
	q.mu.Lock()
	defer q.mu.Unlock()
	t, p := q.table(stream), place{key, true}
	t.freed[p] = slices.DeleteFunc(t.freed[p], func(at time.Time) bool { return !at.Add(within).After(now) })
	free, warm := most, slices.Clone(t.freed[p])
	for _, row := range t.rows[p] {
		if !gone(row.Node) {
			free -= row.Held
			continue
		}
		for range row.Held {
			warm = append(warm, now) // nobody knows when it stopped
		}
	}
	warm = warm[max(0, len(warm)-max(free, 0)):]
	cold := max(0, free) - len(warm)
	return slices.Clone(warm[:max(0, min(len(warm), n-cold))])
}
