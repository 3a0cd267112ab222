package runtime

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/clewflow/clew/activity"
	"github.com/clewflow/clew/commands"
	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/workflow"
)

// UpdateHandle is an update that was accepted.
type UpdateHandle[Out any] struct {
	ID     string // workflow id
	Update string // id of the update
	rt     *Runtime
}

// Result waits for the answer. The error is what the handler returned, or ErrRunClosed: the run ended without answering.
func (h UpdateHandle[Out]) Result(ctx context.Context) (out Out, err error) {
	answer, err := h.rt.awaitUpdate(ctx, h.rt.id(h.ID), h.Update)
	if err != nil {
		return out, err
	}
	return out, answer.Decode(&out)
}

// Update asks an execution for something and waits for the answer. With a RequestID, which is then the id of the update,
// the same call again gives the same answer. Errors: ErrRefused (by the validator; nothing is recorded), ErrInvalid (there is
// no such update), ErrNotFound, ErrNotRunning, ErrRunClosed, ErrStalled, ErrTooLarge, ErrUnavailable, or what the handler returned.
func Update[In, Out any](ctx context.Context, rt *Runtime, id string, u workflow.Update[In, Out], in In, opts ...CallOption) (out Out, err error) {
	h, err := BeginUpdate(ctx, rt, id, u, in, opts...)
	if err != nil {
		return out, err
	}
	return h.Result(ctx)
}

// BeginUpdate is [Update] that returns when the update is accepted, and that is durable.
func BeginUpdate[In, Out any](ctx context.Context, rt *Runtime, id string, u workflow.Update[In, Out], in In, opts ...CallOption) (h UpdateHandle[Out], err error) {
	s := callSettingsOf(opts)
	c, update, err := rt.updateCommand(u.Name(), in, s.request)
	if err != nil {
		return h, err
	}
	if err := commands.CheckID("workflow id", id); err != nil {
		return h, err
	}
	by, err := s.actor()
	if err != nil {
		return h, err
	}
	c.Reason = s.reason
	one := &call{command: c, by: by, request: update, named: s.request != "", code: true, of: s.run}
	return UpdateHandle[Out]{id, update, rt}, rt.update(ctx, rt.id(id), u.Name(), one)
}

// UpdateWithStart starts an execution if none of the id runs, and asks it for something: both are recorded at once, and if the
// update is refused neither is. The options are those of the start; RequestID is the id of the update.
func UpdateWithStart[In, Out, Arg, Answer any](ctx context.Context, rt *Runtime, id string, w workflow.Type[In, Out], in In, u workflow.Update[Arg, Answer], arg Arg, opts ...workflow.Option) (h UpdateHandle[Answer], err error) {
	if d, ok := any(&in).(interface{ Defaults() }); ok {
		d.Defaults()
	}
	input, err := rt.encode("the input", in)
	if err != nil {
		return h, err
	}
	one, err := rt.startCall(ctx, id, w, input, append(opts, IfRunning(UseExisting)))
	if err != nil {
		return h, err
	}
	c, update, err := rt.updateCommand(u.Name(), arg, one.request)
	if err != nil {
		return h, err
	}
	one.then, one.request, one.code = c, update, true
	return UpdateHandle[Answer]{id, update, rt}, rt.update(ctx, rt.id(id), u.Name(), one)
}

// updateCommand makes the command of an update and its id.
func (r *Runtime) updateCommand(name string, in any, request string) (c commands.Update, update string, err error) {
	if err := commands.CheckName("the name of the update", name); err != nil {
		return c, "", err
	}
	if err := checkRequest(request); err != nil {
		return c, "", err
	}
	input, err := r.encode("the input of update "+name, in)
	if err != nil {
		return c, "", err
	}
	if update = request; update == "" {
		update = r.newID()
	}
	return commands.Update{Update: update, Name: name, Input: input}, update, nil
}

