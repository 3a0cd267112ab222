package runtime

import (
	"context"
	"time"

	"github.com/clewflow/clew/commands"
	"github.com/clewflow/clew/history"
)

// wakesAtOnce bounds the executions that are woken at the same time.
const wakesAtOnce = 1024

// wake wakes executions when something is due in them, until ctx ends.
func (r *Runtime) wake(ctx context.Context) {
	slots := make(chan struct{}, wakesAtOnce)
	for ctx.Err() == nil {
		r.look(ctx, "wake", r.wakes.Earlier())
		ids, next := r.wakes.Due(r.now(), wakesAtOnce)
		for _, id := range ids {
			r.wakeOne(ctx, id, slots)
		}
		if look := r.wakes.Look(); !look.IsZero() {
			if !look.After(r.now()) {
				if err := r.lookThrough(ctx); err != nil && ctx.Err() == nil {
					r.logger.Error("looking through the open executions failed and is repeated", "error", err)
					sleep(ctx, time.Second)
				}
				continue
			}
			if next.IsZero() || look.Before(next) {
				next = look
			}
		}
		if len(ids) == 0 {
			r.await(ctx, next, r.wakes.Earlier(), nil)
		}
	}
}

// await waits until a moment, unless it is zero, or until something is received, or ctx ends.
func (r *Runtime) await(ctx context.Context, moment time.Time, one, other <-chan struct{}) {
	var alarm <-chan time.Time
	if !moment.IsZero() {
		t := time.NewTimer(moment.Sub(r.now()))
		defer t.Stop()
		alarm = t.C
	}
	select {
	case <-alarm:
	case <-one:
	case <-other:
	case <-ctx.Done():
	}
}

// wakeOne has it decided what is due in an execution. If that cannot be recorded it is tried again.
func (r *Runtime) wakeOne(ctx context.Context, id history.ID, slots chan struct{}) {
	select {
	case slots <- struct{}{}:
	case <-ctx.Done():
		return
	}
	c := &call{command: commands.Wake{}, by: history.Clock, done: make(chan struct{})}
	_, again := r.broken.LoadAndDelete(id) // before, because it may break again
	if r.submit(id, c) != nil {
		<-slots
		return
	}
	go func() {
		if again {
			_ = r.takeUpOne(ctx, id) // it says what is wrong, and is tried again
		}
		<-c.done
		if c.answer.err != nil && r.ctx.Err() == nil {
			now := r.now()
			r.wakes.Wake(id, now.Add(time.Second), now)
		}
		<-slots
	}()
}

// lookThrough takes from the log what it was left to know of far moments.
func (r *Runtime) lookThrough(ctx context.Context) error {
	r.wakes.Looking()
	for tail, err := range r.open(ctx) {
		if err != nil {
			return err
		}
		if tail.ID.Namespace == r.config.Namespace && r.owns(tail.ID, tail.Type, tail.Version) {
			r.wakes.WakeBy(tail.ID, tail.Wake, r.now())
		}
	}
	return nil
}
