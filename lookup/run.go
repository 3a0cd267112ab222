package lookup

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/store"
)

// Limits of what is gathered for one transaction.
const (
	maxRuns    = 1_000
	maxRecords = 10_000
	maxBytes   = 8 << 20

	longest = 50 * time.Millisecond // between transactions, while records keep coming
	prompt  = 2 * time.Millisecond  // before the first after a silence
)

// How long Run waits after an error before it tries again.
const (
	firstPause = 100 * time.Millisecond
	lastPause  = 10 * time.Second
)

// Far behind is worth a line in the log, and another one now and then.
const (
	farBehind     = 10_000
	progressEvery = 5 * time.Second
)

// much is so much to read into an empty index that it is built in a file of its own, or in memory without its secondary indexes.
var much uint64 = 100_000

// Run applies the log as it grows, until ctx ends; then it returns nil when all that it started has. What goes wrong is
// logged and tried again, but a closed log or index ends it. At most one Run is under way.
func (x *Index) Run(ctx context.Context, log store.Log) error {
	x.mu.Lock()
	switch {
	case x.ended:
		x.mu.Unlock()
		return ErrClosed
	case x.runs:
		x.mu.Unlock()
		return errors.New("lookup: the index is run already")
	}
	x.runs = true
	x.following.Add(1)
	x.mu.Unlock()
	defer func() {
		x.mu.Lock()
		x.runs = false
		x.mu.Unlock()
		x.following.Done()
	}()

	var renewing sync.WaitGroup
	defer renewing.Wait()
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	if x.renews() {
		renewing.Go(func() { x.renew(ctx, log) })
	}
	pause := firstPause
	for {
		before := x.Position()
		err := x.follow(ctx, log)
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, ErrClosed), errors.Is(err, store.ErrClosed):
			return err
		case err == ErrAnew, err == errBuilt: // and not one that could not be done
			continue
		}
		if x.Position().After(before) {
			pause = firstPause
		}
		x.logger.Error("the index cannot be brought up to date for now", "path", x.path, "position", x.Position(), "error", err, "again", pause)
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return nil
		case <-x.closed:
			return ErrClosed
		}
		pause = min(2*pause, lastPause)
	}
}

// follow applies what comes after the position until something is in the way.
func (x *Index) follow(ctx context.Context, log store.Log) error {
	ctx, stop := context.WithCancel(ctx)
	epoch, _ := x.place()
	position := x.Position()
	defer stop()
	p := x.progress(ctx, log, position)
	last := position // of what is read before there are indexes
	if p.top.Commit > much && position.IsZero() {
		if x.path != memory {
			return x.build(ctx, log, p.top)
		}
		last = p.top
	}
	g := newGathering(maxRuns, maxRecords, maxBytes)
	var reading sync.WaitGroup
	reading.Go(func() { g.end(g.read(ctx, log, position)) })
	defer reading.Wait()
	defer stop()

	if err := x.prepare(epoch, last != position); err != nil {
		return err
	}
	var since time.Time // the transaction before
	for {
		if err := x.gather(ctx, &g, epoch, since); err != nil {
			return err
		}
		records, err := g.take()
		if len(records) > 0 {
			since = time.Now() // what comes while it is applied has waited already
			if err := x.applyIn(epoch, records); err != nil {
				return err
			}
			if last != position && !last.After(x.Position()) {
				last = position
				if err := x.prepare(epoch, false); err != nil {
					return err
				}
			}
			p.report(x, len(records))
			g.give(records)
		}
		if err != nil {
			return err
		}
	}
}

// prepare takes the secondary indexes away before much is read, or makes those that are missing.
func (x *Index) prepare(epoch int, much bool) error {
	c, err := x.take(context.Background(), x.writer)
	if err != nil {
		return err
	}
	defer func() { x.writer <- c }()
	if now, _ := x.place(); now != epoch {
		return ErrAnew
	}
	if much {
		return c.unindex()
	}
	return c.index()
}

