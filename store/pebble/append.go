package pebble

import (
	"context"
	"errors"
	"fmt"
	goruntime "runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/store"
)

const (
	maxAppend = 64 << 20 // bytes of one append
	maxGroup  = 4 << 20  // bytes of a group, unless it is one append
	settled   = 100 * time.Millisecond
)

// request is an append that waits for its answer.
type request struct {
	id      history.ID
	entries []history.Entry
	size    int // as stored
	row     rowChange
	tail    *store.Tail

	taken atomic.Bool // by the committer, or by a caller who waits no longer
	done  chan error  // answered once; never blocks the committer
}

type rowChange uint8

const (
	keepRow rowChange = iota
	putRow
	dropRow
)

func (r *request) first() uint64 { return r.entries[0].Seq }
func (r *request) last() uint64  { return r.entries[len(r.entries)-1].Seq }

// Append is that of [store.Log]. All appends that wait while one group is written are written together as the next.
func (l *Log) Append(ctx context.Context, id history.ID, entries ...history.Entry) error {
	return l.submit(ctx, &request{id: id, entries: entries})
}

// AppendTail is that of [store.Tails].
func (l *Log) AppendTail(ctx context.Context, id history.ID, tail *store.Tail, entries ...history.Entry) error {
	r := &request{id: id, entries: entries, tail: tail, row: dropRow}
	if tail != nil {
		r.row = putRow
	}
	return l.submit(ctx, r)
}

func (l *Log) submit(ctx context.Context, r *request) error {
	err := l.ready(ctx)
	if err == nil {
		err = r.check()
	}
	if err == nil {
		err = l.queue.put(r)
	}
	if err != nil {
		return fmt.Errorf("pebble: append to %s: %w", r.id, err)
	}
	select {
	case err = <-r.done:
	case <-ctx.Done():
		if err = ctx.Err(); !r.taken.CompareAndSwap(false, true) {
			err = fmt.Errorf("%w: %w", store.ErrUnknownOutcome, err)
		}
	}
	if err != nil {
		return fmt.Errorf("pebble: append to %s at %d: %w", r.id, r.first(), err)
	}
	return nil
}

// check finds the caller's own mistakes, and gets the request ready.
func (r *request) check() error {
	if len(r.entries) == 0 {
		return errors.New("no entries")
	}
	for i, e := range r.entries {
		switch {
		case e.Size() == 0:
			return fmt.Errorf("entry %d is not sealed", e.Seq)
		case e.Seq != r.first()+uint64(i):
			return fmt.Errorf("entry %d follows entry %d", e.Seq, r.entries[i-1].Seq)
		}
	}
	if r.size = appendSize(r.entries); r.size > maxAppend {
		return fmt.Errorf("%d bytes, more than %d: %w", r.size, maxAppend, store.ErrTooLarge)
	}
	r.done = make(chan error, 1)
	return nil
}

// queue holds the requests of the next group.
type queue struct {
	mu     sync.Mutex
	closed bool
	all    []*request
	filled chan struct{} // holds a token while there is something in it
}

func (q *queue) put(r *request) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return store.ErrClosed
	}
	q.all = append(q.all, r)
	if len(q.all) == 1 {
		select {
		case q.filled <- struct{}{}:
		default:
		}
	}
	return nil
}

// take empties the queue into a slice that the committer no longer needs.
func (q *queue) take(into []*request) []*request {
	q.mu.Lock()
	defer q.mu.Unlock()
	all := append(into, q.all...)
	clear(q.all)
	q.all = q.all[:0]
	return all
}

func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
}

// commit is the one goroutine that writes. It also reopens the database when that has failed, so at any time there is one
// writer at most.
func (l *Log) commit() {
	defer close(l.stopped)
	timer := time.NewTimer(settled)
	defer timer.Stop()
	var waiting []*request
	for {
		select {
		case <-l.closing:
			l.refuse(l.queue.take(waiting), store.ErrClosed)
			return
		case <-l.failing:
			waiting = l.recover(waiting)
		case <-l.queue.filled:
		case e := <-l.erasures:
			l.take(e)
		case <-timer.C:
			l.settle()
		}
		// Those who are about to append do so first: the busier the process, the larger the group.
		goruntime.Gosched()
		for waiting = l.queue.take(waiting); len(waiting) > 0; waiting = l.queue.take(waiting) {
			if l.db.failed() != nil {
				waiting = l.recover(waiting)
				break
			}
			waiting = l.group(waiting)
			goruntime.Gosched()
		}
		timer.Reset(l.pause())
	}
}

// pause is how long the committer rests when there is nothing to append.
func (l *Log) pause() time.Duration {
	switch {
	case l.ballast.gone.Load():
		return l.opts.retry()
	case l.unsettled:
		return settled
	}
	return time.Hour
}

// settle writes an empty record behind the last append. Whoever scans the log later sees by it that the append was whole
// and durable, so if it is not, that is damage and no torn write.
func (l *Log) settle() {
	if l.db.failed() != nil {
		return
	}
	if l.ballast.gone.Load() {
		l.ballast.create()
	}
	if !l.unsettled {
		return
	}
	l.unsettled = false
	b := l.db.NewBatch()
	defer b.Close()
	if err := b.LogData([]byte("settled"), nil); err != nil {
		l.db.fail(err)
		return
	}
	if l.db.apply(b) == nil {
		l.syncs.Add(1)
	}
}

// refuse answers requests that nobody has begun to write.
func (l *Log) refuse(requests []*request, err error) {
	for _, r := range requests {
		r.taken.Store(true)
		r.done <- err
	}
}

