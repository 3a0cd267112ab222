package history

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strconv"
	"time"
	"unicode/utf8"
)

// A writer appends JSON. Fields that hold their zero value are left out.
type writer struct {
	encoded  bool // a payload that is no plain JSON was written
	b        []byte
	payloads []named

	change  func(field string, p Payload) (Payload, error) // nil: payloads are written as they are
	changed bool
	err     error // the first of change
}

// named is a payload and the name of the field that refers to it, which no other field of the event has.
type named struct {
	name    string
	payload *Payload
}

func (w *writer) key(k string) {
	if last := w.b[len(w.b)-1]; last != '{' && last != '[' {
		w.b = append(w.b, ',')
	}
	w.b = append(w.b, '"')
	w.b = append(w.b, k...)
	w.b = append(w.b, '"', ':')
}

func (w *writer) text(k, v string) {
	if v != "" {
		w.key(k)
		w.b = appendText(w.b, v)
	}
}

func (w *writer) texts(k string, vs []string) {
	if len(vs) == 0 {
		return
	}
	w.key(k)
	w.b = append(w.b, '[')
	for i, v := range vs {
		if i > 0 {
			w.b = append(w.b, ',')
		}
		w.b = appendText(w.b, v)
	}
	w.b = append(w.b, ']')
}

func (w *writer) num(k string, v uint64) {
	if v != 0 {
		w.key(k)
		w.b = strconv.AppendUint(w.b, v, 10)
	}
}

func (w *writer) int(k string, v int) {
	if v != 0 {
		w.key(k)
		w.b = strconv.AppendInt(w.b, int64(v), 10)
	}
}

// anyReal writes zero too.
func (w *writer) anyReal(k string, v float64) {
	w.key(k)
	w.b = strconv.AppendFloat(w.b, v, 'g', -1, 64)
}

func (w *writer) flag(k string, v bool) {
	if v {
		w.key(k)
		w.b = append(w.b, "true"...)
	}
}

func (w *writer) time(k string, v time.Time) {
	if !v.IsZero() {
		w.key(k)
		w.b = append(w.b, '"')
		w.b = v.UTC().AppendFormat(w.b, time.RFC3339Nano)
		w.b = append(w.b, '"')
	}
}

func (w *writer) dur(k string, v time.Duration) {
	if v != 0 {
		w.text(k, v.String())
	}
}

// payload writes the sum and the encoding; the bytes follow after the event, under the same name.
func (w *writer) payload(k string, p Payload) {
	if p.Absent() || w.err != nil {
		return
	}
	if w.change != nil {
		p = w.replaced(k, p)
	}
	w.key(k)
	w.b = append(w.b, '"')
	w.b = base64.RawURLEncoding.AppendEncode(w.b, p.Sum[:])
	if p.Encoding != "" {
		w.encoded = true
		if err := checkEncoding(p.Encoding); err != nil {
			panic(fmt.Sprintf("history: the payload %q: %v", k, err)) // its constructors refuse it
		}
		w.b = append(w.b, ' ')
		w.b = append(w.b, p.Encoding...)
	}
	w.b = append(w.b, '"')
	w.payloads = append(w.payloads, named{k, &p})
}

// replaced is what is written instead of p; p if it cannot be.
func (w *writer) replaced(k string, p Payload) Payload {
	q, err := w.change(k, p)
	if err == nil && q.Absent() {
		err = fmt.Errorf("history: the payload %q was to be replaced by none", k)
	}
	if err == nil && q.Encoding != "" {
		err = checkEncoding(q.Encoding)
	}
	if err != nil {
		w.err = err
		return p
	}
	w.changed = w.changed || !q.same(p)
	return q
}

func (w *writer) object(k string, fields func()) {
	w.key(k)
	w.b = append(w.b, '{')
	fields()
	w.b = append(w.b, '}')
}

// list writes n objects.
func (w *writer) list(k string, n int, fields func(i int)) {
	w.key(k)
	w.b = append(w.b, '[')
	for i := range n {
		if i > 0 {
			w.b = append(w.b, ',')
		}
		w.b = append(w.b, '{')
		fields(i)
		w.b = append(w.b, '}')
	}
	w.b = append(w.b, ']')
}

func appendText(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c >= utf8.RuneSelf || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' {
			quoted, _ := json.Marshal(s) // a string always encodes
			return append(b, quoted...)
		}
	}
	b = append(b, '"')
	b = append(b, s...)
	return append(b, '"')
}

func (w *writer) nums(k string, vs []uint64) {
	if len(vs) == 0 {
		return
	}
	w.key(k)
	w.b = append(w.b, '[')
	for i, v := range vs {
		if i > 0 {
			w.b = append(w.b, ',')
		}
		w.b = strconv.AppendUint(w.b, v, 10)
	}
	w.b = append(w.b, ']')
}
