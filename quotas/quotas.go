// Package quotas knows how the nodes that work on a log share its limits.
//
// What a limit allows is allowed to all nodes together. Each has a quota of it: how many attempts it may have in hand, or begin in a time.
// A node takes what is free, says that it wants more when nothing is, and gives back what it does not use, or has more of than others,
// when they want it. All that is said in streams of the family "quota", whose appends name their place: so two nodes never take the same. What a
// node has that is gone is free again.
//
// The package starts no goroutine and reads no clock.
package quotas

import (
	"hash/fnv"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/store"
)

// Family is that of the streams of quotas, see [history.ID.Family].
const Family = "quota"

// parts is how many streams the keys of one limit are spread over: each entry says all that there is in its stream.
const parts = 64

// Stream is the name of the stream in which a limit is shared: of all, or of a key of it.
func Stream(of history.Subject, key string, keyed bool) string {
	if !keyed {
		return of.String()
	}
	h := fnv.New32a()
	_, _ = h.Write([]byte(key)) // never fails
	return of.String() + "/" + strconv.Itoa(int(h.Sum32()%parts))
}

// Quotas are those of one namespace. All methods may be called from many goroutines.
type Quotas struct {
	mu     sync.Mutex
	tables map[string]*table
}

// New makes Quotas in which nobody has any.
func New() *Quotas { return &Quotas{tables: map[string]*table{}} }

// table is what a stream says.
type table struct {
	head  history.Entry
	rows  map[place][]history.Quota
	freed map[place][]time.Time // when it was heard that of a rate was given back what was used; oldest first
}

// place is what is shared in one place of a table.
type place struct {
	key  string
	rate bool
}

func placeOf(q history.Quota) place { return place{q.Key, q.Rate} }

func (q *Quotas) table(stream string) *table {
	t := q.tables[stream]
	if t == nil {
		t = &table{rows: map[place][]history.Quota{}, freed: map[place][]time.Time{}}
		q.tables[stream] = t
	}
	return t
}

// Head is the last entry of a stream; its Seq is 0 if there is none.
func (q *Quotas) Head(stream string) history.Entry {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.table(stream).head
}

// Apply takes an entry of a stream of quotas, heard at now. One that is known already changes nothing.
func (q *Quotas) Apply(r store.Record, now time.Time) (changed bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	t := q.table(r.ID.Workflow)
	set, is := r.Entry.Event.(*history.QuotasSet)
	if !is || r.Entry.Seq <= t.head.Seq {
		return false
	}
	before := t.rows
	t.head, t.rows = r.Entry, map[place][]history.Quota{}
	for _, row := range set.Quotas {
		t.rows[placeOf(row)] = append(t.rows[placeOf(row)], row)
	}
	for p, rows := range before {
		for _, row := range rows {
			if !p.rate {
				continue
			}
			after, n := t.of(p, row.Node), row.Held
			if after.Held+after.Wants+after.Spent > 0 { // else others have put it out, and nobody knows what it has used
				n = min(row.Held-after.Held, after.Spent)
			}
			t.free(p, n, now)
		}
	}
	return true
}

// free notes that n are given back that were used until now.
func (t *table) free(p place, n int, now time.Time) {
	for range n {
		t.freed[p] = append(t.freed[p], now)
	}
	if n := len(t.freed[p]) - keptFreed; n > 0 {
		t.freed[p] = slices.Delete(t.freed[p], 0, n)
	}
}

// keptFreed bounds the memory of what was freed: where more is, somebody may begin a little early what was used an age ago.
const keptFreed = 1 << 16

// of is what a node has in a place.
func (t *table) of(p place, node string) history.Quota {
	for _, row := range t.rows[p] {
		if row.Node == node {
			return row
		}
	}
	return history.Quota{Key: p.key, Rate: p.rate, Node: node}
}

// Held is how much of a limit is taken: by one node, and by the others that are not gone.
func (q *Quotas) Held(stream, key string, rate bool, me string, gone func(node string) bool) (mine, others int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, row := range q.table(stream).rows[place{key, rate}] {
		switch {
		case row.Node == me:
			mine += row.Held
		case !gone(row.Node):
			others += row.Held
		}
	}
	return mine, others
}

// Nodes are those that have or want something in a stream.
func (q *Quotas) Nodes(stream string) (all []string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, rows := range q.table(stream).rows {
		for _, row := range rows {
			all = append(all, row.Node)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// Streams are the names of all streams.
func (q *Quotas) Streams() (all []string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for name := range q.tables {
		all = append(all, name)
	}
	slices.Sort(all)
	return all
}
