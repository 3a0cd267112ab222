package sim

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"sync"
	"time"

	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/internal/stage"
	"github.com/clewflow/clew/members"
	"github.com/clewflow/clew/store"
	"github.com/clewflow/clew/store/memory"
)

// fault is what becomes of those who wait at the stage.
type fault string

const (
	none         fault = ""
	conflict     fault = "conflict"       // somebody else appends first
	unsureStored fault = "unknown stored" // it is stored, and the answer is ErrUnknownOutcome
	unsureLost   fault = "unknown lost"   // it is not, and the same answer
	unsureLater  fault = "unknown later"  // it is stored some moves later, if it still can be, and the same answer
	slow         fault = "slow"           // the answer takes a while
	failed       fault = "failed"         // it is not stored, and the answer is ErrUnavailable
	storedDying  fault = "stored dying"   // it is stored, and the process dies before it is told
	lostDying    fault = "lost dying"     // it is not, and the process dies
	readBreaks   fault = "read breaks"    // with ErrUnavailable, after some entries
	followTwice  fault = "follow twice"   // a record is delivered twice
	followBreaks fault = "follow breaks"  // with ErrUnavailable
	followIsLate fault = "follow is late" // a record is delivered after a while
)

// faults are all of them.
var faults = []fault{conflict, unsureStored, unsureLost, unsureLater, slow, failed, storedDying, lostDying, readBreaks, followTwice, followBreaks, followIsLate}

// longest is how long the answer to an append is on its way.
const longest = 3 * time.Second

// ofAppends are those of appends.
var ofAppends = faults[:8]

// verdict draws what becomes of somebody.
func (w *World) verdict(p stage.Place) fault {
	if p.Rank != appends || p.Run == members.Family && w.script != nil {
		return none
	}
	w.report.Appends++
	if w.script != nil {
		return w.script.verdict(w.report.Appends)
	}
	if w.well {
		return none
	}
	dice := w.dice.Float64()
	for _, f := range ofAppends {
		if dice -= w.rates[f]; dice < 0 {
			if f == conflict && p.Run != "" {
				return none // only clew writes there
			}
			w.fault(string(f))
			return f
		}
	}
	return none
}

var errDied = errors.New("the process has died")

// log is a life's hold on the disk.
type log struct {
	*memory.Log
	life *life

	mu     sync.Mutex
	counts map[string]uint64 // of calls, by what they are about
}

func newLog(l *life) *log { return &log{Log: l.w.disk.Open(), life: l, counts: map[string]uint64{}} }

// count numbers calls.
func (l *log) count(what string) uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.counts[what]++
	return l.counts[what]
}

// Append is that of [store.Log].
func (l *log) Append(ctx context.Context, id history.ID, entries ...history.Entry) error {
	entries = slices.Clone(entries) // what arrives late is what was sent
	return l.append(id, entries, func() error { return l.Log.Append(context.WithoutCancel(ctx), id, entries...) })
}

// AppendTail is that of [store.Tails].
func (l *log) AppendTail(ctx context.Context, id history.ID, tail *store.Tail, entries ...history.Entry) error {
	if tail != nil {
		row := *tail
		tail = &row
	}
	entries = slices.Clone(entries)
	return l.append(id, entries, func() error { return l.Log.AppendTail(context.WithoutCancel(ctx), id, tail, entries...) })
}

