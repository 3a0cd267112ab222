package runtime

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"

	"github.com/clewflow/clew/commands"
	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/lookup"
	"github.com/clewflow/clew/query"
	"github.com/clewflow/clew/store"
)

// feedAtOnce bounds the records that a feed takes together. A run is told of once however many of them are about it.
const feedAtOnce = 1000

// Feed yields the rows of the runs that have changed behind a position of the log, 0 for all that the log knows of, and goes on with those that
// change: for an outside system that is to have what the index has. Each run that changes is told of at least once after its change, as it
// stands then; changes in between may be left out. Of an execution that was deleted its id is told. Whoever keeps the Position of what it has
// taken and begins there again misses nothing, and may be told something twice: rows are to replace each other, by namespace, id and run.
//
// It ends with an error, or when ctx does, with the error of ctx. Errors: [lookup.ErrBehind] is waited for; ErrInvalid if the log
// ends before the position; ErrClosed, and those of the log.
func (r *Runtime) Feed(ctx context.Context, after uint64) iter.Seq2[query.Changed, error] {
	return r.feed(ctx, r.config.Namespace, after, store.Position{})
}

// FeedToHead is [Runtime.Feed] that ends, without an error, when it has told everything that was acknowledged before.
func (r *Runtime) FeedToHead(ctx context.Context, after uint64) iter.Seq2[query.Changed, error] {
	return r.feedOf(ctx, r.config.Namespace, after, false)
}

func (r *Runtime) feedOf(ctx context.Context, namespace string, after uint64, goOn bool) iter.Seq2[query.Changed, error] {
	if goOn {
		return r.feed(ctx, namespace, after, store.Position{})
	}
	return func(yield func(query.Changed, error) bool) {
		head, err := r.headFor(ctx, after)
		if err != nil {
			yield(query.Changed{}, err)
			return
		}
		if !head.After(store.At(after)) {
			return
		}
		r.feed(ctx, namespace, after, head)(yield)
	}
}

// headFor is where the log ends. A position behind that is of another log, such as the one that was here before a backup was put in its place:
// who went on from there would be told nothing of what is recorded up to it.
func (r *Runtime) headFor(ctx context.Context, after uint64) (store.Position, error) {
	head, err := r.log.Head(ctx)
	if err == nil && after > head.Commit {
		err = &commands.Invalid{Field: "the position to go on from", Value: fmt.Sprint(after),
			Want: fmt.Sprintf("one up to %d, where the log ends; if it was put back to an earlier state, begin again with 0", head.Commit)}
	}
	return head, err
}

// touched are executions that records are about, each with the first entry.
type touched struct {
	ids   []history.ID // in the order of the log
	from  map[history.ID]uint64
	until store.Position
	err   error
}

func (t *touched) take(id history.ID, seq uint64) {
	if t.from == nil {
		t.from = map[history.ID]uint64{}
	}
	if first, is := t.from[id]; !is {
		t.ids, t.from[id] = append(t.ids, id), seq
	} else if seq < first {
		t.from[id] = seq
	}
}

// feed ends at a place of the log, or never if that is zero.
func (r *Runtime) feed(ctx context.Context, namespace string, after uint64, end store.Position) iter.Seq2[query.Changed, error] {
	return func(yield func(query.Changed, error) bool) {
		ctx, stop := context.WithCancel(ctx)
		defer context.AfterFunc(r.opened, stop)()
		if _, err := r.headFor(ctx, after); err != nil {
			yield(query.Changed{}, err)
			return
		}
		var reading sync.WaitGroup
		defer reading.Wait()
		defer stop()
		records := make(chan store.Record, feedAtOnce)
		var ended error
		reading.Go(func() {
			defer close(records)
			for record, err := range r.log.Follow(ctx, store.At(after)) {
				if ended = err; err != nil {
					return
				}
				select {
				case records <- record:
				case <-ctx.Done():
					ended = ctx.Err()
					return
				}
			}
		})
		before := after
		for {
			t := r.together(ctx, namespace, records)
			if t.err == nil && len(t.ids) > 0 {
				t.err = r.reachedFor(ctx, t.until)
			}
			for i := 0; i < len(t.ids) && t.err == nil; i++ {
				var all []query.Changed
				if all, t.err = r.changed(ctx, t.ids[i], t.from[t.ids[i]]); t.err != nil {
					break
				}
				for n := range all {
					all[n].Position = before // the rest of what came together is not told yet
					if i == len(t.ids)-1 && n == len(all)-1 {
						all[n].Position = t.until.Commit
					}
					if !yield(all[n], nil) {
						return
					}
				}
			}
			switch {
			case t.err != nil && r.opened.Err() != nil:
				yield(query.Changed{}, ErrClosed)
				return
			case t.err != nil:
				yield(query.Changed{}, t.err)
				return
			case t.until.IsZero() && r.opened.Err() != nil:
				yield(query.Changed{}, ErrClosed)
				return
			case t.until.IsZero(): // the log ends
				if ended == nil {
					ended = ctx.Err()
				}
				yield(query.Changed{}, ended)
				return
			}
			before = t.until.Commit
			if !end.IsZero() && !end.After(t.until) {
				return
			}
		}
	}
}

// together takes the next record and those that have come meanwhile. Its position is zero if none comes any more.
func (r *Runtime) together(ctx context.Context, namespace string, records <-chan store.Record) (t touched) {
	for n := 0; n < feedAtOnce; n++ {
		var record store.Record
		ok := false
		if n == 0 {
			record, ok = <-records
		} else {
			select {
			case record, ok = <-records:
			default:
			}
		}
		if !ok {
			return t
		}
		t.until = record.Position
		if about, is := record.ID.Administers(); is && about == namespace {
			if t.err = r.taken(ctx, record, &t); t.err != nil {
				return t
			}
			continue
		}
		if record.ID.Namespace == namespace && record.ID.Family() == "" {
			t.take(record.ID, record.Entry.Seq)
		}
	}
	return t
}

// taken notes the executions that something was taken away from.
func (r *Runtime) taken(ctx context.Context, record store.Record, t *touched) error {
	done, is := record.Entry.Event.(*history.Erased)
	if !is {
		return nil
	}
	for _, seq := range done.Acts {
		e, err := r.event(ctx, record.ID, seq)
		switch v := e.(type) {
		case *history.Redacted:
			t.take(v.ID, 0)
		case *history.Deleted:
			t.take(v.ID, 0)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// reachedFor waits until the index has what is told of, however long it takes.
func (r *Runtime) reachedFor(ctx context.Context, want store.Position) error {
	for {
		err := r.index.Reached(ctx, want)
		if !errors.Is(err, lookup.ErrAnew) {
			return err
		}
	}
}

// changed are the runs of an execution that have an entry from seq on, as they stand.
func (r *Runtime) changed(ctx context.Context, id history.ID, seq uint64) (all []query.Changed, err error) {
	var rows []query.Row
	for {
		if rows, err = r.index.Rows(ctx, id, seq); !errors.Is(err, lookup.ErrAnew) {
			break
		}
		head, failed := r.log.Head(ctx) // it is built anew
		if failed != nil {
			return nil, failed
		}
		if err := r.reachedFor(ctx, head); err != nil {
			return nil, err
		}
	}
	for i := range rows {
		all = append(all, query.Changed{Row: &rows[i]})
	}
	if err == nil && len(rows) == 0 {
		all = []query.Changed{{Gone: id.Workflow}}
	}
	return all, err
}
