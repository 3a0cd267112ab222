package eventstore

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"github.com/clewflow/clew/store"
)

// Follow is that of [store.Log]. Who keeps up is fed from the one subscription of this Log; who is further behind than what
// is kept in memory reads from the server until it has caught up. While the server is away it waits. An entry that cannot
// be read ends the sequence; the record that comes with the error says where it is, so that one can go on behind it.
func (l *Log) Follow(ctx context.Context, after store.Position) iter.Seq2[store.Record, error] {
	return func(yield func(store.Record, error) bool) {
		if ctx.Err() != nil {
			return
		}
		for try := 0; ; try++ {
			err := l.readCuts(ctx)
			if err == nil || ctx.Err() != nil {
				break
			}
			if l.closed() || !errors.Is(err, store.ErrUnavailable) || errors.Is(err, errHandshake) {
				yield(store.Record{}, fmt.Errorf("eventstore: follow: %w", err))
				return
			}
			l.pause(ctx, try)
		}
		if !l.closed() {
			l.follow.Do(func() { l.running.Go(l.supervise) })
		}
		c := l.ring.join()
		defer l.ring.leave(c)
		reader := &reader{log: l, at: after}
		for {
			v := l.ring.after(c, reader.at)
			wait, err := !v.behind, v.err
			if err == nil && v.behind {
				v.items, wait, err = reader.more(ctx, v)
			}
			for _, i := range v.items {
				if l.usable(ctx) != nil {
					break
				}
				if i.err != nil {
					yield(i.record, fmt.Errorf("eventstore: follow: %w", i.err))
					return
				}
				if !l.cuts.hides(i.stream, i.revision) && !yield(i.record, nil) {
					return
				}
				reader.at = i.record.Position
			}
			if err == nil && len(v.items) == 0 && wait {
				select {
				case <-v.grown:
				case <-ctx.Done():
				case <-l.closing:
				}
			}
			switch {
			case ctx.Err() != nil:
				return
			case l.closed():
				yield(store.Record{}, fmt.Errorf("eventstore: follow: %w", store.ErrClosed))
				return
			case err != nil:
				yield(store.Record{}, fmt.Errorf("eventstore: follow after %v: %w", reader.at, err))
				return
			}
		}
	}
}

// reader reads what somebody is behind with from the server.
type reader struct {
	log   *Log
	at    store.Position // behind which it goes on
	sure  bool           // the node that was read last holds all up to there
	tries int
}

// more returns what follows, in parts. It returns nothing when all that there is was read: then wait says to wait for the ring, or
// the ring has the rest.
func (r *reader) more(ctx context.Context, v view) (items []item, wait bool, err error) {
	l := r.log
	items, err = r.read(ctx)
	if err != nil || len(items) > 0 {
		r.sure = false
		return items, false, r.later(ctx, err)
	}
	switch {
	case !v.open:
		return nil, true, nil // what the ring begins with is still to be seen
	case r.sure:
		// Nothing stands between here and the base, in a log that goes as far as that.
		r.at, r.sure, r.tries = v.base, false, 0
	default:
		// The node may be one that lags behind, or that led once and does not know of its successor.
		head, err := l.head(ctx)
		if err != nil {
			return nil, false, r.later(ctx, err)
		}
		r.sure = !isBehind(head, v.base)
		if r.tries++; !r.sure && r.tries > 10 {
			l.log.Warn("records that were seen are no longer in the database; following goes on behind them", "after", r.at, "to", v.base)
			r.sure = true
		}
		if !r.sure {
			l.pause(ctx, r.tries)
		}
	}
	return nil, false, nil
}

// read reads a page behind r.at, none at the end of the log.
func (r *reader) read(ctx context.Context) (items []item, err error) {
	l := r.log
	from := r.at
	for {
		var p page
		err = l.again(ctx, func(ctx context.Context) error {
			p, err = l.server.readAll(ctx, from, forwards, pageEvents)
			return err
		})
		if err == nil {
			err = l.readCuts(ctx) // they say what of the page was taken away
		}
		if err != nil {
			return nil, err
		}
		for _, e := range p.events {
			if isBehind(r.at, e.at) && !e.system() {
				rec, err := l.record(e)
				items = append(items, item{rec, err, e.stream, e.revision})
			}
		}
		n := len(p.events)
		if len(items) > 0 || !p.full {
			return items, nil
		}
		from = p.events[n-1].at
	}
}

// later is what comes of an error: nothing if the server is away, except that it takes a while.
func (r *reader) later(ctx context.Context, err error) error {
	if err == nil || !errors.Is(err, store.ErrUnavailable) || errors.Is(err, errHandshake) {
		return err
	}
	r.log.pause(ctx, r.tries)
	r.tries++
	return nil
}