// soonReady waits a moment for Run, which is often begun beside the first update: only code that runs can accept one.
func (r *Runtime) soonReady(ctx context.Context) error {
	select {
	case <-r.ready:
		return nil
	default:
	}
	soon := time.NewTimer(3 * time.Second)
	defer soon.Stop()
	select {
	case <-r.ready:
	case <-soon.C:
	case <-r.opened.Done():
		return ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	}
	return nil
}

func (r *Runtime) update(ctx context.Context, id history.ID, name string, c *call) error {
	if err := r.messaging(ctx, Messaging{ID: id.Workflow, Name: name, Update: true}); err != nil {
		return err
	}
	if err := r.soonReady(ctx); err != nil {
		return err
	}
	_, err := r.do(ctx, id, c)
	if errors.Is(err, ErrNotFound) {
		err = fmt.Errorf("%w: %s", err, id.Workflow)
	}
	return err
}

// awaitUpdate waits for the answer to an update that was accepted.
func (r *Runtime) awaitUpdate(ctx context.Context, id history.ID, update string) (answer history.Payload, err error) {
	for {
		for_ := awaited{id, update}
		told := r.results.wait(for_)
		type progress struct {
			open     bool
			answered uint64
		}
		now, err := see(ctx, r, id, func(m *memory) (progress, error) {
			answered, _ := m.state.Answered(update)
			return progress{m.state.Updates[update] != nil, answered}, nil
		})
		switch {
		case err != nil:
			r.results.leave(for_, told)
			return answer, err
		case now.answered > 0:
			r.results.leave(for_, told)
			e, err := r.event(ctx, id, now.answered)
			if err != nil {
				return answer, err
			}
			return answerOf(e)
		case !now.open:
			r.results.leave(for_, told)
			return r.answeredBefore(ctx, id, update)
		}
		if err := r.awaitTold(ctx, id, told); err != nil {
			r.results.leave(for_, told)
			return answer, err
		}
	}
}

func answerOf(e history.Event) (history.Payload, error) {
	switch e := e.(type) {
	case *history.UpdateCompleted:
		return e.Result, nil
	case *history.UpdateFailed:
		return history.Payload{}, activity.Recall(history.ReadFailure(e.Failure))
	}
	return history.Payload{}, fmt.Errorf("clew: a bug: %s answers no update", e.Kind())
}

// answeredBefore looks for the answer to an update in the runs before the current one.
func (r *Runtime) answeredBefore(ctx context.Context, id history.ID, update string) (history.Payload, error) {
	for record, err := range r.log.Read(ctx, id, 1) {
		if err != nil {
			return history.Payload{}, err
		}
		if answersUpdate(record.Entry.Event, update) {
			e, err := r.unwrap(ctx, id, record.Entry)
			if err != nil {
				return history.Payload{}, err
			}
			return answerOf(e.Event)
		}
	}
	return history.Payload{}, fmt.Errorf("%w: update %s of %s", ErrRunClosed, update, id.Workflow)
}

func answersUpdate(e history.Event, update string) bool {
	switch e := e.(type) {
	case *history.UpdateCompleted:
		return e.Update == update
	case *history.UpdateFailed:
		return e.Update == update
	}
	return false
}

// Published is the view of itself that an execution published last, see workflow.Publish; ok is false if there is none that a T
// can hold. No code is run for it. Errors: ErrInvalid, ErrNotFound, ErrUnavailable.
func Published[T any](ctx context.Context, rt *Runtime, id string) (view T, ok bool, err error) {
	if err := commands.CheckID("workflow id", id); err != nil {
		return view, false, err
	}
	p, err := see(ctx, rt, rt.id(id), func(m *memory) (history.Payload, error) {
		if m.state.Status == 0 {
			return history.Payload{}, fmt.Errorf("%w: %s", ErrNotFound, id)
		}
		return m.state.View, nil
	})
	if err != nil || p.Absent() {
		return view, false, err
	}
	err = p.Decode(&view)
	return view, err == nil, err
}
