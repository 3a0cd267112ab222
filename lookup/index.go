// Package lookup finds runs by what is known of them.
//
// An [Index] is a view of the log that is kept in a file: a table with a row for each run, the attributes of runs, the
// requests that were made by ids which callers chose, and the position in the log up to which all hold. Rows and position change in one transaction, so the file is always what
// some prefix of the log amounts to, and can be thrown away and built anew. What it shows of a run depends on the run's
// entries alone, and not on how they came: one by one, in batches, or all at once.
//
// [Index.Run] follows the log; [Index.Find] and [Index.Count] answer package query; [Index.Requested] finds a request.
// Nothing waits for an index but who asks for what was acknowledged before: see [Index.Reached].
package lookup

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/clewflow/clew/query"
	"github.com/clewflow/clew/store"
)

// What can be wrong.
var (
	// ErrBehind: the index did not reach a position in time. Later it will.
	ErrBehind = errors.New("lookup: the index is behind")
	// ErrAnew: the file was damaged or given up, and the index begins again at position 0. Nothing is lost but time.
	ErrAnew = errors.New("lookup: the index begins anew")
	// ErrClosed: the index was closed.
	ErrClosed = errors.New("lookup: closed")
)

// Behind says how far an index was from a position when the time was over.
type Behind struct {
	Position store.Position // reached
	Want     store.Position
}

func (e *Behind) Error() string {
	return fmt.Sprintf("lookup: the index is at position %s, %d behind what was asked for; ask again later, or for what it has", e.Position, e.Want.Commit-e.Position.Commit)
}

// Unwrap returns [ErrBehind] and [context.DeadlineExceeded].
func (e *Behind) Unwrap() []error { return []error{ErrBehind, context.DeadlineExceeded} }

// Options are the settings of an index; the zero Options work.
type Options struct {
	Logger  *slog.Logger // nil: nothing is logged
	Readers int          // lookups at the same time; 0: 4. An index in memory has one connection for all
	Text    Switch       // whether the words of inputs, results and failures are kept, for TEXT; to change it builds the index anew
	Inputs  Inputs       // fields by which runs are found that began before they were declared; a file that lacks some is built anew beside
	TextOf  []string     // the types of workflow whose words they are, which switches it on unless Text is Off; empty: all, or as the file has it
}

// Switch says whether something is to be done.
type Switch int

// The switches.
const (
	AsItIs Switch = iota // as the file has it; a new one: off
	On
	Off
)

// Index is a table of runs and its place in the log. All methods may be called from many goroutines.
type Index struct {
	path   string
	logger *slog.Logger

	// A connection is used by whoever has taken it out of its channel; who has the writer's may change the index. A nil
	// one is opened by its taker. In memory both are the same channel, because each connection would be another database.
	writer  chan *conn
	readers chan *conn
	open    openRuns // belongs to the writer
	shapes  shapes   // so does this
	text    wanted
	words   atomic.Pointer[words] // that are kept; nil: not yet opened
	inputs  Inputs
	noted   noted      // belongs to the writer
	builds  sync.Mutex // who has it writes the file that is to replace this one

	of   query.AsOf // of which moment it is; see [AsOf]
	then time.Time  // when that was; zero: it goes on with the log

	following sync.WaitGroup
	closed    chan struct{}
	hurry     chan struct{} // somebody waits: do not gather for long

	mu       sync.Mutex
	position store.Position
	building store.Position // of a file that is to replace this one; zero: there is none
	epoch    int            // rises when the index begins anew, and when something was taken away
	moved    chan struct{}  // closed when position or epoch changes
	waiters  int            // in Reached
	runs     bool           // Run is under way
	lacking  bool           // the file has not all fields of inputs that are declared
	ended    bool           // closed is closed
}

// Open opens the index in a file, or makes one. A file that is damaged or of another release is given up, and the index
// begins at position 0. The path ":memory:" keeps it in memory.
func Open(ctx context.Context, path string, options Options) (*Index, error) {
	x := newIndex(path, options)
	x.writer <- nil
	c, err := x.take(ctx, x.writer)
	if err != nil {
		return nil, err
	}
	x.writer <- c
	return x, nil
}

// newIndex has no connection yet.
func newIndex(path string, options Options) *Index {
	x := &Index{
		path: path, logger: options.Logger, text: wantedOf(options), inputs: options.Inputs, writer: make(chan *conn, 1), open: openRuns{}, closed: make(chan struct{}),
		hurry: make(chan struct{}, 1), moved: make(chan struct{}),
	}
	if x.logger == nil {
		x.logger = slog.New(slog.DiscardHandler)
	}
	if options.Readers <= 0 {
		options.Readers = 4
	}
	x.readers = x.writer
	if path != memory {
		x.readers = make(chan *conn, options.Readers)
		for range options.Readers {
			x.readers <- nil
		}
	}
	return x
}

// Close waits for what is under way, [Index.Run] included, and closes the file.
func (x *Index) Close() error {
	x.mu.Lock()
	first := !x.ended
	x.ended = true
	x.mu.Unlock()
	if !first {
		return nil
	}
	close(x.closed)
	x.following.Wait()
	all := []*conn{<-x.writer} // first, because who has it may be waiting for all readers
	if x.path != memory {
		for range cap(x.readers) {
			all = append(all, <-x.readers)
		}
	}
	var err error
	for _, c := range all {
		if c != nil {
			err = errors.Join(err, c.close())
		}
	}
	if err != nil {
		return fmt.Errorf("lookup: closing the index: %w", err)
	}
	return nil
}

