package eventstore

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/store"
)

// truncateBefore is the member of a stream's metadata that says which event is the first that is shown.
const truncateBefore = "$tb"

// Truncate hides the entries of a history before a Seq from all who read it, and lets the next scavenge of the server remove them.
// The last entry always stays, so that the id stays taken: a Seq behind it is an error, and so is a history that is not there,
// store.ErrNotFound. What is hidden already stays hidden. Those who follow see hidden entries until they are removed.
func (l *Log) Truncate(ctx context.Context, id history.ID, before uint64) error {
	stream := l.stream(id)
	wrong := func(err error) error { return fmt.Errorf("eventstore: truncate %s before %d: %w", id, before, err) }
	last, err := l.page(ctx, stream, 0, backwards, 1)
	switch {
	case err != nil:
		return wrong(err)
	case len(last.events) == 0:
		return wrong(store.ErrNotFound)
	case last.events[0].system():
		return wrong(store.ErrNotFound) // it was taken away
	}
	base, err := l.baseAt(last.events[0])
	if err != nil {
		return wrong(err)
	}
	if seq := last.events[0].revision + 1 - base; before == 0 || before > seq {
		return wrong(fmt.Errorf("want a Seq from 1 to %d: the last entry stays", seq))
	}
	if err := l.hide(ctx, stream, base+before-1); err != nil {
		return wrong(err)
	}
	return nil
}

// hide has the server show nothing of a stream before a revision, and remove that with its next scavenge.
func (l *Log) hide(ctx context.Context, stream string, before uint64) error {
	for {
		// Others may keep something in the metadata too, such as who may read the stream.
		found, revision, err := l.metadata(ctx, stream)
		if err != nil {
			return err
		}
		var first uint64
		if written, ok := found[truncateBefore]; ok {
			if err := json.Unmarshal(written, &first); err != nil {
				return fmt.Errorf("its metadata: %s: %w", truncateBefore, err)
			}
		}
		if first >= before {
			return nil
		}
		found[truncateBefore] = json.RawMessage(fmt.Sprint(before))
		data, err := json.Marshal(found)
		if err != nil {
			return err
		}
		err = l.again(ctx, func(ctx context.Context) error {
			return l.server.setMetadata(ctx, stream, revision, metadataID(stream, revision+1, data), data)
		})
		if !errors.Is(err, store.ErrConflict) {
			return err
		}
	}
}

// metadata reads the metadata of a stream and the revision that they are, noStream if there are none.
func (l *Log) metadata(ctx context.Context, stream string) (found map[string]json.RawMessage, revision int64, err error) {
	p, err := l.page(ctx, metadataOf(stream), 0, backwards, 1)
	if err != nil || len(p.events) == 0 {
		return map[string]json.RawMessage{}, noStream, err
	}
	if err := json.Unmarshal(p.events[0].data, &found); err != nil {
		return nil, 0, fmt.Errorf("its metadata: %w", err)
	}
	return found, int64(p.events[0].revision), nil
}

// metadataID is the id of an event of metadata: the same for the same content at the same place, and no other.
func metadataID(stream string, revision int64, data []byte) uuid.UUID {
	sum := sha256.New()
	sum.Write(data)
	sum.Write(binary.BigEndian.AppendUint64(nil, uint64(revision)))
	return eventID(metadataOf(stream), history.Hash(sum.Sum(nil)))
}

// Tombstone ends a stream of clew's own for ever, such as that of a node that has long been gone. An execution cannot be ended in
// this way, because its id would then not be known to be taken.
func (l *Log) Tombstone(ctx context.Context, id history.ID) error {
	if id.Family() == "" {
		return fmt.Errorf("eventstore: tombstone %s: it is an execution; truncate it instead", id)
	}
	err := l.again(ctx, func(ctx context.Context) error { return l.server.tombstone(ctx, l.stream(id)) })
	if err != nil && !errors.Is(err, errEnded) {
		return fmt.Errorf("eventstore: tombstone %s: %w", id, err)
	}
	return nil
}
