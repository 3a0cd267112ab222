package pebble

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"iter"
	"sync"

	"github.com/cockroachdb/pebble/v2"

	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/store"
)

// What is taken away leaves two things behind: at the positions of entries that were removed a mark with their number, so that nobody
// takes them for missing, and for a history whose front was cut off the Seq up to which it was.

const goneMark = 'x' // begins the value at a position whose entries were removed

var (
	_ store.Lister = (*Log)(nil)
	_ store.Eraser = (*Log)(nil)
	_ store.Sized  = (*Log)(nil)
)

// Streams is that of [store.Lister].
func (l *Log) Streams(ctx context.Context) iter.Seq2[store.Stream, error] {
	return func(yield func(store.Stream, error) bool) {
		for from := []byte{streamKind}; from != nil; {
			some, next, err := l.some(ctx, from, []byte{streamKind + 1})
			for _, k := range some {
				if !yield(store.Stream{ID: k.ID, Last: k.last}, nil) {
					return
				}
			}
			if err != nil {
				yield(store.Stream{}, fmt.Errorf("pebble: list: %w", err))
				return
			}
			from = next
		}
	}
}

// Redact is that of [store.Eraser].
func (l *Log) Redact(ctx context.Context, id history.ID, entries ...history.Entry) error {
	if len(entries) == 0 {
		return nil
	}
	bySeq := make(map[uint64]history.Entry, len(entries))
	first := entries[0].Seq
	for _, e := range entries {
		if e.Size() == 0 {
			return fmt.Errorf("pebble: redact %s: entry %d is not sealed", id, e.Seq)
		}
		bySeq[e.Seq], first = e, min(first, e.Seq)
	}
	err := l.erase(ctx, id, func(db *pebble.DB, b *pebble.Batch) error {
		left := len(bySeq)
		return scan(db, id, first, func(s stored) (more bool, err error) {
			changed := false
			for i := range s.wires {
				e, ok := bySeq[s.first+uint64(i)]
				if !ok {
					continue
				}
				left--
				if was, err := s.record(e.Seq); err != nil {
					return false, err
				} else if was.Entry.Hash == e.Hash {
					s.wires[i], changed = history.AppendEntry(nil, e), true
				}
			}
			if changed {
				must(b.Set(streamKey(id, s.first), s.value(), nil))
			}
			return left > 0, nil
		})
	})
	if err != nil {
		return fmt.Errorf("pebble: redact %s: %w", id, err)
	}
	return nil
}

// Cut is that of [store.Eraser].
func (l *Log) Cut(ctx context.Context, id history.ID, to uint64, hash history.Hash) error {
	err := l.erase(ctx, id, func(db *pebble.DB, b *pebble.Batch) error {
		meant, err := isAt(db, id, to, hash)
		if err != nil || !meant {
			return err
		}
		rest := false
		err = scan(db, id, 1, func(s stored) (more bool, err error) {
			if s.first > to {
				rest = true
				return false, nil
			}
			must(b.Delete(streamKey(id, s.first), nil))
			n := min(to-s.first+1, uint64(len(s.wires)))
			must(b.Set(positionKey(s.at), binary.AppendUvarint([]byte{goneMark}, n), nil))
			if n < uint64(len(s.wires)) { // the next run begins in the same append
				s.first, s.at, s.wires, rest = s.first+n, s.at+position(n), s.wires[n:], true
				must(b.Set(streamKey(id, s.first), s.value(), nil))
				must(b.Set(positionKey(s.at), streamKey(id, s.first), nil))
				return false, nil
			}
			return true, nil
		})
		if err != nil {
			return err
		}
		if rest {
			must(b.Set(cutKey(id), binary.AppendUvarint(nil, to), nil))
			return nil
		}
		must(b.Delete(cutKey(id), nil))
		must(b.Delete(tailKey(id), nil))
		return nil
	})
	if err != nil {
		return fmt.Errorf("pebble: cut %s: %w", id, err)
	}
	return nil
}

// isAt reports whether the entry with a Seq is there and has a hash.
func isAt(db *pebble.DB, id history.ID, seq uint64, hash history.Hash) (is bool, err error) {
	err = scan(db, id, seq, func(s stored) (bool, error) {
		if seq < s.first || seq > s.last() {
			return false, nil
		}
		r, err := s.record(seq)
		is = err == nil && r.Entry.Hash == hash
		return false, err
	})
	return is, err
}