// Position is up to where the log is applied. If it is above the log's head, the index is of another log: see
// [Index.Reset].
func (x *Index) Position() store.Position {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.position
}

// Reset gives the file up and begins at position 0. A [Index.Run] that is under way follows the log from there.
func (x *Index) Reset() error {
	c, err := x.take(context.Background(), x.writer)
	if err != nil {
		return err
	}
	c, err = x.anew(c)
	x.writer <- c
	return err
}

// Reached waits until the log is applied up to a position. If the deadline of ctx comes first, the error is a [*Behind],
// which has [ErrBehind] in its chain.
func (x *Index) Reached(ctx context.Context, want store.Position) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.waiters++
	defer func() { x.waiters-- }()
	for want.After(x.position) {
		moved := x.moved
		x.mu.Unlock()
		err := x.await(ctx, moved)
		x.mu.Lock()
		switch {
		case errors.Is(err, context.DeadlineExceeded) && want.After(x.position):
			return &Behind{Position: x.farthest(), Want: want}
		case err != nil && want.After(x.position):
			return err
		}
	}
	return nil
}

// farthest is the position of the index, or of what is built to replace it. Its caller has the lock.
func (x *Index) farthest() store.Position {
	if x.building.After(x.position) {
		return x.building
	}
	return x.position
}

func (x *Index) await(ctx context.Context, moved <-chan struct{}) error {
	select {
	case x.hurry <- struct{}{}:
	default:
	}
	select {
	case <-moved:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-x.closed:
		return ErrClosed
	}
}

// move notes that the index changed.
func (x *Index) move(position store.Position, epochs int) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.position = position
	x.epoch += epochs
	close(x.moved)
	x.moved = make(chan struct{})
}

// take takes a connection out of its channel, and opens it if need be. It is to be put back, even if it is nil.
func (x *Index) take(ctx context.Context, from chan *conn) (*conn, error) {
	select {
	case <-x.closed:
		return nil, ErrClosed
	default:
	}
	var c *conn
	select {
	case c = <-from:
	case <-x.closed:
		return nil, ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	var err error
	switch {
	case c != nil:
	case from == x.writer:
		c, err = x.begin()
	default:
		c, err = connect(x.path, "query_only = 1", "cache_size = -8000", "temp_store = memory")
	}
	if err != nil {
		from <- nil
		return nil, fmt.Errorf("lookup: opening the index %s: %w", x.path, err)
	}
	return c, nil
}

// begin opens the writer's connection and takes the position from the file. A file that is of no use is removed.
func (x *Index) begin() (*conn, error) {
	c, err := x.tryBegin()
	if !damaged(err) && !errors.Is(err, errStale) && !errors.Is(err, errWords) {
		return c, err
	}
	x.logger.Warn("the index cannot be used and is built anew", "path", x.path, "error", err)
	if err := x.remove(); err != nil {
		return nil, err
	}
	return x.tryBegin()
}

func (x *Index) tryBegin() (*conn, error) {
	c, err := connect(x.path)
	if err != nil {
		return nil, err
	}
	words, err := establish(c, x.text)
	var position store.Position
	if err == nil {
		position, err = c.place(context.Background())
	}
	if err == nil && position.IsZero() {
		err = x.inputs.write(c)
	}
	if err == nil {
		x.noted, err = readInputs(c)
	}
	if err != nil {
		return nil, errors.Join(err, c.close())
	}
	x.words.Store(&words)
	if x.text.as == AsItIs {
		x.text = words.again() // also when it begins anew
	}
	x.mu.Lock()
	x.lacking = x.inputs.lack(x.noted)
	x.mu.Unlock()
	x.move(position, 0)
	return c, nil
}

// anew gives the file up and begins at position 0. Its caller has c, the writer's connection, and puts back what is
// returned, nil if the new file could not be opened yet. It waits for lookups that are under way.
func (x *Index) anew(c *conn) (*conn, error) {
	return x.exchange(c, func() error { return nil })
}

// exchange is anew, with what put brings in the place of the file.
func (x *Index) exchange(c *conn, put func() error) (*conn, error) {
	var readers []*conn
	if x.path != memory {
		for range cap(x.readers) {
			readers = append(readers, <-x.readers)
		}
		defer func() {
			for range readers {
				x.readers <- nil
			}
		}()
	}
	for _, each := range append(readers, c) {
		if each != nil {
			_ = each.close() // what it would have to say is given up
		}
	}
	clear(x.open)
	x.move(store.Position{}, 1)
	err := x.remove()
	if err == nil {
		err = put()
	}
	if err != nil {
		return nil, fmt.Errorf("lookup: giving the index %s up: %w", x.path, err)
	}
	c, err = x.begin()
	if err != nil {
		return nil, fmt.Errorf("lookup: beginning the index %s anew: %w", x.path, err)
	}
	return c, nil
}

func (x *Index) remove() error {
	if x.path == memory {
		return nil
	}
	return removeDatabase(x.path)
}

// removeDatabase removes a file with those that belong to it.
func removeDatabase(path string) error {
	for _, suffix := range []string{"", "-wal", "-shm", "-journal"} { // SQLite ignores those that are left without the first
		if err := os.Remove(path + suffix); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return nil
}
