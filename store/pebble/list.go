package pebble

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"iter"

	"github.com/cockroachdb/pebble/v2"

	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/store"
)

// Known is an execution of which there is a history.
type Known struct {
	ID     history.ID
	Open   bool           // it has a tail
	Newest store.Position // of the append that is its newest
}

// ending is a history with its last Seq.
type ending struct {
	Known
	last uint64
}

// List yields the executions of a namespace, in the order of their ids. It looks at two rows of each, however long their
// histories are. Those that begin meanwhile may be among them or not.
func (l *Log) List(ctx context.Context, namespace string) iter.Seq2[Known, error] {
	return func(yield func(Known, error) bool) {
		from := appendText([]byte{streamKind}, namespace)
		upper := bytes.Clone(from)
		upper[len(upper)-1]++
		for from != nil {
			some, next, err := l.some(ctx, from, upper)
			for _, k := range some {
				if !yield(k.Known, nil) {
					return
				}
			}
			if err != nil {
				yield(Known{}, fmt.Errorf("pebble: list: %w", err))
				return
			}
			from = next
		}
	}
}

// some lists some executions from a key on, and returns the key to go on from, nil at the end.
func (l *Log) some(ctx context.Context, from, upper []byte) (all []ending, next []byte, err error) {
	err = l.use(ctx, func(db *pebble.DB) error {
		it, err := db.NewIter(&pebble.IterOptions{LowerBound: from, UpperBound: upper})
		if err != nil {
			return err
		}
		defer it.Close()
		for it.First(); it.Valid(); it.SeekGE(next) {
			id, _, err := cutStreamKey(it.Key())
			if err != nil {
				return corrupt(err)
			}
			if len(all) == chunkRecords {
				return nil
			}
			_, next = streamBounds(id)
			k, err := known(db, it, id, next)
			if err != nil {
				return err
			}
			all = append(all, k)
		}
		next = nil
		return it.Error()
	})
	return all, next, err
}

// known looks at the end of the stream that it stands in and behind which the key end comes.
func known(db *pebble.DB, it *pebble.Iterator, id history.ID, end []byte) (ending, error) {
	k := ending{Known: Known{ID: id}}
	it.SeekLT(end)
	value, err := it.ValueAndErr()
	if err != nil {
		return k, fmt.Errorf("the end of %s: %w", id, err)
	}
	if len(value) < 8 {
		return k, corrupt(fmt.Errorf("the end of %s: %w", id, errValue))
	}
	k.Newest = store.At(binary.BigEndian.Uint64(value))
	_, first, err := cutStreamKey(it.Key())
	n, size := binary.Uvarint(value[8:])
	if err != nil || size <= 0 {
		return k, corrupt(fmt.Errorf("the end of %s: %w", id, errValue))
	}
	k.last = first + n - 1
	_, closer, err := db.Get(tailKey(id))
	if k.Open = err == nil; k.Open {
		return k, closer.Close()
	}
	return k, ifFound(err)
}
