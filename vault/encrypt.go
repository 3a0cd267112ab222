package vault

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"

	"github.com/clewflow/clew/history"
)

// Encrypt encrypts with AES-256-GCM under the data key of the execution, whose name stands in the encoding. The additional
// data is the place: what was encrypted for one cannot be opened at another. It comes last among the codecs, since what is
// encrypted does not compress.
func Encrypt(keys Keys) Codec { return &encryption{keys} }

type encryption struct{ keys Keys }

func (c *encryption) Name() string { return "aes-256-gcm" }

func (c *encryption) Encode(ctx context.Context, where Where, plain []byte) ([]byte, string, error) {
	k, err := c.keys.Current(ctx, where.ID)
	if err != nil {
		return nil, "", err
	}
	return k.aead.Seal(nil, nil, plain, place(where, k)), k.name, nil
}

func (c *encryption) Decode(ctx context.Context, where Where, note string, stored []byte) ([]byte, error) {
	k, err := c.of(ctx, where.ID, note)
	if err != nil {
		return nil, err
	}
	plain, err := k.aead.Open(nil, nil, stored, place(where, k))
	if err != nil {
		return nil, fmt.Errorf("%w: it was changed, or stored for another place", ErrDamaged)
	}
	return plain, nil
}

func (c *encryption) EncodeStream(ctx context.Context, id history.ID, from io.Reader) (io.Reader, string, error) {
	k, err := c.keys.Current(ctx, id)
	if err != nil {
		return nil, "", err
	}
	r, err := k.sealStream(from)
	return r, k.name, err
}

func (c *encryption) DecodeStream(ctx context.Context, note string, from io.Reader) (io.Reader, error) {
	k, err := c.keys.Find(ctx, note)
	if err != nil {
		return nil, err
	}
	return k.openStream(from)
}

// of returns the key of a name for what was recorded of an execution.
func (c *encryption) of(ctx context.Context, id history.ID, name string) (*Key, error) {
	if a, ok := c.keys.(adopter); ok {
		if key, is, err := a.Adopted(ctx, id, name); is {
			return key, err
		}
	}
	return c.keys.Find(ctx, name)
}

// place is the additional data of a payload. Under a key that was adopted it is the place where it was encrypted.
func place(where Where, key *Key) []byte {
	if key.home != (history.ID{}) {
		where.ID = key.home
	}
	b := make([]byte, 0, 160)
	for _, text := range []string{"clew payload 1", key.name, where.ID.Namespace, where.ID.Workflow, where.Field, where.Encoding} {
		b = appendText(b, text)
	}
	return binary.BigEndian.AppendUint64(b, where.Seq)
}

// appendText appends a text with its length in front, so that no two lists of texts are the same bytes.
func appendText(b []byte, text string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(text))), text...)
}

// Shred destroys the keys of an execution, so that what was encrypted under them can never be opened again. It is the rest of
// what the codec can do; see [Vault.Shred].
func (c *encryption) Shred(ctx context.Context, id history.ID) error { return c.keys.Destroy(ctx, id) }

// shredder is a [Codec] that encrypts under keys that can be destroyed. One of a program's own may be one too.
type shredder interface {
	Shred(ctx context.Context, id history.ID) error
}

// Encrypts reports whether what is wrapped can be shredded.
func (v *Vault) Encrypts() bool {
	if v == nil {
		return false
	}
	for _, c := range v.codecs {
		if _, ok := c.(shredder); ok {
			return true
		}
	}
	return false
}

// Shred destroys the keys under which payloads of an execution are encrypted, also those of codecs that only open. With none
// that encrypts it does nothing.
func (v *Vault) Shred(ctx context.Context, id history.ID) error {
	if v == nil {
		return nil
	}
	for _, c := range v.known {
		if s, ok := c.(shredder); ok {
			if err := s.Shred(ctx, id); err != nil {
				return err
			}
		}
	}
	return nil
}
