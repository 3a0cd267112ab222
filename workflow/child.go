package workflow

import (
	"errors"
	"fmt"

	"github.com/clewflow/clew/activity"
	"github.com/clewflow/clew/commands"
	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/internal/coro"
)

// ParentClose says what becomes of a child when its parent ends, in whatever way. A parent that continues as new has not
// ended.
type ParentClose = history.ParentClose

// What becomes of a child when its parent ends.
const (
	CancelChild    = history.CancelChild    // default: it is asked to end
	TerminateChild = history.TerminateChild // it is ended at once
	AbandonChild   = history.AbandonChild   // nothing: it goes on
)

// ID gives a child its workflow id. Default: made of the parent's id, the number of its run and the step.
func ID(id string) ChildOption { return childOption(func(s *Settings) { s.ID = id }) }

// OnParentClose says what becomes of a child when its parent ends.
func OnParentClose(p ParentClose) ChildOption {
	return childOption(func(s *Settings) { s.OnParentClose = p })
}

// OnCancel says what happens to a child when the scope it was begun in ends: activity.TryCancel (default: ask it to end and do
// not wait), WaitCancelled (wait for how it ends) or LeaveRunning.
func OnCancel(c activity.Cancel) ChildOption {
	return childOption(func(s *Settings) { s.OnCancel = c })
}

// Child has another execution started and waits for its result. The error is an *[Error], or says that the scope ended.
func Child[In, Out any](ctx Context, w Type[In, Out], in In, opts ...ChildOption) (Out, error) {
	return BeginChild(ctx, w, in, opts...).Get(ctx)
}

// BeginChild has another execution started and does not wait for it. The input's Defaults method, if it has one, is called
// first, as by runtime.Start.
func BeginChild[In, Out any](ctx Context, w Type[In, Out], in In, opts ...ChildOption) ChildFuture[Out] {
	p := &Pending{begun: &Pending{}, told: &Pending{}}
	f := ChildFuture[Out]{Future: Future[Out]{p}}
	if err := ctx.Err(); err != nil {
		p.Settle(history.Payload{}, err)
		return f
	}
	if w.def == nil {
		panic(stall("a zero workflow.Type has no name; make it with workflow.Define or workflow.Declare"))
	}
	if d, ok := any(&in).(interface{ Defaults() }); ok {
		d.Defaults()
	}
	var fields []ChildOption
	for _, field := range InputSettings(in) {
		fields = append(fields, field)
	}
	c, err := childOf(w.def, ctx.run.driver.Run().Headers, append(fields, opts...))
	if err == nil {
		c.Input, err = history.Encode(in)
	}
	if err == nil {
		err = ctx.run.driver.Fits(c.Input)
	}
	if err != nil {
		p.Settle(history.Payload{}, fmt.Errorf("child %s was not begun: %w", w.def.name, err))
		return f
	}
	f.ID = ctx.beginChild(p, c)
	return f
}

// childOf is the wish for a child with the options of its definition and of the call, of a run with some headers.
func childOf(d *definition, headers map[string]string, opts []ChildOption) (c commands.AskChild, err error) {
	s := d.settings.own()
	s.Version, s.LimitKey, s.WhenFull = 0, "", "" // those of the definition are read where the child begins
	for _, o := range opts {
		o.SetChild(&s)
	}
	c = commands.AskChild{
		Type: d.name, Version: s.Version, ID: s.ID, OnParentClose: s.OnParentClose, OnCancel: s.OnCancel, RunTimeout: s.RunTimeout,
		ExecutionTimeout: s.ExecutionTimeout, CorrelationID: s.CorrelationID, Once: s.once, LimitKey: s.LimitKey, WhenFull: s.WhenFull,
	}
	if c.OnParentClose == "" {
		c.OnParentClose = CancelChild
	}
	if c.OnCancel == "" {
		c.OnCancel = activity.TryCancel
	}
	if err = errors.Join(s.Err, s.check()); err != nil {
		return c, err
	}
	if c.Memo, err = s.MemoPayload(); err != nil {
		return c, err
	}
	if c.Headers, err = s.headersOn(headers); err != nil {
		return c, err
	}
	c.Attributes, err = s.AttributesPayload()
	return c, err
}

