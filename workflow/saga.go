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

// Add adds something to be done if what follows fails. Add it before what it undoes is begun, see [Saga]:
//
//	undo.Add(workflow.Call(CancelFlight, reference))
func (u *Undo) Add(fn func(Context) error) {
	if u.watch != nil {
		fn = u.seen(fn)
	}
	u.steps = append(u.steps, fn)
}

// Saga runs fn. If it fails or its scope ends, what was added to undo is done, the last first, in a scope of its own that
// does not end; what fails there does not keep the rest from being done. The error is that of fn, joined with those of undoing.
//
// An activity that fails, times out or is given up may have had its effect all the same. So add what undoes it before it is begun, make
// undoing harmless where there is nothing to undo, and name what is to be undone by a reference of the workflow's, such as a
// [NewUUID], because the answer may never have come. activity.OnCancel(activity.WaitCancelled) helps with cancellation only.
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
