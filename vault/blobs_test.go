package vault_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/vault"
)

func openBlobs(t testing.TB) (*vault.BlobDir, string) {
	dir := t.TempDir()
	d, err := vault.OpenBlobs(dir)
	require.NoError(t, err)
	return d, dir
}

// only returns the name of the only blob in dir.
func only(t testing.TB, dir string) string {
	all := everyFile(t, dir)
	require.Len(t, all, 1)
	for name := range all {
		return filepath.Join(dir, name)
	}
	return ""
}

func TestBlobsAreStoredOnce(t *testing.T) {
	dir1, dir := openBlobs(t)
	for name, blobs := range map[string]vault.Blobs{"dir": dir1, "memory": new(vault.MemoryBlobs)} {
		for range 3 {
			for _, data := range [][]byte{noise(200_000), nil} {
				sum, err := blobs.Put(t.Context(), bytes.NewReader(data))
				require.NoError(t, err)
				assert.Equal(t, history.JSON(data).Sum, sum)
				r, err := blobs.Open(t.Context(), sum)
				require.NoError(t, err)
				got, err := io.ReadAll(r)
				require.NoError(t, err)
				require.NoError(t, r.Close())
				assert.True(t, bytes.Equal(data, got), name)
			}
		}
		_, err := blobs.Open(t.Context(), history.Sum{1})
		assert.ErrorIs(t, err, vault.ErrNoBlob)
	}
	assert.Len(t, everyFile(t, dir), 2)
}

func TestDamagedBlobsAreNamed(t *testing.T) {
	blobs, dir := openBlobs(t)
	v := open(t, vault.Options{Blobs: blobs, Threshold: 100})
	e := signal(quoted(1_000))
	w := wrap(t, v, e)
	require.Equal(t, "json+blob", value(w).Encoding)
	path := only(t, dir)
	good, err := os.ReadFile(path)
	require.NoError(t, err)
	flipped := bytes.Clone(good)
	flipped[500] ^= 1
	for name, bad := range map[string][]byte{"flipped": flipped, "cut": good[:999], "empty": nil, "longer": append(bytes.Clone(good), 0)} {
		require.NoError(t, os.WriteFile(path, bad, 0o600))
		_, err := v.Unwrap(t.Context(), id, 7, w)
		require.ErrorIs(t, err, vault.ErrDamaged, name)
		require.ErrorContains(t, err, path)
		assert.Equal(t, w, wrap(t, v, e), "what is stored again is whole again")
		u, err := v.Unwrap(t.Context(), id, 7, w)
		require.NoError(t, err, name)
		assert.Equal(t, e, u)
	}
	require.NoError(t, os.Remove(path))
	_, err = v.Unwrap(t.Context(), id, 7, w)
	assert.ErrorIs(t, err, vault.ErrNoBlob)
	assert.NotErrorIs(t, err, vault.ErrDamaged)
	_, err = open(t, vault.Options{Codecs: []vault.Codec{vault.Zstd(0)}}).Unwrap(t.Context(), id, 7, w)
	assert.ErrorIs(t, err, vault.ErrNoBlob)
	assert.ErrorContains(t, err, "Options.Blobs is not set")
}

func TestWhatCouldNotBeReadIsNotStored(t *testing.T) {
	blobs, dir := openBlobs(t)
	broken := errors.New("broken")
	_, err := blobs.Put(t.Context(), io.MultiReader(bytes.NewReader(noise(10)), iotest.ErrReader(broken)))
	assert.ErrorIs(t, err, broken)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, b := range []vault.Blobs{blobs, new(vault.MemoryBlobs)} {
		_, err = b.Put(ctx, bytes.NewReader(noise(10)))
		assert.ErrorIs(t, err, context.Canceled)
	}
	assert.Empty(t, everyFile(t, dir))
}

// TestUnfinishedBlobsAreRemoved: but not those that another process may be writing.
func TestUnfinishedBlobsAreRemoved(t *testing.T) {
	_, dir := openBlobs(t)
	old, young := filepath.Join(dir, "unfinished", "1"), filepath.Join(dir, "unfinished", "2")
	for _, path := range []string{old, young} {
		require.NoError(t, os.WriteFile(path, noise(10), 0o600))
	}
	before := time.Now().Add(-72 * time.Hour)
	require.NoError(t, os.Chtimes(old, before, before))
	_, err := vault.OpenBlobs(dir)
	require.NoError(t, err)
	assert.Equal(t, young, only(t, dir))
}

func TestBlobsAreStoredConcurrently(t *testing.T) {
	blobs, dir := openBlobs(t)
	var all sync.WaitGroup
	for c := range 8 {
		all.Go(func() {
			for i := range 5 {
				data := noise(1_000 + i + c%2)
				sum, err := blobs.Put(t.Context(), bytes.NewReader(data))
				assert.NoError(t, err)
				assert.Equal(t, history.JSON(data).Sum, sum)
			}
		})
	}
	all.Wait()
	assert.Len(t, everyFile(t, dir), 6)
}

func TestShreddedBlobsStayAndSayNothing(t *testing.T) {
	blobs, dir := openBlobs(t)
	keys := new(vault.MemoryKeys)
	v := open(t, vault.Options{Codecs: []vault.Codec{vault.Encrypt(keys)}, Blobs: blobs, Threshold: 1})
	w := wrap(t, v, signal([]byte(`"secret"`)))
	require.NoError(t, keys.Destroy(t.Context(), id))
	_, err := v.Unwrap(t.Context(), id, 7, w)
	assert.ErrorIs(t, err, vault.ErrShredded)
	data, err := os.ReadFile(only(t, dir))
	require.NoError(t, err)
	assert.NotContains(t, string(data), "secret")
	_, err = keys.Find(t.Context(), "memory.9")
	assert.ErrorIs(t, err, vault.ErrNoKey)
}
