package pebble

import (
	"context"
	"encoding/binary"
	"fmt"
	"iter"
	"sort"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"

	"github.com/clewflow/clew/store"
)

// What is kept of the newest records, whichever is less.
const (
	recentRecords = 64 << 10
	recentBytes   = 32 << 20
)

// recent holds the newest records as values, so that who keeps up needs neither the disk nor a decoder, and says which
// position is durable. Nothing behind that is shown to anybody.
type recent struct {
	head atomic.Uint64

	mu      sync.Mutex
	groups  [][]store.Record // those up to head, without a gap, as they were written
	records int
	bytes   int
	grown   chan struct{} // closed when there is more, or something else to look at; nil while nobody waits
}

func (r *recent) durable() position { return position(r.head.Load()) }

// add makes a group of records known that is durable now. It keeps the slice.
func (r *recent) add(group []store.Record) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.groups = append(r.groups, group)
	r.count(group, 1)
	for len(r.groups) > 1 && (r.records > recentRecords || r.bytes > recentBytes) {
		r.count(r.groups[0], -1)
		r.groups[0] = nil
		r.groups = r.groups[1:]
	}
	r.head.Store(group[len(group)-1].Position.Commit)
	r.wake()
}

func (r *recent) count(group []store.Record, sign int) {
	r.records += sign * len(group)
	for i := range group {
		r.bytes += sign * group[i].Entry.Size()
	}
}

// reset forgets the records; the log now ends at head.
func (r *recent) reset(head position) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.groups, r.records, r.bytes = nil, 0, 0
	r.head.Store(uint64(head))
	r.wake()
}

func (r *recent) wake() {
	if r.grown != nil {
		close(r.grown)
		r.grown = nil
	}
}

// after returns some records after p, if they are here, and the durable position. If there are none yet, grown is closed
// when there are.
func (r *recent) after(p position) (records []store.Record, head position, grown <-chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	head = r.durable()
	if p >= head {
		if r.grown == nil {
			r.grown = make(chan struct{})
		}
		return nil, head, r.grown
	}
	if len(r.groups) == 0 || p+1 < positionOf(r.groups[0][0].Position) {
		return nil, head, nil
	}
	next := sort.Search(len(r.groups), func(i int) bool { return positionOf(r.groups[i][0].Position) > p+1 })
	group := r.groups[next-1]
	return group[p+1-positionOf(group[0].Position):], head, nil
}

// Follow is that of [store.Log]. An entry that cannot be read ends the sequence; the record that comes with the error says
// which it is, so that one can go on behind it.
func (l *Log) Follow(ctx context.Context, from store.Position) iter.Seq2[store.Record, error] {
	return func(yield func(store.Record, error) bool) {
		after := positionOf(from)
		for {
			records, head, grown := l.recent.after(after)
			var bad store.Record
			var err error
			through := after
			if after < head && len(records) == 0 {
				records, through, bad, err = l.between(ctx, after, head)
			}
			for _, r := range records {
				if l.usable(ctx) != nil {
					break
				}
				if !yield(r, nil) {
					return
				}
				after = positionOf(r.Position)
			}
			if l.usable(ctx) == nil {
				after = max(after, through) // also behind what was taken away
			}
			if err == nil && grown != nil {
				err = l.await(ctx, grown)
			}
			switch usable := l.usable(ctx); {
			case ctx.Err() != nil:
				return
			case usable != nil:
				yield(store.Record{}, fmt.Errorf("pebble: follow: %w", usable))
				return
			case err != nil:
				yield(bad, fmt.Errorf("pebble: follow after %d: %w", after, err))
				return
			}
		}
	}
}

// between reads some records after a position, up to head, from the disk, and returns up to which position there are no others. With an
// error, bad is the record that could not be read, if there is one.
func (l *Log) between(ctx context.Context, after, head position) (records []store.Record, through position, bad store.Record, err error) {
	through = after
	err = l.use(ctx, func(db *pebble.DB) error {
		it, err := db.NewIter(&pebble.IterOptions{LowerBound: []byte{positionKind}, UpperBound: positionKey(head + 1)})
		if err != nil {
			return err
		}
		defer it.Close()
		for ok := it.SeekLT(positionKey(after + 2)); ok && len(records) < chunkRecords; ok = it.Next() {
			s, gone, err := indexed(db, it)
			if err != nil {
				return err
			}
			next := through + 1
			if p := position(binary.BigEndian.Uint64(it.Key()[1:])); gone > 0 {
				if p > next || p+position(gone) <= next {
					return corrupt(fmt.Errorf("position %d is missing", next))
				}
				through = p + position(gone) - 1
				continue
			}
			if s.at > next || s.at+position(len(s.wires)) <= next {
				return corrupt(fmt.Errorf("position %d is missing", next))
			}
			for seq := s.first + uint64(next-s.at); seq <= s.last(); seq++ {
				r, err := s.record(seq)
				if err != nil {
					bad = r
					return err
				}
				records = append(records, r)
				through++
			}
		}
		if err := it.Error(); err != nil {
			return err
		}
		if through == after {
			return corrupt(fmt.Errorf("position %d is missing", after+1))
		}
		return nil
	})
	return records, through, bad, err
}

// indexed returns the append that an iterator over positions stands at, or how many positions from there on hold nothing any more.
func indexed(db *pebble.DB, it *pebble.Iterator) (s stored, gone uint64, err error) {
	key, err := it.ValueAndErr()
	if err == nil && len(it.Key()) != 9 {
		err = corrupt(errKey)
	}
	if err == nil {
		gone, err = goneAt(key)
	}
	if err != nil || gone > 0 {
		if err != nil {
			err = fmt.Errorf("position index at %x: %w", it.Key(), err)
		}
		return s, gone, err
	}
	id, first, err := cutStreamKey(key)
	if err != nil {
		return stored{}, 0, corrupt(fmt.Errorf("position index at %x: %w", it.Key(), err))
	}
	s, ok, err := get(db, id, first)
	if err == nil && !ok {
		err = corrupt(fmt.Errorf("entry %d of %s is missing", first, id))
	}
	return s, 0, err
}
