package memory

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"slices"

	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/store"
)

// Streams is that of [store.Lister].
func (l *Log) Streams(ctx context.Context) iter.Seq2[store.Stream, error] {
	return func(yield func(store.Stream, error) bool) {
		if err := l.usable(ctx); err != nil {
			yield(store.Stream{}, fmt.Errorf("memory: list: %w", err))
			return
		}
		for _, s := range l.disk.all() {
			if !yield(s, nil) {
				return
			}
		}
	}
}

func (d *Disk) all() []store.Stream {
	d.mu.Lock()
	defer d.mu.Unlock()
	all := make([]store.Stream, 0, len(d.streams))
	for id, stream := range d.streams {
		all = append(all, store.Stream{ID: id, Last: d.cut[id] + uint64(len(stream))})
	}
	slices.SortFunc(all, func(a, b store.Stream) int {
		return cmp.Or(cmp.Compare(a.ID.Namespace, b.ID.Namespace), cmp.Compare(a.ID.Workflow, b.ID.Workflow))
	})
	return all
}

// Redact is that of [store.Eraser].
func (l *Log) Redact(ctx context.Context, id history.ID, entries ...history.Entry) error {
	if err := l.usable(ctx); err != nil {
		return fmt.Errorf("memory: redact %s: %w", id, err)
	}
	l.disk.erase(func(records []store.Record) {
		stream, cut := l.disk.streams[id], l.disk.cut[id]
		for _, e := range entries {
			if e.Seq > cut && e.Seq <= cut+uint64(len(stream)) {
				if r := &records[stream[e.Seq-cut-1]-1]; r.Entry.Hash == e.Hash {
					r.Entry = e
				}
			}
		}
	})
	return nil
}

// Cut is that of [store.Eraser].
func (l *Log) Cut(ctx context.Context, id history.ID, to uint64, hash history.Hash) error {
	if err := l.usable(ctx); err != nil {
		return fmt.Errorf("memory: cut %s: %w", id, err)
	}
	l.disk.erase(func(records []store.Record) {
		stream, cut := l.disk.streams[id], l.disk.cut[id]
		if to <= cut || to > cut+uint64(len(stream)) || records[stream[to-cut-1]-1].Entry.Hash != hash {
			return
		}
		for _, p := range stream[:to-cut] {
			records[p-1] = store.Record{Position: store.At(p)}
		}
		if l.disk.streams[id], l.disk.cut[id] = slices.Clone(stream[to-cut:]), to; len(l.disk.streams[id]) == 0 {
			delete(l.disk.streams, id)
			delete(l.disk.cut, id)
			delete(l.disk.tails, id)
		}
	})
	return nil
}

// erase changes a copy of the records, since readers have the others, and makes it the records.
func (d *Disk) erase(change func([]store.Record)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	records := slices.Clone(d.records)
	change(records)
	d.records = records
}

// Purge is that of [store.Eraser]: there are no files.
func (l *Log) Purge(context.Context) error { return nil }
