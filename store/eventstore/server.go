package eventstore

import (
	"context"
	"iter"
	"math"

	"github.com/google/uuid"

	"github.com/clewflow/clew/store"
)

// server is what the log asks of an EventStoreDB. Each call is one try: what becomes of it is for the log to settle.
//
// Errors are those of package store. ErrUnavailable means that the call certainly changed nothing and that it may help to
// repeat it, ErrUnknownOutcome that it may have changed something or may yet do so.
type server interface {
	// append appends events behind the revision expected, nothing if the stream ends elsewhere: ErrConflict, or errEnded.
	// It returns the revision of the last event.
	append(ctx context.Context, stream string, expected int64, events []proposal) (last uint64, err error)
	// readStream returns up to count events of a stream, forwards from a revision or backwards from the end.
	readStream(ctx context.Context, stream string, from uint64, way direction, count int) (page, error)
	// readAll returns up to count events of streams that begin with the root, forwards from a position on, that one
	// included, or backwards before it; the position edge is behind all events.
	readAll(ctx context.Context, from store.Position, way direction, count int) (page, error)
	// subscribeAll yields what happens in streams that begin with the root after a position, until ctx ends or an error
	// does. It uses a connection that nothing else uses.
	subscribeAll(ctx context.Context, after store.Position) iter.Seq2[delivery, error]
	// setMetadata appends to the stream of a stream's metadata behind the revision expected.
	setMetadata(ctx context.Context, stream string, expected int64, id uuid.UUID, metadata []byte) error
	// tombstone ends a stream for ever.
	tombstone(ctx context.Context, stream string) error
	// close ends all that is under way.
	close() error
}

type direction bool

const (
	forwards  direction = false
	backwards direction = true
)

// noStream is the revision behind which the first event of a stream is appended.
const noStream int64 = -1

// edge is the position behind all events.
var edge = position(math.MaxUint64, math.MaxUint64)

// metadataOf names the stream in which the server keeps the metadata of a stream.
func metadataOf(stream string) string { return "$$" + stream }

// page is what a read returns: some events, and whether there may be more because the page was full.
type page struct {
	events  []recorded
	missing bool // there is no such stream
	full    bool
}

// What a page holds at most, whichever is less; but a page that is full holds two events, so that who begins with one that is
// known comes further.
const (
	pageEvents = 500
	pageBytes  = 8 << 20
)

// delivery is what a subscription yields: an event, a checkpoint, or neither, which is but a sign of life.
type delivery struct {
	event      *recorded
	checkpoint store.Position
}
