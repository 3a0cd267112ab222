// Package memory keeps a log in memory. It is the model that the other logs are held against, and what tests run on.
//
// A [Disk] holds what was stored, a [Log] is a handle on it. Closing a handle, or just dropping it, is the death of a
// process: what was appended is on the Disk, and another handle finds it there.
//
// Whoever waits here waits on channels only, so a Log works in the bubbles of testing/synctest.
package memory

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"
	"sync/atomic"

	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/store"
)

// Log is a handle on a [Disk]. It offers [store.Tails], [store.Meter], [store.Lister] and [store.Eraser] too.
type Log struct {
	disk   *Disk
	close  sync.Once
	closed chan struct{}

	appends, bytes atomic.Uint64
}

var (
	_ store.Log   = (*Log)(nil)
	_ store.Tails = (*Log)(nil)
	_ store.Meter = (*Log)(nil)

	_ store.Lister = (*Log)(nil)
	_ store.Eraser = (*Log)(nil)
)

// New returns a handle on an empty Disk of its own.
func New() *Log { return NewDisk().Open() }

// Disk returns what the handle is open on.
func (l *Log) Disk() *Disk { return l.disk }

// Close ends everyone who follows through this handle. The Disk stays as it is.
func (l *Log) Close() error {
	l.close.Do(func() { close(l.closed) })
	return nil
}

// Append is that of [store.Log].
func (l *Log) Append(ctx context.Context, id history.ID, entries ...history.Entry) error {
	return l.append(ctx, id, entries, func() {})
}

// AppendTail is that of [store.Tails].
func (l *Log) AppendTail(ctx context.Context, id history.ID, tail *store.Tail, entries ...history.Entry) error {
	return l.append(ctx, id, entries, func() {
		if tail == nil {
			delete(l.disk.tails, id)
			return
		}
		row := *tail
		row.ID, row.Wake = id, row.Wake.Round(0).UTC()
		l.disk.tails[id] = row
	})
}

func (l *Log) append(ctx context.Context, id history.ID, entries []history.Entry, change func()) error {
	if err := l.usable(ctx); err != nil {
		return fmt.Errorf("memory: append to %s: %w", id, err)
	}
	if err := sound(entries); err != nil {
		return fmt.Errorf("memory: append to %s: %w", id, err)
	}
	stored, err := l.disk.append(id, entries, change)
	if stored {
		l.appends.Add(1)
		for _, e := range entries {
			l.bytes.Add(uint64(e.Size()))
		}
	}
	return err
}

// sound finds the callers' own mistakes.
func sound(entries []history.Entry) error {
	if len(entries) == 0 {
		return errors.New("no entries")
	}
	for i, e := range entries {
		switch {
		case e.Size() == 0:
			return fmt.Errorf("entry %d is not sealed", e.Seq)
		case e.Seq != entries[0].Seq+uint64(i):
			return fmt.Errorf("entry %d follows entry %d", e.Seq, entries[i-1].Seq)
		}
	}
	return nil
}

// Read is that of [store.Log].
func (l *Log) Read(ctx context.Context, id history.ID, from uint64) iter.Seq2[store.Record, error] {
	records, stream := l.disk.stream(id, from)
	return func(yield func(store.Record, error) bool) {
		for i := 0; ; i++ {
			if err := l.usable(ctx); err != nil {
				yield(store.Record{}, fmt.Errorf("memory: read %s: %w", id, err))
				return
			}
			if i >= len(stream) || !yield(records[stream[i]-1], nil) || i+1 == len(stream) {
				return
			}
		}
	}
}

// Head is that of [store.Log].
func (l *Log) Head(ctx context.Context) (store.Position, error) {
	if err := l.usable(ctx); err != nil {
		return store.Position{}, fmt.Errorf("memory: head: %w", err)
	}
	return l.disk.head(), nil
}

// Follow is that of [store.Log].
func (l *Log) Follow(ctx context.Context, after store.Position) iter.Seq2[store.Record, error] {
	return func(yield func(store.Record, error) bool) {
		for {
			records, grown := l.disk.after(after)
			for _, r := range records {
				if err := l.usable(ctx); err != nil {
					break
				}
				if r.Entry.Seq > 0 && !yield(r, nil) {
					return
				}
				after = r.Position // also of what was taken away
			}
			select {
			case <-ctx.Done():
				return
			default:
			}
			select {
			case <-l.closed:
				yield(store.Record{}, fmt.Errorf("memory: follow: %w", store.ErrClosed))
				return
			default:
			}
			if grown == nil {
				continue
			}
			select {
			case <-ctx.Done():
			case <-l.closed:
			case <-grown:
			}
		}
	}
}

// Tail is that of [store.Tails].
func (l *Log) Tail(ctx context.Context, id history.ID) (store.Tail, bool, error) {
	if err := l.usable(ctx); err != nil {
		return store.Tail{}, false, fmt.Errorf("memory: tail of %s: %w", id, err)
	}
	t, ok := l.disk.tail(id)
	return t, ok, nil
}

// AllTails is that of [store.Tails].
func (l *Log) AllTails(ctx context.Context) iter.Seq2[store.Tail, error] {
	return func(yield func(store.Tail, error) bool) {
		if err := l.usable(ctx); err != nil {
			yield(store.Tail{}, fmt.Errorf("memory: tails: %w", err))
			return
		}
		for _, t := range l.disk.allTails() {
			if !yield(t, nil) {
				return
			}
		}
	}
}

// Written is that of [store.Meter]. Every append counts as a sync.
func (l *Log) Written() (appends, syncs, bytes uint64) {
	return l.appends.Load(), l.appends.Load(), l.bytes.Load()
}

func (l *Log) usable(ctx context.Context) error {
	select {
	case <-l.closed:
		return store.ErrClosed
	default:
		return ctx.Err()
	}
}
