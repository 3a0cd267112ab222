package pebble

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/clewflow/clew/history"
)

// What a key begins with.
const (
	streamKind   = 's' // namespace, workflow id, Seq of the first entry: one append
	positionKind = 'p' // position of the first entry: the append's key in the stream
	cutKind      = 'c' // namespace, workflow id: up to where the front of a history was cut off
	tailKind     = 't' // namespace, workflow id: the row of an open execution
)

// In a key a text ends with a NUL and stop. A NUL in it is followed by escape, so texts sort as they do in memory, and none is the
// beginning of another.
const (
	nul    = 0x00
	stop   = 0x01
	escape = 0xff
)

var errKey = errors.New("not a key of this store")

func appendText(b []byte, s string) []byte {
	for i := range len(s) {
		b = append(b, s[i])
		if s[i] == nul {
			b = append(b, escape)
		}
	}
	return append(b, nul, stop)
}

func cutText(b []byte) (s string, rest []byte, ok bool) {
	var text []byte
	for {
		i := bytes.IndexByte(b, nul)
		if i < 0 || i+1 == len(b) {
			return "", nil, false
		}
		text = append(text, b[:i]...)
		mark := b[i+1]
		b = b[i+2:]
		switch mark {
		case stop:
			return string(text), b, true
		case escape:
			text = append(text, nul)
		default:
			return "", nil, false
		}
	}
}

func appendID(b []byte, kind byte, id history.ID) []byte {
	return appendText(appendText(append(b, kind), id.Namespace), id.Workflow)
}

func cutID(key []byte) (id history.ID, rest []byte, ok bool) {
	if len(key) == 0 {
		return id, nil, false
	}
	if id.Namespace, rest, ok = cutText(key[1:]); ok {
		id.Workflow, rest, ok = cutText(rest)
	}
	return id, rest, ok
}

func streamKey(id history.ID, first uint64) []byte {
	b := make([]byte, 0, 1+len(id.Namespace)+len(id.Workflow)+16)
	return binary.BigEndian.AppendUint64(appendID(b, streamKind, id), first)
}

func cutStreamKey(key []byte) (history.ID, uint64, error) {
	id, rest, ok := cutID(key)
	if !ok || key[0] != streamKind || len(rest) != 8 {
		return id, 0, fmt.Errorf("%q: %w", key, errKey)
	}
	return id, binary.BigEndian.Uint64(rest), nil
}

// streamBounds are the least key of a stream and the least one behind it.
func streamBounds(id history.ID) (lower, upper []byte) {
	lower = appendID(nil, streamKind, id)
	upper = bytes.Clone(lower)
	upper[len(upper)-1]++
	return lower, upper
}

func positionKey(p position) []byte { return appendPosition(nil, p) }

func appendPosition(b []byte, p position) []byte {
	return binary.BigEndian.AppendUint64(append(b, positionKind), uint64(p))
}

func cutKey(id history.ID) []byte { return appendID(nil, cutKind, id) }

func tailKey(id history.ID) []byte { return appendID(nil, tailKind, id) }
