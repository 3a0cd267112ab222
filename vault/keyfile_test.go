package vault_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/vault"
)

func execution(i int) history.ID {
	return history.ID{Namespace: "shop", Workflow: fmt.Sprintf("order-%d", i)}
}

func openKeys(t testing.TB, dir string, newest vault.Master, older ...vault.Master) *vault.KeyFile {
	k, err := vault.OpenKeys(dir, newest, older...)
	require.NoError(t, err)
	t.Cleanup(func() { _ = k.Close() })
	return k
}

// sealed wraps one signal for each of n executions.
func sealed(t testing.TB, keys vault.Keys, n int) (all []history.Event) {
	v := open(t, vault.Options{Codecs: []vault.Codec{vault.Encrypt(keys)}})
	for i := range n {
		e, err := v.Wrap(t.Context(), execution(i), 1, signal(fmt.Appendf(nil, `"secret %d"`, i)))
		require.NoError(t, err)
		all = append(all, e)
	}
	return all
}

// opened is what comes of the signal of execution i.
func opened(t testing.TB, keys vault.Keys, i int, e history.Event) error {
	v := open(t, vault.Options{Opens: []vault.Codec{vault.Encrypt(keys)}})
	u, err := v.Unwrap(t.Context(), execution(i), 1, e)
	if err == nil {
		require.Equal(t, fmt.Sprintf(`"secret %d"`, i), string(value(u).Data))
	}
	return err
}

func TestKeysOutliveTheProcess(t *testing.T) {
	dir, master := t.TempDir(), vault.NewMaster()
	keys := openKeys(t, dir, master)
	events := sealed(t, keys, 20)
	first, err := keys.Current(t.Context(), execution(3))
	require.NoError(t, err)
	require.NoError(t, keys.Close())
	require.NoError(t, keys.Close(), "twice changes nothing")
	_, err = keys.Find(t.Context(), first.Name())
	assert.ErrorContains(t, err, "closed")
	_, err = keys.Current(t.Context(), execution(99))
	assert.ErrorContains(t, err, "closed")
	assert.ErrorContains(t, keys.Destroy(t.Context(), execution(3)), "closed")
	_, err = keys.Rewrap(t.Context())
	assert.ErrorContains(t, err, "closed")

	keys = openKeys(t, dir, master)
	assert.NoError(t, keys.Check())
	for i, e := range events {
		require.NoError(t, opened(t, keys, i, e))
	}
	again, err := keys.Current(t.Context(), execution(3))
	require.NoError(t, err)
	assert.Equal(t, first.Name(), again.Name())
	other, err := keys.Current(t.Context(), execution(4))
	require.NoError(t, err)
	assert.NotEqual(t, first.Name(), other.Name())
}

func TestDestroyedKeysAreShreddedForEver(t *testing.T) {
	dir, master := t.TempDir(), vault.NewMaster()
	keys := openKeys(t, dir, master)
	events := sealed(t, keys, 3)
	slot := slotOf(t, dir, 2)
	require.NoError(t, keys.Destroy(t.Context(), execution(1)))
	require.NoError(t, keys.Destroy(t.Context(), execution(1)), "twice changes nothing")
	require.NoError(t, keys.Destroy(t.Context(), execution(99)), "nor where there is none")
	for range 2 {
		err := opened(t, keys, 1, events[1])
		assert.ErrorIs(t, err, vault.ErrShredded)
		assert.NotErrorIs(t, err, vault.ErrNoKey)
		assert.NoError(t, opened(t, keys, 0, events[0]), "others are unharmed")
		assert.NoError(t, opened(t, keys, 2, events[2]))
		require.NoError(t, keys.Close())
		keys = openKeys(t, dir, master)
	}
	file, err := os.ReadFile(filepath.Join(dir, "data.keys"))
	require.NoError(t, err)
	assert.NotContains(t, string(file), string(slot[40:100]), "the wrapped key is gone from the file")

	fresh := sealed(t, keys, 2)[1]
	assert.NotEqual(t, value(events[1]).Encoding, value(fresh).Encoding, "what follows has a key of another name")
	assert.NoError(t, opened(t, keys, 1, fresh))
	assert.ErrorIs(t, opened(t, keys, 1, events[1]), vault.ErrShredded)
	require.NoError(t, keys.Destroy(t.Context(), execution(1)))
	assert.ErrorIs(t, opened(t, keys, 1, fresh), vault.ErrShredded)
}

