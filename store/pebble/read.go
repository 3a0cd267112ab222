package pebble

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"

	"github.com/cockroachdb/pebble/v2"

	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/store"
)

// What is read at a time. Nothing of the database is held while the reader looks at it, so one that is slow, or never
// comes back, holds nobody up.
const (
	chunkRecords = 512
	chunkBytes   = 256 << 10
)

// Read is that of [store.Log].
func (l *Log) Read(ctx context.Context, id history.ID, from uint64) iter.Seq2[store.Record, error] {
	asOf := l.recent.durable()
	return func(yield func(store.Record, error) bool) {
		begun := false
		for next := max(from, 1); ; begun = true {
			records, more, err := l.chunk(ctx, id, next, asOf, begun)
			if begun && err == nil { // the first was yielded before, and shows that nothing was taken away meanwhile
				if len(records) == 0 || records[0].Entry.Seq != next {
					err = fmt.Errorf("%w: entry %d was taken away while the history was read", store.ErrUnavailable, next)
					records = nil
				} else {
					records = records[1:]
				}
			}
			for _, r := range records {
				if !yield(r, nil) {
					return
				}
			}
			if err != nil {
				yield(store.Record{}, fmt.Errorf("pebble: read %s: %w", id, err))
				return
			}
			if !more || len(records) == 0 {
				return
			}
			next = records[len(records)-1].Entry.Seq
		}
	}
}

// chunk reads some entries of a history from Seq from on, and reports whether there may be more. If the first was seen before, it does
// not count.
func (l *Log) chunk(ctx context.Context, id history.ID, from uint64, asOf position, seen bool) (records []store.Record, more bool, err error) {
	err = l.use(ctx, func(db *pebble.DB) error {
		size := 0
		return scan(db, id, from, func(s stored) (bool, error) {
			if s.at > asOf {
				return false, nil
			}
			for seq := max(s.first, from); seq <= s.last(); seq++ {
				r, err := s.record(seq)
				if err != nil {
					return false, err
				}
				records = append(records, r)
				if !seen || seq > from {
					size += r.Entry.Size()
				}
			}
			more = len(records) > chunkRecords || size >= chunkBytes
			return !more, nil
		})
	})
	return records, more, err
}

// scan shows the appends of a stream, in order, from that on which holds the Seq from.
func scan(db *pebble.DB, id history.ID, from uint64, show func(stored) (more bool, err error)) error {
	next := from
	if from == 1 {
		// Most often there is no such history, and the filters of the database know it.
		s, ok, err := get(db, id, 1)
		switch {
		case err != nil:
			return err
		case !ok:
			return scanCut(db, id, show)
		}
		if more, err := show(s); !more || err != nil {
			return err
		}
		next = s.last() + 1
	}
	lower, upper := streamBounds(id)
	it, err := db.NewIter(&pebble.IterOptions{LowerBound: lower, UpperBound: upper})
	if err != nil {
		return err
	}
	defer it.Close()
	var ok bool
	if from == 1 {
		ok = it.SeekGE(streamKey(id, next))
	} else {
		ok = it.SeekLT(streamKey(id, from+1))
	}
	if !ok && from > 1 && it.Error() == nil {
		return scanCut(db, id, show)
	}
	for begun := false; ok; ok, begun = it.Next(), true {
		s, err := at(it)
		if err != nil {
			return err
		}
		if !begun && from > 1 {
			if s.last() < from {
				break // the history ends before
			}
			next = s.first
		}
		if s.first != next {
			return corrupt(fmt.Errorf("entry %d of %s is missing", next, id))
		}
		next = s.last() + 1
		if more, err := show(s); !more || err != nil {
			return err
		}
	}
	return it.Error()
}

// scanCut shows the appends of a stream whose front was cut off; if it was not, there are none.
func scanCut(db *pebble.DB, id history.ID, show func(stored) (more bool, err error)) error {
	cut, err := cutOff(db, id)
	if err != nil || cut == 0 {
		return err
	}
	lower, upper := streamBounds(id)
	it, err := db.NewIter(&pebble.IterOptions{LowerBound: lower, UpperBound: upper})
	if err != nil {
		return err
	}
	defer it.Close()
	next := cut + 1
	for ok := it.First(); ok; ok = it.Next() {
		s, err := at(it)
		if err != nil {
			return err
		}
		if s.first != next {
			return corrupt(fmt.Errorf("entry %d of %s is missing", next, id))
		}
		next = s.last() + 1
		if more, err := show(s); !more || err != nil {
			return err
		}
	}
	return it.Error()
}

// end returns the Seq of the last entry of a stream, 0 if there is none.
func lastSeq(db *pebble.DB, id history.ID) (uint64, error) {
	lower, upper := streamBounds(id)
	it, err := db.NewIter(&pebble.IterOptions{LowerBound: lower, UpperBound: upper})
	if err != nil {
		return 0, err
	}
	defer it.Close()
	if !it.Last() {
		return 0, it.Error()
	}
	s, err := at(it)
	if err != nil {
		return 0, err
	}
	return s.last(), nil
}

// get returns the append that begins with a Seq.
func get(db *pebble.DB, id history.ID, first uint64) (s stored, ok bool, err error) {
	value, closer, err := db.Get(streamKey(id, first))
	if err != nil {
		if err = ifFound(err); err != nil {
			err = fmt.Errorf("entry %d of %s: %w", first, id, err)
		}
		return s, false, err
	}
	defer closer.Close()
	s, err = cut(id, first, bytes.Clone(value))
	return s, err == nil, err
}

// at returns the append that an iterator over a stream stands at.
func at(it *pebble.Iterator) (stored, error) {
	id, first, err := cutStreamKey(it.Key())
	if err != nil {
		return stored{}, corrupt(err)
	}
	value, err := it.ValueAndErr()
	if err != nil {
		return stored{}, fmt.Errorf("entry %d of %s: %w", first, id, err)
	}
	return cut(id, first, bytes.Clone(value))
}

func ifFound(err error) error {
	if errors.Is(err, pebble.ErrNotFound) {
		return nil
	}
	return err
}

// Head is that of [store.Log].
func (l *Log) Head(ctx context.Context) (store.Position, error) {
	if err := l.usable(ctx); err != nil {
		return store.Position{}, fmt.Errorf("pebble: head: %w", err)
	}
	return l.recent.durable().store(), nil
}
