package workflow

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/clewflow/clew/commands"
	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/query"
)

// AttributeValue is what an attribute can be.
type AttributeValue interface {
	string | int | int64 | float64 | bool | time.Time | time.Duration | []string
}

// Attribute is something by which runs are found, shared by those who set it and those who search. Attributes are kept in
// the index in the clear: put no secrets there.
type Attribute[T AttributeValue] struct{ name string }

// NewAttribute names an attribute.
func NewAttribute[T AttributeValue](name string) Attribute[T] { return Attribute[T]{name} }

// Name is the name in the index.
func (a Attribute[T]) Name() string { return a.name }

// Set is the attribute with a value, for a start or for [SetAttributes]. A number that is not finite, a time beyond the year 9999
// and text that is no UTF-8 cannot be kept: a start says ErrInvalid, SetAttributes stalls the run.
func (a Attribute[T]) Set(v T) Setting {
	if err := ofInput(a.name); err != nil {
		return Setting{a.name, nil, err}
	}
	value, err := query.AttributeJSON(v)
	return Setting{a.name, value, a.wrong(err)}
}

// Column is the attribute in questions: Env.Column().Is("uat").
func (a Attribute[T]) Column() query.Column[T] { return query.Attr[T](a.name) }

// Unset takes the attribute away.
func (a Attribute[T]) Unset() Setting { return Setting{a.name, json.RawMessage("null"), nil} }

// wrong says of which attribute a value cannot be kept.
func (a Attribute[T]) wrong(err error) error {
	var invalid *query.Invalid
	if errors.As(err, &invalid) {
		return &commands.Invalid{Field: "attribute " + a.name, Value: invalid.Value, Want: invalid.Want}
	}
	return err
}

// Of is the attribute's value in a row; ok is false if the run has none of this type.
func (a Attribute[T]) Of(row query.Row) (v T, ok bool) {
	value, ok := row.Attributes[a.name]
	if !ok {
		return v, false
	}
	v, ok = query.AttributeOf[T](value)
	return v, ok
}

// Setting is an attribute with its value. It is an [Option].
type Setting struct {
	name  string
	value json.RawMessage
	err   error // what is wrong with the value, which then is none
}

// Set makes a Setting an [Option].
func (t Setting) Set(s *Settings) {
	if t.err != nil {
		s.Err = errors.Join(s.Err, t.err)
		return
	}
	if s.Attributes == nil {
		s.Attributes = map[string]json.RawMessage{}
	}
	s.Attributes[t.name] = t.value
}

// SetChild makes a Setting a [ChildOption].
func (t Setting) SetChild(s *Settings) { t.Set(s) }

// SetAttributes changes what the run can be found by. At most 64 attributes, names of 64 bytes and values of 2 KiB; more
// stalls the run.
func SetAttributes(ctx Context, settings ...Setting) {
	if len(settings) == 0 {
		return
	}
	var s Settings
	for _, t := range settings {
		t.Set(&s)
	}
	err := s.Err
	if err == nil {
		err = ctx.run.driver.SetAttributes(s.Attributes)
	}
	if err != nil {
		panic(stall("SetAttributes: %v", err))
	}
	ctx.run.ask(commands.SetAttributes{Attributes: history.Attributes(s.Attributes).Payload()})
}

const maxView = 16 << 10

// Publish makes view what is shown of the run to those who ask without running its code, also when it has ended; see
// runtime.Published. At most 16 KiB as JSON; more stalls the run.
func Publish(ctx Context, view any) {
	p, err := history.Encode(view)
	if err == nil && p.Size() > maxView {
		err = &commands.Invalid{Field: "the published view", Value: fmt.Sprintf("%d bytes", p.Size()), Want: "at most 16 KiB"}
	}
	if err != nil {
		panic(stall("Publish: %v", errors.Join(err)))
	}
	ctx.run.ask(commands.Publish{View: p})
}
