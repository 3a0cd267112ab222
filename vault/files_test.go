package vault_test

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clewflow/clew/activity"
	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/vault"
)

func readFile(t testing.TB, v *vault.Vault, of history.ID, ref string) ([]byte, error) {
	r, err := v.Files(of).Open(t.Context(), ref)
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(r)
	return data, errors.Join(err, r.Close())
}

func TestFilesOfEverySizeAreReadAsWritten(t *testing.T) {
	blobs, _ := openBlobs(t)
	for name, v := range map[string]*vault.Vault{
		"plain":     open(t, vault.Options{Blobs: blobs}),
		"encrypted": open(t, vault.Options{Codecs: []vault.Codec{vault.Zstd(0), vault.Encrypt(new(vault.MemoryKeys))}, Blobs: blobs}),
	} {
		for _, size := range []int{0, 1, 15, 64<<10 - 1, 64 << 10, 64<<10 + 1, 128 << 10, 300_000} {
			data := noise(size)
			for kind, from := range map[string]io.Reader{"all at once": bytes.NewReader(data), "in halves": iotest.HalfReader(bytes.NewReader(data)), "with its end": iotest.DataErrReader(bytes.NewReader(data))} {
				ref, n, err := v.Files(id).Write(t.Context(), from)
				require.NoError(t, err)
				assert.Equal(t, int64(size), n)
				got, err := readFile(t, v, execution(2), ref)
				require.NoError(t, err, "%s, %d bytes %s", name, size, kind)
				require.True(t, bytes.Equal(data, got), "%s, %d bytes %s", name, size, kind)
			}
		}
	}
}

func TestEncryptedFilesAreShreddedWithTheirExecution(t *testing.T) {
	blobs, dir := openBlobs(t)
	keys := new(vault.MemoryKeys)
	v := open(t, vault.Options{Codecs: []vault.Codec{vault.Encrypt(keys)}, Blobs: blobs})
	ref, _, err := v.Files(id).Write(t.Context(), strings.NewReader("a secret"))
	require.NoError(t, err)
	data, err := os.ReadFile(only(t, dir))
	require.NoError(t, err)
	assert.NotContains(t, string(data), "secret")
	require.NoError(t, keys.Destroy(t.Context(), id))
	_, err = readFile(t, v, id, ref)
	assert.ErrorIs(t, err, vault.ErrShredded)
}

// TestChangedFilesAreDamaged changes what is stored, under the sum that it then has: only the key can tell.
func TestChangedFilesAreDamaged(t *testing.T) {
	blobs := new(vault.MemoryBlobs)
	v := open(t, vault.Options{Codecs: []vault.Codec{vault.Encrypt(new(vault.MemoryKeys))}, Blobs: blobs})
	ref, _, err := v.Files(id).Write(t.Context(), bytes.NewReader(noise(200_000)))
	require.NoError(t, err)
	sum, err := history.ParseSum(ref[:43])
	require.NoError(t, err)
	r, err := blobs.Open(t.Context(), sum)
	require.NoError(t, err)
	good, err := io.ReadAll(r)
	require.NoError(t, err)
	const chunk = 64<<10 + 16
	cases := map[string][]byte{"empty": nil, "the salt alone": good[:32], "in the salt": good[:20], "a chunk less": good[:32+3*chunk], "a byte less": good[:len(good)-1],
		"a byte more": append(bytes.Clone(good), 0), "chunks swapped": bytes.Join([][]byte{good[:32], good[32+chunk : 32+2*chunk], good[32 : 32+chunk], good[32+2*chunk:]}, nil),
		"a chunk twice": bytes.Join([][]byte{good[:32+chunk], good[32:]}, nil)}
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	dice := rand.New(rand.NewPCG(seed, 0))
	for range 20 {
		b := bytes.Clone(good)
		b[dice.IntN(len(b))] ^= byte(1 + dice.IntN(255))
		cases[string(b[:8])+"flipped"+string(rune('a'+len(cases)))] = b
	}
	for name, bad := range cases {
		other, err := blobs.Put(t.Context(), bytes.NewReader(bad))
		require.NoError(t, err)
		_, err = readFile(t, v, id, other.String()+ref[43:])
		assert.ErrorIs(t, err, vault.ErrDamaged, name)
	}
}

func TestFilesNeedAPlaceAndTheirCodecs(t *testing.T) {
	for _, v := range []*vault.Vault{nil, open(t, vault.Options{})} {
		_, _, err := v.Files(id).Write(t.Context(), strings.NewReader("x"))
		assert.ErrorContains(t, err, "Options.Blobs is not set")
		_, err = readFile(t, v, id, history.Sum{1}.String())
		assert.ErrorContains(t, err, "Options.Blobs is not set")
	}
	blobs := new(vault.MemoryBlobs)
	_, _, err := open(t, vault.Options{Codecs: []vault.Codec{reverse{}}, Blobs: blobs}).Files(id).Write(t.Context(), strings.NewReader("x"))
	assert.ErrorContains(t, err, "the codec reverse is for payloads only")
	v := open(t, vault.Options{Codecs: []vault.Codec{vault.Encrypt(new(vault.MemoryKeys))}, Blobs: blobs})
	ref, _, err := v.Files(id).Write(t.Context(), strings.NewReader("x"))
	require.NoError(t, err)
	for bad, want := range map[string]error{
		history.Sum{1}.String():       vault.ErrNoBlob,
		ref[:43] + "+reverse:":        vault.ErrNoCodec,
		ref[:43] + "+zstd:":           vault.ErrDamaged,
		ref[:43] + "+aes-256-gcm:no":  vault.ErrNoKey,
		ref + "+aes-256-gcm:memory.1": vault.ErrDamaged,
	} {
		_, err := readFile(t, v, id, bad)
		assert.ErrorIs(t, err, want, bad)
	}
	_, err = readFile(t, v, id, "nonsense")
	assert.ErrorContains(t, err, "is no sum")
	_, _, err = v.Files(id).Write(t.Context(), iotest.ErrReader(io.ErrClosedPipe))
	assert.ErrorIs(t, err, io.ErrClosedPipe)
}

// TestFilesFitActivities: a runtime hands them out as they are.
func TestFilesFitActivities(t *testing.T) {
	v := open(t, vault.Options{Codecs: []vault.Codec{vault.Encrypt(new(vault.MemoryKeys))}, Blobs: new(vault.MemoryBlobs)})
	ctx := activity.WithHand(t.Context(), &activity.Hand{Files: v.Files(id)})
	f, err := activity.WriteFile(ctx, "notes.txt", strings.NewReader("a secret"))
	require.NoError(t, err)
	r, err := activity.OpenFile(ctx, f)
	require.NoError(t, err)
	got, err := io.ReadAll(r)
	require.NoError(t, err)
	assert.Equal(t, "a secret", string(got))
}
