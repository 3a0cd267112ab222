package activity

import (
	"errors"
	"time"

	"github.com/clewflow/clew/commands"
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
	s, asked := d.settings, Settings{}
	s.apply(opts)
	asked.apply(opts)
	if asked.limited {
		return Call{Name: d.name}, &commands.Invalid{Field: "Limit", Value: "given to a call", Want: "at the definition: it is the same for all calls"}
	}
	p, err := s.policy()
	if p != nil {
		p.From.Definition, p.From.Asked = d.settings.says(), asked.says()
	}
	return Call{d.name, s.queue, p}, err
}

// Inline is the call of an activity without a definition, of which an attempt may take as long as within unless the options say otherwise.
func Inline(name string, within time.Duration, opts []Option) (Call, error) {
	s, asked := Settings{}, Settings{}
	s.base.StartToClose = within
	s.apply(opts)
	asked.apply(opts)
	p, err := s.policy()
	if p != nil {
		p.From.Definition, p.From.Asked = 0, asked.says()
	}
	return Call{name, s.queue, p}, errors.Join(err, s.checkLimit())
}

// Resolved is [Resolve] with the key that the definition works out from the input.
func Resolved[In, Out any](t Type[In, Out], in In, opts []Option) (Call, error) {
	call, err := Resolve(t, opts)
	if err != nil || t.def.settings.keyOf == nil || call.Policy.From.Asked&history.KeyField != 0 {
		return call, err
	}
	p := *call.Policy
	if p.Admission.Key, err = t.def.settings.keyOf(in); err != nil {
		return call, err
	}
	p.From.Definition |= history.KeyField
	call.Policy = &p
	return call, checkAdmission(&p.Admission)
}

// A Body is a definition and, if there is one here, its handler.
type Body struct {
	Name     string
	Handler  Handler // nil: declared only
	External bool    // needs no handler
	Limit    history.Rule
	Holds    func(result history.Payload) error // why a value is no result of it
	Err      error                              // what is wrong with the definition
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
	return Body{t.def.name, t.def.handler, t.def.external, t.def.settings.limit, t.def.holds, t.def.err}
}

func (b Binding) body() Body {
	if b.def.name == "" && b.handler == nil {
		return Body{Err: errZero}
	}
	return Body{b.def.name, b.handler, b.def.external, b.def.settings.limit, b.def.holds, b.def.err}
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
