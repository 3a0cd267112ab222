package vault_test

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/vault"
)

// chains are vaults of every make.
func chains(t testing.TB) map[string]*vault.Vault {
	keys, blobs := new(vault.MemoryKeys), new(vault.MemoryBlobs)
	zstd, aes := vault.Zstd(1), vault.Encrypt(keys)
	return map[string]*vault.Vault{
		"nil": nil, "nothing": open(t, vault.Options{}),
		"zstd": open(t, vault.Options{Codecs: []vault.Codec{zstd}}), "aes": open(t, vault.Options{Codecs: []vault.Codec{aes}}),
		"blobs":   open(t, vault.Options{Blobs: blobs, Threshold: 4}),
		"reverse": open(t, vault.Options{Codecs: []vault.Codec{reverse{}}}),
		"all":     open(t, vault.Options{Codecs: []vault.Codec{zstd, reverse{}, aes}, Blobs: blobs, Threshold: 1}),
	}
}

// TestEveryEventIsUnwrappedAsItWas: of every kind, through every chain, over the wire, with small and large payloads.
func TestEveryEventIsUnwrappedAsItWas(t *testing.T) {
	large := history.JSON(quoted(100_000))
	for name, v := range chains(t) {
		for i, e := range golden(t) {
			for size, change := range map[string]func(string, history.Payload) (history.Payload, error){
				"small": func(_ string, p history.Payload) (history.Payload, error) { return p, nil },
				"large": func(string, history.Payload) (history.Payload, error) { return large, nil },
				"typed": func(_ string, p history.Payload) (history.Payload, error) { return history.Encoded("proto", p.Data) },
				"empty": func(string, history.Payload) (history.Payload, error) { return history.Encoded("proto", nil) },
				"taken": func(_ string, p history.Payload) (history.Payload, error) { p.Data = nil; return p, nil },
			} {
				plain, err := history.WithPayloads(e, change)
				require.NoError(t, err)
				wrapped, err := v.Wrap(t.Context(), id, uint64(i), plain)
				require.NoError(t, err)
				entry := history.Entry{Seq: uint64(i) + 1, At: at, Event: wrapped}
				history.Seal(history.Hash{}, &entry)
				read, err := history.UnmarshalEntry(history.AppendEntry(nil, entry))
				require.NoError(t, err)
				unwrapped, err := v.Unwrap(t.Context(), id, uint64(i), read.Event)
				require.NoError(t, err, "%s %s %s", name, size, e.Kind())
				require.Equal(t, plain, unwrapped, "%s %s", name, size)
				for field, p := range history.Payloads(unwrapped) {
					require.True(t, p.Intact() && !p.Closed(), field)
				}
			}
		}
	}
}

func TestNothingToDoMeansTheSameEvent(t *testing.T) {
	e := signal(quoted(1000))
	for _, name := range []string{"nil", "nothing"} {
		v := chains(t)[name]
		w, err := v.Wrap(t.Context(), id, 1, e)
		require.NoError(t, err)
		assert.Same(t, e, w)
		u, err := v.Unwrap(t.Context(), id, 1, e)
		require.NoError(t, err)
		assert.Same(t, e, u)
	}
	v := open(t, vault.Options{Codecs: []vault.Codec{vault.Zstd(0)}, Blobs: new(vault.MemoryBlobs)})
	small := signal([]byte(`"12"`))
	assert.Same(t, small, wrap(t, v, small), "too small to be compressed")
	u, err := v.Unwrap(t.Context(), id, 1, small)
	require.NoError(t, err)
	assert.Same(t, small, u)
}

func TestTheEncodingSaysWhatWasDone(t *testing.T) {
	keys := new(vault.MemoryKeys)
	v := open(t, vault.Options{Codecs: []vault.Codec{vault.Zstd(0), vault.Encrypt(keys)}, Blobs: new(vault.MemoryBlobs), Threshold: 1000})
	for want, e := range map[string]history.Event{
		"json+aes-256-gcm:memory.1":       signal([]byte(`"12"`)),
		"json+zstd+aes-256-gcm:memory.1":  signal(quoted(10_000)),
		"json+aes-256-gcm:memory.1+blob":  signal(fmt.Appendf(nil, "%q", base64.StdEncoding.EncodeToString(noise(2_000)))),
		"proto+zstd+aes-256-gcm:memory.1": typed(t, quoted(10_000)),
		"proto+aes-256-gcm:memory.1+blob": typed(t, noise(2_000)),
	} {
		w := wrap(t, v, e)
		assert.Equal(t, want, value(w).Encoding)
		if strings.HasSuffix(want, "+blob") {
			assert.Len(t, value(w).Data, 45, "a reference")
		}
	}
}

