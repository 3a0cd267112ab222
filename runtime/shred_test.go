package runtime

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/vault"
	"github.com/clewflow/clew/workflow"
)

type watchedKeys struct {
	vault.MemoryKeys
	destroy func()
}

func (k *watchedKeys) Destroy(ctx context.Context, id history.ID) error {
	k.destroy()
	return k.MemoryKeys.Destroy(ctx, id)
}

// A hold that is acknowledged keeps the key: none is recorded between the look whether there is one and the end of the key.
func TestNothingIsHeldWhileAKeyIsDestroyed(t *testing.T) {
	ctx, keys, free, asked := t.Context(), &watchedKeys{}, false, 0
	v, err := vault.New(vault.Options{Codecs: []vault.Codec{vault.Encrypt(keys)}})
	require.NoError(t, err)
	rt, err := Open(ctx, Config{Store: "memory:", Vault: v}, workflow.Define("brief", func(_ workflow.Context, n int) (int, error) { return n, nil }))
	require.NoError(t, err)
	defer rt.Close()
	keys.destroy = func() {
		asked++
		select {
		case rt.admin.turn <- struct{}{}:
			free = true
			rt.admin.leave()
		default:
		}
	}
	require.NoError(t, rt.Shred(ctx, "a"))
	require.Equal(t, 1, asked)
	require.False(t, free, "a hold could be recorded")
}
