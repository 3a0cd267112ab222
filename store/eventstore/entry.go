package eventstore

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/store"
)

// An entry is one event. The event's type is the kind, its data are the event and its payloads, and its metadata is the
// rest:
//
//	data      {"event":{"step":1,"result":"<sum>"},"payloads":{"result":"R-1"}}
//	metadata  {"format":1,"seq":2,"at":"…","by":"worker","told":2,"kind":"activity-completed","hash":"…","tail":{…}}
//
// Both are cut from the written form of the entry, and put together they are that again, to the byte: its hash is over
// bytes. An entry that is written in another order or with fields that stand elsewhere, as a later release may, is not cut:
// it is the data as a whole, and the metadata is {"format":2,…}.

const (
	inParts = `{"format":1,`
	asWhole = `{"format":2`
)

var (
	errForeign = errors.New("it was not written by clew")
	errForm    = errors.New("data and metadata are not those of an entry")
)

// proposal is an event that is to be appended.
type proposal struct {
	id         uuid.UUID
	kind       string
	data, meta []byte
}

// size is what the server counts of an event.
func (p proposal) size() int { return len(p.data) + len(p.meta) + 2*len(p.kind) }

// recorded is an event that was read.
type recorded struct {
	stream     string
	revision   uint64
	kind       string
	at         store.Position
	data, meta []byte
}

// system reports whether the event is no entry: the server wrote it for itself, such as the one that ends a stream for ever, or it says
// that all before it was taken away.
func (r recorded) system() bool { return strings.HasPrefix(r.kind, "$") || r.kind == cutKind }

// propose makes an event of an entry. tail is what is to be known of the history after it, if anything.
func propose(stream string, e history.Entry, tail []byte) proposal {
	wire := history.AppendEntry(make([]byte, 0, e.Size()), e)
	data, meta := split(wire)
	if tail != nil {
		meta = append(meta[:len(meta)-1], `,"tail":`...)
		meta = append(meta, tail...)
		meta = append(meta, '}')
	}
	return proposal{id: eventID(stream, e.Hash), kind: e.Event.Kind(), data: data, meta: meta}
}

// eventID is made from the stream and the entry's hash, which covers the entry and all that came before. So the same entry
// has the same id whenever it is sent, and nothing else has: by these ids the server knows a repetition.
func eventID(stream string, h history.Hash) uuid.UUID {
	sum := sha256.New()
	sum.Write([]byte(stream))
	sum.Write(h[:])
	var id uuid.UUID
	copy(id[:], sum.Sum(nil))
	id[6] = id[6]&0x0f | 0x80 // version 8
	id[8] = id[8]&0x3f | 0x80
	return id
}

// member is where a member of a JSON object stands: its key from the quote on, and its value.
type member struct{ at, from, to int }

func (m member) value(b []byte) []byte { return b[m.from:m.to] }

// members finds the members of an object that is written without space between them. ok is false if it is not.
func members(b []byte, show func(key string, m member)) (ok bool) {
	if len(b) < 2 || b[0] != '{' {
		return false
	}
	if b[1] == '}' {
		return len(b) == 2
	}
	for i := 1; i < len(b); i++ {
		m := member{at: i}
		end := textEnd(b, i)
		if end < 0 || end >= len(b) || b[end] != ':' {
			return false
		}
		m.from = end + 1
		if m.to = valueEnd(b, m.from); m.to < 0 || m.to >= len(b) {
			return false
		}
		show(string(b[i+1:end-1]), m)
		switch i = m.to; b[i] {
		case ',':
		case '}':
			return i == len(b)-1
		default:
			return false
		}
	}
	return false
}

