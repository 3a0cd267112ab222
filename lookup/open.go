package lookup

import (
	"context"
	"database/sql/driver"
	"iter"
	"math"

	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/query"
	"github.com/clewflow/clew/store"
)

// wakes takes over when something is due.
func (r *run) wakes(tail *store.Tail) {
	if tail != nil && r.open() {
		r.wake = tail.Wake
	}
}

// tail is what the row of an open run says of its end.
func (r *run) tail() store.Tail {
	return store.Tail{
		ID: history.ID{Namespace: r.Namespace, Workflow: r.ID}, Began: r.Began, Seq: r.Seq, Wake: r.wake, Type: r.Type, Version: r.Version,
		Due: r.Status != query.Paused && r.delayed == 0 && r.input > r.told || r.Status == query.Stalled, Follows: r.Parent != "", Unsettled: r.unsettled(),
	}
}

var (
	ordered = " AND namespace = ? AND (started, position) > (?, ?) ORDER BY started, position LIMIT 1000"
	openRow = "SELECT " + join(fixed, standing, moving) + " FROM run WHERE " + isOpen

	openOnes = openRow + ordered
	// A parent knows of more children than are open, or a child is open whose parent is not: whoever was to tell them has not.
	untold = openRow + ` AND (
		children > (SELECT count(*) FROM run AS child WHERE child.parent = run.id AND child.namespace = run.namespace AND child.` + isOpen + `)
		OR parent IS NOT NULL AND NOT EXISTS (SELECT 1 FROM run AS up WHERE up.id = run.parent AND up.namespace = run.namespace AND up.` + isOpen + `))` + ordered
)

// Open yields what the log said last of each open run of a namespace, the oldest first. A run that closes or begins meanwhile may be
// among them or not. Errors: [ErrClosed], [ErrAnew], that of ctx.
func (x *Index) Open(ctx context.Context, namespace string) iter.Seq2[store.Tail, error] {
	return x.tails(ctx, openOnes, namespace)
}

// Untold is [Index.Open] for those that may not have been told how a child or the parent has ended.
func (x *Index) Untold(ctx context.Context, namespace string) iter.Seq2[store.Tail, error] {
	return x.tails(ctx, untold, namespace)
}

func (x *Index) tails(ctx context.Context, text, namespace string) iter.Seq2[store.Tail, error] {
	return func(yield func(store.Tail, error) bool) {
		started, position := int64(math.MinInt64), uint64(0)
		for {
			var page []store.Tail
			err := x.read(ctx, func(c *conn, _ store.Position) error {
				page = page[:0]
				return c.query(ctx, text, []driver.Value{namespace, started, int64(position)}, func(row []driver.Value) error {
					r, _ := scan(row)
					started, position = r.Started.UnixNano(), r.position
					page = append(page, r.tail())
					return nil
				})
			})
			if err != nil {
				yield(store.Tail{}, err)
				return
			}
			for _, t := range page {
				if !yield(t, nil) {
					return
				}
			}
			if len(page) == 0 {
				return
			}
		}
	}
}
