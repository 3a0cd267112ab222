package history

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"time"
)

// Hash is the SHA-256 that ties an entry to its predecessor.
type Hash [sha256.Size]byte

func (h Hash) String() string { return base64.RawURLEncoding.EncodeToString(h[:]) }

// ErrBroken is in the chain of every error of a [Chain].
var ErrBroken = errors.New("history: the chain is broken")

// Seal gives e its hash and its written form. prev is the hash of the entry before, zero for the first of a stream.
// It is called once, when the entry is complete.
func Seal(prev Hash, e *Entry) {
	var w writer
	w.b = make([]byte, 0, 512)
	covered := w.entry(e)
	e.Hash = chain(prev, w.b[:covered])
	w.seal(e.Hash)
	e.wire, e.encoded = w.b, w.encoded
}

func chain(prev Hash, covered []byte) Hash {
	var buf [1024]byte
	b := append(buf[:0], prev[:]...)
	return sha256.Sum256(append(b, covered...))
}

// A Chain checks that entries are those that were written, one after the other. The zero Chain begins at the first
// entry of a stream; one that begins later takes the first entry it is shown on trust.
type Chain struct {
	Seq  uint64
	Hash Hash
	At   time.Time
}

// Check holds e against its predecessors. The error, if any, says which entry is bad and how.
func (c *Chain) Check(e Entry) error {
	broken := func(format string, args ...any) error {
		return fmt.Errorf("%w at entry %d: %s", ErrBroken, e.Seq, fmt.Sprintf(format, args...))
	}
	begun := c.Seq > 0
	switch {
	case begun && e.Seq != c.Seq+1:
		return broken("it follows entry %d", c.Seq)
	case e.At.Before(c.At):
		return broken("its time %s is before that of its predecessor, %s", e.At.Format(time.RFC3339Nano), c.At.Format(time.RFC3339Nano))
	}
	if begun || e.Seq == 1 {
		covered, payloads, err := split(e.wire)
		if err != nil {
			return broken("%v", err)
		}
		if got := chain(c.Hash, covered); got != e.Hash {
			return broken("its hash does not fit its content and its predecessor's hash")
		}
		for _, n := range payloads {
			if !n.payload.Intact() {
				return broken("its payload %q is not the one that was recorded", n.name)
			}
		}
	}
	c.Seq, c.Hash, c.At = e.Seq, e.Hash, e.At
	return nil
}
