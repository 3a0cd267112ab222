package vault_test

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/vault"
)

// TestKeysMoveToAnotherStore: under the receiver's key, also to another namespace, and from there once more.
func TestKeysMoveToAnotherStore(t *testing.T) {
	receiver := vault.NewMaster()
	elsewhere := history.ID{Namespace: "elsewhere", Workflow: id.Workflow}
	dir := t.TempDir()
	theirs := openKeys(t, dir, vault.NewMaster())
	there := open(t, vault.Options{Codecs: []vault.Codec{vault.Encrypt(theirs)}})
	for name, keys := range map[string]vault.Keys{"file": openKeys(t, t.TempDir(), vault.NewMaster()), "memory": new(vault.MemoryKeys)} {
		here := open(t, vault.Options{Codecs: []vault.Codec{vault.Encrypt(keys)}})
		e := signal([]byte(fmt.Sprintf("%q", name)))
		w := wrap(t, here, e)
		_, err := there.Unwrap(t.Context(), elsewhere, 7, w)
		require.ErrorIs(t, err, vault.ErrNoKey)

		moved, err := here.Move(t.Context(), id, value(w).Encoding, receiver)
		require.NoError(t, err)
		require.Len(t, moved, 1)
		_, err = there.Adopt(t.Context(), elsewhere, moved)
		require.ErrorIs(t, err, vault.ErrNoKey, "the receiver's key is missing")
		forged := moved[0]
		forged.Home.Workflow = "another"
		_, err = there.Adopt(t.Context(), elsewhere, []vault.Moved{forged}, receiver)
		require.ErrorIs(t, err, vault.ErrDamaged)
		undo, err := there.Adopt(t.Context(), elsewhere, moved, receiver)
		require.NoError(t, err)
		u, err := there.Unwrap(t.Context(), elsewhere, 7, w)
		require.NoError(t, err)
		assert.Equal(t, e, u)
		_, err = there.Unwrap(t.Context(), history.ID{Namespace: "third", Workflow: id.Workflow}, 7, w)
		assert.Error(t, err, "for that execution only")

		require.NoError(t, undo(t.Context()))
		_, err = there.Unwrap(t.Context(), elsewhere, 7, w)
		require.ErrorIs(t, err, vault.ErrNoKey)
		_, err = there.Adopt(t.Context(), elsewhere, moved, receiver)
		require.NoError(t, err, "what was taken back can be done again")
		undo, err = there.Adopt(t.Context(), elsewhere, moved, receiver)
		require.NoError(t, err)
		require.NoError(t, undo(t.Context()), "of what was here before nothing is taken back")
		u, err = there.Unwrap(t.Context(), elsewhere, 7, w)
		require.NoError(t, err)
		assert.Equal(t, e, u)

		again, err := there.Move(t.Context(), elsewhere, value(w).Encoding, receiver)
		require.NoError(t, err)
		assert.Equal(t, id, again[0].Home)
	}
	_, err := theirs.Current(t.Context(), id)
	require.NoError(t, err)
	require.NoError(t, theirs.Close())
	for name, data := range everyFile(t, dir) {
		assert.False(t, strings.Contains(string(data), id.Namespace) || strings.Contains(string(data), elsewhere.Namespace), "%s says whose keys these are", name)
	}
}

// TestAdoptedKeysLiveLikeOthers: they are there after a restart, are rewrapped, and are destroyed with their execution, for good.
func TestAdoptedKeysLiveLikeOthers(t *testing.T) {
	receiver, old, newer := vault.NewMaster(), vault.NewMaster(), vault.NewMaster()
	here := open(t, vault.Options{Codecs: []vault.Codec{vault.Encrypt(new(vault.MemoryKeys))}})
	w := wrap(t, here, signal([]byte(`"secret"`)))
	moved, err := here.Move(t.Context(), id, value(w).Encoding, receiver)
	require.NoError(t, err)
	elsewhere := history.ID{Namespace: strings.Repeat("e", 200), Workflow: id.Workflow}
	dir := t.TempDir()
	keys := openKeys(t, dir, old)
	there := open(t, vault.Options{Codecs: []vault.Codec{vault.Encrypt(keys)}})
	_, err = there.Adopt(t.Context(), elsewhere, moved, receiver)
	require.NoError(t, err)
	own, err := there.Wrap(t.Context(), elsewhere, 8, signal([]byte(`"new"`)))
	require.NoError(t, err)
	assert.NotEqual(t, value(w).Encoding, value(own).Encoding, "what is new has a key of its own")
	require.NoError(t, keys.Close())

	reopen := func(newest vault.Master, older ...vault.Master) {
		keys, err = vault.OpenKeys(dir, newest, older...)
		require.NoError(t, err)
		require.NoError(t, keys.Check())
		there = open(t, vault.Options{Codecs: []vault.Codec{vault.Encrypt(keys)}})
	}
	opens := func(want error) {
		for seq, e := range map[uint64]history.Event{7: w, 8: own} {
			_, err := there.Unwrap(t.Context(), elsewhere, seq, e)
			assert.ErrorIs(t, err, want)
		}
	}
	reopen(newer, old)
	opens(nil)
	n, err := keys.Rewrap(t.Context())
	require.NoError(t, err)
	assert.Equal(t, 2, n)
	opens(nil)
	require.NoError(t, keys.Close())
	reopen(newer)
	opens(nil)
	require.NoError(t, keys.Destroy(t.Context(), elsewhere))
	opens(vault.ErrShredded)
	require.NoError(t, keys.Close())
	reopen(newer)
	opens(vault.ErrShredded)
	_, err = there.Adopt(t.Context(), elsewhere, moved, receiver)
	assert.ErrorIs(t, err, vault.ErrShredded, "what was destroyed here does not come back")
	gone, err := there.Move(t.Context(), elsewhere, value(w).Encoding, receiver)
	require.NoError(t, err)
	assert.Empty(t, gone[0].Master, "that it was destroyed is known elsewhere too")
	_, err = here.Adopt(t.Context(), elsewhere, gone)
	require.NoError(t, err)
	_, err = here.Unwrap(t.Context(), elsewhere, 7, w)
	assert.ErrorIs(t, err, vault.ErrShredded)
	require.NoError(t, keys.Close())
}