func (l *log) append(id history.ID, entries []history.Entry, do func() error) error {
	w := l.life.w
	died := fmt.Errorf("%w: %w", store.ErrUnavailable, errDied)
	w.judge.acts(l.life, id, entries)
	if err := l.life.reaches(l.life.ctx); err != nil {
		return err
	}
	verdict, err := l.life.wait(l.life.ctx, placeOfAppend(l.life, id, entries, appends))
	if err != nil {
		return died
	}
	put := func() error {
		before := w.judge.seq(id)
		err := do()
		if err == nil {
			w.judge.stored(id, before, entries)
		}
		return err
	}
	commit := func() error {
		err := put()
		l.life.finds(err)
		if l.life.reaches(l.life.ctx) != nil {
			return store.ErrUnknownOutcome // it was cut off on the way back
		}
		return err
	}
	if id.Family() == "" {
		w.judge.wasTried(id, entries, verdict)
	}
	switch verdict {
	case conflict:
		if w.judge.seq(id) == entries[0].Seq-1 { // else it would not be one, and nobody here would look for what is new
			w.judge.intrude(id)
		}
	case unsureStored:
		if err := commit(); err != nil {
			return err
		}
		return store.ErrUnknownOutcome
	case unsureLost:
		return store.ErrUnknownOutcome
	case unsureLater:
		w.mu.Lock()
		defer w.mu.Unlock()
		w.later = append(w.later, func() {
			there := w.judge.seq(id) >= entries[len(entries)-1].Seq
			switch err := put(); {
			case err == nil && there:
				w.sometimes("an append arrives late and is there already")
			case err == nil:
				w.sometimes("an append arrives late and is stored")
			default:
				w.sometimes("an append arrives late and loses")
			}
		})
		return store.ErrUnknownOutcome
	case failed:
		return store.ErrUnavailable
	case slow:
		err := commit()
		if pass(l.life.ctx, longest) != nil || l.wait(id, entries, goesOn) != nil {
			return died
		}
		return err
	case lostDying:
		<-l.life.ctx.Done()
		return died
	case storedDying:
		err := commit()
		<-l.life.ctx.Done()
		return errors.Join(died, err)
	}
	return commit()
}

// wait waits at the stage.
func (l *log) wait(id history.ID, entries []history.Entry, rank int) error {
	_, err := l.life.wait(l.life.ctx, placeOfAppend(l.life, id, entries, rank))
	return err
}

func placeOfAppend(l *life, id history.ID, entries []history.Entry, rank int) stage.Place {
	return stage.Place{Rank: rank, Execution: id.Workflow, Run: id.Family(), Step: entries[0].Seq, Number: len(entries), What: l.tag}
}

// broken reports whether a call is to go wrong.
func (l *log) broken(kind fault, what string) bool {
	w := l.life.w
	var n uint64
	if l.life.name == "" {
		n = l.count(what)
	} else { // its index and its ear follow side by side, and which is first is nobody's choice
		n, what = uint64(time.Since(w.began)), what+l.life.name
	}
	if w.isWell() || w.chance(n, string(kind), what) >= w.rates[kind] {
		return false
	}
	w.fault(string(kind))
	return true
}

// Read is that of [store.Log].
func (l *log) Read(ctx context.Context, id history.ID, from uint64) iter.Seq2[store.Record, error] {
	records := l.Log.Read(ctx, id, from)
	if l.life.ctx.Err() != nil {
		return func(yield func(store.Record, error) bool) { yield(store.Record{}, store.ErrClosed) }
	}
	if err := l.life.reaches(ctx); err != nil {
		return func(yield func(store.Record, error) bool) { yield(store.Record{}, err) }
	}
	if !l.broken(readBreaks, id.Workflow) {
		return records
	}
	return func(yield func(store.Record, error) bool) {
		left := l.count("read") % 4
		for r, err := range records {
			if left == 0 {
				break
			}
			left--
			if !yield(r, err) || err != nil {
				return
			}
		}
		yield(store.Record{}, fmt.Errorf("sim: reading %s: %w", id, store.ErrUnavailable))
	}
}

// Head is that of [store.Log].
func (l *log) Head(ctx context.Context) (store.Position, error) {
	if err := l.life.reaches(ctx); err != nil {
		return store.Position{}, err
	}
	return l.Log.Head(ctx)
}

// Follow is that of [store.Log].
func (l *log) Follow(ctx context.Context, after store.Position) iter.Seq2[store.Record, error] {
	return func(yield func(store.Record, error) bool) {
		for r, err := range l.Log.Follow(ctx, after) {
			if err != nil {
				yield(r, err)
				return
			}
			if err := l.life.reaches(ctx); err != nil {
				yield(store.Record{}, err)
				return
			}
			at := fmt.Sprint("follow ", r.Position)
			switch {
			case l.broken(followTwice, at):
				if !yield(r, nil) {
					return
				}
			case l.broken(followBreaks, at):
				yield(store.Record{}, fmt.Errorf("sim: following at %d: %w", r.Position, store.ErrUnavailable))
				return
			case l.broken(followIsLate, at):
				if pass(ctx, time.Second) != nil {
					return
				}
			}
			if !yield(r, nil) {
				return
			}
		}
	}
}