func typed(t testing.TB, b []byte) history.Event {
	p, err := history.Encoded("proto", b)
	require.NoError(t, err)
	return &history.Signaled{Name: "paid", Value: p}
}

// TestNoPlainTextIsLeft plants canaries in every payload of every event; none is found in what is written.
func TestNoPlainTextIsLeft(t *testing.T) {
	dir := t.TempDir()
	keys, err := vault.OpenKeys(dir+"/keys", vault.NewMaster())
	require.NoError(t, err)
	blobs, err := vault.OpenBlobs(dir + "/blobs")
	require.NoError(t, err)
	v := open(t, vault.Options{Codecs: []vault.Codec{vault.Zstd(0), vault.Encrypt(keys)}, Blobs: blobs, Threshold: 2_000})
	var canaries []string
	for i := range 20 {
		canaries = append(canaries, fmt.Sprintf("canary-%02d-%x", i, noise(6)))
	}
	for _, size := range []int{0, 5_000} {
		text := fmt.Sprintf("%q", strings.Join(canaries, " ")+fmt.Sprintf("%x", noise(size)))
		attributes := history.JSON([]byte(`{"a":"canary"}`))
		fields := 0
		for i, e := range golden(t) {
			planted, err := history.WithPayloads(e, func(field string, p history.Payload) (history.Payload, error) {
				if field == "attributes" {
					return attributes, nil
				}
				fields++
				return history.JSON([]byte(text)), nil
			})
			require.NoError(t, err)
			wrapped, err := v.Wrap(t.Context(), id, uint64(i)+1, planted)
			require.NoError(t, err)
			entry := history.Entry{Seq: uint64(i) + 1, At: at, Event: wrapped}
			history.Seal(history.Hash{}, &entry)
			line := string(history.AppendEntry(nil, entry))
			for _, canary := range canaries {
				require.NotContains(t, line, canary, e.Kind())
			}
			if _, begins := e.(*history.Started); begins {
				require.Contains(t, line, string(attributes.Data), "attributes stay readable, because lookups search them")
			}
		}
		assert.Greater(t, fields, 15)
	}
	require.NoError(t, keys.Close())
	files := 0
	for _, data := range everyFile(t, dir) {
		files++
		for _, canary := range canaries {
			require.NotContains(t, string(data), canary)
		}
		require.NotContains(t, string(data), id.Workflow)
	}
	assert.Greater(t, files, 10)
}

// TestFileNamesSayNothing: neither ids nor values are in the names.
func TestFileNamesSayNothing(t *testing.T) {
	dir := t.TempDir()
	keys, err := vault.OpenKeys(dir+"/keys", vault.NewMaster())
	require.NoError(t, err)
	defer keys.Close()
	blobs, err := vault.OpenBlobs(dir + "/blobs")
	require.NoError(t, err)
	v := open(t, vault.Options{Codecs: []vault.Codec{vault.Encrypt(keys)}, Blobs: blobs, Threshold: 1})
	wrap(t, v, signal([]byte(`"secret"`)))
	for name := range everyFile(t, dir) {
		assert.Regexp(t, `^(keys/(data\.keys|lock)|blobs/[0-9a-f]{2}/[0-9a-f]{62})$`, name)
	}
}

