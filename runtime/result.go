package runtime

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/clewflow/clew/commands"
	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/replay"
	"github.com/clewflow/clew/workflow"
)

// Handle is an execution that was started.
type Handle[Out any] struct {
	ID  string // workflow id
	Run string
	rt  *Runtime
}

// Result waits for the end, also over runs that continue the one that was started. The error is a *[workflow.Error] if the
// execution did not complete; the end of ctx ends the waiting and not the execution.
func (h Handle[Out]) Result(ctx context.Context) (out Out, err error) {
	return result[Out](ctx, h.rt, h.ID, h.Run)
}

// Result waits for the end of an execution that was started by somebody; see [Handle.Result]. With [OfRun] it waits for the
// end of that run: of the chain, if the run is the first of one. Errors: ErrNotFound too.
func Result[In, Out any](ctx context.Context, rt *Runtime, id string, w workflow.Type[In, Out], opts ...CallOption) (out Out, err error) {
	if err := commands.CheckID("workflow id", id); err != nil {
		return out, err
	}
	return result[Out](ctx, rt, id, callSettingsOf(opts).run)
}

// doWithin is how long [Do] waits if ctx has no deadline.
const doWithin = 12 * time.Second

// Do starts an execution and waits for its result, for 12 s if ctx has no deadline. If it takes longer the error is
// ErrStillRunning, and the execution goes on.
func Do[In, Out any](ctx context.Context, rt *Runtime, id string, w workflow.Type[In, Out], in In, opts ...workflow.Option) (out Out, err error) {
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, doWithin)
		defer cancel()
	}
	h, err := Start(ctx, rt, id, w, in, opts...)
	if err != nil {
		return out, err
	}
	out, err = h.Result(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		return out, fmt.Errorf("%w: %s, run %s", ErrStillRunning, h.ID, h.Run)
	}
	return out, err
}

func result[Out any](ctx context.Context, rt *Runtime, id, run string) (out Out, err error) {
	s, err := rt.awaitEnd(ctx, rt.id(id), run)
	if err == nil && run != "" && s.Run.Chain != run && s.Run.ID != run { // it has ended, and others have begun
		s, err = rt.endOf(ctx, rt.id(id), run)
	}
	if err != nil {
		return out, err
	}
	if s.Status == history.StatusCompleted {
		return out, s.Outcome.Result.Decode(&out)
	}
	return out, errorOf(id, s)
}

// errorOf says how a run ended that did not complete.
func errorOf(id string, s ended) error {
	return replay.ErrorOf(id, s.Run.Type, s.Run.ID, uint64(s.Outcome.Step), s.Status, s.Outcome)
}

// ended is what is left of the state of a closed run.
type ended struct {
	Status  history.Status
	Run     history.Run
	Outcome history.Outcome
}

// results are those who wait for ends, and for answers to updates.
type results struct {
	mu      sync.Mutex
	waiting map[awaited][]chan struct{}
	updates map[history.ID]map[string]bool // those that somebody waits for
}

// awaited is what somebody waits for: the end of an execution, or the answer to an update.
type awaited struct {
	id     history.ID
	update string // empty: the end
}

func (s *results) wait(for_ awaited) chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := make(chan struct{})
	s.waiting[for_] = append(s.waiting[for_], c)
	if for_.update != "" {
		if s.updates[for_.id] == nil {
			s.updates[for_.id] = map[string]bool{}
		}
		s.updates[for_.id][for_.update] = true
	}
	return c
}

func (s *results) leave(for_ awaited, c chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, other := range s.waiting[for_] {
		if other == c {
			s.waiting[for_] = append(s.waiting[for_][:i], s.waiting[for_][i+1:]...)
			break
		}
	}
	if len(s.waiting[for_]) == 0 {
		s.drop(for_)
	}
}

func (s *results) drop(a awaited) {
	delete(s.waiting, a)
	if all := s.updates[a.id]; all != nil && a.update != "" {
		if delete(all, a.update); len(all) == 0 {
			delete(s.updates, a.id)
		}
	}
}

// tell wakes those who wait for something: it may have come.
func (s *results) tell(for_ awaited) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.wake(for_)
}

func (s *results) wake(for_ awaited) {
	for _, c := range s.waiting[for_] {
		close(c)
	}
	s.drop(for_)
}

// tellAll wakes everybody who waits for something of an execution.
func (s *results) tellAll(id history.ID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.wake(awaited{id: id})
	for update := range s.updates[id] {
		s.wake(awaited{id, update})
	}
}

// endOf reads from the log how a chain ended, or if run is the id of a later run of one, that run.
func (r *Runtime) endOf(ctx context.Context, id history.ID, run string) (ended, error) {
	s := new(history.State)
	var last *ended
	for record, err := range r.log.Read(ctx, id, 1) {
		if err != nil {
			return ended{}, err
		}
		e := record.Entry
		if closes(e.Event) { // the outcome is asked for
			if e, err = r.unwrap(ctx, id, e); err != nil {
				return ended{}, err
			}
		}
		s.Evolve(e)
		switch chain := s.Run.Chain == run; {
		case !chain && s.Run.ID != run:
			if last != nil {
				return *last, nil // of what follows is another chain
			}
		case !s.Open():
			last = &ended{s.Status, s.Run, s.Outcome}
			if !chain {
				return *last, nil
			}
		}
	}
	if last == nil {
		return ended{}, fmt.Errorf("%w: run %s of %s", ErrNotFound, run, id.Workflow)
	}
	return *last, nil
}

// awaitEnd waits until the chain that a run begins, or if none is named the one that is open, has ended. A run that continues
// another is waited for alone.
func (r *Runtime) awaitEnd(ctx context.Context, id history.ID, run string) (s ended, err error) {
	over := func(s ended) bool {
		if run != "" && s.Run.Chain != run {
			return s.Run.ID != run || s.Status&history.StatusOpen == 0
		}
		return s.Status&history.StatusClosed != 0 && s.Status != history.StatusContinued
	}
	for {
		told := r.results.wait(awaited{id: id})
		if known, end := r.executions.peek(id); known {
			if over(end) {
				r.results.leave(awaited{id: id}, told)
				return end, nil
			}
			if err := r.awaitTold(ctx, id, told); err != nil {
				r.results.leave(awaited{id: id}, told)
				return s, err
			}
			continue
		}
		s, err := see(ctx, r, id, func(m *memory) (ended, error) {
			if m.state.Status == 0 {
				return ended{}, fmt.Errorf("%w: %s", ErrNotFound, id.Workflow)
			}
			return ended{m.state.Status, m.state.Run, m.state.Outcome}, nil
		})
		if err != nil || over(s) {
			r.results.leave(awaited{id: id}, told)
			return s, err
		}
		if err := r.awaitTold(ctx, id, told); err != nil {
			r.results.leave(awaited{id: id}, told)
			return s, err
		}
	}
}

func (r *Runtime) awaitTold(ctx context.Context, id history.ID, told chan struct{}) error {
	var patience <-chan time.Time
	if !r.working.Load() {
		t := time.NewTimer(time.Second)
		defer t.Stop()
		patience = t.C
	}
	for {
		select {
		case <-told:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		case <-r.opened.Done():
			return ErrClosed
		case <-patience:
			if patience = nil; !r.working.Load() {
				r.logger.Warn("somebody waits for a result, but nothing works on this store: call rt.Run", "id", id.Workflow)
			}
		}
	}
}
