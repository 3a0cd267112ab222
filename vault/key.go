package vault

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"fmt"

	"github.com/clewflow/clew/history"
)

// Keys keeps the data keys of executions. It is safe for concurrent use.
type Keys interface {
	// Current returns the key for what is new of an execution. If there is none, because there never was or it was destroyed,
	// a new one is made, with a name that no key ever had, and it is durable before it is returned.
	Current(ctx context.Context, id history.ID) (*Key, error)
	// Find returns the key of a name. ErrShredded: it was destroyed. ErrNoKey: it is not here, or what it is wrapped under is
	// not. ErrDamaged: it is here and cannot be read.
	Find(ctx context.Context, name string) (*Key, error)
	// Destroy destroys the keys of an execution, durably. What was encrypted under them can never be opened again. To do it
	// twice, or for an execution that has none, changes nothing.
	Destroy(ctx context.Context, id history.ID) error
}

// Key is a data key, ready for use. Its name stands beside what is encrypted under it.
type Key struct {
	name   string
	secret [32]byte
	aead   cipher.AEAD
	home   history.ID // the execution for which it was made, if it was adopted for another
	gone   bool       // it was destroyed, and only that is known of it
}

// NewKey makes a key of its secret. It is for those who implement [Keys].
func NewKey(name string, secret [32]byte) *Key {
	return &Key{name: name, secret: secret, aead: gcm(secret[:])}
}

// Name is the name of the key. It is no secret.
func (k *Key) Name() string { return k.name }

// String hides the secret.
func (k *Key) String() string { return fmt.Sprintf("key %s", k.name) }

// GoString hides the secret.
func (k *Key) GoString() string { return k.String() }

// gcm is AES-256-GCM that puts a random nonce in front.
func gcm(secret []byte) cipher.AEAD {
	block, err := aes.NewCipher(secret)
	if err != nil {
		panic(err) // the secret has 32 bytes
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		panic(err)
	}
	return aead
}
