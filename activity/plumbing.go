package activity

import (
	"github.com/clewflow/clew/history"
)

// What package workflow and the runtime need of definitions. Authors do not.

// Call is an activity as a workflow asks for it.
type Call struct {
	Name   string
	Queue  string
	Policy *history.Policy
}

// Resolve merges the definition of t with the options of a call.
func Resolve[In, Out any](t Type[In, Out], opts []Option) (Call, error) {
	d := t.def
	if d == nil {
		return Call{}, errZero
	}
	if len(opts) == 0 {
		return Call{d.name, d.settings.queue, d.policy}, d.err
	}
	s := d.settings
	s.apply(opts)
	p, err := s.policy()
	return Call{d.name, s.queue, p}, err
}

// A Body is a definition and, if there is one here, its handler.
type Body struct {
	Name     string
	Handler  Handler // nil: declared only
	External bool    // needs no handler
	Err      error   // what is wrong with the definition
}

// BodyOf returns the body of a Type or a Binding; ok is false for anything else.
func BodyOf(definition any) (b Body, ok bool) {
	if d, ok := definition.(interface{ body() Body }); ok {
		return d.body(), true
	}
	return Body{}, false
}

func (t Type[In, Out]) body() Body {
	if t.def == nil {
		return Body{Err: errZero}
	}
	return Body{t.def.name, t.def.handler, t.def.external, t.def.err}
}

func (b Binding) body() Body {
	if b.def.name == "" && b.handler == nil {
		return Body{Err: errZero}
	}
	return Body{b.def.name, b.handler, b.def.external, b.def.err}
}

// CodeOf is the code of the first registered error in the chain of err.
func CodeOf(err error) string { return firstCode(err) }

// Around is d, which is a Type or a Binding of this package, with a handler around its own. ok is false for anything else
// and for what has no body.
func Around(d any, around func(Handler) Handler) (b Binding, ok bool) {
	switch d := d.(type) {
	case Binding:
		b = d
	case interface{ binding() Binding }:
		b = d.binding()
	}
	if b.handler == nil {
		return b, false
	}
	b.handler = around(b.handler)
	return b, true
}

func (t Type[In, Out]) binding() Binding {
	if t.def == nil {
		return Binding{}
	}
	return Binding{t.def, t.def.handler}
}