func slotOf(t testing.TB, dir string, n int) []byte {
	file, err := os.ReadFile(filepath.Join(dir, "data.keys"))
	require.NoError(t, err)
	return file[n*128 : n*128+128]
}

func TestMasterKeysAreRotated(t *testing.T) {
	dir := t.TempDir()
	one, two, three := vault.NewMaster(), vault.NewMaster(), vault.NewMaster()
	keys := openKeys(t, dir, one)
	events := sealed(t, keys, 5)
	require.NoError(t, keys.Destroy(t.Context(), execution(4)))
	require.NoError(t, keys.Close())

	keys = openKeys(t, dir, two) // without the old one
	err := opened(t, keys, 0, events[0])
	assert.ErrorIs(t, err, vault.ErrNoKey)
	assert.NotErrorIs(t, err, vault.ErrShredded)
	assert.ErrorContains(t, err, strings.TrimPrefix(one.String(), "master "), "the error names the key that is missing")
	assert.ErrorIs(t, opened(t, keys, 4, events[4]), vault.ErrShredded)
	before := everyFile(t, dir)
	_, err = keys.Rewrap(t.Context())
	assert.ErrorIs(t, err, vault.ErrNoKey)
	assert.Equal(t, before, everyFile(t, dir), "what cannot be rewrapped stays as it was")
	require.NoError(t, keys.Close())

	keys = openKeys(t, dir, two, one) // with it
	for i := range 4 {
		require.NoError(t, opened(t, keys, i, events[i]))
	}
	newest := sealed(t, keys, 7)
	n, err := keys.Rewrap(t.Context())
	require.NoError(t, err)
	assert.Equal(t, 4, n)
	late := sealed(t, keys, 8)[7]
	n, err = keys.Rewrap(t.Context())
	require.NoError(t, err)
	assert.Zero(t, n, "twice changes nothing")
	require.NoError(t, keys.Close())

	keys = openKeys(t, dir, three, two) // the first is no longer needed
	for i := range 4 {
		require.NoError(t, opened(t, keys, i, events[i]))
	}
	assert.ErrorIs(t, opened(t, keys, 4, events[4]), vault.ErrShredded)
	assert.NoError(t, opened(t, keys, 6, newest[6]))
	assert.NoError(t, opened(t, keys, 7, late))
}

// TestDamagedSlotsAreNamed flips each byte of a slot: its key is damaged or missing, and no other is harmed.
func TestDamagedSlotsAreNamed(t *testing.T) {
	dir, master := t.TempDir(), vault.NewMaster()
	keys := openKeys(t, dir, master)
	events := sealed(t, keys, 3)
	require.NoError(t, keys.Close())
	path := filepath.Join(dir, "data.keys")
	good, err := os.ReadFile(path)
	require.NoError(t, err)
	for i := range 128 {
		bad := bytes.Clone(good)
		bad[2*128+i] ^= 1
		require.NoError(t, os.WriteFile(path, bad, 0o600))
		keys := openKeys(t, dir, master)
		require.ErrorContains(t, keys.Check(), "slots [2] of "+path)
		err := opened(t, keys, 1, events[1])
		require.ErrorIs(t, err, vault.ErrDamaged)
		require.ErrorContains(t, err, "slot 2 of "+path)
		require.NoError(t, opened(t, keys, 0, events[0]))
		require.NoError(t, opened(t, keys, 2, events[2]))
		fresh := sealed(t, keys, 2)[1]
		require.NoError(t, opened(t, keys, 1, fresh), "the execution goes on with a new key")
		require.NoError(t, keys.Close())
	}
	for i := range 16 {
		bad := bytes.Clone(good)
		bad[i] ^= 1
		require.NoError(t, os.WriteFile(path, bad, 0o600))
		_, err := vault.OpenKeys(dir, master)
		require.ErrorIs(t, err, vault.ErrDamaged)
		require.ErrorContains(t, err, path)
	}
}

