package vault

import (
	"bytes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"os"
)

// Master is a master key: data keys are stored wrapped under one. It is never stored by clew.
type Master struct{ secret [32]byte }

// NewMaster makes a new master key.
func NewMaster() (m Master) {
	_, _ = rand.Read(m.secret[:]) // never fails
	return m
}

// ParseMaster reads what [Master.Text] wrote, or 32 bytes in another base64 or in hex. Spaces around it are passed over.
func ParseMaster(text []byte) (m Master, err error) {
	text = bytes.TrimSpace(text)
	for _, decode := range []func(string) ([]byte, error){hex.DecodeString, base64.StdEncoding.DecodeString, base64.RawURLEncoding.DecodeString} {
		if secret, err := decode(string(text)); err == nil && len(secret) == len(m.secret) {
			return Master{[32]byte(secret)}, nil
		}
	}
	return m, fmt.Errorf("vault: a text of %d characters is no master key, want 32 bytes in base64 (44 characters) or hex (64)", len(text))
}

// ReadMaster reads a master key from a file that holds nothing else.
func ReadMaster(path string) (Master, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return Master{}, fmt.Errorf("vault: reading a master key: %w", err)
	}
	m, err := ParseMaster(text)
	if err != nil {
		return m, fmt.Errorf("%w, in %s", err, path)
	}
	return m, nil
}

// Text is the key itself, in base64: keep it where secrets are kept.
func (m Master) Text() string { return base64.StdEncoding.EncodeToString(m.secret[:]) }

// String names the key and hides it.
func (m Master) String() string { return "master key " + m.mark().String() }

// GoString names the key and hides it.
func (m Master) GoString() string { return m.String() }

// mark tells master keys apart. It says nothing about the key.
func (m Master) mark() (id mark) {
	sum := sha256.Sum256(append([]byte("clew master key\x00"), m.secret[:]...))
	copy(id[:], sum[:])
	return id
}

type mark [8]byte

func (m mark) String() string { return hex.EncodeToString(m[:]) }

// wrapper wraps data keys under a master key.
type wrapper struct {
	mark mark
	aead cipher.AEAD
}

func newWrapper(m Master) *wrapper { return &wrapper{m.mark(), gcm(m.secret[:])} }
