package workflow

import (
	"errors"
	"reflect"

	"github.com/clewflow/clew/activity"
	"github.com/clewflow/clew/commands"
	"github.com/clewflow/clew/history"
)

// ContinueAsNew ends the run and begins the next, with another input and an empty history. Return what it returns:
//
//	return s, workflow.ContinueAsNew(ctx, s)
//
// Both are recorded at once, so there is no moment without an open run. What was not received travels on: signals, and
// updates whose handler has not yet asked for anything. So do attributes, memo, headers, the parent and the deadline of
// the execution, unless options say otherwise; the limit of a run begins anew. Activities are cancelled, children go on
// but are not this workflow's any more. The next run is of the newest version, unless the run is pinned to its own.
func ContinueAsNew[In any](ctx Context, in In, opts ...Option) error {
	ctx.run.driver.Change("continuing as new")
	if have, want := reflect.TypeFor[In](), ctx.run.takes; have != want {
		panic(stall("ContinueAsNew: %s takes %s, got %s", ctx.run.driver.Run().Type, want, have))
	}
	e := &continued{}
	var s Settings
	for _, field := range InputSettings(in) {
		field.Set(&s)
	}
	s = s.With(opts...)
	c := commands.ContinueAsNew{Pin: s.Version, RunTimeout: s.RunTimeout, ExecutionTimeout: s.ExecutionTimeout, CorrelationID: s.CorrelationID}
	err := errors.Join(s.Err, s.check())
	if err == nil {
		c.Input, err = history.Encode(in)
	}
	if err == nil {
		err = ctx.run.driver.Fits(c.Input)
	}
	if err == nil {
		c.Memo, err = s.MemoPayload()
	}
	if err == nil {
		c.Headers, err = s.headersOn(ctx.run.driver.Run().Headers)
	}
	if err == nil {
		err = ctx.run.driver.SetAttributes(s.Attributes)
		c.Attributes = history.Attributes(s.Attributes).Payload()
	}
	if err != nil {
		panic(stall("ContinueAsNew: %v", err))
	}
	e.ask = c
	ctx.run.continues = true
	return e
}

// continued is the error that ends a run which continues as new.
type continued struct{ ask commands.ContinueAsNew }

func (*continued) Error() string { return "workflow: the run continues as new" }

func isContinue(err error) bool {
	var c *continued
	return errors.As(err, &c)
}

// checkContinued stalls code that wanted to continue as new and ends in another way: it has dropped the error.
func (c Context) checkContinued(err error) {
	if c.run.continues && !isContinue(err) {
		panic(stall("ContinueAsNew was called and what it returned was not: write return …, workflow.ContinueAsNew(ctx, …)"))
	}
}

// Ended is what the code asks for when it has returned err or, if that is nil, result. cancelled says whether it was asked to
// end. It is for package replay.
func Ended(result history.Payload, err error, cancelled bool) commands.Command {
	var c *continued
	switch {
	case err == nil:
		return commands.Complete{Result: result}
	case errors.As(err, &c):
		return c.ask
	}
	return commands.Fail{Failure: activity.Record(err).Payload(), Cancelled: cancelled && errors.Is(err, ErrCancelled)}
}

// ShouldContinueAsNew reports whether the run has used up four fifths of what it is to hold: entries, bytes, or things open
// at once; see [Run].Budget.
func ShouldContinueAsNew(ctx Context) bool {
	r := ctx.run.driver.Run()
	near := func(n, most int) bool { return most > 0 && n >= most-most/5 }
	return near(r.Entries, r.Budget.Entries) || near(r.Bytes, r.Budget.Bytes) || near(r.Open, r.Budget.Open)
}
