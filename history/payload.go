package history

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"iter"
	"strings"
)

// Sum is the SHA-256 of a payload's bytes as they are stored.
type Sum [sha256.Size]byte

func (s Sum) String() string { return base64.RawURLEncoding.EncodeToString(s[:]) }

// ParseSum reads what [Sum.String] wrote.
func ParseSum(text string) (s Sum, err error) {
	if len(text) != sumSize {
		return s, fmt.Errorf("history: %q is no sum, want %d characters of base64url", text, sumSize)
	}
	if _, err := base64.RawURLEncoding.Strict().Decode(s[:], []byte(text)); err != nil {
		return s, fmt.Errorf("history: %q is no sum: %w", text, err)
	}
	return s, nil
}

const sumSize = 43 // characters

// Payload is a value of the author's, encoded. The history's hashes cover its Sum and its Encoding and not its bytes, so
// that bytes can be taken away later and the history still verifies. The zero Payload is absent.
type Payload struct {
	Data []byte // a JSON text: the value, or with an Encoding a string that holds its bytes in base64
	Sum  Sum    // of Data

	// Encoding says how the value became bytes; empty means as JSON. With a "+" in it the payload is closed: the first part
	// says how the value became bytes, or is "json", and each that follows what was done to them then.
	Encoding string
}

// JSON makes a payload of a JSON text. The payload keeps data.
func JSON(data []byte) Payload { return Payload{Data: data, Sum: sha256.Sum256(data)} }

// Encoded makes a payload of a value's bytes in another encoding than JSON.
func Encoded(encoding string, value []byte) (Payload, error) {
	data := make([]byte, 0, base64.StdEncoding.EncodedLen(len(value))+2)
	data = append(data, '"')
	data = base64.StdEncoding.AppendEncode(data, value)
	return Reference(encoding, append(data, '"'))
}

// Reference makes a closed payload whose bytes are kept elsewhere, of the JSON string that says where.
func Reference(encoding string, data []byte) (Payload, error) {
	if err := checkEncoding(encoding); err != nil {
		return Payload{}, fmt.Errorf("history: %w", err)
	}
	return Payload{Data: data, Sum: sha256.Sum256(data), Encoding: encoding}, nil
}

// Value returns the bytes of the value: the JSON text, or what the base64 of another encoding stands for.
func (p Payload) Value() ([]byte, error) {
	if p.Encoding == "" || p.Data == nil {
		return p.Data, nil
	}
	text, opens := bytes.CutPrefix(p.Data, quote)
	text, ends := bytes.CutSuffix(text, quote)
	if !opens || !ends {
		return nil, fmt.Errorf("history: a payload in the encoding %s is no string", p.Encoding)
	}
	value := make([]byte, base64.StdEncoding.DecodedLen(len(text)))
	n, err := base64.StdEncoding.Strict().Decode(value, text)
	if err != nil {
		return nil, fmt.Errorf("history: a payload in the encoding %s is no base64: %w", p.Encoding, err)
	}
	return value[:n], nil
}

var quote = []byte(`"`)

// Absent reports whether there never was a value, which is not the same as a value that was taken away.
func (p Payload) Absent() bool { return p.Sum == Sum{} }

// Redacted reports whether the bytes were taken away.
func (p Payload) Redacted() bool { return !p.Absent() && p.Data == nil }

// Closed reports whether the value is compressed, encrypted or kept elsewhere, and cannot be read before it was opened.
func (p Payload) Closed() bool { return strings.Contains(p.Encoding, "+") }

// Intact reports whether the bytes are those that were summed, or were taken away on purpose.
func (p Payload) Intact() bool { return p.Data == nil || sha256.Sum256(p.Data) == p.Sum }

// Size is the number of bytes.
func (p Payload) Size() int { return len(p.Data) }

// same reports whether p and q are one payload. Bytes are told apart by their sums.
func (p Payload) same(q Payload) bool {
	return p.Sum == q.Sum && p.Encoding == q.Encoding && (p.Data == nil) == (q.Data == nil)
}

// Payloads are the payloads of an event that are not absent, by the names of their fields.
func Payloads(e Event) iter.Seq2[string, Payload] {
	return func(yield func(string, Payload) bool) {
		w := writer{b: []byte("{")}
		e.put(&w)
		for _, n := range w.payloads {
			if !yield(n.name, *n.payload) {
				return
			}
		}
	}
}

// WithPayloads returns e with its payloads changed: e itself if change returns all as they were, else another event like
// it. Absent payloads are not shown to change, and it must not return one.
func WithPayloads(e Event, change func(field string, p Payload) (Payload, error)) (Event, error) {
	var buf [256]byte
	w := writer{b: append(buf[:0], '{'), change: change}
	e.put(&w)
	if w.err != nil || !w.changed {
		return e, w.err
	}
	w.b = append(w.b, '}')
	r := reader{b: w.b}
	copied := newEvent(e.Kind())
	r.object(func(key string) bool { return copied.take(&r, key) })
	if r.err != nil || len(r.pending) != len(w.payloads) {
		panic(fmt.Sprintf("history: %s is not read as it is written: %v", e.Kind(), r.err))
	}
	for i, n := range w.payloads { // both are in the order in which they are written
		r.pending[i].payload.Data = n.payload.Data
	}
	return copied, nil
}

const maxEncoding = 100

// checkEncoding says what is wrong with the name of an encoding. "json" alone is the empty name's.
func checkEncoding(encoding string) error {
	if encoding == "" || len(encoding) > maxEncoding || encoding == "json" {
		return fmt.Errorf(`%q is no encoding, want a name of 1 to %d characters other than "json"`, encoding, maxEncoding)
	}
	part := 0
	for i := range len(encoding) {
		switch c := encoding[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '-', c == '.', c == ':':
			part++
			continue
		case c == '+' && part > 0:
			part = 0
			continue
		}
		return fmt.Errorf("%q is no encoding, want letters, digits, '-', '.' and ':', in parts with '+' between", encoding)
	}
	if part == 0 {
		return fmt.Errorf("%q is no encoding: nothing follows the last '+'", encoding)
	}
	return nil
}

var null = []byte("null")

// isRedaction reports whether data stands for bytes that were taken away: a null whose sum is another value's.
func (p Payload) isRedaction(data []byte) bool {
	return bytes.Equal(data, null) && (p.Sum != nullSum || p.Encoding != "")
}

var nullSum = Sum(sha256.Sum256(null))
