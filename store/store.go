// Package store says what a log of histories must do.
//
// A [Log] keeps the histories of executions and nothing else; all else is a view of it and can be rebuilt. It has four
// methods. What only some logs can do is a small interface beside it, such as [Tails].
//
// Package storetest holds the suite that decides whether something is a Log. The drivers are in the folders below.
package store

import (
	"cmp"
	"context"
	"errors"
	"iter"
	"strconv"
	"time"

	"github.com/clewflow/clew/history"
)

// What can be wrong. Drivers wrap these with what they were doing; callers ask with errors.Is.
var (
	// ErrConflict: the history has grown, or is shorter than the caller believes. Nothing was stored.
	ErrConflict = errors.New("store: history has grown")
	// ErrUnknownOutcome: what was to be stored may or may not be, or may yet come to be. Append the same again until the
	// answer is definite.
	ErrUnknownOutcome = errors.New("store: unknown whether it was stored")
	// ErrNotFound: there is no such history.
	ErrNotFound = errors.New("store: not found")
	// ErrTooLarge: the append is larger than this log can take. Nothing was stored.
	ErrTooLarge = errors.New("store: too large")
	// ErrDenied: the caller has no right to it.
	ErrDenied = errors.New("store: denied")
	// ErrUnavailable: certainly not stored, or not readable now; later it may be.
	ErrUnavailable = errors.New("store: unavailable")
	// ErrCorrupt: what is stored is not what was written. It is never taken for absent.
	ErrCorrupt = errors.New("store: corrupt")
	// ErrInUse: another process has the store open.
	ErrInUse = errors.New("store: it is open already")
	// ErrClosed: the log was closed.
	ErrClosed = errors.New("store: closed")
)

// Position is a place in the order of the whole log: two numbers, as EventStoreDB has it. Positions rise, not always by one; the
// zero Position is before the first. Where a log needs but one number, that is Commit.
type Position struct{ Commit, Prepare uint64 }

// At is the position of a log that needs but one number.
func At(n uint64) Position { return Position{Commit: n} }

// Compare returns -1, 0 or 1 if p is before, at or after q.
func (p Position) Compare(q Position) int {
	return cmp.Or(cmp.Compare(p.Commit, q.Commit), cmp.Compare(p.Prepare, q.Prepare))
}

// After reports whether p is further on than q.
func (p Position) After(q Position) bool { return p.Compare(q) > 0 }

// IsZero reports whether p is before the first record.
func (p Position) IsZero() bool { return p == Position{} }

// MarshalText is [Position.String].
func (p Position) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

func (p Position) String() string {
	if p.Prepare == 0 || p.Prepare == p.Commit {
		return strconv.FormatUint(p.Commit, 10)
	}
	return strconv.FormatUint(p.Commit, 10) + "/" + strconv.FormatUint(p.Prepare, 10)
}

// Record is an entry in its place in the log.
type Record struct {
	Position Position
	ID       history.ID
	Entry    history.Entry
	Tail     *Tail // that was written with it, in a log that several processes share; nil: none, or the log does not say
}

// Log is the only truth.
//
// All methods may be called from many goroutines. Entries that a Log returns must not be changed.
type Log interface {
	// Append stores sealed entries at the end of a history, all or none, and returns when they are durable. The first
	// Seq must be the next of the history, else nothing is stored and the error is ErrConflict. If exactly these entries
	// are at that place already, nothing is stored and there is no error, so that an append with an unknown outcome can
	// be repeated. Errors: ErrConflict, ErrUnknownOutcome, ErrTooLarge, ErrUnavailable, ErrDenied, ErrClosed.
	Append(ctx context.Context, id history.ID, entries ...history.Entry) error

	// Read yields the entries of a history from Seq from on (1 is the first), as of the call. A history that does not
	// exist yields nothing. An error ends the sequence and is never a short history: ErrCorrupt, ErrUnavailable, ErrClosed.
	Read(ctx context.Context, id history.ID, from uint64) iter.Seq2[Record, error]

	// Head returns the position of the newest record, the zero Position if there is none.
	Head(ctx context.Context) (Position, error)

	// Follow yields every record after a position, in order and without gaps, as it becomes durable, until ctx ends (then
	// the sequence just ends) or an error does.
	Follow(ctx context.Context, after Position) iter.Seq2[Record, error]

	// Close ends all that is under way, with ErrClosed, and lets go of the store.
	Close() error
}

