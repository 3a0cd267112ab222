package eventstore

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/store"
)

// What is taken away is hidden from all who read at once, by the stream's "$tb", and is removed by the next scavenge of the server. Until
// then it is in $all too, so whoever follows has to know what is hidden. One stream beside the others says so:
//
//	clew-cuts    {"stream":"clew.x.shop-order-1","before":6}
//
// It is written before "$tb" is. Of a history that is cut whole a mark is left in its stream, behind its last event, which is appended
// exactly there: so nothing that another appends comes between, and no event of the history has to stay to say that it was there, as the
// server always keeps the last. The next history of the id begins behind the mark: its base, where an entry has its revision from, is
// what every read finds out anew.

// cutKind is the type of the marks, and of what the stream of cuts holds. It is the kind of no entry.
const cutKind = "clew-cut"

// cut is an event of the stream of cuts.
type cut struct {
	Stream string `json:"stream"`
	Before uint64 `json:"before"` // the first revision that is shown
}

// cuts are those that are known here.
type cuts struct {
	mu     sync.Mutex
	read   uint64            // how many of the stream are known
	before map[string]uint64 // of each stream, the first revision that is shown
	bases  map[string]uint64 // of each stream in which a history began anew, the revision of its Seq 1
}

func (c *cuts) base(stream string) uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.bases[stream]
}

func (c *cuts) setBase(stream string, base uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.bases[stream] == base {
		return
	}
	if c.bases == nil {
		c.bases = map[string]uint64{}
	}
	c.bases[stream] = max(base, c.bases[stream]) // it only rises
}

// hides reports whether an event was taken away.
func (c *cuts) hides(stream string, revision uint64) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return revision < c.before[stream]
}

// take takes events of the stream of cuts over.
func (c *cuts) take(events []recorded) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.before == nil {
		c.before = map[string]uint64{}
	}
	for _, e := range events {
		if e.revision < c.read {
			continue
		}
		var one cut
		if err := json.Unmarshal(e.data, &one); err != nil || e.kind != cutKind {
			return fmt.Errorf("%w: event %d of stream %s says nothing of what was taken away: %w", store.ErrCorrupt, e.revision, e.stream, err)
		}
		c.before[one.Stream] = max(c.before[one.Stream], one.Before)
		c.read = e.revision + 1
	}
	return nil
}

func (c *cuts) known() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.read
}

// cutsStream is the name of the stream of cuts. It does not begin with the root, so that nobody who follows is shown it.
func (l *Log) cutsStream() string { return strings.TrimSuffix(l.root, ".") + "-cuts" }

// readCuts reads what is not known yet of what was taken away.
func (l *Log) readCuts(ctx context.Context) error {
	for {
		p, err := l.page(ctx, l.cutsStream(), l.cuts.known(), forwards, pageEvents)
		if err == nil {
			err = l.cuts.take(p.events)
		}
		if err != nil {
			return fmt.Errorf("reading what was taken away: %w", err)
		}
		if !p.full {
			return nil
		}
	}
}

// noteCut records that events of a stream are taken away.
func (l *Log) noteCut(ctx context.Context, stream string, before uint64) error {
	for {
		if err := l.readCuts(ctx); err != nil {
			return err
		}
		if before > 0 && l.cuts.hides(stream, before-1) {
			return nil
		}
		data, err := json.Marshal(cut{stream, before})
		if err != nil {
			return err
		}
		next := l.cuts.known()
		sum := metadataID(l.cutsStream(), int64(next), data)
		p := proposal{id: sum, kind: cutKind, data: data, meta: []byte("{}")}
		err = l.again(ctx, func(ctx context.Context) error {
			_, err := l.server.append(ctx, l.cutsStream(), int64(next)-1, []proposal{p})
			return err
		})
		if err != nil && !errors.Is(err, store.ErrConflict) {
			return err
		}
	}
}

// baseAt is where a history has its Seq 1 whose stream ends with an event.
func (l *Log) baseAt(last recorded) (uint64, error) {
	if last.kind == cutKind {
		return last.revision + 1, nil
	}
	r, err := l.record(last)
	if err != nil {
		return 0, err
	}
	return last.revision + 1 - r.Entry.Seq, nil
}

// findBase finds out where the history in a stream has its Seq 1.
func (l *Log) findBase(ctx context.Context, stream string) (base uint64, err error) {
	last, err := l.page(ctx, stream, 0, backwards, 1)
	if err != nil || len(last.events) == 0 {
		return 0, err
	}
	base, err = l.baseAt(last.events[0])
	if err == nil {
		l.cuts.setBase(stream, base)
	}
	return base, err
}

// Cut is that of [store.Cutter]. What is cut is not shown any more when it returns; its bytes are on the disks of the server until the
// next scavenge of each node.
func (l *Log) Cut(ctx context.Context, id history.ID, to uint64, hash history.Hash) error {
	if err := l.cutOff(ctx, l.stream(id), id, to, hash); err != nil {
		return fmt.Errorf("eventstore: cut %s: %w", id, err)
	}
	return nil
}

func (l *Log) cutOff(ctx context.Context, stream string, id history.ID, to uint64, hash history.Hash) error {
	last, err := l.page(ctx, stream, 0, backwards, 1)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return nil
	case err != nil || len(last.events) == 0:
		return err
	case last.events[0].kind == cutKind:
		return l.hideCut(ctx, stream, last.events[0].revision) // whoever left the mark may not have come further
	}
	meant := false
	for r, err := range l.Read(ctx, id, to) {
		if err != nil {
			return err
		}
		meant = r.Entry.Seq == to && r.Entry.Hash == hash
		break
	}
	if !meant {
		return nil
	}
	base, err := l.findBase(ctx, stream)
	if err != nil {
		return err
	}
	at := base + to // of the mark, if this is the whole of it, else of the first that stays
	mark := proposal{id: metadataID(stream, int64(at), hash[:]), kind: cutKind, data: []byte("{}"), meta: []byte("{}")}
	err = l.again(ctx, func(ctx context.Context) error {
		_, err := l.server.append(ctx, stream, int64(at)-1, []proposal{mark})
		return err
	})
	switch {
	case err == nil:
		l.cuts.setBase(stream, at+1)
	case !errors.Is(err, store.ErrConflict):
		return err
	}
	return l.hideCut(ctx, stream, at)
}

// hideCut takes what stands in a stream before a revision away.
func (l *Log) hideCut(ctx context.Context, stream string, before uint64) error {
	if err := l.noteCut(ctx, stream, before); err != nil {
		return err
	}
	return l.hide(ctx, stream, before)
}

// Purge is that of [store.Cutter]. The server alone removes bytes, by a scavenge, which its operators begin.
func (l *Log) Purge(context.Context) error { return nil }
