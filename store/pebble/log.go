// Package pebble keeps a log in a directory, in a database of github.com/cockroachdb/pebble.
//
// One record is one append: its key is the execution and the Seq of its first entry, its value the entries as JSON, one
// after the other. Beside it are an index by position and the rows of the open executions, written in the same batch. One
// goroutine, the committer, writes: what is appended while it waits for the disk is the next batch, so a sync is shared by
// all who wait for one.
//
// What is readable is durable. What cannot be written or synced is never acknowledged: the handle on the database is
// dropped, and opened anew until that succeeds. What cannot be read is corrupt, never absent.
package pebble

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	iofs "io/fs"
	"log/slog"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/clewflow/clew/store"
)

// Options are settings. The zero value works.
type Options struct {
	FS       vfs.FS       // nil: that of the operating system
	Logger   *slog.Logger // nil: nothing is logged
	Cache    int64        // bytes of decompressed blocks kept in memory; 0: 64 MiB
	MemTable uint64       // bytes written before they are sorted into a file; 0: 64 MiB
	Ballast  int64        // bytes of the file that is given up when the disk is full; 0: 8 MiB, negative: none
	ReadOnly bool         // nothing is written, and nothing created; it is locked all the same

	backoff time.Duration // the longest time between two attempts to reopen; 0: 1 s
}

func (o Options) retry() time.Duration {
	if o.backoff > 0 {
		return o.backoff
	}
	return time.Second
}

// Log is a log in a directory. It offers [store.Tails], [store.Meter], [store.Lister] and [store.Eraser] too.
type Log struct {
	opts    Options
	log     *slog.Logger
	dir     string // of the database
	fs      vfs.FS // gives up the ballast when the disk is full
	lock    io.Closer
	cache   *pebble.Cache
	ballast ballast
	recent  recent
	queue   queue

	mu   sync.RWMutex // held by those who read, and to exchange db
	db   *database
	down bool // db is not to be used

	erasures chan *erasure
	erased   ranges

	failing chan struct{} // holds a token when the db has failed
	closing chan struct{} // closed by Close
	stopped chan struct{} // closed when the committer has returned
	close   func() error

	// Of the committer alone.
	ends      ends
	groups    uint64
	unsettled bool // something was appended since the log was last settled

	appends, syncs, bytes atomic.Uint64 // bytes are those of handles that were dropped
}

var (
	_ store.Log   = (*Log)(nil)
	_ store.Tails = (*Log)(nil)
	_ store.Meter = (*Log)(nil)
)

// Open opens the log in a directory, and creates both if they are not there. All files are in the folder log of the
// directory, unless it is for reading only. Errors: store.ErrInUse, store.ErrCorrupt, and those of the file system.
func Open(dir string, opts Options) (*Log, error) {
	l := &Log{
		opts: opts, log: opts.Logger, fs: opts.FS,
		queue:    queue{filled: make(chan struct{}, 1)},
		erasures: make(chan *erasure), failing: make(chan struct{}, 1), closing: make(chan struct{}), stopped: make(chan struct{}),
	}
	l.close = sync.OnceValue(l.shut)
	if l.log == nil {
		l.log = slog.New(slog.DiscardHandler)
	}
	if err := l.enter(dir); err != nil {
		return nil, fmt.Errorf("pebble: open %s: %w", dir, err)
	}
	l.ballast = ballast{fs: l.fs, path: l.fs.PathJoin(l.dir, ballastFile), size: opts.Ballast, log: l.log}
	if opts.Ballast == 0 {
		l.ballast.size = 8 << 20
	}
	l.fs = vfs.OnDiskFull(l.fs, l.ballast.giveUp)
	l.cache = pebble.NewCache(or(opts.Cache, 64<<20))
	db, head, err := l.open()
	if err != nil {
		l.cache.Unref()
		_ = l.lock.Close()
		return nil, fmt.Errorf("pebble: open %s: %w", dir, err)
	}
	l.db = db
	l.recent.reset(head)
	if opts.ReadOnly {
		close(l.stopped) // there is no committer
		return l, nil
	}
	l.ballast.create()
	go l.commit()
	return l, nil
}

