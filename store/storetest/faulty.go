package storetest

import (
	"context"
	"fmt"
	"iter"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/store"
)

// Fault is what happens to an append.
type Fault uint8

const (
	None        Fault = iota
	Conflict          // somebody else appends first
	Stored            // it is stored, and the answer is ErrUnknownOutcome
	NotStored         // it is not stored, and the answer is ErrUnknownOutcome
	StoredLater       // the answer is ErrUnknownOutcome, and it is stored with a later call, if it still can be
	Slow              // it is stored, and the answer takes a while
	Failed            // it is not stored, and the answer is ErrUnavailable
)

func (f Fault) String() string {
	return [...]string{"none", "conflict", "stored", "not stored", "stored later", "slow", "failed"}[f]
}

// FollowFault is what happens to a record on its way to a follower.
type FollowFault uint8

const (
	Deliver   FollowFault = iota
	Duplicate             // it is delivered twice
	Break                 // it is not delivered, and the sequence ends with ErrUnavailable
	Late                  // it is delivered after a while
)

// Faults says what goes wrong. Nil functions stand for nothing. The functions are called one at a time, in the order of the
// calls to the log, so a seeded source of random numbers in them gives the same faults to the same calls.
type Faults struct {
	// Append chooses what happens to an append.
	Append func(id history.ID, entries []history.Entry) Fault
	// Foreign is called before an append with the fault Conflict, with the log without its faults. It is to append
	// something; if it does not, the append goes through.
	Foreign func(ctx context.Context, l store.Log, id history.ID) error
	// Read returns after how many entries a read breaks off with ErrUnavailable; negative: it does not.
	Read func(id history.ID, from uint64) int
	// Follow chooses what happens to a record.
	Follow func(r store.Record) FollowFault
	// Steps is the number of calls after which an append with the fault StoredLater is tried; 0 is 1.
	Steps int
	// Delay is how long Slow and Late take.
	Delay time.Duration

	mu    sync.Mutex
	later []*delayed
}

// delayed is an append that is still on its way.
type delayed struct {
	steps int
	do    func() error
}

// Faulty puts faults between a log and its user. The result offers [store.Tails] if l does. Closing it closes l.
func Faulty(l store.Log, f *Faults) store.Log {
	faulty := &faultyLog{l, f}
	if tails, ok := l.(store.Tails); ok {
		return &faultyTails{faulty, tails}
	}
	return faulty
}

// RandomFaults returns a source of all faults of appends, as often as rate says, the same for the same seed.
func RandomFaults(seed uint64, rate float64) func(history.ID, []history.Entry) Fault {
	rng := rand.New(rand.NewPCG(seed, 0))
	return func(history.ID, []history.Entry) Fault {
		if rng.Float64() >= rate {
			return None
		}
		return Conflict + Fault(rng.IntN(int(Failed)))
	}
}

// Settle tries all appends that are to be stored later now.
func (f *Faults) Settle() {
	f.mu.Lock()
	due := f.later
	f.later = nil
	f.mu.Unlock()
	for _, d := range due {
		_ = d.do() // the one that sent it was told that the outcome is unknown
	}
}

// step lets the world go on by one call.
func (f *Faults) step() {
	var due []*delayed
	f.mu.Lock()
	f.later = slices.DeleteFunc(f.later, func(d *delayed) bool {
		d.steps--
		if d.steps <= 0 {
			due = append(due, d)
		}
		return d.steps <= 0
	})
	f.mu.Unlock()
	for _, d := range due {
		_ = d.do()
	}
}

func (f *Faults) choose(id history.ID, entries []history.Entry) Fault {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.Append == nil {
		return None
	}
	return f.Append(id, entries)
}

type faultyLog struct {
	store.Log
	faults *Faults
}

type faultyTails struct {
	*faultyLog
	tails store.Tails
}

func (l *faultyLog) Append(ctx context.Context, id history.ID, entries ...history.Entry) error {
	return l.append(ctx, id, entries, func(ctx context.Context) error { return l.Log.Append(ctx, id, entries...) })
}

