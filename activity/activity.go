// Package activity is for those who write activities: ordinary functions that do the work of workflows, which may take
// long, fail, and be tried again.
//
// A [Type] is a definition: a name, which is a promise, since histories refer to it; an input, an output, and how long it
// may take. [Define] has the body with it; [Declare] has only the name, and [Type.Bind] joins it with a body when the
// runtime is opened, so that the body can be a method of something with dependencies.
//
// An attempt may be made more than once; its outcome counts once. [Attempt.IdempotencyKey] is the same for all attempts.
package activity

import (
	"context"
	"errors"
	"time"

	"github.com/clewflow/clew/history"
)

// None is the input or output of what has none.
type None = struct{}

// Type is an activity that turns an In into an Out.
type Type[In, Out any] struct{ def *definition }

type definition struct {
	name     string
	external bool
	settings Settings
	policy   *history.Policy // of settings
	err      error           // what is wrong with the definition, told by runtime.Open
	handler  Handler
	holds    func(result history.Payload) error // why it is no result of this activity
}

// Handler is an activity on encoded values.
type Handler func(context.Context, history.Payload) (history.Payload, error)

// Define gives fn a name. The name is recorded; it must not change while histories that hold it are to be read.
func Define[In, Out any](name string, fn func(context.Context, In) (Out, error), opts ...Option) Type[In, Out] {
	t := Declare[In, Out](name, opts...)
	t.def.handler = handler(fn)
	return t
}

// Declare names an activity whose body is elsewhere; see [Type.Bind].
func Declare[In, Out any](name string, opts ...Option) Type[In, Out] {
	d := &definition{name: name, holds: func(p history.Payload) error {
		var out Out
		return p.Decode(&out)
	}}
	d.settings.apply(opts)
	d.policy, d.err = d.settings.policy()
	d.err = errors.Join(d.err, d.settings.checkLimit())
	return Type[In, Out]{d}
}

// External names an activity without a body: somebody outside completes it by its token.
func External[Out any](name string, opts ...Option) Type[None, Out] {
	t := Declare[None, Out](name, opts...)
	t.def.external = true
	return t
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
	def     *definition
	handler Handler
}

// Definition is the name; it makes a Binding something that runtime.Open takes.
func (b Binding) Definition() string { return b.def.name }

// Bind joins t with its body.
func (t Type[In, Out]) Bind(fn func(context.Context, In) (Out, error)) Binding {
	if t.def == nil {
		return Binding{&definition{}, nil}
	}
	return Binding{t.def, handler(fn)}
}

// NoResult adapts a function that returns an error alone.
func NoResult[In any](fn func(context.Context, In) error) func(context.Context, In) (None, error) {
	return func(ctx context.Context, in In) (None, error) { return None{}, fn(ctx, in) }
}

func handler[In, Out any](fn func(context.Context, In) (Out, error)) Handler {
	return func(ctx context.Context, p history.Payload) (history.Payload, error) {
		var in In
		if err := p.Decode(&in); err != nil {
			return history.Payload{}, NonRetryable(err)
		}
		out, err := fn(ctx, in)
		if err != nil {
			return history.Payload{}, err
		}
		result, err := history.Encode(out)
		if err != nil {
			return history.Payload{}, NonRetryable(err)
		}
		return result, nil
	}
}

// Attempt says which try of which activity this is.
type Attempt struct {
	Namespace   string
	Execution   string // workflow id
	Run         string
	Workflow    string // type
	Step        uint64
	Activity    string
	Queue       string
	Number      int               // from 1
	Serial      uint64            // of this hand-out: it rises with each, also where Number does not, as after a crash
	Scheduled   time.Time         // when the workflow asked for it
	Started     time.Time         // when this attempt began
	Deadline    time.Time         // the nearest limit, as it stood when the attempt began; zero: none
	LastFailure error             // of the attempt before; nil if none failed
	Headers     map[string]string // of the run, see workflow.Header

	// IdempotencyKey is the same for all attempts, also after crashes, and different for every other step: give it to
	// outside systems that recognise repetitions.
	IdempotencyKey string
}

// Info says which attempt is being made. Outside of an attempt it is zero.
func Info(ctx context.Context) Attempt {
	if h := handOf(ctx); h != nil {
		return h.Attempt
	}
	return Attempt{}
}

// Heartbeat says that the attempt is alive and keeps checkpoint, unless it is nil, for the next attempt. It costs next to
// nothing; what is recorded is bounded. The error, if any, is why to stop: the activity was cancelled, timed out, or its
// run was closed.
func Heartbeat(ctx context.Context, checkpoint any) error {
	h := handOf(ctx)
	if h == nil {
		return nil
	}
	var p history.Payload
	if checkpoint != nil {
		var err error
		if p, err = history.Encode(checkpoint); err != nil {
			return NonRetryable(err)
		}
	}
	if err := h.Beat(p); err != nil {
		return err
	}
	return context.Cause(ctx)
}

// Checkpoint returns the last checkpoint of this or an earlier attempt. ok is false if there is none that a C can hold.
func Checkpoint[C any](ctx context.Context) (c C, ok bool) {
	h := handOf(ctx)
	if h == nil {
		return c, false
	}
	p := h.Checkpoint()
	if p.Absent() || p.Decode(&c) != nil {
		var none C
		return none, false
	}
	return c, true
}

// Token is what completes this attempt from outside; see [Pending]. It is good for this attempt only and works once.
func Token(ctx context.Context) string {
	if h := handOf(ctx); h != nil {
		return h.Token()
	}
	return ""
}

// Hand is what a runtime gives to an attempt with its context. Authors use the functions above instead.
type Hand struct {
	Attempt
	Beat       func(history.Payload) error
	Checkpoint func() history.Payload
	Token      func() string
	Files      Files // nil: there is no place for files
}

type handKey struct{}

// WithHand gives an attempt its hand. It is for runtimes.
func WithHand(ctx context.Context, h *Hand) context.Context {
	return context.WithValue(ctx, handKey{}, h)
}

func handOf(ctx context.Context) *Hand {
	h, _ := ctx.Value(handKey{}).(*Hand)
	return h
}
