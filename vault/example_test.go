package vault_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/vault"
)

// A payload is compressed and encrypted, opened again, and made unreadable for ever.
func Example() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "vault")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	keys, err := vault.OpenKeys(filepath.Join(dir, "keys"), vault.NewMaster())
	if err != nil {
		panic(err)
	}
	defer keys.Close()
	v, err := vault.New(vault.Options{Codecs: []vault.Codec{vault.Zstd(0), vault.Encrypt(keys)}})
	if err != nil {
		panic(err)
	}

	id := history.ID{Namespace: "shop", Workflow: "order-17"}
	paid, err := history.Encode(strings.Repeat("a secret ", 100))
	if err != nil {
		panic(err)
	}
	wrapped, err := v.Wrap(ctx, id, 4, &history.Signaled{Name: "paid", Value: paid})
	if err != nil {
		panic(err)
	}
	encoding, _, _ := strings.Cut(wrapped.(*history.Signaled).Value.Encoding, ":")
	fmt.Println(encoding)

	opened, err := v.Unwrap(ctx, id, 4, wrapped)
	if err != nil {
		panic(err)
	}
	fmt.Println(opened.(*history.Signaled).Value.Sum == paid.Sum)

	if err := keys.Destroy(ctx, id); err != nil {
		panic(err)
	}
	_, err = v.Unwrap(ctx, id, 4, wrapped)
	fmt.Println(errors.Is(err, vault.ErrShredded))
	// Output:
	// json+zstd+aes-256-gcm
	// true
	// true
}