// value is s as it is stored.
func (s stored) value() []byte {
	b := binary.BigEndian.AppendUint64(nil, uint64(s.at))
	b = binary.AppendUvarint(b, uint64(len(s.wires)))
	for _, w := range s.wires {
		b = binary.AppendUvarint(b, uint64(len(w)))
	}
	for _, w := range s.wires {
		b = append(append(b, w...), '\n')
	}
	return b
}

// cutOff is the Seq up to which the front of a history was cut off, 0 if it was not.
func cutOff(db *pebble.DB, id history.ID) (uint64, error) {
	value, closer, err := db.Get(cutKey(id))
	if err != nil {
		return 0, ifFound(err)
	}
	defer closer.Close()
	seq, n := binary.Uvarint(value)
	if n != len(value) || seq == 0 {
		return 0, corrupt(fmt.Errorf("where %s was cut off: %w", id, errValue))
	}
	return seq, nil
}

// goneAt reads the mark at a position, 0 if there is none.
func goneAt(value []byte) (uint64, error) {
	if len(value) == 0 || value[0] != goneMark {
		return 0, nil
	}
	n, size := binary.Uvarint(value[1:])
	if size != len(value)-1 || n == 0 {
		return 0, corrupt(errValue)
	}
	return n, nil
}

// erasure is something that the committer is to take away, since it alone writes and knows where histories end.
type erasure struct {
	change func(*pebble.DB, *pebble.Batch) error
	done   chan error // answered once; never blocks the committer
}

// erase has the committer write what change puts into a batch, and returns when that is durable.
func (l *Log) erase(ctx context.Context, id history.ID, change func(*pebble.DB, *pebble.Batch) error) error {
	if err := l.ready(ctx); err != nil {
		return err
	}
	e := &erasure{change, make(chan error, 1)}
	select {
	case l.erasures <- e:
	case <-ctx.Done():
		return ctx.Err()
	case <-l.stopped:
		return store.ErrClosed
	}
	err := <-e.done
	if err == nil {
		lower, upper := streamBounds(id)
		l.erased.add(lower, upper)
	}
	return err
}

// take is the committer's part.
func (l *Log) take(e *erasure) {
	if err := l.db.failed(); err != nil {
		e.done <- fmt.Errorf("%w: %w", store.ErrUnavailable, err)
		return
	}
	b := l.db.NewBatch()
	defer b.Close()
	err := explain(e.change(l.db.DB, b))
	if err != nil || b.Empty() {
		e.done <- err
		return
	}
	if err := l.db.apply(b); err != nil {
		e.done <- fmt.Errorf("%w: %w", store.ErrUnknownOutcome, err)
		return
	}
	l.unsettled = true
	l.ends = ends{}
	l.recent.reset(l.recent.durable()) // what it holds may be gone
	e.done <- nil
}

// ranges are the keys among which something was taken away since they were last purged.
type ranges struct {
	mu  sync.Mutex
	all [][2][]byte
}

// maxRanges bounds the ranges that are kept apart; more of them become one.
const maxRanges = 64

func (r *ranges) add(lower, upper []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.all = append(r.all, [2][]byte{lower, upper}); len(r.all) <= maxRanges {
		return
	}
	one := r.all[0]
	for _, next := range r.all[1:] {
		if bytes.Compare(next[0], one[0]) < 0 {
			one[0] = next[0]
		}
		if bytes.Compare(next[1], one[1]) > 0 {
			one[1] = next[1]
		}
	}
	r.all = append(r.all[:0], one)
}

func (r *ranges) take() [][2][]byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := r.all
	r.all = nil
	return all
}

// Purge is that of [store.Eraser]. The sorted files are written anew without what was taken away. What was appended lately may still be
// in a write-ahead log that is to be used again, until it is, or until the store is opened next.
func (l *Log) Purge(ctx context.Context) error {
	all := l.erased.take()
	if len(all) == 0 {
		return nil
	}
	err := l.use(ctx, func(db *pebble.DB) error {
		if err := db.Flush(); err != nil {
			return err
		}
		for _, r := range all {
			if err := db.Compact(ctx, r[0], r[1], false); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		for _, r := range all {
			l.erased.add(r[0], r[1])
		}
		return fmt.Errorf("pebble: purge: %w", err)
	}
	return nil
}

// Size is that of [store.Sized]; 0 while the directory is not open.
func (l *Log) Size() (bytes uint64) {
	_ = l.use(context.Background(), func(db *pebble.DB) error { // else nothing is known
		bytes = db.Metrics().DiskSpaceUsage()
		return nil
	})
	return bytes
}
