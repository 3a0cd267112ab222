package history

import (
	"bytes"
	"errors"
	"fmt"
)

// An entry is written as one line of JSON:
//
//	{"seq":2,"at":"…","by":"worker","told":2,"kind":"activity-completed","event":{"step":1,"result":"<sum>"},"payloads":{"result":"R-1"},"hash":"…"}
//
// Its hash covers the hash of the entry before and every byte up to the end of the event. Payloads stand behind that, so
// the hash covers their sums. The sum of a payload that is not plain JSON is followed by its encoding,
//
//	"result":"<sum> json+zstd+aes-256-gcm:7.mzxw6ytboi4dgnbv"
//
// and its bytes are a string, mostly of base64. Fields a reader does not know are passed over, and kept, because an entry that was read is
// written again as it was.

var (
	// ErrUnreadable says that bytes are no entry.
	ErrUnreadable = errors.New("history: unreadable entry")
	// ErrUnknownKind says that an entry is of a kind that this release does not know, most likely of a later one.
	ErrUnknownKind = errors.New("history: unknown kind of event")
)

// Limits of what is read, so that damaged bytes cannot ask for much.
const maxEntry = 1 << 30

// AppendEntry appends the written form of a sealed entry to b.
func AppendEntry(b []byte, e Entry) []byte {
	if e.wire == nil {
		panic("history: entry " + e.String() + " is written before it was sealed")
	}
	return append(b, e.wire...)
}

// Size is the number of bytes of the written form of a sealed entry.
func (e Entry) Size() int { return len(e.wire) }

func (w *writer) entry(e *Entry) (covered int) {
	w.b = append(w.b, '{')
	w.num("seq", e.Seq)
	w.time("at", e.At)
	w.text("by", string(e.By))
	w.text("node", e.Node)
	w.text("build", e.Build)
	w.num("told", e.Told)
	w.int("unread", e.Unread)
	if e.Adopted != nil {
		e.Adopted.put(w)
	}
	w.text("request", e.Request)
	w.text("kind", e.Event.Kind())
	w.key("event")
	w.b = append(w.b, '{')
	e.Event.put(w)
	w.b = append(w.b, '}')
	covered = len(w.b)
	if len(w.payloads) > 0 {
		w.key("payloads")
		w.b = append(w.b, '{')
		for _, n := range w.payloads {
			w.key(n.name)
			if n.payload.Data == nil {
				w.b = append(w.b, null...)
			}
			w.b = append(w.b, n.payload.Data...)
		}
		w.b = append(w.b, '}')
	}
	return covered
}

func (w *writer) seal(h Hash) {
	w.key("hash")
	w.b = append(w.b, '"')
	w.b = append(w.b, h.String()...)
	w.b = append(w.b, '"', '}')
}

// UnmarshalEntry reads one entry. The entry keeps b. What it returns is either the entry as it was written, or an error
// with [ErrUnreadable] or [ErrUnknownKind] in its chain; with the latter the entry's header is filled in.
func UnmarshalEntry(b []byte) (Entry, error) {
	e := Entry{wire: b}
	if len(b) > maxEntry {
		return e, fmt.Errorf("%w: %d bytes, more than %d", ErrUnreadable, len(b), maxEntry)
	}
	r := reader{b: b}
	var kind string
	var unknown error
	behind := false // the event, up to which the hash covers everything
	r.object(func(key string) bool {
		switch key {
		case "seq", "at", "by", "node", "build", "told", "unread", "adopted", "request", "kind", "event":
			if behind {
				r.fail("%q stands behind the event, where the hash does not cover it", key)
				return true
			}
		}
		switch key {
		case "seq":
			e.Seq = r.num()
		case "at":
			e.At = r.time()
		case "by":
			e.By = Actor(r.word())
		case "node":
			e.Node = r.text()
		case "build":
			e.Build = r.text()
		case "told":
			e.Told = r.num()
		case "unread":
			e.Unread = r.int()
		case "adopted":
			e.Adopted = new(Adopted)
			e.Adopted.take(&r)
		case "request":
			e.Request = r.text()
		case "kind":
			kind = r.word()
		case "event":
			behind = true
			e.Event = newEvent(kind)
			if e.Event == nil {
				unknown = fmt.Errorf("%w %q in entry %d: it was written by another release; read it with that one or a later one", ErrUnknownKind, kind, e.Seq)
				return false
			}
			r.object(func(key string) bool { return e.Event.take(&r, key) })
		case "payloads":
			if unknown != nil {
				return false
			}
			r.bytesOfPayloads()
		case "hash":
			e.Hash = r.sum()
		default:
			return false
		}
		return true
	})
	e.encoded = r.encoded
	if r.peek(); r.err == nil && r.i < len(b) {
		r.fail("more follows after the entry")
	}
	switch {
	case r.err != nil:
		return Entry{Seq: e.Seq}, fmt.Errorf("%w: %v", ErrUnreadable, r.err)
	case unknown != nil:
		return e, unknown
	case e.Event == nil || e.Seq == 0 || e.At.IsZero():
		return Entry{Seq: e.Seq}, fmt.Errorf("%w: seq, at or event is missing", ErrUnreadable)
	case len(r.pending) > 0:
		return Entry{Seq: e.Seq}, fmt.Errorf("%w: %d payloads are missing", ErrUnreadable, len(r.pending))
	}
	return e, nil
}

// bytesOfPayloads gives the payloads whose sums were read their bytes. Those of fields that a later release added are
// passed over like the fields.
func (r *reader) bytesOfPayloads() {
	r.object(func(key string) bool {
		for i, n := range r.pending {
			if n.name != key {
				continue
			}
			data := r.raw()
			switch p := n.payload; {
			case r.err != nil || p.isRedaction(data):
			case p.Encoding != "" && data[0] != '"':
				r.fail("want a string: the payload %q is in the encoding %s", key, p.Encoding)
			default:
				p.Data = data
			}
			r.pending = append(r.pending[:i], r.pending[i+1:]...)
			return true
		}
		return false
	})
}

// split parts the bytes that the hash covers from the payloads behind them.
func split(wire []byte) (covered []byte, payloads []named, err error) {
	e, err := UnmarshalEntry(wire)
	if err != nil && !errors.Is(err, ErrUnknownKind) {
		return nil, nil, err
	}
	r := reader{b: wire}
	r.object(func(key string) bool {
		if key == "event" {
			r.skip()
			covered = wire[:r.i]
			return true
		}
		return false
	})
	if e.Event != nil {
		w := writer{b: make([]byte, 0, len(covered)+2)}
		w.b = append(w.b, '{')
		e.Event.put(&w)
		payloads = w.payloads
	}
	return covered, payloads, r.err
}

// Marshal writes entries as JSON lines, for export.
func Marshal(entries []Entry) []byte {
	var b bytes.Buffer
	for _, e := range entries {
		b.Write(e.wire)
		b.WriteByte('\n')
	}
	return b.Bytes()
}

// Unmarshal reads JSON lines as [Marshal] writes them. Blank lines are passed over.
func Unmarshal(lines []byte) ([]Entry, error) {
	var entries []Entry
	n := 0
	for line := range bytes.Lines(lines) {
		n++
		if line = bytes.TrimSpace(line); len(line) == 0 {
			continue
		}
		e, err := UnmarshalEntry(line)
		if err != nil {
			return entries, fmt.Errorf("line %d: %w", n, err)
		}
		entries = append(entries, e)
	}
	return entries, nil
}