// TestTruncatedKeyFiles cuts the file anywhere: what is cut off is missing, and its slots are not taken for other keys.
func TestTruncatedKeyFiles(t *testing.T) {
	dir, master := t.TempDir(), vault.NewMaster()
	keys := openKeys(t, dir, master)
	events := sealed(t, keys, 2)
	require.NoError(t, keys.Close())
	path := filepath.Join(dir, "data.keys")
	good, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Len(t, good, 3*128)
	for size := 128; size < len(good); size += 8 {
		require.NoError(t, os.WriteFile(path, good[:size], 0o600))
		keys := openKeys(t, dir, master)
		require.NoError(t, keys.Check(), "a write that was cut off by a crash was acknowledged to nobody")
		err := opened(t, keys, 1, events[1])
		require.True(t, isAny(err, vault.ErrNoKey, vault.ErrDamaged), "%d: %v", size, err)
		fresh := sealed(t, keys, 5)
		err = opened(t, keys, 1, events[1])
		require.True(t, isAny(err, vault.ErrNoKey, vault.ErrDamaged), "%d: %v", size, err)
		require.NoError(t, keys.Close())
		keys = openKeys(t, dir, master)
		for i, e := range fresh {
			require.NoError(t, opened(t, keys, i, e), size)
		}
		require.NoError(t, keys.Close())
	}
	for size := range 128 {
		require.NoError(t, os.WriteFile(path, good[:size], 0o600))
		_, err := vault.OpenKeys(dir, master)
		require.ErrorIs(t, err, vault.ErrDamaged, size)
	}
}

func isAny(err error, wanted ...error) bool {
	for _, w := range wanted {
		if errors.Is(err, w) {
			return true
		}
	}
	return false
}

func TestUnknownNamesOfKeys(t *testing.T) {
	keys := openKeys(t, t.TempDir(), vault.NewMaster())
	sealed(t, keys, 1)
	for _, name := range []string{"", "x", "1", "1.", "0.aaaaaaaaaaaaaaaa", "-1.aaaaaaaaaaaaaaaa", "1.aaaaaaaaaaaaaaaa", "2.aaaaaaaaaaaaaaaa", "999999999999999.aaaaaaaaaaaaaaaa"} {
		_, err := keys.Find(t.Context(), name)
		assert.ErrorIs(t, err, vault.ErrNoKey, name)
	}
}

func TestOneProcessAtATime(t *testing.T) {
	dir, master := t.TempDir(), vault.NewMaster()
	keys := openKeys(t, dir, master)
	_, err := vault.OpenKeys(dir, master)
	require.ErrorContains(t, err, "another process has them open")
	require.NoError(t, keys.Close())
	openKeys(t, dir, master)
}

// TestConcurrentUse: one execution has one key, whoever asks, while keys are destroyed and rewrapped.
func TestConcurrentUse(t *testing.T) {
	dir, master := t.TempDir(), vault.NewMaster()
	keys := openKeys(t, dir, master, vault.NewMaster())
	v := open(t, vault.Options{Codecs: []vault.Codec{vault.Zstd(1), vault.Encrypt(keys)}, Blobs: new(vault.MemoryBlobs), Threshold: 100})
	const executions, callers = 20, 8
	var all sync.WaitGroup
	names := make([][callers]string, executions)
	for c := range callers {
		all.Go(func() {
			for i := range executions {
				k, err := keys.Current(t.Context(), execution(i))
				if !assert.NoError(t, err) {
					return
				}
				names[i][c] = k.Name()
				e := signal(quoted(40 * i))
				w, err := v.Wrap(t.Context(), execution(i), uint64(c)+1, e)
				assert.NoError(t, err)
				u, err := v.Unwrap(t.Context(), execution(i), uint64(c)+1, w)
				assert.NoError(t, err)
				assert.Equal(t, e, u)
			}
		})
	}
	all.Go(func() {
		for i := range 10 {
			other := execution(1_000 + i)
			k, err := keys.Current(t.Context(), other)
			assert.NoError(t, err)
			assert.NoError(t, keys.Destroy(t.Context(), other))
			_, err = keys.Find(t.Context(), k.Name())
			assert.ErrorIs(t, err, vault.ErrShredded)
			_, err = keys.Rewrap(t.Context())
			assert.NoError(t, err)
		}
	})
	all.Wait()
	seen := map[string]bool{}
	for i := range names {
		for _, name := range names[i] {
			assert.Equal(t, names[i][0], name)
		}
		assert.False(t, seen[names[i][0]])
		seen[names[i][0]] = true
	}
	require.NoError(t, keys.Close())
	keys = openKeys(t, dir, master)
	for name := range seen {
		_, err := keys.Find(t.Context(), name)
		assert.NoError(t, err)
	}
}

