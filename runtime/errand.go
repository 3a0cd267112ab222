package runtime

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/store"
)

// An Errand is something that one execution wants of another: to be started, told, or told of. What errands there are
// follows from the states of executions, so one that was cut short is found again, and one that is run twice changes
// nothing.
type Errand struct {
	Of   history.ID   // whose it is
	Step history.Step // which of its; 0: of the run itself
	What string       // in a word
	Do   func()
}

// errandsAtOnce bounds the errands that are run at the same time; the others wait on goroutines of their own.
const errandsAtOnce = 256

// errand runs something that x wants of another execution, apart from its runner. If it could not be done it is found again
// in the state of again.
func (r *Runtime) errand(of history.ID, step history.Step, what string, again history.ID, do func(context.Context) error) {
	r.apart(of, step, what, again, r.slots, do)
}

// apart is errand for what may wait long: it does not take one of the places of the others. With slots it takes one of those.
func (r *Runtime) apart(of history.ID, step history.Step, what string, again history.ID, slots chan struct{}, do func(context.Context) error) {
	if !r.working.Load() {
		return // whoever runs next finds it in the state
	}
	e := Errand{Of: of, Step: step, What: what, Do: func() {
		if err := do(r.ctx); err != nil && r.ctx.Err() == nil && !errors.Is(err, ErrClosed) {
			r.logger.Warn("an execution could not be reached and is tried again", "id", of.Workflow, "what", what, "error", err)
			r.tryAgain(again, err)
		}
	}}
	if r.config.Hooks.Errands != nil {
		r.config.Hooks.Errands(e)
		return
	}
	r.own.Add(1)
	r.crew.run(func() {
		defer r.own.Done()
		if slots != nil {
			select {
			case slots <- struct{}{}:
				defer func() { <-slots }()
			case <-r.ctx.Done():
				return
			}
		}
		e.Do()
	})
}

// insist does something until it succeeds, for what no state tells of any more.
func (r *Runtime) insist(ctx context.Context, what string, id history.ID, do func(context.Context) error) error {
	for delay := 10 * time.Millisecond; ; delay = min(2*delay, 5*time.Second) {
		err := do(ctx)
		if err == nil || ctx.Err() != nil || errors.Is(err, ErrClosed) {
			return err
		}
		r.logger.Warn("something could not be done and is tried again", "what", what, "id", id.Workflow, "error", err)
		if !sleep(ctx, delay) {
			return ctx.Err()
		}
	}
}

// insistOnAnswer is insist while the store is unavailable; what it answers is returned, whatever that is.
func (r *Runtime) insistOnAnswer(ctx context.Context, what string, id history.ID, do func(context.Context) error) (answer error) {
	err := r.insist(ctx, what, id, func(ctx context.Context) error {
		if answer = do(ctx); errors.Is(answer, ErrUnavailable) {
			return answer
		}
		return nil
	})
	if err != nil {
		return err
	}
	return answer
}

// event reads one entry's event from the log.
func (r *Runtime) event(ctx context.Context, id history.ID, seq uint64) (history.Event, error) {
	for record, err := range r.log.Read(ctx, id, seq) {
		if err != nil {
			return nil, fmt.Errorf("runtime: reading entry %d of %s: %w", seq, id, err)
		}
		if record.Entry.Seq == seq {
			e, err := r.unwrap(ctx, id, record.Entry)
			return e.Event, err
		}
		break
	}
	return nil, fmt.Errorf("runtime: entry %d of %s: %w: it is not there", seq, id, store.ErrCorrupt)
}