// Tail is the end of a history whose run is open: enough to know whether, and when, somebody must act on it.
type Tail struct {
	ID        history.ID
	Began     uint64       // Seq of the Started of the open run
	Seq       uint64       // of the last entry
	Hash      history.Hash // of the last entry
	Wake      time.Time    // zero: nothing is ever due
	Due       bool         // inputs are recorded that the code was not told
	Follows   bool         // it has a parent, whose end it is to follow
	Unsettled int          // things asked for on which somebody has to act: activities, children, messages to others
	Type      string       // of the workflow; only a log that several processes share keeps it
	Version   int          // of the workflow, likewise
}

// Tailed is what a Log may offer beside: a small row for each open execution.
type Tailed interface {
	// AppendTail is Append, and in the same write makes tail the row of the execution, or removes the row if tail is nil.
	AppendTail(ctx context.Context, id history.ID, tail *Tail, entries ...history.Entry) error
	// Tail returns the row of an execution; ok is false if there is none.
	Tail(ctx context.Context, id history.ID) (tail Tail, ok bool, err error)
}

// Tails is what a Log may offer beside: all those rows, so that after a restart the cost is that of the open work and not that of
// all histories.
type Tails interface {
	Tailed
	// AllTails yields every row, in the order of namespaces and ids.
	AllTails(ctx context.Context) iter.Seq2[Tail, error]
}

// Meter is what a Log may offer beside: how much it has written since it was opened.
type Meter interface {
	Written() (appends, syncs, bytes uint64)
}

// Limited is what a Log may offer beside: how much one append may hold. What is more is [ErrTooLarge].
type Limited interface {
	Limits() (bytes, entries int)
}

// Shared is what a Log offers beside that several processes may have open, each of which appends.
type Shared interface {
	// Shared reports whether other processes may append to the log.
	Shared() bool
}

// Lister is what a Log may offer beside: which histories there are.
type Lister interface {
	// Streams yields every history, of executions and of clew's own, in the order of namespaces and ids. Those that begin
	// meanwhile may be among them or not.
	Streams(ctx context.Context) iter.Seq2[Stream, error]
}

// Stream is a history that there is.
type Stream struct {
	ID   history.ID
	Last uint64 // Seq of its last entry
}

// Cutter is what a Log may offer beside: that entries are taken away for good. It is done after it was recorded elsewhere, so it
// can be done again and again: what is not there any more, or is not what was meant, is passed over.
type Cutter interface {
	// Cut removes the entries of a history up to the one with a Seq and a hash; if there is no such entry, nothing. What follows it
	// stays as it is, with its Seqs and positions. If nothing does, the history is one that never was, and the next may begin
	// with Seq 1. No position changes, and no other record.
	Cut(ctx context.Context, id history.ID, to uint64, hash history.Hash) error
	// Purge returns when what was taken away is gone from the files of the log too, as far as the log can say.
	Purge(ctx context.Context) error
}

// Eraser is a Cutter that can also take away what entries carry, and leave the entries.
type Eraser interface {
	Cutter
	// Redact puts entries in the place of those that have their Seq and their hash: the same entries without the bytes of payloads.
	Redact(ctx context.Context, id history.ID, entries ...history.Entry) error
}

// Sized is what a Log may offer beside: how much of a disk it takes.
type Sized interface {
	// Size returns bytes. What was taken away counts until it is gone from the files too.
	Size() uint64
}
