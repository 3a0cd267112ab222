package workflowtest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/clewflow/clew/activity"
	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/internal/stage"
	"github.com/clewflow/clew/workflow"
)

// stub is a Stubbed of any type.
type stub interface {
	begin(lenient bool)
	copy() stub
	bindings(*World) []workflow.Definition
	unused() string
	child() string // the workflow that it stands for; empty: none
	step() string  // the local step that it stands for; empty: none
	handler(*World) activity.Handler
}

// Stubbed says what attempts of an activity come to, instead of its body. It is an [Option] of one test at a time.
//
// Each of Returns, Fails, TimesOut, Pends and Panics is the outcome of one attempt, in order; Takes and Beats come before
// the outcome that is written after them; Always, Calls and Never are for all further attempts. An attempt that is made
// again after a crash keeps its outcome. An attempt beyond the last outcome fails the test, and so do outcomes that are
// left over.
type Stubbed[In, Out any] struct {
	activity activity.Type[In, Out]
	workflow workflow.Type[In, Out] // of a child
	local    string                 // name of a local step

	mu      sync.Mutex
	scripts []*script[In, Out]
	before  []act                             // the next outcome
	made    map[stage.Place]*outcome[In, Out] // of attempts
	lenient bool                              // the last outcome is repeated
	inputs  []In                              // of attempts, in the order in which they were begun first
}

// script is what is to come of the attempts with some inputs.
type script[In, Out any] struct {
	when     func(In) bool // nil: the other inputs
	outcomes []*outcome[In, Out]
	further  *outcome[In, Out] // nil: none is expected
	used     int
}

type outcome[In, Out any] struct {
	before []act
	end    func(context.Context, In) (Out, error)
}

// act is what an attempt does before its outcome.
type act func(context.Context, *attempt) error

// Stub begins a stub of an activity.
func Stub[In, Out any](a activity.Type[In, Out]) *Stubbed[In, Out] {
	return &Stubbed[In, Out]{activity: a, scripts: []*script[In, Out]{{}}}
}

// StubChild begins a stub of a child workflow. Each outcome is that of one child: a stub has no attempts.
func StubChild[In, Out any](w workflow.Type[In, Out]) *Stubbed[In, Out] {
	s := Stub(activity.Declare[In, Out](w.Name()+".stub", activity.MaxAttempts(1), activity.ScheduleToClose(longest/2), activity.StartToClose(longest/2)))
	s.workflow = w
	return s
}

// StubStep begins a stub of the local steps of a name, see workflow.Step. Those that nothing stands in for are made for real. Of the
// name of an external activity it stands in for the handing-out of the token, see workflow.AwaitExternal: let it pend.
func StubStep[Out any](name string) *Stubbed[activity.None, Out] {
	s := Stub(activity.Declare[activity.None, Out](name))
	s.local = name
	return s
}

// StubValue has fn evaluated for the values of a name, see workflow.Value and workflow.Latest, instead of the code's own function.
func StubValue[T any](name string, fn func() T) Option {
	return option(func(s *settings) {
		if s.values == nil {
			s.values = map[string]func() (history.Payload, error){}
		}
		s.values[name] = func() (history.Payload, error) { return history.Encode(fn()) }
	})
}

// value is what stands in for a value.
func (w *World) value(name string) (history.Payload, bool) {
	make := w.play.values[name]
	if make == nil {
		return history.Payload{}, false
	}
	p, err := make()
	if err != nil {
		w.fail("what stands in for value %s cannot be kept: %v", name, err)
	}
	return p, true
}

func (s *Stubbed[In, Out]) child() string { return s.workflow.Name() }
func (s *Stubbed[In, Out]) step() string  { return s.local }

func (s *Stubbed[In, Out]) apply(all *settings) { all.stubs = append(all.stubs, s) }

// Returns lets an attempt complete with out.
func (s *Stubbed[In, Out]) Returns(out Out) *Stubbed[In, Out] {
	return s.then(func(context.Context, In) (Out, error) { return out, nil })
}

// Fails lets an attempt fail with err. Whether another follows is for the activity's policy to say.
func (s *Stubbed[In, Out]) Fails(err error) *Stubbed[In, Out] {
	return s.then(func(context.Context, In) (out Out, _ error) { return out, err })
}

// TimesOut lets an attempt be silent until the first of its limits passes. After [Stubbed.Takes], with which it gives signs of life, that
// is start-to-close.
func (s *Stubbed[In, Out]) TimesOut() *Stubbed[In, Out] {
	return s.then(func(ctx context.Context, _ In) (out Out, _ error) {
		<-ctx.Done()
		return out, context.Cause(ctx)
	})
}

// Pends lets an attempt go on outside, to be completed by [Complete].
func (s *Stubbed[In, Out]) Pends() *Stubbed[In, Out] { return s.Fails(activity.Pending) }

// Panics lets an attempt panic with v.
func (s *Stubbed[In, Out]) Panics(v any) *Stubbed[In, Out] {
	return s.then(func(context.Context, In) (Out, error) { panic(v) })
}

// Hangs lets an attempt go on for ever, whatever its context says. It is given up when the test ends.
func (s *Stubbed[In, Out]) Hangs() *Stubbed[In, Out] {
	return s.then(func(ctx context.Context, _ In) (out Out, _ error) {
		<-attemptOf(ctx).life.world.over
		return out, errHung
	})
}

var errHung = errors.New("the test has ended")

// Takes lets the attempt of the next outcome take d. It beats meanwhile, if the activity has a heartbeat limit.
func (s *Stubbed[In, Out]) Takes(d time.Duration) *Stubbed[In, Out] {
	return s.first(func(ctx context.Context, a *attempt) error { return a.live(ctx, d) })
}

