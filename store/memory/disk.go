package memory

import (
	"cmp"
	"fmt"
	"slices"
	"sync"

	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/store"
)

// Disk is what outlives the handles that are opened on it, as a disk outlives processes. It forgets nothing but with the
// process it is in.
type Disk struct {
	mu      sync.Mutex
	records []store.Record          // the one of position p is records[p-1]; grows, and is exchanged when something is taken away
	streams map[history.ID][]uint64 // of their entries, in order; likewise
	cut     map[history.ID]uint64   // Seq of the last entry that was cut off in front of them
	tails   map[history.ID]store.Tail
	grown   chan struct{} // closed with the next append; nil while nobody waits
}

// NewDisk returns an empty Disk.
func NewDisk() *Disk {
	return &Disk{streams: map[history.ID][]uint64{}, cut: map[history.ID]uint64{}, tails: map[history.ID]store.Tail{}}
}

// Open returns a new handle. There may be many at once, as if other machines used the same log.
func (d *Disk) Open() *Log { return &Log{disk: d, closed: make(chan struct{})} }

// append stores entries, unless they are there already, and reports whether it did. change is made with it.
func (d *Disk) append(id history.ID, entries []history.Entry, change func()) (stored bool, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	stream := d.streams[id]
	if next := d.cut[id] + uint64(len(stream)) + 1; entries[0].Seq != next {
		if d.holds(d.cut[id], stream, entries) {
			return false, nil
		}
		return false, fmt.Errorf("memory: append to %s at %d, where %d is next: %w", id, entries[0].Seq, next, store.ErrConflict)
	}
	for _, e := range entries {
		p := uint64(len(d.records)) + 1
		d.records = append(d.records, store.Record{Position: store.At(p), ID: id, Entry: e})
		stream = append(stream, p)
	}
	d.streams[id] = stream
	change()
	if t, ok := d.tails[id]; ok && t.Seq == entries[len(entries)-1].Seq {
		d.records[len(d.records)-1].Tail = &t
	}
	if d.grown != nil {
		close(d.grown)
		d.grown = nil
	}
	return true, nil
}

// holds reports whether exactly these entries are at their place. Two entries of one hash are the same entry, because the
// hash covers all that came before.
func (d *Disk) holds(cut uint64, stream []uint64, entries []history.Entry) bool {
	first, last := entries[0].Seq, entries[len(entries)-1].Seq
	if first <= cut || last > cut+uint64(len(stream)) {
		return false
	}
	for i, p := range stream[first-1-cut : last-cut] {
		if d.records[p-1].Entry.Hash != entries[i].Hash {
			return false
		}
	}
	return true
}

// stream returns all records and the positions of those of a stream from a Seq on, as they are now.
func (d *Disk) stream(id history.ID, from uint64) ([]store.Record, []uint64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	stream := d.streams[id]
	skip := max(from, d.cut[id]+1) - d.cut[id] - 1
	return d.records, stream[min(skip, uint64(len(stream))):]
}

// after returns the records after a position and, if there are none, a channel that is closed when there are.
func (d *Disk) after(p store.Position) ([]store.Record, <-chan struct{}) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if p.Commit < uint64(len(d.records)) {
		return d.records[p.Commit:], nil
	}
	if d.grown == nil {
		d.grown = make(chan struct{})
	}
	return nil, d.grown
}

func (d *Disk) head() store.Position {
	d.mu.Lock()
	defer d.mu.Unlock()
	return store.At(uint64(len(d.records)))
}

func (d *Disk) tail(id history.ID) (store.Tail, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	t, ok := d.tails[id]
	return t, ok
}

func (d *Disk) allTails() []store.Tail {
	d.mu.Lock()
	defer d.mu.Unlock()
	all := make([]store.Tail, 0, len(d.tails))
	for _, t := range d.tails {
		all = append(all, t)
	}
	slices.SortFunc(all, func(a, b store.Tail) int {
		return cmp.Or(cmp.Compare(a.ID.Namespace, b.ID.Namespace), cmp.Compare(a.ID.Workflow, b.ID.Workflow))
	})
	return all
}