// TestMoreKeysThanAreRemembered: those that were forgotten are read again.
func TestMoreKeysThanAreRemembered(t *testing.T) {
	keys := openKeys(t, t.TempDir(), vault.NewMaster())
	const n = 5_000
	names := make([]string, n)
	var all sync.WaitGroup
	for c := range 50 { // together, so that they share syncs
		all.Go(func() {
			for i := c; i < n; i += 50 {
				k, err := keys.Current(t.Context(), execution(i))
				if assert.NoError(t, err) {
					names[i] = k.Name()
				}
			}
		})
	}
	all.Wait()
	for i, name := range names {
		k, err := keys.Find(t.Context(), name)
		require.NoError(t, err)
		current, err := keys.Current(t.Context(), execution(i))
		require.NoError(t, err)
		require.Equal(t, k.Name(), current.Name())
	}
}

// TestKeysSurviveKill: a process makes and destroys keys and says so, and is killed in the middle of it, again and again.
func TestKeysSurviveKill(t *testing.T) {
	if dir := os.Getenv("CLEW_TEST_KEYS"); dir != "" {
		makeKeys(t, dir)
	}
	dir, master := t.TempDir(), vault.NewMaster()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "master"), []byte(master.Text()), 0o600))
	said := map[string]string{} // key name → "made" or "destroyed"
	for round := range 5 {
		c := exec.Command(os.Args[0], "-test.run=^TestKeysSurviveKill$")
		c.Env = append(os.Environ(), "CLEW_TEST_KEYS="+dir, fmt.Sprintf("CLEW_TEST_ROUND=%d", round))
		out, err := c.StdoutPipe()
		require.NoError(t, err)
		require.NoError(t, c.Start())
		lines := bufio.NewScanner(out)
		for n := 0; lines.Scan(); n++ {
			what, name, ok := strings.Cut(lines.Text(), " ")
			require.True(t, ok && (what == "made" || what == "destroyed"), lines.Text())
			said[name] = what
			if n == 30+7*round {
				require.NoError(t, c.Process.Kill())
			}
		}
		_ = c.Wait()
		keys := openKeys(t, dir, master)
		for name, what := range said {
			_, err := keys.Find(t.Context(), name)
			if what == "made" {
				if err != nil { // the last one may have been destroyed before that could be said
					require.ErrorIs(t, err, vault.ErrShredded)
					said[name] = "destroyed"
				}
			} else {
				require.ErrorIs(t, err, vault.ErrShredded)
			}
		}
		require.NoError(t, keys.Close())
	}
	made := 0
	for _, what := range said {
		if what == "made" {
			made++
		}
	}
	assert.Greater(t, made, 80)
	assert.Greater(t, len(said)-made, 40)
}

// makeKeys is the process that is killed. Every third key it destroys.
func makeKeys(t *testing.T, dir string) {
	master, err := vault.ReadMaster(filepath.Join(dir, "master"))
	require.NoError(t, err)
	keys := openKeys(t, dir, master)
	for i := 0; ; i++ {
		id := history.ID{Namespace: os.Getenv("CLEW_TEST_ROUND"), Workflow: fmt.Sprint(i)}
		k, err := keys.Current(t.Context(), id)
		require.NoError(t, err)
		fmt.Println("made", k.Name())
		if i%3 == 0 {
			require.NoError(t, keys.Destroy(t.Context(), id))
			fmt.Println("destroyed", k.Name())
		}
	}
}

func TestMasterKeysAreTextAndHidden(t *testing.T) {
	m := vault.NewMaster()
	for _, text := range []string{m.Text(), " " + m.Text() + "\n"} {
		got, err := vault.ParseMaster([]byte(text))
		require.NoError(t, err)
		assert.Equal(t, m, got)
	}
	got, err := vault.ParseMaster(fmt.Appendf(nil, "%064x", 7))
	require.NoError(t, err)
	assert.Equal(t, "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAc=", got.Text())
	for _, bad := range []string{"", "x", m.Text()[1:], m.Text() + "AAAA"} {
		_, err := vault.ParseMaster([]byte(bad))
		assert.ErrorContains(t, err, "is no master key")
	}
	path := filepath.Join(t.TempDir(), "master.key")
	_, err = vault.ReadMaster(path)
	assert.ErrorIs(t, err, os.ErrNotExist)
	require.NoError(t, os.WriteFile(path, []byte("short"), 0o600))
	_, err = vault.ReadMaster(path)
	assert.ErrorContains(t, err, path)
	key := vault.NewKey("k1", [32]byte{1, 2, 3})
	for _, text := range []string{fmt.Sprintf("%v %+v %#v %s", m, m, m, m), fmt.Sprintf("%v %+v %#v %s", key, key, key, key)} {
		assert.NotContains(t, text, m.Text())
		assert.NotRegexp(t, `1,? ?2,? ?3|0x1, 0x2|010203`, text)
	}
}
