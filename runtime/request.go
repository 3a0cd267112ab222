package runtime

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/lookup"
	"github.com/clewflow/clew/store"
)

// requested reports whether a request was made before, and answers it with the run that it took effect in. One with an id
// that the caller chose may have been made in a run before the current one.
func (w *runner) requested(m *memory, c *call) (bool, error) {
	if _, again := m.state.Requested(c.request); again || !c.named || m.state.Run.Began <= 1 || !c.mayPrecede(m.state.Run.Started) {
		return again, nil
	}
	run, chain, ok := m.requestedOf(c.request)
	var err error
	if !ok {
		run, chain, ok, err = w.indexed(m, c.request)
	}
	if err != nil {
		run, chain, ok, err = w.search(c.request)
	}
	if ok {
		c.answer.run, c.answer.chain = run, chain
	}
	return ok, err
}

// requestedOf finds a request among what is pending of runs that have ended there. Of several entries the last counts.
func (m *memory) requestedOf(request string) (run, chain string, ok bool) {
	current := m.first
	for _, e := range m.pending {
		if started, begins := e.Event.(*history.Started); begins {
			current = names{started.Run, started.Chain}
		}
		if e.Request == request {
			run, chain, ok = current.run, current.chain, true
		}
	}
	return run, chain, ok
}

// names are those of a run.
type names struct{ run, chain string }

// A turn waits for the index, and reads the whole history instead if that takes too long. Then nobody waits for a while, so that
// an index that has stopped does not hold up every signal.
const (
	patience   = 5 * time.Second
	impatience = time.Minute
)

// indexed asks the index for a request that was made before the current run. An error says only that the index cannot tell.
func (w *runner) indexed(m *memory, request string) (run, chain string, ok bool, err error) {
	if !lookup.KeepsRequest(request) {
		return "", "", false, lookup.ErrBehind
	}
	ctx, cancel := context.WithTimeout(w.x.rt.ctx, patience)
	defer cancel()
	position, err := w.before(ctx, m)
	if err != nil {
		return "", "", false, err
	}
	r := w.x.rt
	if r.now().UnixNano() < r.impatient.Load() && position.After(r.index.Position()) {
		return "", "", false, lookup.ErrBehind
	}
	run, chain, ok, err = r.index.Requested(ctx, w.x.id, request, position)
	if errors.Is(err, lookup.ErrBehind) {
		r.impatient.Store(r.now().Add(impatience).UnixNano())
	}
	return run, chain, ok, err
}

// before is a position of the log up to which the runs before the current one are recorded. It is found out once for each run,
// so that signals need not wait until the index has the one before.
func (w *runner) before(ctx context.Context, m *memory) (store.Position, error) {
	began := m.state.Run.Began
	if m.past.began == began {
		return m.past.position, nil
	}
	head, err := w.x.rt.log.Head(ctx)
	if durable := len(m.pending) == 0 || began < m.pending[0].Seq; err == nil && durable { // else the end of the run before is yet to be recorded
		m.past = past{began, head}
	}
	return head, err
}

// past is the position of the log by which the runs before one are recorded.
type past struct {
	began    uint64 // Seq of the Started of that run; 0: it is not known
	position store.Position
}

// search reads the whole history for a request. Of several entries the last counts: a start that ends a run first takes effect
// in the run that it begins.
func (w *runner) search(request string) (run, chain string, ok bool, err error) {
	var current *history.Started
	for record, err := range w.x.rt.log.Read(w.x.rt.ctx, w.x.id, 1) {
		if err != nil {
			return "", "", false, fmt.Errorf("runtime: looking for request %q: %w", request, err)
		}
		if started, begins := record.Entry.Event.(*history.Started); begins {
			current = started
		}
		if record.Entry.Request == request && current != nil {
			run, chain, ok = current.Run, current.Chain, true
		}
	}
	return run, chain, ok, nil
}

// mayPrecede reports whether the request may have been made before a moment: an id that says when it was made was not. Clocks
// of different machines may differ by a little.
func (c *call) mayPrecede(t time.Time) bool {
	made := c.since
	if made.IsZero() {
		id, err := uuid.Parse(c.request)
		if err != nil || id.Version() != 7 {
			return true
		}
		made = time.UnixMilli(int64(binary.BigEndian.Uint64(append([]byte{0, 0}, id[:6]...))))
	}
	return made.Before(t.Add(time.Minute))
}
