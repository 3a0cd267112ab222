package runtime

import (
	"context"
	"errors"
	"iter"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/clewflow/clew/commands"
	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/lookup"
	"github.com/clewflow/clew/query"
	"github.com/clewflow/clew/store"
)

// hydrate takes up all open executions: those that are due now or have activities to be done are worked on, the others
// are woken when their time comes. Attempts that were in hand when the process before died are lost.
func (r *Runtime) hydrate(ctx context.Context) error {
	if err := r.loseAll(ctx); err != nil {
		return err
	}
	return r.takeUp(ctx)
}

// loseAll records what was in hand when the process before died.
func (r *Runtime) loseAll(ctx context.Context) error {
	lost := map[history.ID][]commands.Attempt{}
	if r.notes != nil {
		for _, n := range r.notes.lost() {
			lost[n.ID] = append(lost[n.ID], n.attempt())
		}
	}
	group, within := errgroup.WithContext(ctx)
	group.SetLimit(64)
	for id, attempts := range lost {
		group.Go(func() error { return r.lose(within, id, attempts) })
	}
	if err := group.Wait(); err != nil {
		return err
	}
	if r.notes != nil {
		r.notes.forgive()
	}
	return nil
}

// runNode is Run among other nodes. When ctx ends the others take over at once, and what is in hand goes on.
func (r *Runtime) runNode(ctx context.Context, loops *sync.WaitGroup, attempts *attempts) error {
	alive, end := context.WithCancel(r.ctx)
	defer end()
	if err := r.loseAll(ctx); err != nil && ctx.Err() == nil {
		return err
	}
	var life sync.WaitGroup
	life.Go(func() { r.node.live(alive) })
	life.Go(func() { r.node.share(alive) })
	loops.Go(func() { r.node.releasing(ctx) })
	loops.Go(func() { r.node.taking(ctx) })
	<-ctx.Done()
	until := time.Now().Add(r.config.Drain) // for attempts, and meanwhile for leaving
	loops.Wait()
	leaving, cancel := context.WithDeadline(alive, until)
	r.node.leave(leaving)
	cancel()
	attempts.drain(time.Until(until), r.config.Drain)
	end()
	life.Wait()
	r.working.Store(false)
	leaving, cancel = context.WithTimeout(context.WithoutCancel(ctx), r.node.lease)
	r.node.farewell(leaving)
	cancel()
	return nil
}

// lose records that attempts were in hand when their process died. While the store is unavailable it is tried again: what is not
// recorded now would be made twice. What cannot be recorded for another reason stops nobody else.
func (r *Runtime) lose(ctx context.Context, id history.ID, attempts []commands.Attempt) error {
	for _, a := range attempts {
		r.pace(ctx, "lose", id)
		failed := r.insistOnAnswer(ctx, "record a lost attempt", id, func(ctx context.Context) error {
			_, err := r.do(ctx, id, &call{command: commands.LoseAttempt{Attempt: a}, by: history.Clock})
			return err
		})
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if failed != nil && !refused(failed) {
			r.logger.Error("a lost attempt cannot be recorded; the others go on", "id", id.Workflow, "step", a.Step, "error", failed)
			r.tryAgain(id, failed)
		}
	}
	return ctx.Err()
}

// takeUp goes through all open executions.
func (r *Runtime) takeUp(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(64)
	r.wakes.Looking()
	for tail, err := range r.open(ctx) {
		if err != nil {
			return errors.Join(err, group.Wait())
		}
		if tail.ID.Namespace != r.config.Namespace {
			continue
		}
		r.wakes.WakeBy(tail.ID, tail.Wake, r.now())
		if r.toDo(tail) {
			group.Go(func() error { return r.takeUpOne(ctx, tail.ID) })
		} else if tail.Follows {
			r.follow(tail.ID)
		}
	}
	return group.Wait()
}

// takeUpOne offers what is to be done for an execution. What it cannot be told now it is told by its stall.
func (r *Runtime) takeUpOne(ctx context.Context, id history.ID) error {
	r.pace(ctx, "take up", id)
	gone, err := see(ctx, r, id, func(m *memory) ([]commands.Attempt, error) {
		r.results.tellAll(id) // what they wait for may have been recorded without notice
		return r.offerAll(id, m), nil
	})
	if err != nil {
		r.logger.Error("an execution cannot be read; the others go on", "id", id.Workflow, "error", err)
		return ctx.Err()
	}
	return r.lose(ctx, id, gone)
}

// tryAgain has an execution taken up again after something could not be read or recorded: what was to follow from it, such
// as offering an activity, is found again in its state.
func (r *Runtime) tryAgain(id history.ID, err error) {
	if !r.working.Load() || r.ctx.Err() != nil {
		return // whoever runs next takes it up
	}
	delay := time.Minute
	if errors.Is(err, store.ErrUnavailable) || errors.Is(err, lookup.ErrBehind) || errors.Is(err, lookup.ErrAnew) {
		delay = time.Second
	}
	now := r.now()
	at := now.Add(delay)
	r.broken.Store(id, at)
	r.wakes.WakeBy(id, at, now)
}

// soon has an execution taken up again at once.
func (r *Runtime) soon(id history.ID) {
	now := r.now()
	r.broken.Store(id, now)
	r.wakes.WakeBy(id, now, now)
}

// open yields the tails of open executions: from the log if it lists them, else from the index, as of now.
func (r *Runtime) open(ctx context.Context) iter.Seq2[store.Tail, error] {
	if r.tails != nil {
		return r.tails.AllTails(ctx)
	}
	return func(yield func(store.Tail, error) bool) {
		if err := r.fresh(ctx, &query.Query{}); err != nil {
			yield(store.Tail{}, err)
			return
		}
		for tail, err := range r.index.Open(ctx, r.config.Namespace) {
			if r.tailed == nil { // nobody has said when something is due
				tail.Due = true
			}
			if !yield(tail, err) || err != nil {
				return
			}
		}
	}
}