func or[T int64 | uint64](v, otherwise T) T {
	if v == 0 {
		return otherwise
	}
	return v
}

// enter creates the directory and locks it. A lock ends with its process, so one that a dead process left is no obstacle.
func (l *Log) enter(dir string) error {
	real := l.fs == nil
	if real {
		l.fs = vfs.Default
	}
	l.dir = l.fs.PathJoin(dir, "log")
	if l.opts.ReadOnly {
		if _, err := l.fs.Stat(l.dir); err != nil {
			return err
		}
	} else if err := makeDir(l.fs, l.dir); err != nil {
		return err
	}
	if real {
		// The lock knows a directory of this process by its name.
		path, err := filepath.EvalSymlinks(l.dir)
		if err == nil {
			path, err = filepath.Abs(path)
		}
		if err != nil {
			return err
		}
		l.dir = path
	}
	lock, err := l.fs.Lock(l.fs.PathJoin(l.dir, "LOCK"))
	if path := (*iofs.PathError)(nil); errors.As(err, &path) {
		return err
	}
	if err != nil {
		return fmt.Errorf("%w: only one process can have %s, and only once; close it there, or go through that process (%w)", store.ErrInUse, l.dir, err)
	}
	l.lock = lock
	return nil
}

// makeDir creates a directory, and makes it and the one that it is in durable, and all others that it creates.
func makeDir(fs vfs.FS, dir string) error {
	parents := []string{fs.PathDir(dir), fs.PathDir(fs.PathDir(dir))}
	for last := parents[1]; ; last = parents[len(parents)-1] {
		if _, err := fs.Stat(last); err == nil || fs.PathDir(last) == last {
			break
		}
		parents = append(parents, fs.PathDir(last))
	}
	if err := fs.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	for _, parent := range parents {
		d, err := fs.OpenDir(parent)
		if err != nil {
			return err
		}
		if err := errors.Join(d.Sync(), d.Close()); err != nil {
			return fmt.Errorf("sync %s: %w", parent, err)
		}
	}
	return nil
}

// open returns a new handle and the position of the newest record.
func (l *Log) open() (db *database, head position, err error) {
	if err := inspect(l.fs, l.dir); err != nil {
		return nil, 0, explain(err)
	}
	mark, err := readMark(l.fs, l.dir)
	if err != nil {
		return nil, 0, explain(err)
	}
	db = &database{log: l.log, failing: l.failing}
	db.DB, err = pebble.Open(l.dir, l.settings(db))
	if err != nil {
		return nil, 0, explain(err)
	}
	if head, err = findHead(db.DB); err == nil && head < mark {
		err = corrupt(fmt.Errorf("it ends at position %d, but was at %d", head, mark))
	}
	if err == nil {
		err = db.failed()
	}
	if err != nil {
		db.discard()
		return nil, 0, explain(err)
	}
	return db, head, nil
}

func (l *Log) settings(db *database) *pebble.Options {
	o := &pebble.Options{
		FS:                         handleFS{l.fs, db, vfs.NewMem()},
		Logger:                     db,
		Cache:                      l.cache,
		FormatMajorVersion:         pebble.FormatNewest,
		ReadOnly:                   l.opts.ReadOnly,
		MemTableSize:               or(l.opts.MemTable, 64<<20),
		L0CompactionThreshold:      4,
		L0StopWritesThreshold:      24,
		CompactionConcurrencyRange: func() (int, int) { return 1, 2 },
		EventListener: &pebble.EventListener{
			BackgroundError: func(err error) { l.log.Warn("background work of the log failed", "error", err.Error()) },
			DataCorruption: func(info pebble.DataCorruptionInfo) {
				l.log.Error("log is damaged", "file", info.Path, "keys", info.Bounds.String(), "error", info.Details.Error()) // without its stack
			},
		},
	}
	for i := range o.Levels {
		o.Levels[i].FilterPolicy = bloom.FilterPolicy(10)
	}
	return o
}

