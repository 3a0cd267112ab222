package eventstore

import (
	"context"
	"errors"
	"fmt"

	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/store"
)

// Append is that of [store.Log]. An append whose outcome is unknown is repeated until it is certain; store.ErrUnknownOutcome is
// returned only when before that ctx ends, Options.Settle has passed, or the Log is closed.
func (l *Log) Append(ctx context.Context, id history.ID, entries ...history.Entry) error {
	return l.append(ctx, id, nil, entries)
}

// AppendTail is that of [store.Tailed]. The row is kept with the last of the entries and belongs to it: what is appended
// without one has none. Its Seq and Hash are those of that entry.
func (l *Log) AppendTail(ctx context.Context, id history.ID, tail *store.Tail, entries ...history.Entry) error {
	return l.append(ctx, id, tail, entries)
}

func (l *Log) append(ctx context.Context, id history.ID, tail *store.Tail, entries []history.Entry) error {
	wrong := func(err error) error { return fmt.Errorf("eventstore: append to %s: %w", id, err) }
	if err := l.usable(ctx); err != nil {
		return wrong(err)
	}
	if err := l.sound(entries); err != nil {
		return wrong(err)
	}
	stream := l.stream(id)
	first, last := entries[0].Seq, entries[len(entries)-1].Seq
	events := make([]proposal, len(entries))
	for i, e := range entries {
		var row []byte
		if tail != nil && e.Seq == last {
			var err error
			if row, err = writeTail(tail); err != nil {
				return wrong(fmt.Errorf("its tail: %w", err))
			}
		}
		events[i] = propose(stream, e, row)
	}
	if first == 1 && keepsOne(id.Family()) {
		if err := l.keepOne(ctx, stream); err != nil {
			return wrong(err)
		}
	}
	for {
		base := l.cuts.base(stream)
		if l.cuts.hides(stream, base+first-1) {
			return wrong(fmt.Errorf("%w: entry %d was taken away", store.ErrConflict, first))
		}
		err := l.again(ctx, func(ctx context.Context) error {
			revision, err := l.server.append(ctx, stream, int64(base+first)-2, events)
			if want := base + last - 1; err == nil && revision != want {
				return fmt.Errorf("%w: stream %s: entry %d became event %d, want %d: the stream was changed by others", store.ErrCorrupt, stream, last, revision, want)
			}
			return err
		})
		if errors.Is(err, store.ErrConflict) {
			// It may stand elsewhere in its stream than it is thought to, because a history before it was taken away.
			now, failed := l.findBase(ctx, stream)
			if failed == nil && now > base {
				continue
			}
		}
		if err != nil {
			return wrong(err)
		}
		break
	}
	l.counted.appends.Add(1)
	return nil
}

// sound finds the callers' own mistakes, and what is too large.
func (l *Log) sound(entries []history.Entry) error {
	if len(entries) == 0 {
		return errors.New("no entries")
	}
	bytes := 0
	for i, e := range entries {
		switch {
		case e.Size() == 0:
			return fmt.Errorf("entry %d is not sealed", e.Seq)
		case e.Seq == 0 || e.Seq != entries[0].Seq+uint64(i):
			return fmt.Errorf("entry %d stands where %d is expected, counted from the first", e.Seq, entries[0].Seq+uint64(i))
		}
		bytes += e.Size()
	}
	if maxBytes, maxEntries := l.Limits(); bytes > maxBytes || len(entries) > maxEntries {
		return fmt.Errorf("%w: %d entries of %d bytes, at most %d of %d; append them in parts, or keep large payloads elsewhere", store.ErrTooLarge, len(entries), bytes, maxEntries, maxBytes)
	}
	return nil
}

// keepsOne reports whether only the last entry of each stream of a family is of use: those of nodes, and of how they share limits.
func keepsOne(family string) bool { return family == "node" || family == "quota" }

// keepOne makes the server keep one event of a stream. The stream need not exist.
func (l *Log) keepOne(ctx context.Context, stream string) error {
	data := []byte(`{"$maxCount":1}`)
	err := l.again(ctx, func(ctx context.Context) error {
		return l.server.setMetadata(ctx, stream, noStream, metadataID(stream, 0, data), data)
	})
	if errors.Is(err, store.ErrConflict) {
		return nil // it has metadata already; whoever wrote them knew why
	}
	return err
}
