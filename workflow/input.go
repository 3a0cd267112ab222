package workflow

import (
	"encoding/json"
	"reflect"
	"strings"
	"time"

	"github.com/clewflow/clew/commands"
	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/query"
)

// inputTag declares a field of an input type to be found by: `find:"total"`.
const inputTag = "find"

// InputSettings are the fields of an input that its type declares to be found by, with the tag `find:"name"` on fields of a struct:
// texts, whole numbers, floats, bools, times, durations, lists of texts, and pointers to them. They are kept like attributes, in the
// clear, under names that begin with "input.", for each run anew.
func InputSettings(in any) (all []Setting) {
	v := reflect.ValueOf(in)
	for v.Kind() == reflect.Pointer && !v.IsNil() {
		v = v.Elem()
	}
	if v.Kind() != reflect.Struct {
		return nil
	}
	for i := range v.NumField() {
		name := v.Type().Field(i).Tag.Get(inputTag)
		if name == "" || !v.Type().Field(i).IsExported() {
			continue
		}
		all = append(all, inputSetting(name, v.Field(i)))
	}
	return all
}

// inputFields are the fields of the input of a definition; nil: there are none.
func inputFields[In any]() *InputFields {
	t := reflect.TypeFor[In]()
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct {
		return nil
	}
	f := &InputFields{Of: func(input history.Payload) map[string]json.RawMessage {
		var in In
		if input.Decode(&in) != nil {
			return nil
		}
		var s Settings
		for _, field := range InputSettings(in) {
			field.Set(&s)
		}
		if s.Err != nil {
			return nil
		}
		return s.Attributes
	}}
	for i := range t.NumField() {
		if name := t.Field(i).Tag.Get(inputTag); name != "" && t.Field(i).IsExported() {
			f.Names = append(f.Names, query.InputPrefix+name)
		}
	}
	if f.Names == nil {
		return nil
	}
	return f
}

// InputFields are the fields of inputs by which the runs of a workflow are found.
type InputFields struct {
	Names []string                                         // of attributes
	Of    func(history.Payload) map[string]json.RawMessage // their values; nil if an input cannot be read
}

func inputSetting(name string, v reflect.Value) Setting {
	a := Attribute[string]{query.InputPrefix + name}
	if v.Kind() == reflect.Pointer {
		if v.IsNil() {
			return a.Unset()
		}
		v = v.Elem()
	}
	plain, ok := plainOf(v)
	if !ok {
		return Setting{a.name, nil, &commands.Invalid{Field: "the input field " + name, Value: v.Type().String(), Want: "a type that attributes have, for one with the tag find"}}
	}
	value, err := query.AttributeJSON(plain)
	return Setting{a.name, value, a.wrong(err)}
}

// plainOf is a value as an attribute can be.
func plainOf(v reflect.Value) (any, bool) {
	switch t := v.Interface().(type) {
	case time.Time, time.Duration, []string, json.Number:
		return t, true
	}
	switch {
	case v.Kind() == reflect.String:
		return v.String(), true
	case v.CanInt():
		return v.Int(), true
	case v.CanUint():
		return v.Uint(), true
	case v.CanFloat():
		return v.Float(), true
	case v.Kind() == reflect.Bool:
		return v.Bool(), true
	}
	return nil, false
}

// ofInput says whose name it is that an attribute must not have.
func ofInput(name string) error {
	if strings.HasPrefix(name, query.InputPrefix) {
		return &commands.Invalid{Field: "the name of an attribute", Value: name, Want: `one that does not begin with "input.", which fields of inputs do`}
	}
	return nil
}
