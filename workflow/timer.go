package workflow

import (
	"errors"
	"fmt"
	"time"

	"github.com/clewflow/clew/commands"
	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/internal/coro"
)

// Now is the time of the input that the code was told last.
func Now(ctx Context) time.Time { return ctx.run.driver.Now() }

// Sleep waits for d. Zero or less returns at once and records nothing.
func Sleep(ctx Context, d time.Duration) error {
	t := newTimer(ctx, d)
	if ctx.run.watch != nil && t.step > 0 {
		ctx.seeTimer(t, true)
	}
	return t.Wait(ctx)
}

// SleepUntil waits until t. A time that has passed returns at once and records nothing.
func SleepUntil(ctx Context, t time.Time) error { return Sleep(ctx, t.Sub(Now(ctx))) }

// Timer is a moment to come. It is a [Case].
type Timer struct {
	p    *Pending
	step history.Step
	run  *run
}

var errStopped = errors.New("workflow: the timer was stopped")

// NewTimer starts a timer. Zero or less is ready at once and records nothing. Its scope is that of ctx: it is stopped when
// that ends.
func NewTimer(ctx Context, d time.Duration) Timer {
	t := newTimer(ctx, d)
	if ctx.run.watch != nil && t.step > 0 {
		ctx.seeTimer(t, false)
	}
	return t
}

// newTimer is [NewTimer] that nobody sees: of a wait that says itself whether its time has passed.
func newTimer(ctx Context, d time.Duration) Timer {
	t := Timer{p: &Pending{}, run: ctx.run}
	err := ctx.Err()
	if err == nil && d > 0 {
		err = commands.CheckDuration("the duration of a timer", d)
	}
	if err != nil || d <= 0 {
		t.p.Settle(history.Payload{}, err)
		return t
	}
	t.step = ctx.run.driver.NextStep(t.p)
	t.p.bell.Outside = true
	t.p.bell.About = func() string { return fmt.Sprintf("a timer of %s (step %d)", d, t.step) }
	ctx.run.ask(commands.StartTimer{Step: t.step, After: d})
	ctx.begun(t.p, commands.CancelTimer{Step: t.step})
	return t
}

// Wait waits for the timer. The error says that it was stopped, or that the scope ended.
func (t Timer) Wait(ctx Context) error {
	for !t.p.done {
		if err := ctx.Err(); err != nil {
			return err
		}
		ctx.wait(&t.p.bell)
	}
	return t.p.err
}

// Ready reports whether the time has come or the timer was stopped.
func (t Timer) Ready() bool { return t.p.done }

// Stop stops the timer. It reports whether it was still running.
func (t Timer) Stop() bool {
	if t.p.done {
		return false
	}
	t.run.ask(commands.CancelTimer{Step: t.step})
	t.p.Settle(history.Payload{}, errStopped)
	return true
}

func (t Timer) ready(Context) bool      { return t.p.done && t.p.err == nil }
func (t Timer) bell(Context) *coro.Bell { return &t.p.bell }
