package workflow

import (
	"slices"
	"time"

	"github.com/clewflow/clew/internal/coro"
)

// Case is something that can become ready: a [Future], a [Timer], a [Signal], a *[Channel], [Default]. Cases are compared
// with ==.
type Case interface {
	ready(Context) bool
	bell(Context) *coro.Bell
}

type fixed int

// Default is the case that is taken if no other is ready. Timeout is what [SelectWithin] returns when the time has passed.
const (
	Default fixed = iota + 1
	Timeout
)

func (fixed) ready(Context) bool      { return false }
func (fixed) bell(Context) *coro.Bell { return nil }

const maxSpins = 1000

// Select waits until a case is ready and returns the first that is, in the order written. It takes nothing: receive from
// the signal, get the future. The case is nil if and only if there is an error, which says that the scope ended.
func Select(ctx Context, cases ...Case) (Case, error) {
	if ctx.run.watch == nil {
		return choose(ctx, cases)
	}
	ctx.see(cases, false, nil, nil)
	got, err := choose(ctx, cases)
	ctx.see(cases, false, got, err)
	return got, err
}

// choose is [Select] that nobody sees.
func choose(ctx Context, cases []Case) (Case, error) {
	waited := false
	for {
		for _, c := range cases {
			if c.ready(ctx) {
				if !waited {
					ctx.run.spin(c)
				}
				return c, nil
			}
		}
		if slices.Contains(cases, Case(Default)) {
			ctx.run.spin(Default)
			return Default, nil
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		bells := make([]*coro.Bell, 0, len(cases)+1)
		for _, c := range cases {
			if b := c.bell(ctx); b != nil {
				bells = append(bells, b)
			}
		}
		ctx.wait(bells...)
		waited = true
	}
}

// spin stalls code that selects again and again what it does not take.
func (r *run) spin(c Case) {
	if r.spins++; r.spins <= maxSpins {
		return
	}
	what := "a case that stays ready"
	switch c := c.(type) {
	case interface{ signalName() string }:
		what = "signal " + c.signalName()
	case fixed:
		what = "Default"
	}
	panic(stall("select spins on %s: it was ready %d times in a row and nothing was received, asked or waited for", what, maxSpins))
}

// SelectWithin is [Select] that returns the case [Timeout] when d has passed. It stops its own timer.
func SelectWithin(ctx Context, d time.Duration, cases ...Case) (Case, error) {
	if ctx.run.watch == nil {
		return chooseWithin(ctx, d, cases)
	}
	ctx.see(cases, true, nil, nil)
	got, err := chooseWithin(ctx, d, cases)
	ctx.see(cases, true, got, err)
	return got, err
}

// chooseWithin is [SelectWithin] that nobody sees.
func chooseWithin(ctx Context, d time.Duration, cases []Case) (Case, error) {
	for _, c := range cases {
		if c.ready(ctx) {
			ctx.run.spin(c)
			return c, nil
		}
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	timer := newTimer(ctx, d)
	if timer.Ready() {
		if err := timer.p.err; err != nil {
			return nil, err
		}
		return Timeout, nil
	}
	got, err := choose(ctx, append(slices.Clip(cases), timer))
	timer.Stop()
	if got == Case(timer) {
		return Timeout, nil
	}
	return got, err
}

// Await waits until cond holds. It is tried whenever no coroutine can run. It must only look at the workflow's own
// variables. The error says that the scope ended.
func Await(ctx Context, cond func() bool) error {
	if ctx.run.watch == nil {
		return await(ctx, cond)
	}
	ctx.seeAwait(false, nil, nil)
	held, err := true, await(ctx, cond)
	ctx.seeAwait(false, &held, err)
	return err
}

// await is [Await] that nobody sees.
func await(ctx Context, cond func() bool) error {
	for !cond() {
		if err := ctx.Err(); err != nil {
			return err
		}
		ctx.run.driver.Change("waiting")
		ctx.run.spins = 0
		ctx.run.group.Await(cond, &ctx.scope.bell)
	}
	return nil
}

// AwaitWithin is [Await] that returns false when d has passed. It stops its own timer.
func AwaitWithin(ctx Context, d time.Duration, cond func() bool) (bool, error) {
	if ctx.run.watch == nil {
		return awaitWithin(ctx, d, cond)
	}
	ctx.seeAwait(true, nil, nil)
	held, err := awaitWithin(ctx, d, cond)
	ctx.seeAwait(true, &held, err)
	return held, err
}

// awaitWithin is [AwaitWithin] that nobody sees.
func awaitWithin(ctx Context, d time.Duration, cond func() bool) (bool, error) {
	if cond() {
		return true, nil
	}
	timer := newTimer(ctx, d)
	if timer.Ready() {
		return false, timer.p.err
	}
	err := await(ctx, func() bool { return timer.ready(ctx) || cond() })
	if err == nil && timer.ready(ctx) && !cond() {
		return false, nil
	}
	timer.Stop()
	return err == nil, err
}
