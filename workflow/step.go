package workflow

import (
	"context"
	"fmt"
	"time"

	"github.com/clewflow/clew/activity"
	"github.com/clewflow/clew/commands"
	"github.com/clewflow/clew/history"
)

// stepWithin is the limit of one attempt of a local step that has no other.
const stepWithin = 10 * time.Second

// Step does a short piece of work with effects where the workflow runs, such as reading a row or calling a service nearby. It
// is an activity without a definition: it is recorded when it is asked for, under its name, and with its outcome; it is
// tried again by its policy, and made again if the process dies. Default: an attempt may take 10 s. It has no queue. The
// name is of letters, digits and . _ - /. fn must not use the workflow's Context, and must not change the workflow's
// variables: it runs beside the code.
func Step[T any](ctx Context, name string, fn func(context.Context) (T, error), opts ...activity.Option) (T, error) {
	call, err := activity.Inline(name, stepWithin, opts)
	return beginLocal[T](ctx, call, err, func(ctx context.Context, _ history.Payload) (history.Payload, error) {
		v, err := fn(ctx)
		if err != nil {
			return history.Payload{}, err
		}
		p, err := history.Encode(v)
		if err != nil {
			return p, activity.NonRetryable(err)
		}
		return p, nil
	}).Get(ctx)
}

// AwaitExternal hands a token out and waits for the answer of whoever completes it, see runtime.Complete. handOut is made like
// a [Step], and again when it fails; its token is good for the attempt it is made in. The limits are those of e.
func AwaitExternal[Out any](ctx Context, e activity.Type[None, Out], handOut func(ctx context.Context, token string) error, opts ...activity.Option) (Out, error) {
	call, err := activity.Resolve(e, opts)
	return beginLocal[Out](ctx, call, err, func(ctx context.Context, _ history.Payload) (history.Payload, error) {
		if err := handOut(ctx, activity.Token(ctx)); err != nil {
			return history.Payload{}, err
		}
		return history.Payload{}, activity.Pending
	}).Get(ctx)
}

// beginLocal asks for an activity whose function is the code's own.
func beginLocal[T any](ctx Context, call activity.Call, err error, h activity.Handler) Future[T] {
	p := &Pending{}
	f := Future[T]{p}
	if ended := ctx.Err(); ended != nil {
		p.Settle(history.Payload{}, ended)
		return f
	}
	if bad := commands.CheckName("the name of a step", call.Name); bad != nil {
		panic(stall("%v", bad)) // a slip of the author's, which better code mends
	}
	if err != nil {
		p.Settle(history.Payload{}, fmt.Errorf("step %s was not begun: %w", call.Name, err))
		return f
	}
	step := ctx.schedule(p, commands.ScheduleActivity{Name: call.Name, Policy: call.Policy, Local: true})
	ctx.run.driver.Local(step, h)
	return f
}