// textEnd returns where the string that begins at i ends, negative if there is none.
func textEnd(b []byte, i int) int {
	if i >= len(b) || b[i] != '"' {
		return -1
	}
	for i++; i < len(b); i++ {
		switch b[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return -1
}

// valueEnd returns where the value that begins at i ends, negative if it does not.
func valueEnd(b []byte, i int) int {
	if i < len(b) && b[i] == '"' {
		return textEnd(b, i)
	}
	depth := 0
	for ; i < len(b); i++ {
		switch b[i] {
		case '"':
			if i = textEnd(b, i); i < 0 {
				return -1
			}
			i--
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth < 0 {
				return i
			}
			if depth == 0 {
				return i + 1
			}
		case ',':
			if depth == 0 {
				return i
			}
		}
	}
	return -1
}

// split cuts the written form of an entry into the data and the metadata of an event.
func split(wire []byte) (data, meta []byte) {
	found := map[string]member{}
	if members(wire, func(key string, m member) { found[key] = m }) {
		event, hash := found["event"], found["hash"]
		if event.at > 1 && hash.at > event.at {
			data = append(make([]byte, 0, len(wire)), `{"event":`...)
			data = append(data, event.value(wire)...)
			if payloads, ok := found["payloads"]; ok {
				data = append(data, `,"payloads":`...)
				data = append(data, payloads.value(wire)...)
			}
			data = append(data, '}')
			meta = append(make([]byte, 0, event.at+1024), inParts...)
			meta = append(meta, wire[1:event.at]...)
			meta = append(meta, `"hash":`...)
			meta = append(meta, hash.value(wire)...)
			meta = append(meta, '}')
			if whole, err := join(data, meta); err == nil && bytes.Equal(whole, wire) {
				return data, meta
			}
		}
	}
	return wire, []byte(asWhole + "}")
}

// join puts together what split has cut.
func join(data, meta []byte) (wire []byte, err error) {
	if bytes.HasPrefix(meta, []byte(asWhole)) && len(meta) > len(asWhole) && (meta[len(asWhole)] == ',' || meta[len(asWhole)] == '}') {
		return data, nil
	}
	if !bytes.HasPrefix(meta, []byte(inParts)) {
		return nil, errForeign
	}
	var hash, event, payloads member
	ok := members(meta, func(key string, m member) {
		if key == "hash" {
			hash = m
		}
	}) && members(data, func(key string, m member) {
		switch key {
		case "event":
			event = m
		case "payloads":
			payloads = m
		}
	})
	if !ok || hash.at == 0 || event.at == 0 {
		return nil, errForm
	}
	wire = append(make([]byte, 0, len(data)+len(meta)), '{')
	wire = append(wire, meta[len(inParts):hash.at]...)
	wire = append(wire, `"event":`...)
	wire = append(wire, event.value(data)...)
	if payloads.at != 0 {
		wire = append(wire, `,"payloads":`...)
		wire = append(wire, payloads.value(data)...)
	}
	wire = append(wire, `,"hash":`...)
	wire = append(wire, hash.value(meta)...)
	return append(wire, '}'), nil
}

// tail is a [store.Tail] as it is written into metadata. The entry says what is missing here.
type tail struct {
	Began     uint64     `json:"began,omitempty"`
	Wake      *time.Time `json:"wake,omitempty"`
	Due       bool       `json:"due,omitempty"`
	Follows   bool       `json:"follows,omitempty"`
	Unsettled int        `json:"unsettled,omitempty"`
	Type      string     `json:"type,omitempty"`
	Version   int        `json:"version,omitempty"`
}

func writeTail(t *store.Tail) ([]byte, error) {
	row := tail{Began: t.Began, Due: t.Due, Follows: t.Follows, Unsettled: t.Unsettled, Type: t.Type, Version: t.Version}
	if !t.Wake.IsZero() {
		wake := t.Wake.UTC()
		row.Wake = &wake
	}
	return json.Marshal(row)
}

// tailOf reads the tail from the metadata of an event, nil if it has none.
func tailOf(meta []byte, id history.ID, e history.Entry) (*store.Tail, error) {
	var written []byte
	members(meta, func(key string, m member) {
		if key == "tail" {
			written = m.value(meta)
		}
	})
	if written == nil {
		return nil, nil
	}
	var row tail
	if err := json.Unmarshal(written, &row); err != nil {
		return nil, fmt.Errorf("its tail: %w", err)
	}
	t := &store.Tail{ID: id, Began: row.Began, Seq: e.Seq, Hash: e.Hash, Due: row.Due, Follows: row.Follows,
		Unsettled: row.Unsettled, Type: row.Type, Version: row.Version}
	if row.Wake != nil {
		t.Wake = row.Wake.UTC()
	}
	return t, nil
}

// record makes a record of an event. With an error, which is store.ErrCorrupt, the record says which event it is.
func (n names) record(r recorded) (store.Record, error) {
	rec := store.Record{Position: r.at}
	bad := func(err error) (store.Record, error) {
		return rec, fmt.Errorf("eventstore: %w: event %d of stream %s, of type %q: %w", store.ErrCorrupt, r.revision, r.stream, r.kind, err)
	}
	if commit, _ := numbers(r.at); commit == max64 {
		return bad(errors.New("the server told no position of it, which servers from 22.6 on do"))
	}
	var err error
	if rec.ID, err = n.id(r.stream); err != nil {
		return bad(err)
	}
	wire, err := join(r.data, r.meta)
	if err != nil {
		return bad(err)
	}
	rec.Entry, err = history.UnmarshalEntry(wire)
	switch e := rec.Entry; {
	case err != nil:
		return bad(err)
	case e.Event.Kind() != r.kind:
		return bad(fmt.Errorf("its entry is of the kind %q", e.Event.Kind()))
	case e.Seq == 0 || e.Seq > r.revision+1: // less where a history began anew, see cut.go
		return bad(fmt.Errorf("its entry has the Seq %d, want %d at the most: the stream was changed by others", e.Seq, r.revision+1))
	}
	if rec.Tail, err = tailOf(r.meta, rec.ID, rec.Entry); err != nil {
		return bad(err)
	}
	return rec, nil
}
