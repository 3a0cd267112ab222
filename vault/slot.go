package vault

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"strconv"
	"strings"

	"github.com/clewflow/clew/history"
)

// A slot holds one data key, in 128 bytes, so that none crosses the border of a disk's sector:
//
//	kind (1 byte), 0 (3), tail of the name (10), 0 (2), digest of the execution (16), mark of the master key (8),
//	wrapped key (60: nonce, key, tag), 0 (24), CRC-32C of all that (4)
//
// The name of the key is the number of the slot and the tail. A slot whose key was destroyed keeps its name and digest. A key that was
// adopted has another name: it stands in the slots behind, see adopt.go.
type slot struct {
	n       int64
	kind    byte
	tail    [10]byte
	digest  digest
	mark    mark
	wrapped [60]byte
	more    int     // slots behind it that belong to it
	adopted adopted // what they say
}

const slotSize = 128

// Kinds of slots.
const (
	live      = 'k'
	destroyed = 'd'
	taken     = 'a' // an adopted key
	lost      = 'x' // one that was destroyed
	abandoned = 'n' // one that was given up: nothing is there
	words     = 't' // what belongs to the slot of an adopted key
)

// digest stands for an execution.
type digest [16]byte

func digestOf(id history.ID) (d digest) {
	sum := sha256.Sum256(appendText(appendText(nil, id.Namespace), id.Workflow))
	copy(d[:], sum[:])
	return d
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func checksum(b []byte) uint32 { return crc32.Checksum(b, castagnoli) }

func (s *slot) append(b []byte) []byte {
	begin := len(b)
	b = append(b, s.kind, 0, 0, 0)
	b = append(b, s.tail[:]...)
	b = append(b, 0, 0)
	b = append(b, s.digest[:]...)
	b = append(b, s.mark[:]...)
	b = append(b, s.wrapped[:]...)
	b = append(b, byte(s.more))
	b = append(b, make([]byte, slotSize-4-(len(b)-begin))...)
	return binary.LittleEndian.AppendUint32(b, checksum(b[begin:]))
}

// readSlot reads a slot as far as it goes; ok is false if it is not whole.
func readSlot(n int64, b []byte) (s slot, ok bool) {
	ok = len(b) == slotSize && binary.LittleEndian.Uint32(b[slotSize-4:]) == checksum(b[:slotSize-4])
	var whole [slotSize]byte
	copy(whole[:], b)
	s.n, s.kind = n, whole[0]
	copy(s.tail[:], whole[4:])
	copy(s.digest[:], whole[16:])
	copy(s.mark[:], whole[32:])
	copy(s.wrapped[:], whole[40:])
	if s.kind == words {
		return s, ok
	}
	s.more = int(whole[100])
	return s, ok && (s.kind == live || s.kind == destroyed || s.kind == taken || s.kind == lost || s.kind == abandoned)
}

// blank reports whether nothing was ever written here that anybody was told of: a write was cut off by a crash.
func blank(b []byte) bool {
	return len(b) < slotSize || bytes.Equal(b, make([]byte, slotSize))
}

var names = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

func (s *slot) name() string {
	if s.kind == taken || s.kind == lost {
		return s.adopted.name
	}
	return fmt.Sprintf("%d.%s", s.n, names.EncodeToString(s.tail[:]))
}

// parseName reads the number of the slot from the name of a key.
func parseName(name string) (n int64, ok bool) {
	number, tail, _ := strings.Cut(name, ".")
	n, err := strconv.ParseInt(number, 10, 64)
	return n, err == nil && n > 0 && n < 1<<48 && len(tail) == names.EncodedLen(10)
}

// newSlot makes a new key.
func newSlot(n int64, d digest, w *wrapper) (s slot, key *Key) {
	s = slot{n: n, kind: live, digest: d}
	var secret [32]byte
	_, _ = rand.Read(s.tail[:]) // never fails
	_, _ = rand.Read(secret[:])
	s.wrap(w, secret[:])
	return s, NewKey(s.name(), secret)
}

func (s *slot) wrap(w *wrapper, secret []byte) {
	s.mark = w.mark
	copy(s.wrapped[:], w.aead.Seal(nil, nil, secret, s.bound()))
}

// unwrap returns the secret, wrapped under one of the master keys.
func (s *slot) unwrap(masters map[mark]*wrapper) ([]byte, error) {
	w := masters[s.mark]
	if w == nil {
		return nil, fmt.Errorf("%w: %s is wrapped under master key %s, which was not given", ErrNoKey, s.name(), s.mark)
	}
	secret, err := w.aead.Open(nil, nil, s.wrapped[:], s.bound())
	if err != nil {
		return nil, fmt.Errorf("%w: key %s does not open under its master key", ErrDamaged, s.name())
	}
	return secret, nil
}

// bound is what a wrapped key is bound to: it cannot be moved to another slot, or given to another execution.
func (s *slot) bound() []byte {
	return append(appendText(appendText(nil, "clew data key 1"), s.name()), s.digest[:]...)
}

// destroy makes s the slot of a key that was destroyed.
func (s *slot) destroy(n int64, d digest) {
	if s.kind == taken {
		*s = slot{n: n, kind: lost, digest: d, more: s.more, adopted: s.adopted}
		return
	}
	*s = slot{n: n, kind: destroyed, tail: s.tail, digest: d}
}
