package pebble

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"github.com/clewflow/clew/store"
)

// database is one handle on the directory. When a write or sync fails it is dead: a failed sync may have lost what the
// next one would call good, so nothing more is written through it, nothing is read through it, and another one, opened
// anew, finds out what is there.
type database struct {
	*pebble.DB
	log     *slog.Logger
	failure atomic.Pointer[error]
	failing chan<- struct{} // told of the failure; holds one
}

func (d *database) fail(err error) {
	if d.failure.CompareAndSwap(nil, &err) {
		d.log.Error("log failed, it will be reopened", "error", err)
		select {
		case d.failing <- struct{}{}:
		default:
		}
	}
}

func (d *database) failed() error {
	if err := d.failure.Load(); err != nil {
		return *err
	}
	return nil
}

// apply writes a batch and returns when it is durable. Any error is a failure of the database.
func (d *database) apply(b *pebble.Batch) error {
	if err := d.Apply(b, pebble.Sync); err != nil {
		d.fail(err)
	}
	// The errors of writes and syncs do not come back from Apply; they are here by now.
	return d.failed()
}

// explain says what an error of a read means.
func explain(err error) error {
	switch {
	case err == nil || errors.Is(err, store.ErrCorrupt):
		return err
	case pebble.IsCorruptionError(err):
		if info := pebble.ExtractDataCorruptionInfo(err); info != nil {
			err = fmt.Errorf("%s: %w", info.Path, info.Details) // pebble's own text says that there are details
		}
		return corrupt(err)
	}
	return fmt.Errorf("%w: %w", store.ErrUnavailable, err)
}

func corrupt(err error) error { return fmt.Errorf("%w: %w", store.ErrCorrupt, err) }

// Infof, Errorf and Fatalf make a database the logger of its pebble.DB.
func (d *database) Infof(format string, args ...any) {
	d.log.Debug("pebble", "message", fmt.Sprintf(format, args...))
}

func (d *database) Errorf(format string, args ...any) {
	d.log.Warn("pebble", "message", fmt.Sprintf(format, args...))
}

// Fatalf is told what Pebble does not go on after, such as a manifest that it cannot write. It returns, because it may be
// called with locks held that must be given back before the handle can be closed; nothing more is written.
func (d *database) Fatalf(format string, args ...any) {
	err := fmt.Errorf(format, args...)
	for _, arg := range args {
		if cause, ok := arg.(error); ok {
			err = fmt.Errorf("%s: %w", strings.TrimSuffix(strings.TrimSuffix(err.Error(), cause.Error()), ": "), cause)
		}
	}
	d.fail(err)
}

// recover opens the database again, and tries until it succeeds or the Log is closed. Meanwhile what is appended is
// refused. It returns the requests that nobody has answered.
func (l *Log) recover(waiting []*request) []*request {
	cause := l.db.failed()
	if cause == nil {
		return waiting
	}
	l.recent.nudge()
	l.mu.Lock() // waits for those who read
	was := l.down
	l.down = true
	l.mu.Unlock()
	if !was {
		l.bytes.Add(l.db.discard())
	}
	for wait := time.Duration(0); ; wait = min(max(2*wait, l.opts.retry()/64), l.opts.retry()) {
		waiting = l.queue.take(waiting)
		l.refuse(waiting, fmt.Errorf("%w: %w", store.ErrUnavailable, cause))
		waiting = waiting[:0]
		select {
		case <-l.closing:
			return waiting
		case <-time.After(wait):
		}
		db, head, err := l.open()
		if err == nil && head < l.recent.durable() {
			db.discard()
			err = corrupt(fmt.Errorf("it ends at position %d, but was at %d", head, l.recent.durable()))
		}
		if err != nil {
			l.log.Error("log could not be reopened", "error", err)
			continue
		}
		l.mu.Lock()
		l.db, l.down = db, false
		l.mu.Unlock()
		l.ends = ends{}
		l.unsettled = true
		l.recent.reset(head)
		l.log.Info("log is open again", "head", uint64(head))
		return waiting
	}
}

// discard closes a handle without caring for what it has to say, and returns how many bytes it wrote.
func (d *database) discard() uint64 {
	written := d.Metrics().WAL.BytesWritten
	if err := d.Close(); err != nil {
		d.log.Debug("close of a failed log", "error", err)
	}
	return written
}

// nudge wakes those who wait for the log to grow, so that they look again.
func (r *recent) nudge() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.wake()
}
