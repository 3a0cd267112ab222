package eventstore

import (
	"sort"
	"sync"

	"github.com/clewflow/clew/store"
)

// item is a record as it comes to those who follow, or why it cannot be read.
type item struct {
	record   store.Record
	err      error
	stream   string // in which it stands
	revision uint64
}

// ring holds the newest records for all who follow, up to a number and a size.
//
// Invariant once it is open: every record behind base, up to the newest that the subscription has delivered, is in items,
// in order and once. base is 0 or the position of a record.
type ring struct {
	maxRecords, maxBytes int

	mu       sync.Mutex
	open     bool
	base     store.Position
	items    []item // behind those that were dropped; the slots are never written again
	dropped  uint64 // before items, since the ring was made
	bytes    int
	failures uint64        // of the subscription that those who follow are to be told
	err      error         // the last of them
	grown    chan struct{} // closed when there is something to look at; nil while nobody waits
	readers  map[*cursor]bool
}

// cursor is where somebody stands who follows.
type cursor struct {
	failures uint64 // that there were when it joined
	behind   bool   // it reads from the server
	taken    uint64 // how many records had gone through the ring when it took the last
}

func newRing(records, bytes int) ring {
	return ring{maxRecords: records, maxBytes: bytes, readers: map[*cursor]bool{}}
}

func (r *ring) join() *cursor {
	r.mu.Lock()
	defer r.mu.Unlock()
	c := &cursor{failures: r.failures, behind: true}
	r.readers[c] = true
	return c
}

func (r *ring) leave(c *cursor) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.readers, c)
}

// begin opens the ring: it will hold what follows a position.
func (r *ring) begin(at store.Position) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.open, r.base = true, at
	r.wake()
}

// newest is the position of the newest record that was delivered.
func (r *ring) newest() store.Position {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.end()
}

func (r *ring) end() store.Position {
	if n := len(r.items); n > 0 {
		return r.items[n-1].record.Position
	}
	return r.base
}

// add appends a record, unless it is there. added is false if it is.
func (r *ring) add(i item) (added bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !isBehind(r.end(), i.record.Position) {
		return false
	}
	r.items = append(r.items, i)
	r.bytes += i.record.Entry.Size()
	drop := 0
	for drop < len(r.items)-1 && (len(r.items)-drop > r.maxRecords || r.bytes > r.maxBytes) {
		r.base = r.items[drop].record.Position
		r.bytes -= r.items[drop].record.Entry.Size()
		drop++
	}
	// The array behind items is left to those who read it, and to the collector, when append needs another.
	r.items, r.dropped = r.items[drop:], r.dropped+uint64(drop)
	r.wake()
	return true
}

// fail tells all who follow now that it cannot go on.
func (r *ring) fail(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failures++
	r.err = err
	r.wake()
}

func (r *ring) wake() {
	if r.grown != nil {
		close(r.grown)
		r.grown = nil
	}
}

// view is what the ring has for somebody at a position.
type view struct {
	items  []item
	behind bool           // what follows is not here: it is to be read from the server up to base at least
	open   bool           // base is known
	base   store.Position // behind which all is here
	grown  <-chan struct{}
	err    error
}

// after returns what follows a position.
func (r *ring) after(c *cursor, at store.Position) (v view) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.failures != c.failures {
		return view{err: r.err}
	}
	v.open, v.base = r.open, r.base
	if v.behind = !r.open || isBehind(at, r.base); v.behind {
		c.behind = true
	} else {
		next := sort.Search(len(r.items), func(i int) bool { return isBehind(at, r.items[i].record.Position) })
		v.items = r.items[next:len(r.items):len(r.items)]
		c.behind, c.taken = false, r.dropped+uint64(next)
	}
	if len(v.items) == 0 {
		if r.grown == nil {
			r.grown = make(chan struct{})
		}
		v.grown = r.grown
	}
	return v
}

// lag counts those who follow, those of them who read from the server, and the records that the slowest of the others has
// still to take.
func (r *ring) lag() (readers, behind, lag int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for c := range r.readers {
		if c.behind {
			behind++
		} else {
			lag = max(lag, int(r.dropped+uint64(len(r.items))-c.taken))
		}
	}
	return len(r.readers), behind, lag
}
