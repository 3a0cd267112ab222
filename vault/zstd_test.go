package vault_test

import (
	"bytes"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/vault"
)

var at = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// noise does not compress. It is the same in every run.
func noise(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{1}).Read(b)
	return b
}

func TestWhatDoesNotBecomeSmallerIsLeft(t *testing.T) {
	v := open(t, vault.Options{Codecs: []vault.Codec{vault.Zstd(100)}})
	for _, plain := range []history.Event{signal(quoted(90)), typed(t, noise(10_000))} {
		assert.Same(t, plain, wrap(t, v, plain))
	}
	w := wrap(t, v, signal(quoted(10_000)))
	assert.Equal(t, "json+zstd", value(w).Encoding)
	assert.Less(t, value(w).Size(), 200)
}

func TestDecompressionIsBounded(t *testing.T) {
	bomb := quoted(32 << 20)
	v := open(t, vault.Options{Codecs: []vault.Codec{vault.Zstd(0)}, Limit: 1 << 20})
	e := signal(bomb)
	assert.Same(t, e, wrap(t, v, e), "what could not be opened again is not compressed")

	w := wrap(t, open(t, vault.Options{Codecs: []vault.Codec{vault.Zstd(0)}, Limit: 64 << 20}), e)
	require.Less(t, value(w).Size(), 100_000)
	_, err := v.Unwrap(t.Context(), id, 7, w)
	assert.ErrorIs(t, err, vault.ErrTooLarge)
	assert.ErrorContains(t, err, "1048576")

	var b bytes.Buffer // one that does not say how large it is
	z, err := zstd.NewWriter(&b)
	require.NoError(t, err)
	_, _ = z.Write(bomb)
	require.NoError(t, z.Close())
	p, err := history.Encoded("json+zstd", b.Bytes())
	require.NoError(t, err)
	_, err = v.Unwrap(t.Context(), id, 7, &history.Signaled{Value: p})
	assert.ErrorIs(t, err, vault.ErrTooLarge)
}

func TestGarbageIsNotDecompressed(t *testing.T) {
	v := open(t, vault.Options{Codecs: []vault.Codec{vault.Zstd(0)}})
	for _, garbage := range [][]byte{nil, {0}, noise(1_000), []byte("\x28\xb5\x2f\xfd\xff\xff\xff\xff")} {
		p, err := history.Encoded("json+zstd", garbage)
		require.NoError(t, err)
		_, err = v.Unwrap(t.Context(), id, 7, &history.Signaled{Value: p})
		assert.Error(t, err, "%x", garbage)
	}
}