// Beats lets the attempt of the next outcome send a heartbeat with a checkpoint.
func (s *Stubbed[In, Out]) Beats(checkpoint any) *Stubbed[In, Out] {
	return s.first(func(ctx context.Context, _ *attempt) error { return activity.Heartbeat(ctx, checkpoint) })
}

// Always lets all further attempts complete with out.
func (s *Stubbed[In, Out]) Always(out Out) *Stubbed[In, Out] {
	return s.Calls(func(context.Context, In) (Out, error) { return out, nil })
}

// Calls lets all further attempts do what fn does.
func (s *Stubbed[In, Out]) Calls(fn func(context.Context, In) (Out, error)) *Stubbed[In, Out] {
	last := s.scripts[len(s.scripts)-1]
	last.further = &outcome[In, Out]{s.before, fn}
	s.before = nil
	return s
}

// Never says that there are no further attempts. It is what holds anyway, written down.
func (s *Stubbed[In, Out]) Never() *Stubbed[In, Out] {
	s.scripts[len(s.scripts)-1].further = nil
	return s
}

// When begins the outcomes of attempts whose input fn accepts. Those before the first When are of all other inputs. Of
// several When the first that accepts an input counts.
func (s *Stubbed[In, Out]) When(fn func(In) bool) *Stubbed[In, Out] {
	s.scripts = append(s.scripts, &script[In, Out]{when: fn})
	return s
}

// Inputs are those of the attempts, in the order in which they began. An attempt made again after a crash counts once.
func (s *Stubbed[In, Out]) Inputs() []In {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]In(nil), s.inputs...)
}

func (s *Stubbed[In, Out]) first(a act) *Stubbed[In, Out] {
	s.before = append(s.before, a)
	return s
}

func (s *Stubbed[In, Out]) then(end func(context.Context, In) (Out, error)) *Stubbed[In, Out] {
	last := s.scripts[len(s.scripts)-1]
	last.outcomes = append(last.outcomes, &outcome[In, Out]{s.before, end})
	s.before = nil
	return s
}

// begin begins with the first outcomes again. A lenient stub repeats the last outcome.
func (s *Stubbed[In, Out]) begin(lenient bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lenient = lenient
	s.made, s.inputs = map[stage.Place]*outcome[In, Out]{}, nil
	for _, script := range s.scripts {
		script.used = 0
	}
}

// copy makes a stub that says the same, and has been asked for nothing.
func (s *Stubbed[In, Out]) copy() stub {
	c := &Stubbed[In, Out]{activity: s.activity, workflow: s.workflow, local: s.local, before: s.before}
	for _, one := range s.scripts {
		c.scripts = append(c.scripts, &script[In, Out]{when: one.when, outcomes: one.outcomes, further: one.further})
	}
	return c
}

func (s *Stubbed[In, Out]) bindings(w *World) []workflow.Definition {
	switch {
	case s.local != "":
		return nil
	case s.child() == "":
		return []workflow.Definition{s.binding(w)}
	}
	return []workflow.Definition{s.binding(w), s.workflow.Bind(func(ctx workflow.Context, in In) (Out, error) {
		out, err := workflow.Do(ctx, s.activity, in)
		var failed *activity.Error
		if errors.As(err, &failed) && failed.Cause != nil {
			err = failed.Cause
		}
		return out, err
	})}
}

func (s *Stubbed[In, Out]) handler(w *World) activity.Handler {
	b, _ := activity.BodyOf(s.binding(w))
	return b.Handler
}

func (s *Stubbed[In, Out]) binding(w *World) workflow.Definition {
	return s.activity.Bind(func(ctx context.Context, in In) (out Out, err error) {
		a := attemptOf(ctx)
		o, n := s.outcome(a.place, in)
		if o == nil {
			w.fail("nobody expected a call of activity %s with %s (step %d, attempt %d): %s",
				s.activity.Name(), a.input.Data, a.place.Step, a.place.Number, beyond(n))
			<-ctx.Done() // the test ends
			return out, context.Cause(ctx)
		}
		for _, act := range o.before {
			if err := act(ctx, a); err != nil {
				return out, err
			}
		}
		return o.end(ctx, in)
	})
}

func beyond(n int) string {
	if n == 0 {
		return "its stub says never"
	}
	return fmt.Sprintf("its stub has %d %s", n, plural(n, "outcome", "outcomes"))
}

func plural(n int, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}

// outcome is that of an attempt; nil if none is expected. n is how many are written down for its input.
func (s *Stubbed[In, Out]) outcome(p stage.Place, in In) (o *outcome[In, Out], n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if o, again := s.made[p]; again {
		return o, 0
	}
	s.inputs = append(s.inputs, in)
	script := s.scripts[0]
	for _, other := range s.scripts[1:] {
		if other.when(in) {
			script = other
			break
		}
	}
	if script.used < len(script.outcomes) {
		o = script.outcomes[script.used]
	} else if o = script.further; o == nil && s.lenient && len(script.outcomes) > 0 {
		o = script.outcomes[len(script.outcomes)-1]
	}
	script.used++
	s.made[p] = o
	return o, len(script.outcomes)
}

// unused says which outcomes nobody asked for.
func (s *Stubbed[In, Out]) unused() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []string
	if len(s.before) > 0 {
		all = append(all, fmt.Sprintf("activity %s: Takes or Beats is the last of its stub; write the outcome after it", s.activity.Name()))
	}
	for i, script := range s.scripts {
		if left := len(script.outcomes) - script.used; left > 0 {
			which := ""
			if i > 0 {
				which = fmt.Sprintf(" of When number %d", i)
			}
			all = append(all, fmt.Sprintf("activity %s: %d of %d outcomes%s were not used", s.activity.Name(), left, len(script.outcomes), which))
		}
	}
	return strings.Join(all, "\n")
}