// gather waits until it is time for a transaction: at once if somebody waits for it or enough has come, soon after a
// silence, else when the longest time since the one before is over.
func (x *Index) gather(ctx context.Context, g *gathering, epoch int, last time.Time) error {
	var timer *time.Timer
	var over <-chan time.Time
	for {
		some, enough := g.state()
		now, moved := x.place()
		switch {
		case now != epoch:
			return ErrAnew
		case enough, some && x.awaited():
			return nil
		case some && timer == nil:
			linger := prompt
			if since := time.Since(last); since < longest {
				linger = longest - since
			}
			timer = time.NewTimer(linger)
			defer timer.Stop()
			over = timer.C
		}
		select {
		case <-g.news:
		case <-x.hurry:
		case <-moved:
		case <-over:
			return nil
		case <-x.closed:
			return ErrClosed
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (x *Index) awaited() bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.waiters > 0
}

// gathering holds the records between the goroutine that reads them and the one that applies them. It is bounded: who
// reads waits while it is full.
type gathering struct {
	news chan struct{} // the first record came, or the last that fits, or the end
	room chan struct{} // it was emptied

	mu      sync.Mutex
	records []store.Record
	runs    map[history.ID]struct{}
	bytes   int
	spare   []store.Record
	ended   error // not nil: nothing more comes

	maxRuns, maxRecords, maxBytes int
}

func newGathering(runs, records, bytes int) gathering {
	return gathering{
		runs: map[history.ID]struct{}{}, news: make(chan struct{}, 1), room: make(chan struct{}, 1), maxRuns: runs, maxRecords: records, maxBytes: bytes,
	}
}

var errFollow = errors.New("lookup: the log stopped being followed")

// read follows the log; it returns when ctx ends or the log does.
func (g *gathering) read(ctx context.Context, log store.Log, after store.Position) error {
	for record, err := range log.Follow(ctx, after) {
		if err != nil {
			return fmt.Errorf("lookup: following the log: %w", err)
		}
		if !g.add(record) {
			continue
		}
		select {
		case <-g.room:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	return errFollow
}

// add reports whether g is full now.
func (g *gathering) add(record store.Record) (full bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.records = append(g.records, record)
	g.runs[record.ID] = struct{}{}
	g.bytes += record.Entry.Size()
	full = g.full()
	if full || len(g.records) == 1 {
		signal(g.news)
	}
	return full
}

func (g *gathering) full() bool {
	return len(g.runs) >= g.maxRuns || len(g.records) >= g.maxRecords || g.bytes >= g.maxBytes
}

func (g *gathering) end(err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.ended = err
	signal(g.news)
}

// state reports whether there are records, and whether there is no point in waiting for more.
func (g *gathering) state() (some, enough bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.records) > 0, g.full() || g.ended != nil
}

// take empties g. The error is not nil if nothing more comes.
func (g *gathering) take() ([]store.Record, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	records := g.records
	if g.full() && g.ended == nil {
		signal(g.room)
	}
	g.records, g.spare, g.bytes = g.spare, nil, 0
	clear(g.runs)
	return records, g.ended
}

// give returns a slice for another time, emptied so that it keeps no entry alive.
func (g *gathering) give(records []store.Record) {
	clear(records)
	g.mu.Lock()
	defer g.mu.Unlock()
	g.spare = records[:0]
}

func signal(to chan struct{}) {
	select {
	case to <- struct{}{}:
	default:
	}
}

// farFrom reports whether one position is far behind another. A log may number bytes instead of records; then that is less far.
func farFrom(position, head store.Position) bool { return head.Commit > position.Commit+farBehind }

// progress tells the operator of an index that is far behind how it comes on.
type progress struct {
	top     store.Position // of the log, as of the beginning; zero if that is not known
	head    store.Position // the same; zero: not far behind, or no more
	since   time.Time
	said    time.Time
	records int
}

func (x *Index) progress(ctx context.Context, log store.Log, position store.Position) *progress {
	p := &progress{since: time.Now(), said: time.Now()}
	head, err := log.Head(ctx)
	if err != nil {
		return p // following says what is wrong
	}
	p.top = head
	if farFrom(position, head) {
		p.head = head
		x.logger.Info("the index is behind and catches up", "path", x.path, "position", position, "head", head)
	}
	return p
}

func (p *progress) report(x *Index, records int) {
	if p.head.IsZero() {
		return
	}
	p.records += records
	position, took := x.Position(), time.Since(p.since)
	switch {
	case !p.head.After(position):
		x.logger.Info("the index has caught up", "path", x.path, "position", position, "records", p.records, "took", took)
		p.head = store.Position{}
	case time.Since(p.said) >= progressEvery:
		p.said = time.Now()
		x.logger.Info("the index is catching up", "path", x.path, "position", position, "head", p.head, "records", p.records, "took", took)
	}
}
