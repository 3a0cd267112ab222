package runtime

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/clewflow/clew/activity"
	"github.com/clewflow/clew/commands"
	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/workflow"
)

// Handle is an execution that was started.
type Handle[Out any] struct {
	ID  string // workflow id
	Run string
	rt  *Runtime
}

// Result waits for the end. The error is a *[workflow.Error] if the execution did not complete; the end of ctx ends the
// waiting and not the execution.
func (h Handle[Out]) Result(ctx context.Context) (out Out, err error) {
	return result[Out](ctx, h.rt, h.ID, h.Run)
}

// Result waits for the end of an execution that was started by somebody; see [Handle.Result]. Errors: ErrNotFound too.
func Result[In, Out any](ctx context.Context, rt *Runtime, id string, w workflow.Type[In, Out]) (out Out, err error) {
	if err := commands.CheckID("workflow id", id); err != nil {
		return out, err
	}
	return result[Out](ctx, rt, id, "")
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
	if err == nil && run != "" && s.Run.ID != run { // it was closed, and another has begun
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
	e := &workflow.Error{Status: s.Status, ID: id, Run: s.Run.ID, Type: s.Run.Type, Step: uint64(s.Outcome.Step)}
	switch s.Status {
	case history.StatusTerminated:
		e.Message = s.Outcome.Reason
	case history.StatusTimedOut:
		e.Message, e.Cause = "the limit is "+s.Outcome.Reason, activity.ErrTimeout
	default:
		e.Cause = activity.Recall(history.ReadFailure(s.Outcome.Failure))
		e.Message = e.Cause.Error()
	}
	if s.Status == history.StatusCancelled && !errors.Is(e.Cause, activity.ErrCancelled) {
		e.Cause = errors.Join(activity.ErrCancelled, e.Cause)
	}
	return e
}

// ended is what is left of the state of a closed run.
type ended struct {
	Status  history.Status
	Run     history.Run
	Outcome history.Outcome
}

// results are those who wait for ends.
type results struct {
	mu      sync.Mutex
	waiting map[history.ID][]chan struct{}
}

func (s *results) wait(id history.ID) chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := make(chan struct{})
	s.waiting[id] = append(s.waiting[id], c)
	return c
}

func (s *results) leave(id history.ID, c chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, other := range s.waiting[id] {
		if other == c {
			s.waiting[id] = append(s.waiting[id][:i], s.waiting[id][i+1:]...)
			break
		}
	}
	if len(s.waiting[id]) == 0 {
		delete(s.waiting, id)
	}
}

func (s *results) tell(id history.ID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.waiting[id] {
		close(c)
	}
	delete(s.waiting, id)
}

// endOf reads from the log how a run ended that is not the last one.
func (r *Runtime) endOf(ctx context.Context, id history.ID, run string) (ended, error) {
	s := new(history.State)
	for record, err := range r.log.Read(ctx, id, 1) {
		if err != nil {
			return ended{}, err
		}
		if s.Evolve(record.Entry); s.Run.ID == run && !s.Open() {
			return ended{s.Status, s.Run, s.Outcome}, nil
		}
	}
	return ended{}, fmt.Errorf("%w: run %s of %s", ErrNotFound, run, id.Workflow)
}

// awaitEnd waits until a run of an execution, or if none is named the one that is open, is closed.
func (r *Runtime) awaitEnd(ctx context.Context, id history.ID, run string) (s ended, err error) {
	over := func(s ended) bool { return s.Status&history.StatusClosed != 0 || run != "" && s.Run.ID != run }
	for {
		told := r.results.wait(id)
		if known, end := r.executions.peek(id); known {
			if over(end) {
				r.results.leave(id, told)
				return end, nil
			}
			if err := r.awaitTold(ctx, id, told); err != nil {
				r.results.leave(id, told)
				return s, err
			}
			continue
		}
		_, err := r.do(ctx, id, &call{look: func(m *memory) error {
			s = ended{m.state.Status, m.state.Run, m.state.Outcome}
			if s.Status == 0 {
				return fmt.Errorf("%w: %s", ErrNotFound, id.Workflow)
			}
			return nil
		}})
		if err != nil || over(s) {
			r.results.leave(id, told)
			return s, err
		}
		if err := r.awaitTold(ctx, id, told); err != nil {
			r.results.leave(id, told)
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
