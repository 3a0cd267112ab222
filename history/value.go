package history

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
)

// Encoder is a type that has another encoding than JSON, such as a message of protobuf. EncodePayload returns its name, of
// letters, digits, '-', '.' and ':', and the bytes. The same value must always have the same bytes: replay compares them.
// Only whole values are asked, not the fields of others.
type Encoder interface {
	EncodePayload() (encoding string, value []byte, err error)
}

// Decoder reads what an [Encoder] wrote. What was recorded as JSON, before the type had an encoding of its own, is read as
// JSON.
type Decoder interface {
	DecodePayload(encoding string, value []byte) error
}

// Encode makes a payload of a value of the author's: as JSON, unless it, or a pointer to it, is an [Encoder]. A nil pointer
// is null.
func Encode(v any) (Payload, error) {
	if e := encoderOf(v); e != nil {
		return encodeBy(e)
	}
	data, err := json.Marshal(v)
	if err != nil {
		return Payload{}, fmt.Errorf("clew: %T cannot be encoded as JSON: %w", v, err)
	}
	return JSON(data), nil
}

func encoderOf(v any) Encoder {
	t := reflect.TypeOf(v)
	if t == nil {
		return nil
	}
	if e, ok := v.(Encoder); ok {
		if t.Kind() == reflect.Pointer && reflect.ValueOf(v).IsNil() {
			return nil
		}
		return e
	}
	if t.PkgPath() == "" || !reflect.PointerTo(t).Implements(reflect.TypeFor[Encoder]()) {
		return nil
	}
	p := reflect.New(t)
	p.Elem().Set(reflect.ValueOf(v))
	return p.Interface().(Encoder)
}

func encodeBy(e Encoder) (Payload, error) {
	encoding, value, err := e.EncodePayload()
	if err != nil {
		return Payload{}, fmt.Errorf("clew: %T cannot be encoded: %w", e, err)
	}
	if strings.Contains(encoding, "+") {
		return Payload{}, fmt.Errorf("clew: %T cannot be encoded: %q is no name of an encoding of a type's own, want one without '+'", e, encoding)
	}
	p, err := Encoded(encoding, value)
	if err != nil {
		return p, fmt.Errorf("clew: %T cannot be encoded: %w", e, err)
	}
	return p, nil
}

// Decode reads a payload into what v points to. An absent payload leaves it as it is. Unknown fields are passed over, new
// ones stay zero. A payload that was redacted, or is closed and was not opened, is an error.
func (p Payload) Decode(v any) error {
	switch {
	case p.Absent():
		return nil
	case p.Redacted():
		return fmt.Errorf("clew: a value of %T was redacted", v)
	case p.Closed():
		return fmt.Errorf("clew: a value of %s cannot be read: it is %s", typeOf(v), closedText(p))
	case p.Encoding != "":
		return p.decodeBy(v)
	}
	if err := json.Unmarshal(p.Data, v); err != nil {
		return fmt.Errorf("clew: what is recorded cannot be decoded into %s: %w", typeOf(v), err)
	}
	return nil
}

// decodeBy lets what v points to read an encoding of its own. If that is a pointer, as messages of protobuf are passed, it
// gets something to point to.
func (p Payload) decodeBy(v any) error {
	d, ok := v.(Decoder)
	var into, made reflect.Value
	if t := reflect.TypeOf(v); !ok && t != nil && t.Kind() == reflect.Pointer && t.Elem().Kind() == reflect.Pointer && t.Elem().Implements(reflect.TypeFor[Decoder]()) {
		into, made = reflect.ValueOf(v).Elem(), reflect.New(t.Elem().Elem())
		d, ok = made.Interface().(Decoder)
	}
	if !ok {
		return fmt.Errorf("clew: what is recorded is encoded as %s, which %s cannot read: it has no method DecodePayload", p.Encoding, typeOf(v))
	}
	value, err := p.Value()
	if err == nil {
		err = d.DecodePayload(p.Encoding, value)
	}
	if err != nil {
		return fmt.Errorf("clew: what is recorded, encoded as %s, cannot be decoded into %s: %w", p.Encoding, typeOf(v), err)
	}
	if into.IsValid() {
		into.Set(made)
	}
	return nil
}

func typeOf(v any) string { return strings.TrimPrefix(fmt.Sprintf("%T", v), "*") }

func closedText(p Payload) string {
	return fmt.Sprintf("closed (%s) and was not opened here; a vault with its codecs and keys opens it", p.Encoding)
}
