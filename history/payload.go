package history

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
)

// Sum is the SHA-256 of a payload's bytes as they are stored.
type Sum [sha256.Size]byte

func (s Sum) String() string { return base64.RawURLEncoding.EncodeToString(s[:]) }

// Payload is a value of the author's, encoded as JSON. The history's hashes cover its Sum and not its bytes, so that
// bytes can be taken away later and the history still verifies. The zero Payload is absent.
type Payload struct {
	Data []byte
	Sum  Sum
}

// JSON makes a payload of a JSON text. The payload keeps data.
func JSON(data []byte) Payload { return Payload{Data: data, Sum: sha256.Sum256(data)} }

// Absent reports whether there never was a value, which is not the same as a value that was taken away.
func (p Payload) Absent() bool { return p.Sum == Sum{} }

// Redacted reports whether the bytes were taken away.
func (p Payload) Redacted() bool { return !p.Absent() && p.Data == nil }

// Intact reports whether the bytes are those that were summed, or were taken away on purpose.
func (p Payload) Intact() bool { return p.Data == nil || sha256.Sum256(p.Data) == p.Sum }

// Size is the number of bytes.
func (p Payload) Size() int { return len(p.Data) }

var null = []byte("null")

// isRedaction reports whether data stands for bytes that were taken away: a null whose sum is another value's.
func (p Payload) isRedaction(data []byte) bool {
	return bytes.Equal(data, null) && p.Sum != nullSum
}

var nullSum = Sum(sha256.Sum256(null))
