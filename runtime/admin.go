package runtime

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/store"
)

// admin records what is done to the record itself, in a stream of its own: see [history.AdminOf].
type admin struct {
	turn     chan struct{} // full while somebody reads or records; a mutex could not be given up when a context ends
	current  bool          // all that there is was taken in, and nobody else records
	seq      uint64
	hash     history.Hash
	at       time.Time
	open     []history.Entry                // acts that are not done yet, in order
	again    chan struct{}                  // holds a token when some of them are to be done later
	holds    map[history.ID]map[string]Hold // that are not released, by their names
	requests asked                          // Seqs of the newest acts that were asked for
}

func newAdmin() admin { return admin{turn: make(chan struct{}, 1), again: make(chan struct{}, 1)} }

// enter waits for its turn and catches up. Without an error the caller is to leave.
func (a *admin) enter(ctx context.Context, r *Runtime) error {
	select {
	case a.turn <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	err := a.catchUp(ctx, r)
	if err != nil {
		a.leave()
	}
	return err
}

func (a *admin) leave() { <-a.turn }

// later sees to it that what is left is done later.
func (a *admin) later() {
	select {
	case a.again <- struct{}{}:
	default:
	}
}

// take folds an entry.
func (a *admin) take(e history.Entry) {
	a.seq, a.hash, a.at = e.Seq, e.Hash, e.At
	switch v := e.Event.(type) {
	case *history.Held, *history.Released:
		a.hold(e)
	case *history.Redacted, *history.Deleted:
		a.open = append(a.open, e)
	case *history.Erased:
		a.open = slices.DeleteFunc(a.open, func(e history.Entry) bool { return slices.Contains(v.Acts, e.Seq) })
	}
	a.requests.take(e)
}

// catchUp reads what was recorded since. It must be the caller's turn.
func (a *admin) catchUp(ctx context.Context, r *Runtime) error {
	if a.current {
		return nil
	}
	for record, err := range r.log.Read(ctx, history.AdminOf(r.config.Namespace), a.seq+1) {
		if err != nil {
			return fmt.Errorf("runtime: reading what was taken away: %w", err)
		}
		a.take(record.Entry)
	}
	a.current = r.node == nil
	return nil
}

// record records an event, unless its request was recorded before or nothing follows from it, and returns the entry when it is durable;
// else an entry without an event. Errors: ErrHeld.
func (a *admin) record(ctx context.Context, r *Runtime, by history.Actor, request string, event history.Event) (history.Entry, error) {
	if err := a.enter(ctx, r); err != nil {
		return history.Entry{}, err
	}
	defer a.leave()
	for {
		if seq := a.requests.of(request, event); seq > 0 {
			return history.Entry{Seq: seq}, nil
		}
		if follows, err := a.allows(event); err != nil || !follows {
			return history.Entry{}, err
		}
		e := history.Entry{Seq: a.seq + 1, At: r.now(), By: by, Build: r.build, Request: request, Event: event}
		if r.node != nil {
			e.Node = r.node.me()
		}
		if e.At.Before(a.at) {
			e.At = a.at
		}
		history.Seal(a.hash, &e)
		a.current = false // until it is known what came of it
		err := r.log.Append(ctx, history.AdminOf(r.config.Namespace), e)
		for errors.Is(err, store.ErrUnknownOutcome) && sleep(ctx, 10*time.Millisecond) {
			err = r.log.Append(ctx, history.AdminOf(r.config.Namespace), e)
		}
		switch {
		case err == nil:
			a.take(e)
			a.current = r.node == nil
			return e, nil
		case !errors.Is(err, store.ErrConflict):
			return history.Entry{}, fmt.Errorf("runtime: recording what is taken away: %w", err)
		}
		if err := a.catchUp(ctx, r); err != nil {
			return history.Entry{}, err
		}
	}
}

// asked reports whether an execution was deleted, or something of it redacted, by a request that was recorded before.
func (a *admin) asked(ctx context.Context, r *Runtime, request string, id history.ID) (bool, error) {
	if err := a.enter(ctx, r); err != nil {
		return false, err
	}
	defer a.leave()
	return a.requests.of(request, &history.Deleted{ID: id}) > 0 || a.requests.of(request, &history.Redacted{ID: id}) > 0, nil
}

// left are the acts that are not done yet.
func (a *admin) left(ctx context.Context, r *Runtime) ([]history.Entry, error) {
	if err := a.enter(ctx, r); err != nil {
		return nil, err
	}
	defer a.leave()
	return slices.Clone(a.open), nil
}
