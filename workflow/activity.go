package workflow

import (
	"fmt"

	"github.com/clewflow/clew/activity"
	"github.com/clewflow/clew/commands"
	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/internal/coro"
)

// Do has an activity done and waits for its result. The error is an *[activity.Error], or says that the scope ended.
func Do[In, Out any](ctx Context, a activity.Type[In, Out], in In, opts ...activity.Option) (Out, error) {
	return Begin(ctx, a, in, opts...).Get(ctx)
}

// Begin has an activity done and does not wait for it.
func Begin[In, Out any](ctx Context, a activity.Type[In, Out], in In, opts ...activity.Option) Future[Out] {
	return begin(ctx, &Pending{}, a, in, opts)
}

func begin[In, Out any](ctx Context, p *Pending, a activity.Type[In, Out], in In, opts []activity.Option) Future[Out] {
	f := Future[Out]{p}
	if err := ctx.Err(); err != nil {
		p.Settle(history.Payload{}, err)
		return f
	}
	call, err := activity.Resolved(a, in, opts)
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
	ctx.schedule(p, commands.ScheduleActivity{
		Name: call.Name, Queue: call.Queue, Input: input, Policy: call.Policy, Watch: p.progress != nil,
	})
	return f
}

// schedule asks for an activity.
func (c Context) schedule(p *Pending, ask commands.ScheduleActivity) history.Step {
	ask.Step = c.run.driver.NextStep(p)
	p.bell.Outside = true
	what := "activity"
	if ask.Local {
		what = "local step"
	}
	p.bell.About = func() string { return fmt.Sprintf("%s %s (step %d)", what, ask.Name, ask.Step) }
	c.run.ask(ask)
	if c.run.watch != nil {
		c.seeEndless(ask.Step)
	}
	p.waits = ask.Policy.OnCancel == history.WaitCancelled
	if ask.Policy.OnCancel != history.LeaveRunning {
		c.begun(p, commands.CancelActivity{Step: ask.Step})
	}
	return ask.Step
}

// BeginWatched is [Begin] for an activity whose checkpoints the code wants to be told: those of its heartbeats that are
// recorded, in order. What is recorded is bounded, so of many in a short time some are left out, and so may be the last.
func BeginWatched[C, In, Out any](ctx Context, a activity.Type[In, Out], in In, opts ...activity.Option) (Future[Out], Progress[C]) {
	p := &Pending{}
	box := NewInbox("")
	p.progress = box
	box.bell.About = func() string { return "progress of activity " + a.Name() }
	return begin(ctx, p, a, in, opts), Progress[C]{box}
}

// Progress is the checkpoints of an activity. It is a [Case], which is ready when there is one to receive.
type Progress[C any] struct{ box *Inbox }

// Receive waits for the next checkpoint; ok is false when the activity has ended and all were received. The error says that
// the scope ended.
func (g Progress[C]) Receive(ctx Context) (c C, ok bool, err error) {
	for {
		if c, ok := g.TryReceive(ctx); ok || g.box.closed {
			return c, ok, nil
		}
		if err := ctx.Err(); err != nil {
			return c, false, err
		}
		ctx.wait(&g.box.bell)
	}
}

// TryReceive receives the next checkpoint if there is one.
func (g Progress[C]) TryReceive(ctx Context) (c C, ok bool) {
	next, ok := ctx.take(g.box, "receiving a checkpoint")
	if !ok {
		return c, false
	}
	if err := next.value.Decode(&c); err != nil {
		panic(stall("a checkpoint in entry %d is of another type than the code receives: %v", next.seq, err))
	}
	return c, true
}

func (g Progress[C]) ready(Context) bool      { return len(g.box.unread) > 0 }
func (g Progress[C]) bell(Context) *coro.Bell { return &g.box.bell }

// Call is [Do], to be called later.
func Call[In, Out any](a activity.Type[In, Out], in In, opts ...activity.Option) func(Context) error {
	return func(ctx Context) error {
		_, err := Do(ctx, a, in, opts...)
		return err
	}
}