// TestCiphertextCannotBeMoved: neither to another entry, field or execution, nor under another encoding.
func TestCiphertextCannotBeMoved(t *testing.T) {
	keys := new(vault.MemoryKeys)
	v := open(t, vault.Options{Codecs: []vault.Codec{vault.Encrypt(keys)}})
	failed := &history.AttemptFailed{Failure: history.JSON([]byte(`"secret"`)), Checkpoint: history.JSON([]byte(`"public"`))}
	w := wrap(t, v, failed).(*history.AttemptFailed)
	_, err := v.Unwrap(t.Context(), id, 7, w)
	require.NoError(t, err)

	_, err = v.Unwrap(t.Context(), id, 8, w)
	assert.ErrorIs(t, err, vault.ErrDamaged, "another entry")
	assert.ErrorContains(t, err, `opening the payload "failure" of entry 8 of shop/order-1`)
	_, err = v.Unwrap(t.Context(), history.ID{Namespace: "shop", Workflow: "order-2"}, 7, w)
	assert.ErrorIs(t, err, vault.ErrDamaged, "another execution")
	_, err = v.Unwrap(t.Context(), history.ID{Namespace: "shoporder-1", Workflow: ""}, 7, w)
	assert.ErrorIs(t, err, vault.ErrDamaged, "another namespace")
	swapped := &history.AttemptFailed{Failure: w.Checkpoint, Checkpoint: w.Failure}
	_, err = v.Unwrap(t.Context(), id, 7, swapped)
	assert.ErrorIs(t, err, vault.ErrDamaged, "another field")
	renamed := *w
	renamed.Failure.Encoding = strings.Replace(w.Failure.Encoding, "json", "proto", 1)
	_, err = v.Unwrap(t.Context(), id, 7, &renamed)
	assert.ErrorIs(t, err, vault.ErrDamaged, "another encoding")
	_, err = v.Wrap(t.Context(), id, 8, w)
	assert.ErrorContains(t, err, "closed already")
}

func TestEveryFlippedByteIsFound(t *testing.T) {
	for name, v := range chains(t) {
		e := wrap(t, v, signal(quoted(400))).(*history.Signaled)
		if !e.Value.Closed() {
			continue
		}
		for i := range e.Value.Data {
			bad := *e
			bad.Value.Data = bytes.Clone(e.Value.Data)
			bad.Value.Data[i] ^= 4
			_, err := v.Unwrap(t.Context(), id, 7, &bad)
			require.ErrorIs(t, err, vault.ErrDamaged, "%s, byte %d", name, i)
		}
	}
}

func TestUnknownCodecsAreNamed(t *testing.T) {
	e := wrap(t, open(t, vault.Options{Codecs: []vault.Codec{reverse{}}}), signal([]byte(`"12"`)))
	without := open(t, vault.Options{Codecs: []vault.Codec{vault.Zstd(0)}})
	_, err := without.Unwrap(t.Context(), id, 7, e)
	assert.ErrorIs(t, err, vault.ErrNoCodec)
	assert.ErrorContains(t, err, "reverse")
	_, err = open(t, vault.Options{Opens: []vault.Codec{reverse{}}}).Unwrap(t.Context(), id, 7, e)
	assert.NoError(t, err)

	e = wrap(t, without, signal(quoted(4_000)))
	require.True(t, value(e).Closed())
	_, err = open(t, vault.Options{Opens: []vault.Codec{reverse{}}}).Unwrap(t.Context(), id, 7, e)
	assert.NoError(t, err, "zstd needs no list")
}

func TestPanickingCodecIsAnError(t *testing.T) {
	v := open(t, vault.Options{Codecs: []vault.Codec{reverse{broken: true}}})
	_, err := v.Wrap(t.Context(), id, 7, signal([]byte(`"12"`)))
	assert.ErrorContains(t, err, "the codec reverse panicked: out of order")
	_, err = v.Unwrap(t.Context(), id, 7, wrap(t, open(t, vault.Options{Codecs: []vault.Codec{reverse{}}}), signal([]byte(`"12"`))))
	assert.ErrorContains(t, err, "the codec reverse panicked: out of order")
}

type named struct {
	vault.Codec
	name string
}

func (n named) Name() string { return n.name }

func TestBadOptionsAreRefused(t *testing.T) {
	for _, name := range []string{"", "json", "blob", "a+b", "a:b", "a b", strings.Repeat("x", 101)} {
		_, err := vault.New(vault.Options{Codecs: []vault.Codec{named{reverse{}, name}}})
		assert.ErrorContains(t, err, "cannot have the name", name)
	}
	_, err := vault.New(vault.Options{Codecs: []vault.Codec{vault.Zstd(0), vault.Zstd(1)}})
	assert.ErrorContains(t, err, "twice")
	_, err = vault.New(vault.Options{Limit: -1})
	assert.ErrorContains(t, err, "Limit")
}