func (l *faultyTails) AppendTail(ctx context.Context, id history.ID, tail *store.Tail, entries ...history.Entry) error {
	if tail != nil {
		row := *tail
		tail = &row
	}
	return l.append(ctx, id, entries, func(ctx context.Context) error { return l.tails.AppendTail(ctx, id, tail, entries...) })
}

func (l *faultyTails) Tail(ctx context.Context, id history.ID) (store.Tail, bool, error) {
	l.faults.step()
	return l.tails.Tail(ctx, id)
}

func (l *faultyTails) AllTails(ctx context.Context) iter.Seq2[store.Tail, error] {
	l.faults.step()
	return l.tails.AllTails(ctx)
}

func (l *faultyLog) append(ctx context.Context, id history.ID, entries []history.Entry, do func(context.Context) error) error {
	l.faults.step()
	fault := l.faults.choose(id, entries)
	wrong := func(err error) error { return fmt.Errorf("storetest: append to %s: fault %q: %w", id, fault, err) }
	switch fault {
	case Conflict:
		if l.faults.Foreign != nil {
			if err := l.faults.Foreign(ctx, l.Log, id); err != nil {
				return wrong(err)
			}
		}
	case Stored:
		if err := do(ctx); err != nil {
			return err
		}
		return wrong(store.ErrUnknownOutcome)
	case NotStored:
		return wrong(store.ErrUnknownOutcome)
	case StoredLater:
		l.faults.mu.Lock()
		l.faults.later = append(l.faults.later, &delayed{max(l.faults.Steps, 1), func() error { return do(context.WithoutCancel(ctx)) }})
		l.faults.mu.Unlock()
		return wrong(store.ErrUnknownOutcome)
	case Slow:
		err := do(ctx)
		if late := l.faults.wait(ctx); err == nil && late != nil {
			return wrong(fmt.Errorf("%w: %w", store.ErrUnknownOutcome, late))
		}
		return err
	case Failed:
		return wrong(store.ErrUnavailable)
	}
	return do(ctx)
}

func (f *Faults) wait(ctx context.Context) error {
	timer := time.NewTimer(f.Delay)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (l *faultyLog) Read(ctx context.Context, id history.ID, from uint64) iter.Seq2[store.Record, error] {
	l.faults.step()
	left := -1
	if l.faults.Read != nil {
		l.faults.mu.Lock()
		left = l.faults.Read(id, from)
		l.faults.mu.Unlock()
	}
	records := l.Log.Read(ctx, id, from)
	if left < 0 {
		return records
	}
	return func(yield func(store.Record, error) bool) {
		left := left
		for r, err := range records {
			if left--; left < 0 {
				break
			}
			if !yield(r, err) || err != nil {
				return
			}
		}
		yield(store.Record{}, fmt.Errorf("storetest: read %s: fault: %w", id, store.ErrUnavailable))
	}
}

func (l *faultyLog) Head(ctx context.Context) (store.Position, error) {
	l.faults.step()
	return l.Log.Head(ctx)
}

func (l *faultyLog) Follow(ctx context.Context, after store.Position) iter.Seq2[store.Record, error] {
	records := l.Log.Follow(ctx, after)
	if l.faults.Follow == nil {
		return records
	}
	return func(yield func(store.Record, error) bool) {
		for r, err := range records {
			if err != nil {
				yield(r, err)
				return
			}
			l.faults.mu.Lock()
			fault := l.faults.Follow(r)
			l.faults.mu.Unlock()
			switch fault {
			case Duplicate:
				if !yield(r, nil) {
					return
				}
			case Break:
				yield(store.Record{}, fmt.Errorf("storetest: follow: fault before %d: %w", r.Position, store.ErrUnavailable))
				return
			case Late:
				if l.faults.wait(ctx) != nil {
					return
				}
			}
			if !yield(r, nil) {
				return
			}
		}
	}
}
