package workflow

import (
	"fmt"

	"github.com/clewflow/clew/history"
)

// Update is a request with an answer, shared by those who ask and those who answer. See runtime.Update.
type Update[In, Out any] struct{ name string }

// NewUpdate names an update.
func NewUpdate[In, Out any](name string) Update[In, Out] { return Update[In, Out]{name} }

// Name is the name in histories.
func (u Update[In, Out]) Name() string { return u.name }

// Handle sets what answers the update. fn runs as a coroutine in the run's own scope, and may wait like any other code; its
// error is for whoever asked. What validate refuses is not recorded at all; it is called between turns, must be quick, and
// must not wait, ask for anything or change anything.
//
// Set handlers before the first wait: an update for which there is none is refused. What is not answered when the run
// ends is answered runtime.ErrRunClosed; see [AllHandlersFinished].
func (u Update[In, Out]) Handle(ctx Context, fn func(Context, In) (Out, error), validate ...func(In) error) {
	if u.name == "" {
		panic(stall("a zero workflow.Update has no name; make it with workflow.NewUpdate"))
	}
	if ctx.run.watch != nil {
		seeName(ctx.run.watch, SeenUpdate, u.name, false)
	}
	ctx.run.driver.Accept(u.name, UpdateHandler{
		Validate: func(p history.Payload) error {
			var in In
			if err := p.Decode(&in); err != nil {
				return fmt.Errorf("the input of update %s: %w", u.name, err)
			}
			for _, v := range validate {
				if err := v(in); err != nil {
					return err
				}
			}
			return nil
		},
		Answer: func(ctx Context, p history.Payload) (result history.Payload, err error) {
			var in In
			if err := p.Decode(&in); err != nil {
				panic(stall("the input of update %s: %v", u.name, err))
			}
			out, err := fn(ctx, in)
			if err != nil {
				return result, err
			}
			if result, err = history.Encode(out); err == nil {
				err = ctx.run.driver.Fits(result)
			}
			if err != nil {
				panic(stall("the answer to update %s: %v", u.name, err))
			}
			return result, nil
		},
	})
}

// AllHandlersFinished reports whether all accepted updates are answered: a run that is to end in good order waits for it.
//
//	err := workflow.Await(ctx, func() bool { return workflow.AllHandlersFinished(ctx) })
func AllHandlersFinished(ctx Context) bool { return ctx.run.driver.Unanswered() == 0 }