// group writes as many of the requests as go into one batch, answers them, and returns the others.
func (l *Log) group(requests []*request) (left []*request) {
	b := l.db.NewBatch()
	defer b.Close()
	l.groups++
	head := l.recent.durable()
	var written []*request
	size := 0
	for i, r := range requests {
		if size > 0 && size+r.size > maxGroup {
			left = append(left, requests[i:]...)
			break
		}
		last, grew, err := l.lastSeq(r)
		switch {
		case err == nil && r.first() != last+1 && grew:
			// What it must be held against is in this very batch: it is answered when that is durable.
			left = append(left, r)
			continue
		case !r.taken.CompareAndSwap(false, true):
			continue
		case err == nil && r.first() != last+1:
			err = l.compare(r, last)
			r.done <- err
			continue
		case err != nil:
			r.done <- explain(err)
			continue
		}
		put(b, r, head+1)
		head += position(len(r.entries))
		size += r.size
		l.ends.set(r.id, end{seq: r.last(), group: l.groups})
		written = append(written, r)
	}
	if len(written) == 0 {
		return left
	}
	if err := l.db.apply(b); err != nil {
		for _, r := range written {
			r.done <- fmt.Errorf("%w: %w", store.ErrUnknownOutcome, err)
		}
		return left
	}
	l.unsettled = true
	l.syncs.Add(1)
	l.appends.Add(uint64(len(written)))
	l.publish(written)
	for _, r := range written {
		r.done <- nil
	}
	return left
}

// publish shows what is durable now to those who follow and read.
func (l *Log) publish(written []*request) {
	n := 0
	for _, r := range written {
		n += len(r.entries)
	}
	records := make([]store.Record, 0, n)
	at := l.recent.durable()
	for _, r := range written {
		for _, e := range r.entries {
			at++
			records = append(records, store.Record{Position: at.store(), ID: r.id, Entry: e})
		}
	}
	l.recent.add(records)
}

// put adds a request to a batch, with its first entry at a position.
func put(b *pebble.Batch, r *request, at position) {
	key := streamKey(r.id, r.first())
	op := b.SetDeferred(len(key), r.size)
	copy(op.Key, key)
	appendValue(op.Value[:0], at, r.entries)
	must(op.Finish())

	var place [9]byte
	op = b.SetDeferred(len(place), len(key))
	copy(op.Key, appendPosition(place[:0], at))
	copy(op.Value, key)
	must(op.Finish())

	switch r.row {
	case putRow:
		var row [128]byte
		must(b.Set(tailKey(r.id), appendRow(row[:0], at, r.tail), nil))
	case dropRow:
		must(b.Delete(tailKey(r.id), nil))
	}
}

// must is for the errors of batches, which are mistakes of ours.
func must(err error) {
	if err != nil {
		panic(fmt.Sprintf("pebble: batch: %v", err))
	}
}

// compare answers a request for a place that is not the next: there may be exactly what it wants to store.
func (l *Log) compare(r *request, last uint64) error {
	conflict := fmt.Errorf("%d is next: %w", last+1, store.ErrConflict)
	if r.first() == 0 || r.last() > last {
		return conflict
	}
	i := 0
	same := true
	err := scan(l.db.DB, r.id, r.first(), func(s stored) (more bool, err error) {
		for seq := max(s.first, r.first()); seq <= min(s.last(), r.last()) && same; seq++ {
			same = seq == r.entries[i].Seq && s.holds(r.entries[i]) // else its place was cut off
			i++
		}
		return same && i < len(r.entries), nil
	})
	switch {
	case err != nil:
		return explain(err)
	case !same || i < len(r.entries):
		return conflict
	}
	return nil
}

// end is where a stream ends, and which group last appended to it.
type end struct {
	seq, group uint64
}

// ends remembers where the streams end that were appended to lately. When it is full it forgets the older half.
type ends struct {
	young, old map[history.ID]end
}

const maxEnds = 64 << 10

func (c *ends) get(id history.ID) (end, bool) {
	e, ok := c.young[id]
	if !ok {
		if e, ok = c.old[id]; ok {
			c.set(id, e)
		}
	}
	return e, ok
}

func (c *ends) set(id history.ID, e end) {
	if c.young == nil || len(c.young) >= maxEnds/2 {
		c.young, c.old = make(map[history.ID]end), c.young
	}
	c.young[id] = e
}

// lastSeq returns the Seq of the last entry of the stream that a request is for, and whether it grew in this group.
func (l *Log) lastSeq(r *request) (last uint64, grew bool, err error) {
	if e, ok := l.ends.get(r.id); ok {
		return e.seq, e.group == l.groups, nil
	}
	if last, err = l.findLast(r); err == nil {
		l.ends.set(r.id, end{seq: last})
	}
	return last, false, err
}

func (l *Log) findLast(r *request) (uint64, error) {
	begun := func(seq uint64) (bool, error) {
		_, closer, err := l.db.Get(streamKey(r.id, seq))
		if err != nil {
			return false, ifFound(err)
		}
		return true, closer.Close()
	}
	if r.first() == 1 {
		exists, err := begun(1)
		if err == nil && !exists {
			var cut uint64
			cut, err = cutOff(l.db.DB, r.id)
			exists = cut > 0
		}
		if err != nil || !exists {
			return 0, err
		}
		return lastSeq(l.db.DB, r.id)
	}
	value, closer, err := l.db.Get(tailKey(r.id))
	if err == nil {
		defer closer.Close()
		_, t, err := parseRow(r.id, value)
		if err != nil {
			return 0, err
		}
		// An append without a row leaves the row behind.
		if more, err := begun(t.Seq + 1); err != nil || !more {
			return t.Seq, err
		}
	} else if err = ifFound(err); err != nil {
		return 0, err
	}
	return lastSeq(l.db.DB, r.id)
}