// check refuses what no run can have.
func (s Settings) check() error {
	errs := []error{
		commands.CheckDuration("RunTimeout", s.RunTimeout), commands.CheckDuration("ExecutionTimeout", s.ExecutionTimeout),
	}
	if s.ID != "" {
		errs = append(errs, commands.CheckID("the workflow id of a child", s.ID))
	}
	if s.CorrelationID != "" {
		errs = append(errs, commands.CheckID("CorrelationID", s.CorrelationID))
	}
	switch s.OnParentClose {
	case "", CancelChild, TerminateChild, AbandonChild:
	default:
		errs = append(errs, &commands.Invalid{Field: "OnParentClose", Value: string(s.OnParentClose), Want: "CancelChild, TerminateChild or AbandonChild"})
	}
	switch s.OnCancel {
	case "", activity.TryCancel, activity.WaitCancelled, activity.LeaveRunning:
	default:
		errs = append(errs, &commands.Invalid{Field: "OnCancel", Value: string(s.OnCancel), Want: "TryCancel, WaitCancelled or LeaveRunning"})
	}
	return errors.Join(errs...)
}

// beginChild asks for a child and returns its workflow id.
func (c Context) beginChild(p *Pending, ask commands.AskChild) string {
	ask.Step = c.run.driver.NextStep(p)
	if ask.ID == "" {
		run := c.run.driver.Run()
		ask.ID = commands.ChildID(run.ID, run.Number, ask.Step)
	}
	about := func() string { return fmt.Sprintf("child %s (step %d)", ask.ID, ask.Step) }
	p.bell.Outside, p.bell.About = true, about
	p.begun.bell.Outside, p.begun.bell.About = true, about
	p.told.bell.Outside, p.told.bell.About = true, about
	c.run.ask(ask)
	if c.run.watch != nil {
		c.seeEndless(ask.Step)
	}
	c.run.children = append(c.run.children, child{p, ask.OnParentClose == AbandonChild})
	p.waits = ask.OnCancel == activity.WaitCancelled
	if ask.OnCancel != activity.LeaveRunning {
		c.begun(p, commands.CancelChild{Step: ask.Step})
	}
	return ask.ID
}

// ChildFuture is how a child will end. It is a [Case].
type ChildFuture[Out any] struct {
	Future[Out]
	ID string // workflow id of the child; empty if it could not be begun
}

// Started waits until the child exists, or cannot be started; then the error says why, as that of Get does.
func (f ChildFuture[Out]) Started(ctx Context) error {
	for !f.p.begun.done {
		if err := ctx.Err(); err != nil {
			return err
		}
		ctx.wait(&f.p.begun.bell)
	}
	return f.p.begun.err
}

func (f ChildFuture[Out]) ready(Context) bool      { return f.p.done }
func (f ChildFuture[Out]) bell(Context) *coro.Bell { return &f.p.bell }

// child is a child that the run has begun.
type child struct {
	p         *Pending
	abandoned bool
}

// undone is what is still to be done about a child that nobody will do when the run has ended.
func (c child) undone() *Pending {
	switch {
	case !c.p.begun.done:
		return c.p.begun
	case c.p.ending && !c.p.told.done:
		return c.p.told
	}
	return nil
}

// awaitChildren waits, before the run ends, until nothing is left to be done about the children that are to outlive it: those
// that are abandoned, and all if the run continues as new. What a run leaves undone is forgotten with it.
func (c Context) awaitChildren(err error) {
	all := isContinue(err)
	for _, child := range c.run.children { // nobody begins another or gives one up: no other coroutine runs
		for (all || child.abandoned) && child.undone() != nil {
			c.run.driver.Change("waiting")
			c.run.group.Wait(&child.undone().bell)
		}
	}
	c.run.children = nil
}
