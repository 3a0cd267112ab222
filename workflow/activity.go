package workflow

import (
	"fmt"

	"github.com/clewflow/clew/activity"
	"github.com/clewflow/clew/commands"
	"github.com/clewflow/clew/history"
)

// Do has an activity done and waits for its result. The error is an *[activity.Error], or says that the scope ended.
func Do[In, Out any](ctx Context, a activity.Type[In, Out], in In, opts ...activity.Option) (Out, error) {
	return Begin(ctx, a, in, opts...).Get(ctx)
}

// Begin has an activity done and does not wait for it.
func Begin[In, Out any](ctx Context, a activity.Type[In, Out], in In, opts ...activity.Option) Future[Out] {
	p := &Pending{}
	f := Future[Out]{p}
	if err := ctx.Err(); err != nil {
		p.Settle(history.Payload{}, err)
		return f
	}
	call, err := activity.Resolve(a, opts)
	if call.Name == "" {
		panic(stall("%v", err))
	}
	var input history.Payload
	if err == nil {
		input, err = history.Encode(in)
	}
	if err == nil {
		err = ctx.run.driver.Fits(input)
	}
	if err != nil {
		p.Settle(history.Payload{}, fmt.Errorf("activity %s was not begun: %w", call.Name, err))
		return f
	}
	step := ctx.run.driver.NextStep(p)
	p.bell.Outside = true
	p.bell.About = func() string { return fmt.Sprintf("activity %s (step %d)", call.Name, step) }
	ctx.run.ask(commands.ScheduleActivity{Step: step, Name: call.Name, Queue: call.Queue, Input: input, Policy: call.Policy})
	p.waits = call.Policy.OnCancel == history.WaitCancelled
	if call.Policy.OnCancel != history.LeaveRunning {
		ctx.begun(p, commands.CancelActivity{Step: step})
	}
	return f
}

// Call is [Do], to be called later.
func Call[In, Out any](a activity.Type[In, Out], in In, opts ...activity.Option) func(Context) error {
	return func(ctx Context) error {
		_, err := Do(ctx, a, in, opts...)
		return err
	}
}
