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

// A reader walks over JSON once, from front to back. The first error stays.
type reader struct {
	b       []byte
	i       int
	err     error
	encoded bool    // a payload that is no plain JSON was read
	pending []named // sums read, bytes still to come
	first   [2]named
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

// word is text, for what is most likely one of the words that most entries hold: those make no new string.
func (r *reader) word() string {
	raw, ok := r.quoted()
	if !ok {
		return r.text()
	}
	switch string(raw) {
	case "seq":
		return "seq"
	case "at":
		return "at"
	case "by":
		return "by"
	case "node":
		return "node"
	case "build":
		return "build"
	case "told":
		return "told"
	case "request":
		return "request"
	case "kind":
		return "kind"
	case "event":
		return "event"
	case "payloads":
		return "payloads"
	case "hash":
		return "hash"
	case "namespace":
		return "namespace"
	case "id":
		return "id"
	case "run":
		return "run"
	case "number":
		return "number"
	case "type":
		return "type"
	case "seed":
		return "seed"
	case "origin":
		return "origin"
	case "step":
		return "step"
	case "name":
		return "name"
	case "input":
		return "input"
	case "result":
		return "result"
	case "value":
		return "value"
	case "serial":
		return "serial"
	case "attempt":
		return "attempt"
	case "started":
		return "started"
	case "checkpoint":
		return "checkpoint"
	case "failure":
		return "failure"
	case "limit":
		return "limit"
	case "retry_at":
		return "retry_at"
	case "after":
		return "after"
	case "due":
		return "due"
	case "beat":
		return "beat"
	case "policy":
		return "policy"
	case "activity-scheduled":
		return "activity-scheduled"
	case "activity-completed":
		return "activity-completed"
	case "activity-failed":
		return "activity-failed"
	case "attempt-failed":
		return "attempt-failed"
	case "attempt-started":
		return "attempt-started"
	case "heartbeat":
		return "heartbeat"
	case "timer-started":
		return "timer-started"
	case "timer-fired":
		return "timer-fired"
	case "timer-cancelled":
		return "timer-cancelled"
	case "signaled":
		return "signaled"
	case "kept":
		return "kept"
	case "completed":
		return "completed"
	case "continued":
		return "continued"
	case "child-asked":
		return "child-asked"
	case "child-started":
		return "child-started"
	case "child-closed":
		return "child-closed"
	case "client":
		return "client"
	case "worker":
		return "worker"
	case "clock":
		return "clock"
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
	return r.sumOf(raw, ok)
}

func (r *reader) sumOf(raw []byte, ok bool) (s [32]byte) {
	if r.err == nil && (!ok || len(raw) != sumSize) {
		r.fail("want a sum of %d characters", sumSize)
	}
	if r.err == nil {
		if _, err := base64.RawURLEncoding.Strict().Decode(s[:], raw); err != nil {
			r.fail("%v", err)
		}
	}
	return s
}

// payload reads a sum and, behind a space, the encoding if it is not JSON.
func (r *reader) payload(k string, p *Payload) {
	raw, ok := r.quoted()
	if ok && len(raw) > sumSize && raw[sumSize] == ' ' {
		p.Encoding, r.encoded = string(raw[sumSize+1:]), true
		if err := checkEncoding(p.Encoding); err != nil {
			r.fail("%v", err)
		}
		raw = raw[:sumSize]
	}
	p.Sum = r.sumOf(raw, ok)
	if r.err == nil && p.Absent() {
		r.fail("the sum of a payload is zero")
	}
	if slices.ContainsFunc(r.pending, func(n named) bool { return n.name == k }) {
		r.fail("the payload %q stands here twice", k)
	}
	if r.pending == nil {
		r.pending = r.first[:0]
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

func (r *reader) nums() (all []uint64) {
	r.list(func() { all = append(all, r.num()) })
	return all
}
