package pebble

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/store"
)

// The row of a tail is a list of varints, with the hash at the end:
//
//	position of the append, began, seq, activities, flags, and with hasWake seconds and nanoseconds

const (
	isDue = 1 << iota
	hasWake
	follows
)

var errRow = errors.New("not a row as this store writes it")

func appendRow(b []byte, at position, t *store.Tail) []byte {
	var flags uint64
	if t.Due {
		flags |= isDue
	}
	if !t.Wake.IsZero() {
		flags |= hasWake
	}
	if t.Follows {
		flags |= follows
	}
	for _, v := range [...]uint64{uint64(at), t.Began, t.Seq, uint64(t.Unsettled), flags} {
		b = binary.AppendUvarint(b, v)
	}
	if flags&hasWake != 0 {
		b = binary.AppendVarint(b, t.Wake.Unix())
		b = binary.AppendUvarint(b, uint64(t.Wake.Nanosecond()))
	}
	return append(b, t.Hash[:]...)
}

func parseRow(id history.ID, b []byte) (at position, t store.Tail, err error) {
	t.ID = id
	bad := func() (position, store.Tail, error) {
		return 0, store.Tail{}, fmt.Errorf("tail of %s: %w", id, corrupt(errRow))
	}
	var v [5]uint64
	for i := range v {
		n := 0
		if v[i], n = binary.Uvarint(b); n <= 0 {
			return bad()
		}
		b = b[n:]
	}
	at, t.Began, t.Seq, t.Unsettled, t.Due = position(v[0]), v[1], v[2], int(v[3]), v[4]&isDue != 0
	t.Follows = v[4]&follows != 0
	if v[4]&hasWake != 0 {
		seconds, n := binary.Varint(b)
		if n <= 0 {
			return bad()
		}
		nanos, m := binary.Uvarint(b[n:])
		if m <= 0 {
			return bad()
		}
		t.Wake, b = time.Unix(seconds, int64(nanos)).UTC(), b[n+m:]
	}
	if copy(t.Hash[:], b) != len(t.Hash) || len(b) != len(t.Hash) {
		return bad()
	}
	return at, t, nil
}

// Tail is that of [store.Tails].
func (l *Log) Tail(ctx context.Context, id history.ID) (t store.Tail, ok bool, err error) {
	key := tailKey(id)
	for {
		var at position
		// The head is asked first: what is stored by then is what the row must not be older than.
		_, _, grown := l.recent.after(l.recent.durable())
		err = l.use(ctx, func(db *pebble.DB) error {
			value, closer, err := db.Get(key)
			if ok = err == nil; !ok {
				return ifFound(err)
			}
			defer closer.Close()
			at, t, err = parseRow(id, value)
			return err
		})
		if err != nil {
			return store.Tail{}, false, fmt.Errorf("pebble: tail of %s: %w", id, err)
		}
		if at <= l.recent.durable() {
			return t, ok, nil
		}
		// The row belongs to an append that is on its way to the disk.
		if err := l.await(ctx, grown); err != nil {
			return store.Tail{}, false, fmt.Errorf("pebble: tail of %s: %w", id, err)
		}
	}
}

// await waits until the log grows, or fails.
func (l *Log) await(ctx context.Context, grown <-chan struct{}) error {
	select {
	case <-grown:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-l.closing:
		return store.ErrClosed
	}
}

// AllTails is that of [store.Tails]. Rows that change meanwhile are yielded as they were or as they are.
func (l *Log) AllTails(ctx context.Context) iter.Seq2[store.Tail, error] {
	return func(yield func(store.Tail, error) bool) {
		for from := []byte{tailKind}; from != nil; {
			var rows []store.Tail
			var early []history.ID // whose rows are not durable yet
			next, err := l.rows(ctx, from, func(id history.ID, at position, t store.Tail) {
				if at > l.recent.durable() {
					early = append(early, id)
				}
				rows = append(rows, t)
			})
			for _, t := range rows {
				if len(early) > 0 && t.ID == early[0] {
					early = early[1:]
					settled, ok, err := l.Tail(ctx, t.ID)
					if err != nil {
						yield(store.Tail{}, err)
						return
					}
					if !ok {
						continue
					}
					t = settled
				}
				if !yield(t, nil) {
					return
				}
			}
			if err != nil {
				yield(store.Tail{}, fmt.Errorf("pebble: tails: %w", err))
				return
			}
			from = next
		}
	}
}

// rows shows some rows from a key on and returns the key to go on from, nil at the end.
func (l *Log) rows(ctx context.Context, from []byte, show func(history.ID, position, store.Tail)) (next []byte, err error) {
	err = l.use(ctx, func(db *pebble.DB) error {
		it, err := db.NewIter(&pebble.IterOptions{LowerBound: from, UpperBound: []byte{tailKind + 1}})
		if err != nil {
			return err
		}
		defer it.Close()
		n := 0
		for it.First(); it.Valid(); it.Next() {
			if n++; n > 1000 {
				next = bytes.Clone(it.Key())
				return nil
			}
			id, rest, ok := cutID(it.Key())
			if !ok || len(rest) > 0 {
				return corrupt(fmt.Errorf("%q: %w", it.Key(), errKey))
			}
			value, err := it.ValueAndErr()
			if err != nil {
				return fmt.Errorf("row of %s: %w", id, err)
			}
			at, t, err := parseRow(id, value)
			if err != nil {
				return err
			}
			show(id, at, t)
		}
		return it.Error()
	})
	return next, err
}
