package workflow

import (
	"errors"
	"fmt"
)

// Undo is what is to be undone if a [Saga] fails.
type Undo struct {
	steps []func(Context) error
	watch Watch // nil: nobody does
}

// Add adds something to be done if what follows fails. Add it when what it undoes has succeeded, or may have:
//
//	undo.Add(workflow.Call(CancelFlight, flight))
func (u *Undo) Add(fn func(Context) error) {
	if u.watch != nil {
		fn = u.seen(fn)
	}
	u.steps = append(u.steps, fn)
}

// Saga runs fn. If it fails or its scope ends, what was added to undo is done, the last first, in a scope of its own that
// does not end; what fails there does not keep the rest from being done. The error is that of fn, joined with those of undoing.
//
// An activity that is in hand when the scope ends is given up by default, and may have had its effect: give those that have to
// be undone activity.OnCancel(activity.WaitCancelled), or make their undoing harmless where there is nothing to undo and
// add it before.
//
// A panic stalls the run and undoes nothing.
func Saga[Out any](ctx Context, fn func(undo *Undo) (Out, error)) (Out, error) {
	undo := &Undo{watch: ctx.run.watch}
	out, err := fn(undo)
	if err == nil || isContinue(err) {
		return out, err
	}
	clean := WithoutCancel(ctx)
	errs := []error{err}
	for i := len(undo.steps) - 1; i >= 0; i-- {
		if err := undo.steps[i](clean); err != nil {
			errs = append(errs, fmt.Errorf("undoing: %w", err))
		}
	}
	if len(errs) == 1 {
		return out, err
	}
	return out, errors.Join(errs...)
}
