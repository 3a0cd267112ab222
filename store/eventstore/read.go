package eventstore

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/store"
)

// Read is that of [store.Log]. The beginning is read in the call, and with it how far the history goes; the rest comes
// page by page. The entries are held against the chain of their hashes. A history whose beginning was truncated begins with
// the first entry that is left; one of which nothing is left although it exists is store.ErrCorrupt, and one that was ended
// for ever store.ErrNotFound.
func (l *Log) Read(ctx context.Context, id history.ID, from uint64) iter.Seq2[store.Record, error] {
	from = max(from, 1)
	stream := l.stream(id)
	begin, base, end, err := l.begin(ctx, stream, from)
	return func(yield func(store.Record, error) bool) {
		fail := func(err error) { yield(store.Record{}, fmt.Errorf("eventstore: read %s: %w", id, err)) }
		if err != nil {
			fail(err)
			return
		}
		var chain history.Chain
		events, next := begin, base+from-1
		for len(events) > 0 {
			for _, e := range events {
				if e.revision >= end {
					return
				}
				if e.revision < next {
					continue // of a history that was taken away
				}
				if err := l.usable(ctx); err != nil {
					fail(err)
					return
				}
				r, err := l.record(e)
				if err == nil && r.Entry.Seq != e.revision+1-base {
					err = fmt.Errorf("%w: event %d of stream %s holds entry %d, want %d: the stream was changed by others", store.ErrCorrupt, e.revision, stream, r.Entry.Seq, e.revision+1-base)
				}
				if err == nil && chain.Seq != 0 && r.Entry.Seq != chain.Seq+1 && l.takenAway(ctx, stream, next) {
					err = errTakenAway
				}
				if err == nil && chain.Seq != 0 && r.Entry.Seq != chain.Seq+1 {
					err = fmt.Errorf("%w: event %d of stream %s follows event %d", store.ErrCorrupt, e.revision, stream, base+chain.Seq-1)
				}
				if err == nil {
					if broken := chain.Check(r.Entry); broken != nil {
						err = fmt.Errorf("%w: event %d of stream %s: %w", store.ErrCorrupt, e.revision, stream, broken)
					}
				}
				if err != nil {
					fail(err)
					return
				}
				if !yield(r, nil) {
					return
				}
				next = e.revision + 1
			}
			if next >= end {
				return
			}
			p, err := l.page(ctx, stream, next, forwards, pageEvents)
			if err == nil && (len(p.events) == 0 || p.events[0].revision != next) && l.takenAway(ctx, stream, next) {
				err = errTakenAway
			}
			if err == nil && len(p.events) == 0 {
				err = fmt.Errorf("%w: stream %s ends before event %d, but had %d", store.ErrCorrupt, stream, next, end-1)
			}
			if err != nil {
				fail(err)
				return
			}
			events = p.events
		}
	}
}

// errTakenAway says that what was to be read next is not there any more.
var errTakenAway = fmt.Errorf("%w: it was taken away meanwhile", store.ErrUnavailable)

// takenAway reports whether an event was taken away on purpose.
func (l *Log) takenAway(ctx context.Context, stream string, revision uint64) bool {
	return l.readCuts(ctx) == nil && l.cuts.hides(stream, revision)
}

// begin reads the beginning of a history, from a Seq on, the revision at which it would have its Seq 1, and the revision behind its last
// event now.
func (l *Log) begin(ctx context.Context, stream string, from uint64) (events []recorded, base, end uint64, err error) {
	for {
		known := l.cuts.base(stream)
		p, err := l.page(ctx, stream, known+from-1, forwards, pageEvents)
		if err != nil || p.missing {
			return nil, 0, 0, err
		}
		last := page{events: p.events}
		if len(p.events) == 0 || p.full {
			if last, err = l.page(ctx, stream, 0, backwards, 1); err != nil {
				return nil, 0, 0, err
			}
			if len(last.events) == 0 {
				return nil, 0, 0, fmt.Errorf("%w: stream %s exists, and its metadata hides all its events", store.ErrCorrupt, stream)
			}
		}
		newest := last.events[len(last.events)-1]
		if base, err = l.baseAt(newest); err != nil {
			return nil, 0, 0, err
		}
		switch l.cuts.setBase(stream, base); {
		case base == known:
			return p.events, base, newest.revision + 1, nil
		case base < known:
			return nil, 0, 0, fmt.Errorf("%w: stream %s began anew at event %d, and does not any more", store.ErrCorrupt, stream, known)
		}
	}
}

// page reads some events of a stream from the leader.
func (l *Log) page(ctx context.Context, stream string, from uint64, way direction, count int) (p page, err error) {
	err = l.again(ctx, func(ctx context.Context) error {
		p, err = l.server.readStream(ctx, stream, from, way, count)
		return err
	})
	if errors.Is(err, errEnded) {
		return p, fmt.Errorf("%w: stream %s was ended for ever", store.ErrNotFound, stream)
	}
	return p, err
}

// Head is that of [store.Log]. It is the position of the newest event of clew's: others may be behind it, which nobody who
// follows will ever see.
func (l *Log) Head(ctx context.Context) (store.Position, error) {
	head, err := l.head(ctx)
	if err != nil {
		return position(0, 0), fmt.Errorf("eventstore: head: %w", err)
	}
	return head, nil
}

func (l *Log) head(ctx context.Context) (head store.Position, err error) {
	from := edge
	for count := 1; ; count = pageEvents { // more than one only where streams were ended for ever
		var p page
		err := l.again(ctx, func(ctx context.Context) error {
			p, err = l.server.readAll(ctx, from, backwards, count)
			return err
		})
		if err != nil {
			return position(0, 0), err
		}
		for _, e := range p.events {
			if !e.system() {
				return e.at, nil
			}
			from = e.at
		}
		if len(p.events) == 0 {
			return position(0, 0), nil
		}
	}
}

// Tail is that of [store.Tailed]: the row that was appended with the last entry.
func (l *Log) Tail(ctx context.Context, id history.ID) (store.Tail, bool, error) {
	stream := l.stream(id)
	wrong := func(err error) (store.Tail, bool, error) {
		return store.Tail{}, false, fmt.Errorf("eventstore: tail of %s: %w", id, err)
	}
	p, err := l.page(ctx, stream, 0, backwards, 1)
	if err != nil {
		return wrong(err)
	}
	if len(p.events) == 0 || p.events[0].system() {
		return store.Tail{}, false, nil
	}
	r, err := l.record(p.events[0])
	if err != nil {
		return wrong(err)
	}
	if r.Tail == nil {
		return store.Tail{}, false, nil
	}
	return *r.Tail, true, nil
}
