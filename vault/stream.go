package vault

import (
	"bufio"
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"
)

// An encrypted file is a salt of 32 bytes and chunks of 64 KiB, the last of which may be shorter, each with a tag of 16
// bytes. The key is derived from the data key and the salt, so that no two files have the same. The nonce of a chunk is its
// number and, in the last byte, whether it is the last: so none can be changed, moved, repeated or cut off.
const (
	saltSize  = 32
	chunkSize = 64 << 10
	tagSize   = 16
)

// sealStream encrypts what it reads.
func (k *Key) sealStream(from io.Reader) (io.Reader, error) {
	salt := make([]byte, saltSize)
	_, _ = rand.Read(salt) // never fails
	aead, err := k.derive(salt)
	if err != nil {
		return nil, err
	}
	return io.MultiReader(bytes.NewReader(salt), newChunks(from, chunkSize, func(to, nonce, chunk []byte) ([]byte, error) {
		return aead.Seal(to, nonce, chunk, nil), nil
	})), nil
}

// openStream decrypts what sealStream wrote. No byte is returned that was not verified.
func (k *Key) openStream(from io.Reader) (io.Reader, error) {
	salt := make([]byte, saltSize)
	switch _, err := io.ReadFull(from, salt); {
	case err == io.EOF || err == io.ErrUnexpectedEOF:
		return nil, fmt.Errorf("%w: an encrypted file ends in its salt", ErrDamaged)
	case err != nil:
		return nil, err
	}
	aead, err := k.derive(salt)
	if err != nil {
		return nil, err
	}
	return newChunks(from, chunkSize+tagSize, func(to, nonce, chunk []byte) ([]byte, error) {
		plain, err := aead.Open(to, nonce, chunk, nil)
		if err != nil {
			return nil, fmt.Errorf("%w: an encrypted file was changed or cut short", ErrDamaged)
		}
		return plain, nil
	}), nil
}

func (k *Key) derive(salt []byte) (cipher.AEAD, error) {
	secret, err := hkdf.Key(sha256.New, k.secret[:], salt, "clew file 1", len(k.secret))
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(secret)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

// chunks turns what it reads chunk by chunk.
type chunks struct {
	from *bufio.Reader
	turn func(to, nonce, chunk []byte) ([]byte, error)
	in   []byte
	buf  []byte
	out  []byte // of buf, not read yet
	n    uint64
	err  error
}

func newChunks(from io.Reader, size int, turn func(to, nonce, chunk []byte) ([]byte, error)) *chunks {
	return &chunks{from: bufio.NewReaderSize(from, chunkSize), turn: turn, in: make([]byte, size)}
}

func (c *chunks) Read(p []byte) (int, error) {
	for len(c.out) == 0 {
		if c.err != nil {
			return 0, c.err
		}
		c.err = c.next()
	}
	n := copy(p, c.out)
	c.out = c.out[n:]
	return n, nil
}

// next turns the next chunk. With the last one the error is io.EOF.
func (c *chunks) next() error {
	n, err := io.ReadFull(c.from, c.in)
	if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
		return err
	}
	_, over := c.from.Peek(1)
	if over != nil && over != io.EOF {
		return over
	}
	var nonce [12]byte
	binary.BigEndian.PutUint64(nonce[3:], c.n)
	if c.n++; over == io.EOF {
		nonce[11] = 1
	}
	out, err := c.turn(c.buf[:0], nonce[:], c.in[:n])
	if err != nil {
		return err
	}
	c.buf, c.out = out, out
	return over
}