// TestKeysAreMadeWhileOthersAreAdopted: none is written where another is.
func TestKeysAreMadeWhileOthersAreAdopted(t *testing.T) {
	receiver, master := vault.NewMaster(), vault.NewMaster()
	here := open(t, vault.Options{Codecs: []vault.Codec{vault.Encrypt(new(vault.MemoryKeys))}})
	dir := t.TempDir()
	keys := openKeys(t, dir, master)
	there := open(t, vault.Options{Codecs: []vault.Codec{vault.Encrypt(keys)}})
	var all sync.WaitGroup
	var mu sync.Mutex
	wrapped := map[history.ID]history.Event{}
	for i := range 40 {
		of := execution(i)
		all.Go(func() {
			v := here
			if i%2 == 0 {
				v = there
			}
			w, err := v.Wrap(t.Context(), of, 7, signal([]byte(`"x"`)))
			if assert.NoError(t, err) && i%2 == 1 {
				moved, err := here.Move(t.Context(), of, value(w).Encoding, receiver)
				assert.NoError(t, err)
				_, err = there.Adopt(t.Context(), of, moved, receiver)
				assert.NoError(t, err)
			}
			mu.Lock()
			defer mu.Unlock()
			wrapped[of] = w
		})
	}
	all.Wait()
	require.NoError(t, keys.Close())
	keys = openKeys(t, dir, master)
	require.NoError(t, keys.Check())
	there = open(t, vault.Options{Codecs: []vault.Codec{vault.Encrypt(keys)}})
	for of, w := range wrapped {
		_, err := there.Unwrap(t.Context(), of, 7, w)
		require.NoError(t, err, of)
	}
}

// TestFilesMoveToo: whoever has the key of an execution reads its files, wherever they are.
func TestFilesMoveToo(t *testing.T) {
	receiver, blobs := vault.NewMaster(), new(vault.MemoryBlobs)
	here := open(t, vault.Options{Codecs: []vault.Codec{vault.Encrypt(new(vault.MemoryKeys))}, Blobs: blobs})
	ref, _, err := here.Files(id).Write(t.Context(), strings.NewReader("large"))
	require.NoError(t, err)
	moved, err := here.Move(t.Context(), id, ref, receiver)
	require.NoError(t, err)
	there := open(t, vault.Options{Codecs: []vault.Codec{vault.Encrypt(openKeys(t, t.TempDir(), vault.NewMaster()))}, Blobs: blobs})
	_, err = there.Adopt(t.Context(), id, moved, receiver)
	require.NoError(t, err)
	r, err := there.Files(history.ID{Namespace: "any", Workflow: "other"}).Open(t.Context(), ref)
	require.NoError(t, err)
	text, err := io.ReadAll(r)
	require.NoError(t, err)
	assert.Equal(t, "large", string(text))
}

func TestWhatKeepsItsKeysIsNotMoved(t *testing.T) {
	v := open(t, vault.Options{Codecs: []vault.Codec{reverse{}}})
	moved, err := v.Move(t.Context(), id, value(wrap(t, v, signal([]byte(`"12"`)))).Encoding, vault.NewMaster())
	assert.NoError(t, err)
	assert.Empty(t, moved)
	e := open(t, vault.Options{Codecs: []vault.Codec{vault.Encrypt(new(vault.MemoryKeys))}})
	_, err = e.Move(t.Context(), id, value(wrap(t, e, signal([]byte(`"12"`)))).Encoding, vault.Master{})
	assert.ErrorIs(t, err, vault.ErrNotMoved)
	_, err = v.Move(t.Context(), id, "json+other:1", vault.NewMaster())
	assert.ErrorIs(t, err, vault.ErrNoCodec)
	_, err = (*vault.Vault)(nil).Adopt(t.Context(), id, []vault.Moved{{Codec: "aes-256-gcm", Name: "1"}})
	assert.ErrorIs(t, err, vault.ErrNoCodec)
}