// findHead returns the position of the newest record, 0 if there is none.
func findHead(db *pebble.DB) (position, error) {
	it, err := db.NewIter(&pebble.IterOptions{LowerBound: []byte{positionKind}, UpperBound: []byte{positionKind + 1}})
	if err != nil {
		return 0, err
	}
	defer it.Close()
	if !it.Last() {
		return 0, it.Error()
	}
	if len(it.Key()) != 9 {
		return 0, corrupt(fmt.Errorf("%q: %w", it.Key(), errKey))
	}
	s, gone, err := indexed(db, it)
	p := position(binary.BigEndian.Uint64(it.Key()[1:]))
	switch {
	case err != nil:
		return 0, err
	case gone > 0:
		return p + position(gone) - 1, nil
	case p != s.at:
		return 0, corrupt(fmt.Errorf("entry %d of %s says that it is at position %d, not %d", s.first, s.id, s.at, p))
	}
	return s.at + position(len(s.wires)) - 1, nil
}

// Close ends all that is under way and closes the directory. What was appended is all sorted into files then.
func (l *Log) Close() error { return l.close() }

func (l *Log) shut() error {
	l.queue.close()
	close(l.closing)
	<-l.stopped
	l.mu.Lock() // waits for those who read
	defer l.mu.Unlock()
	var err error
	if !l.down {
		l.bytes.Add(l.db.Metrics().WAL.BytesWritten)
		err = l.end()
	}
	l.down = true
	l.cache.Unref()
	if e := l.lock.Close(); err == nil {
		err = e
	}
	if err != nil {
		return fmt.Errorf("pebble: close %s: %w", l.dir, err)
	}
	return nil
}

// end closes the database, and notes where the log ends.
func (l *Log) end() error {
	if l.opts.ReadOnly {
		return l.db.Close()
	}
	return l.db.shut(func() error { return writeMark(l.fs, l.dir, l.recent.durable()) })
}

// shut flushes and closes the database; note is called when it is flushed.
func (d *database) shut(note func() error) (err error) {
	if d.failed() == nil {
		if err := d.Flush(); err != nil {
			d.fail(err)
		}
	}
	if err = d.failed(); err == nil {
		err = note()
	}
	return errors.Join(err, d.Close())
}

// Written is that of [store.Meter].
func (l *Log) Written() (appends, syncs, bytes uint64) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	bytes = l.bytes.Load()
	if !l.down {
		bytes += l.db.Metrics().WAL.BytesWritten
	}
	return l.appends.Load(), l.syncs.Load(), bytes
}

// usable says why nothing can be asked of the Log, if so.
func (l *Log) usable(ctx context.Context) error {
	select {
	case <-l.closing:
		return store.ErrClosed
	default:
		return ctx.Err()
	}
}

// ready says why nothing can be appended, if so.
func (l *Log) ready(ctx context.Context) error {
	if err := l.usable(ctx); err != nil {
		return err
	}
	if l.opts.ReadOnly {
		return fmt.Errorf("%w: it was opened for reading only", store.ErrDenied)
	}
	l.mu.RLock()
	defer l.mu.RUnlock()
	if err := l.db.failed(); err != nil {
		return fmt.Errorf("%w: %w", store.ErrUnavailable, err)
	}
	if l.ballast.gone.Load() {
		return fmt.Errorf("%w: the disk is full", store.ErrUnavailable)
	}
	return nil
}

// use lets read use the database, and says what its error means.
func (l *Log) use(ctx context.Context, read func(*pebble.DB) error) error {
	l.mu.RLock()
	defer l.mu.RUnlock()
	if err := l.usable(ctx); err != nil {
		return err
	}
	if err := l.db.failed(); err != nil || l.down {
		return fmt.Errorf("%w: %w", store.ErrUnavailable, err)
	}
	return explain(read(l.db.DB))
}
