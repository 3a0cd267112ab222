package runtime

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/store"
)

// append makes what is pending durable, in one append unless it is too much for one.
func (w *runner) append(m *memory) error {
	run := m.began
	for rest := m.pending; len(rest) > 0; {
		n := w.x.rt.piece(rest)
		tail := w.tail(m)
		run = began(run, rest[:n])
		if n < len(rest) { // more follows: whoever remembers the execution now has something to do
			last := rest[n-1]
			tail = &store.Tail{ID: w.x.id, Began: run, Seq: last.Seq, Hash: last.Hash, Due: true}
			if w.x.rt.node != nil {
				tail.Type, tail.Version = m.state.Run.Type, m.state.Run.Version
			}
		}
		if err := w.appendPiece(tail, rest[:n]); err != nil {
			m.partly = m.partly || errors.Is(err, ErrClosed)
			return err
		}
		m.partly = true
		rest = rest[n:]
	}
	return nil
}

// began is the Seq of the Started of the run that is open after entries, if that of the run before them is run.
func began(run uint64, entries []history.Entry) uint64 {
	for i := len(entries) - 1; i >= 0; i-- {
		if _, ok := entries[i].Event.(*history.Started); ok {
			return entries[i].Seq
		}
	}
	return run
}

// maxPiece is how much goes into one append, unless it is one entry or the log takes less.
const maxPiece = 8 << 20

// piece is how many of the entries go into one append. A run's end and the beginning of the next are never parted.
func (r *Runtime) piece(entries []history.Entry) int {
	size, most, count := 0, maxPiece, len(entries)
	if l, ok := r.log.(store.Limited); ok {
		most, count = l.Limits()
		most -= most / 4 // what it writes beside is counted too
	}
	for i, e := range entries {
		size += e.Size()
		_, begins := e.Event.(*history.Started)
		follows := i+1 < len(entries) && begun(entries[i+1]) // it closes a run, and the next is to go with it
		if i > 0 && !begins && (size > most || i+1 > count || follows && i+2 > count) {
			return i
		}
	}
	return len(entries)
}

func begun(e history.Entry) bool {
	_, ok := e.Event.(*history.Started)
	return ok
}

// appendPiece appends entries. An unknown outcome is asked for again, with the same entries at the same place, until the
// answer is definite. That the store is unavailable for the repetition says nothing of what was sent before.
func (w *runner) appendPiece(tail *store.Tail, entries []history.Entry) error {
	r, delay, unknown := w.x.rt, time.Millisecond, false
	for {
		var err error
		ctx := context.WithoutCancel(r.ctx) // what is under way is not given up
		if r.tailed != nil {
			err = r.tailed.AppendTail(ctx, w.x.id, tail, entries...)
		} else {
			err = r.log.Append(ctx, w.x.id, entries...)
		}
		if errors.Is(err, store.ErrTooLarge) {
			return fmt.Errorf("%w: %w", ErrTooLarge, err)
		}
		unknown = unknown || errors.Is(err, store.ErrUnknownOutcome)
		if !unknown || !errors.Is(err, store.ErrUnknownOutcome) && !errors.Is(err, store.ErrUnavailable) {
			return err
		}
		r.logger.Warn("an append has an unknown outcome and is repeated", "id", w.x.id.Workflow, "error", err)
		if !sleep(r.ctx, delay) {
			return ErrClosed
		}
		delay = min(2*delay, time.Second)
	}
}

func (w *runner) tail(m *memory) *store.Tail {
	s, id := m.state, w.x.id
	if !s.Open() {
		return nil
	}
	t := &store.Tail{
		ID: id, Began: s.Run.Began, Seq: s.Seq, Hash: s.Hash, Wake: s.Wake(), Due: s.Due() || s.Stall != nil, Unsettled: s.Unsettled(),
		Follows: s.Run.Parent.ID != "" && s.Run.Parent.OnClose != history.AbandonChild,
	}
	if w.x.rt.node != nil {
		t.Type, t.Version = s.Run.Type, s.Run.Version
	}
	return t
}
