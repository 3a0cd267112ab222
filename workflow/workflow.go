// Package workflow is for those who write workflows: ordinary, blocking, deterministic Go functions that may last for
// years.
//
// A [Type] is a definition: a name, an input, an output. Inside, [Context] is the only way to the world; it is not a
// context.Context, so that the compiler keeps it out of I/O. Work with effects is done by activities, see [Do] and
// [Begin]. Everything that waits takes the Context and returns an error, which says that its scope was cancelled; that
// time has passed is an answer and not an error.
//
// The function is run again along its history whenever it has to be remembered. It must ask for the same things in the
// same order: no clocks but [Now], no dice but [Rand], no goroutines but [Go], no ranging over maps that decides what is
// asked. To change code that has open runs, see [Patched].
package workflow

import (
	"fmt"
	"reflect"

	"github.com/clewflow/clew/activity"
	"github.com/clewflow/clew/commands"
	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/query"
)

// None is the input or output of what has none.
type None = activity.None

// What is in the chain of the errors of everything that waits.
var (
	ErrCancelled = activity.ErrCancelled
	ErrTimeout   = activity.ErrTimeout
)

// What is in the chain of the errors of what is asked of other executions.
var (
	ErrNotFound       = commands.ErrNotFound       // there is no such execution
	ErrNotRunning     = commands.ErrNotRunning     // it has ended
	ErrAlreadyRunning = commands.ErrAlreadyRunning // the id of a child is in use
	ErrAlreadyExists  = commands.ErrAlreadyExists  // it was used before
)

// Context is where workflow code stands: in which run, and in which scope of cancellation.
type Context struct {
	run   *run
	scope *scope
}

// Err is nil, or why the scope has ended: ErrCancelled or ErrTimeout.
func (c Context) Err() error { return c.scope.err }

// Definition is what runtime.Open takes: workflows, activities and bindings.
type Definition interface{ Definition() string }

// Type is a workflow that turns an In into an Out.
type Type[In, Out any] struct{ def *definition }

type definition struct {
	name     string
	in       string // the Go type of the input
	fields   *InputFields
	code     Code
	settings Settings
}

// Code is a workflow on encoded values.
type Code func(Context, history.Payload) (history.Payload, error)

// Define gives fn a name. The name is recorded; it must not change while histories that hold it are to be read.
func Define[In, Out any](name string, fn func(Context, In) (Out, error), opts ...Option) Type[In, Out] {
	t := Declare[In, Out](name, opts...)
	t.def.code = code(name, fn)
	return t
}

// Declare names a workflow whose body is elsewhere; see [Type.Bind]. It also lets a workflow start itself, which Go
// refuses for a variable whose function mentions the variable.
func Declare[In, Out any](name string, opts ...Option) Type[In, Out] {
	d := &definition{name: name, in: reflect.TypeFor[In]().String(), fields: inputFields[In]()}
	d.settings.Apply(opts...)
	return Type[In, Out]{d}
}

// Name is the name in histories.
func (t Type[In, Out]) Name() string {
	if t.def == nil {
		return ""
	}
	return t.def.name
}

// Definition is the name; it makes a Type something that runtime.Open takes.
func (t Type[In, Out]) Definition() string { return t.Name() }

// Binding is a definition with a body.
type Binding struct {
	def  *definition
	code Code
}

// Definition is the name; it makes a Binding something that runtime.Open takes.
func (b Binding) Definition() string { return b.def.name }

// Bind joins t with its body.
func (t Type[In, Out]) Bind(fn func(Context, In) (Out, error)) Binding {
	if t.def == nil {
		return Binding{&definition{}, nil}
	}
	return Binding{t.def, code(t.def.name, fn)}
}

// NoResult adapts a function that returns an error alone.
func NoResult[In any](fn func(Context, In) error) func(Context, In) (None, error) {
	return func(ctx Context, in In) (None, error) { return None{}, fn(ctx, in) }
}

func code[In, Out any](name string, fn func(Context, In) (Out, error)) Code {
	return func(ctx Context, p history.Payload) (history.Payload, error) {
		var in In
		if err := p.Decode(&in); err != nil {
			panic(stall("the input of %s: %v", name, err))
		}
		ctx.run.takes = reflect.TypeFor[In]()
		out, err := fn(ctx, in)
		ctx.run.driver.Returned()
		ctx.awaitChildren(err)
		ctx.checkContinued(err)
		if err != nil {
			return history.Payload{}, err
		}
		result, err := history.Encode(out)
		if err == nil {
			err = ctx.run.driver.Fits(result)
		}
		if err != nil {
			panic(stall("the result of %s: %v", name, err))
		}
		return result, nil
	}
}

// Stall is what workflow code panics with when it cannot go on. The execution stalls with its text as the reason and is
// tried again when other code arrives.
type Stall struct{ Reason string }

func (s *Stall) Error() string { return s.Reason }

func stall(format string, args ...any) *Stall { return &Stall{fmt.Sprintf(format, args...)} }

// Error is how an execution ended that did not complete.
type Error struct {
	Status  query.Status // Failed, TimedOut, Cancelled or Terminated
	ID      string       // workflow id
	Run     string
	Type    string
	Step    uint64 // of the activity whose limit closed the run; 0: none
	Message string
	Cause   error // registered errors are found in its chain
}

func (e *Error) Error() string {
	s := fmt.Sprintf("workflow %s (%s) %s", e.ID, e.Type, e.Status)
	if e.Message != "" {
		s += ": " + e.Message
	}
	return s
}

func (e *Error) Unwrap() error { return e.Cause }
