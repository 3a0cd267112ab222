package pebble

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/store"
)

// An append is stored as the position of its first entry (8 bytes), the number of entries, the size of each (all
// varints), and the entries as they are written, each followed by a newline.

var errValue = errors.New("not an append as this store writes it")

func appendSize(entries []history.Entry) int {
	size := 8 + varintSize(uint64(len(entries)))
	for _, e := range entries {
		size += varintSize(uint64(e.Size())) + e.Size() + 1
	}
	return size
}

func varintSize(v uint64) int {
	var b [binary.MaxVarintLen64]byte
	return binary.PutUvarint(b[:], v)
}

func appendValue(b []byte, at position, entries []history.Entry) []byte {
	b = binary.BigEndian.AppendUint64(b, uint64(at))
	b = binary.AppendUvarint(b, uint64(len(entries)))
	for _, e := range entries {
		b = binary.AppendUvarint(b, uint64(e.Size()))
	}
	for _, e := range entries {
		b = append(history.AppendEntry(b, e), '\n')
	}
	return b
}

// stored is an append as it was read: its place, and its entries undecoded.
type stored struct {
	id    history.ID
	first uint64 // Seq
	at    position
	wires [][]byte
}

func (s stored) last() uint64 { return s.first + uint64(len(s.wires)) - 1 }

// cut parts a value into its entries, which keep it.
func cut(id history.ID, first uint64, value []byte) (stored, error) {
	s := stored{id: id, first: first}
	bad := func() (stored, error) {
		return s, corrupt(fmt.Errorf("entry %d of %s: %w", first, id, errValue))
	}
	if len(value) < 8 {
		return bad()
	}
	s.at = position(binary.BigEndian.Uint64(value))
	value = value[8:]
	count, n := binary.Uvarint(value)
	if n <= 0 || count == 0 || count > uint64(len(value)) {
		return bad()
	}
	value = value[n:]
	sizes := make([]uint64, count)
	for i := range sizes {
		if sizes[i], n = binary.Uvarint(value); n <= 0 {
			return bad()
		}
		value = value[n:]
	}
	s.wires = make([][]byte, count)
	for i, size := range sizes {
		if uint64(len(value)) <= size || value[size] != '\n' {
			return bad()
		}
		s.wires[i], value = value[:size:size], value[size+1:]
	}
	if len(value) > 0 {
		return bad()
	}
	return s, nil
}

// record decodes the entry with a Seq.
func (s stored) record(seq uint64) (store.Record, error) {
	i := seq - s.first
	r := store.Record{Position: (s.at + position(i)).store(), ID: s.id, Entry: history.Entry{Seq: seq}}
	e, err := history.UnmarshalEntry(s.wires[i])
	switch {
	case errors.Is(err, history.ErrUnknownKind):
		return r, fmt.Errorf("pebble: entry %d of %s: %w", seq, s.id, err)
	case err == nil && e.Seq != seq:
		err = fmt.Errorf("it says that it is entry %d", e.Seq)
		fallthrough
	case err != nil:
		return r, fmt.Errorf("pebble: entry %d of %s: %w", seq, s.id, corrupt(err))
	}
	r.Entry = e
	return r, nil
}

// holds reports whether the entry with a Seq is e, to the byte, but for payloads that were taken away.
func (s stored) holds(e history.Entry) bool {
	if bytes.Equal(s.wires[e.Seq-s.first], history.AppendEntry(nil, e)) {
		return true
	}
	r, err := s.record(e.Seq)
	return err == nil && r.Entry.Hash == e.Hash
}
