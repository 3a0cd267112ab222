package history

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"
)

// A writer appends JSON. Fields that hold their zero value are left out.
type writer struct {
	b        []byte
	payloads []named
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

// payload writes the sum; the bytes follow after the event, under the same name.
func (w *writer) payload(k string, p Payload) {
	if p.Absent() {
		return
	}
	w.key(k)
	w.b = append(w.b, '"')
	w.b = base64.RawURLEncoding.AppendEncode(w.b, p.Sum[:])
	w.b = append(w.b, '"')
	w.payloads = append(w.payloads, named{k, &p})
}

func (w *writer) object(k string, fields func()) {
	w.key(k)
	w.b = append(w.b, '{')
	fields()
	w.b = append(w.b, '}')
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

// A reader walks over JSON once, from front to back. The first error stays.
type reader struct {
	b       []byte
	i       int
	err     error
	pending []named // sums read, bytes still to come
}

var errDepth = errors.New("nested too deeply")

func (r *reader) fail(format string, args ...any) {
	if r.err == nil {
		r.err = fmt.Errorf("byte %d: %s", r.i, fmt.Sprintf(format, args...))
	}
}

func (r *reader) peek() byte {
	for r.i < len(r.b) {
		switch c := r.b[r.i]; c {
		case ' ', '\t', '\n', '\r':
			r.i++
		default:
			return c
		}
	}
	return 0
}

func (r *reader) expect(c byte) bool {
	if r.err != nil {
		return false
	}
	if got := r.peek(); got != c {
		r.fail("want %q", c)
		return false
	}
	r.i++
	return true
}

// object calls field with each key; field reads the value or reports false, which skips it.
func (r *reader) object(field func(key string) bool) {
	if !r.expect('{') {
		return
	}
	if r.peek() == '}' {
		r.i++
		return
	}
	for r.err == nil {
		key := r.word()
		if !r.expect(':') {
			return
		}
		r.peek()
		if r.err == nil && !field(key) {
			r.skip()
		}
		if r.err != nil {
			return
		}
		if r.peek() == '}' {
			r.i++
			return
		}
		r.expect(',')
		r.peek()
	}
}

func (r *reader) list(element func()) {
	if !r.expect('[') {
		return
	}
	if r.peek() == ']' {
		r.i++
		return
	}
	for r.err == nil {
		r.peek()
		element()
		if r.err != nil {
			return
		}
		if r.peek() == ']' {
			r.i++
			return
		}
		r.expect(',')
	}
}

// quoted returns the raw inside of a string without escapes, or ok false if it has some.
func (r *reader) quoted() (raw []byte, ok bool) {
	if r.peek() != '"' {
		r.fail("want a string")
		return nil, true
	}
	for j := r.i + 1; j < len(r.b); j++ {
		switch c := r.b[j]; {
		case c == '"':
			raw = r.b[r.i+1 : j]
			r.i = j + 1
			return raw, true
		case c == '\\' || c < ' ' || c >= utf8.RuneSelf:
			return nil, false
		}
	}
	r.fail("a string does not end")
	return nil, true
}

func (r *reader) text() (s string) {
	raw, ok := r.quoted()
	if ok {
		return string(raw)
	}
	data := r.raw()
	if r.err == nil {
		if err := json.Unmarshal(data, &s); err != nil {
			r.fail("%v", err)
		}
	}
	return s
}

// words are the strings that most entries hold. Reading one of them makes no new string.
var words = func() map[string]string {
	all := map[string]string{}
	for _, w := range []string{
		"seq", "at", "by", "build", "told", "request", "kind", "event", "payloads", "hash", "namespace", "id", "run", "number", "type",
		"seed", "origin", "step", "name", "input", "result", "value", "serial", "attempt", "started", "checkpoint", "failure", "limit",
		"retry_at", "after", "due", "beat", "policy", "activity-scheduled", "activity-completed", "activity-failed", "attempt-failed",
		"attempt-started", "heartbeat", "timer-started", "timer-fired", "timer-cancelled", "signaled", "kept", "completed", "client",
		"worker", "clock",
	} {
		all[w] = w
	}
	return all
}()

// word is text, for what is most likely one of the words.
func (r *reader) word() string {
	raw, ok := r.quoted()
	if !ok {
		return r.text()
	}
	if w, known := words[string(raw)]; known {
		return w
	}
	return string(raw)
}

func (r *reader) texts() (all []string) {
	r.list(func() { all = append(all, r.text()) })
	return all
}

func (r *reader) number() string {
	start := r.i
	for r.i < len(r.b) {
		switch c := r.b[r.i]; {
		case c >= '0' && c <= '9', c == '-', c == '+', c == '.', c == 'e', c == 'E':
			r.i++
			continue
		}
		break
	}
	return string(r.b[start:r.i])
}

func (r *reader) num() (n uint64) {
	start := r.i
	for r.i < len(r.b) && r.b[r.i] >= '0' && r.b[r.i] <= '9' {
		d := uint64(r.b[r.i] - '0')
		if n > (1<<64-1-d)/10 {
			r.fail("the number is too large")
			return 0
		}
		n = n*10 + d
		r.i++
	}
	if r.i == start {
		r.fail("want a number")
	}
	return n
}

func (r *reader) int() int {
	n, err := strconv.Atoi(r.number())
	if err != nil {
		r.fail("want a whole number")
	}
	return n
}

func (r *reader) real() float64 {
	n, err := strconv.ParseFloat(r.number(), 64)
	if err != nil {
		r.fail("want a number")
	}
	return n
}

func (r *reader) flag() bool {
	switch string(r.raw()) {
	case "true":
		return true
	case "false":
		return false
	}
	r.fail("want true or false")
	return false
}

func (r *reader) time() time.Time {
	t, err := time.Parse(time.RFC3339Nano, r.text())
	t = t.UTC()
	switch year := t.Year(); {
	case err != nil:
		r.fail("%v", err)
	case year < 1 || year > 9999: // an offset can lead out of what can be written
		r.fail("the year %d cannot be written", year)
	}
	return t
}

func (r *reader) dur() time.Duration {
	d, err := time.ParseDuration(r.text())
	if err != nil {
		r.fail("%v", err)
	}
	return d
}

func (r *reader) sum() (s [32]byte) {
	raw, ok := r.quoted()
	if r.err == nil && (!ok || len(raw) != 43) {
		r.fail("want a sum of 43 characters")
	}
	if r.err == nil {
		if _, err := base64.RawURLEncoding.Strict().Decode(s[:], raw); err != nil {
			r.fail("%v", err)
		}
	}
	return s
}

func (r *reader) payload(k string, p *Payload) {
	p.Sum = r.sum()
	if r.err == nil && p.Absent() {
		r.fail("the sum of a payload is zero")
	}
	if slices.ContainsFunc(r.pending, func(n named) bool { return n.name == k }) {
		r.fail("the payload %q stands here twice", k)
	}
	r.pending = append(r.pending, named{k, p})
}

// raw skips a value and returns its bytes.
func (r *reader) raw() []byte {
	r.peek()
	start := r.i
	r.skip()
	return r.b[start:r.i]
}

// skip passes over a value whose shape nobody here needs.
func (r *reader) skip() { r.skipTo(0) }

func (r *reader) skipTo(depth int) {
	if depth > 64 {
		r.fail("%v", errDepth)
		return
	}
	switch r.peek() {
	case '{':
		r.i++
		if r.peek() == '}' {
			r.i++
			return
		}
		for r.err == nil {
			r.peek()
			r.skipText()
			r.expect(':')
			r.skipTo(depth + 1)
			if r.err == nil && r.peek() == '}' {
				r.i++
				return
			}
			r.expect(',')
		}
	case '[':
		r.i++
		if r.peek() == ']' {
			r.i++
			return
		}
		for r.err == nil {
			r.skipTo(depth + 1)
			if r.err == nil && r.peek() == ']' {
				r.i++
				return
			}
			r.expect(',')
		}
	case '"':
		r.skipText()
	default:
		start := r.i
		for r.i < len(r.b) {
			c := r.b[r.i]
			if c == ',' || c == '}' || c == ']' || c == ':' || c == '"' || c <= ' ' {
				break
			}
			r.i++
		}
		if !json.Valid(r.b[start:r.i]) {
			r.fail("want a value")
		}
	}
}

func (r *reader) skipText() {
	if r.peek() != '"' {
		r.fail("want a string")
		return
	}
	for j := r.i + 1; j < len(r.b); j++ {
		switch r.b[j] {
		case '"':
			r.i = j + 1
			return
		case '\\':
			j++
		}
	}
	r.fail("a string does not end")
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

func (r *reader) nums() (all []uint64) {
	r.list(func() { all = append(all, r.num()) })
	return all
}
