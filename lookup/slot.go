package lookup

import (
	"context"
	"database/sql/driver"
	"iter"
	"math"
	"time"

	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/store"
)

// delay says why a run has not begun; 0: it has. The numbers are in the table.
type delay int

const (
	until     delay = iota + 1 // its time has not come
	queued                     // it waits for a slot
	replacing                  // so it does, and another is to be terminated for it
)

func delayOf(s *history.Started) delay {
	switch {
	case s.Queued && s.Replaces.ID != "":
		return replacing
	case s.Queued:
		return queued
	case !s.BeginAt.IsZero():
		return until
	}
	return 0
}

// begun folds that a run has its slot, or that its time has come. One that has adopted that of an earlier run waits for a slot of its own.
func (r *run) begun(e *history.Begun, adopted bool) {
	if adopted {
		if r.delayed == until {
			r.delayed = 0
		}
		return
	}
	r.delayed = 0
	if d := e.RunDeadline; !d.IsZero() && (r.Deadline.IsZero() || d.Before(r.Deadline)) {
		r.Deadline = d
	}
}

// unsettled is the number of things on which somebody has to act.
func (r *run) unsettled() int {
	n := r.Activities + r.Children + r.sends + r.finds
	if r.delayed == replacing {
		n++
	}
	return n
}

// Slot is how an open run stands among those of its workflow.
type Slot struct {
	ID         history.ID
	Run, Chain string
	Type, Key  string
	Seq        uint64 // of the last entry that is known
	Queued     bool   // it has no slot yet
	Delayed    bool   // it is not to begin yet
	Started    time.Time
}

const ofType = " AND type = ?"

var (
	slotsOf = openRow + ofType + ordered
	waiting = openRow + " AND " + isQueued + ordered
)

// Slots yields the open runs of a workflow, the oldest first; those of all that wait for a slot, if the type is empty. A run that
// closes or begins meanwhile may be among them or not. Errors: [ErrClosed], [ErrAnew], that of ctx.
func (x *Index) Slots(ctx context.Context, namespace, workflow string) iter.Seq2[Slot, error] {
	return func(yield func(Slot, error) bool) {
		started, position := int64(math.MinInt64), uint64(0)
		for {
			var page []Slot
			text, args := waiting, []driver.Value{namespace, started, int64(position)}
			if workflow != "" {
				text, args = slotsOf, append([]driver.Value{workflow}, args...)
			}
			var err error
			page, started, position, err = x.slots(ctx, text, args)
			if err != nil {
				yield(Slot{}, err)
				return
			}
			for _, s := range page {
				if !yield(s, nil) {
					return
				}
			}
			if len(page) == 0 {
				return
			}
		}
	}
}

// slots reads a page of Slots, and says what the next one begins behind.
func (x *Index) slots(ctx context.Context, text string, args []driver.Value) (page []Slot, started int64, position uint64, err error) {
	err = x.read(ctx, func(c *conn, _ store.Position) error {
		page = page[:0]
		return c.query(ctx, text, args, func(row []driver.Value) error {
			r, _ := scan(row)
			started, position = r.Started.UnixNano(), r.position
			chain := r.chain
			if chain == "" {
				chain = r.Run
			}
			page = append(page, Slot{
				ID: history.ID{Namespace: r.Namespace, Workflow: r.ID}, Run: r.Run, Chain: chain, Type: r.Type, Key: r.key, Seq: r.Seq,
				Queued: r.delayed > until, Delayed: r.delayed == until, Started: r.Started,
			})
			return nil
		})
	})
	return page, started, position, err
}
