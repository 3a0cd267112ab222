package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clewflow/clew/runtime"
	"github.com/clewflow/clew/vault"
)

func TestAnArchiveIsVerifiedAnywhereAndTakenOver(t *testing.T) {
	dir, folder := world(t), t.TempDir()
	at := func(name string) string { return filepath.Join(folder, name) }
	key := strings.TrimSpace(read(t, "anchor", "--new-key", at("key")))
	assert.Empty(t, read(t, "export", "--query", "*", "--sign", at("key"), "-o", at("all.clew"), "--dir", dir))
	out := read(t, "verify", "--file", at("all.clew"), "--signed-by", key)
	assert.Contains(t, out, "; the archive is whole, signed by "+key)
	code, _, errs := tool(t, "verify", "--file", at("all.clew"), "--signed-by", strings.Repeat("A", 43))
	assert.Equal(t, failed, code)
	assert.Contains(t, errs, "was signed by another key")

	// Whatever is missing or changed is found, and then nothing is taken over.
	text, err := os.ReadFile(at("all.clew"))
	require.NoError(t, err)
	lines := strings.SplitAfter(string(text), "\n")
	other := filepath.Join(folder, "other.data")
	newStore(t, other)
	for i := range len(lines) - 1 {
		if i == 0 {
			continue // without its first line it is no archive, but an export with a line that nothing begins
		}
		require.NoError(t, os.WriteFile(at("cut.clew"), []byte(strings.Join(append(append([]string{}, lines[:i]...), lines[i+1:]...), "")), 0o600))
		code, out, _ := tool(t, "verify", "--file", at("cut.clew"))
		assert.Equal(t, failed, code, "without line %d", i+1)
		assert.Contains(t, out, "damaged: ", "without line %d", i+1)
		code, _, errs := tool(t, "import", at("cut.clew"), "--dir", other)
		assert.Equal(t, failed, code)
		assert.Contains(t, errs, "nothing was taken over")
	}
	assert.NotContains(t, read(t, "ls", "--dir", other), "refund-1")

	code, out, _ = tool(t, "import", at("all.clew"), "--reason", "moved", "--by", "ann", "--dir", other)
	assert.Equal(t, failed, code, "the open ones are refused")
	assert.Regexp(t, `(?m)^order-1 is refused: still running: order-1 goes on where it was exported; end it there`, out)
	assert.Contains(t, out, "1 execution is taken over\n")
	assert.Equal(t, read(t, "export", "refund-1", "--dir", dir), read(t, "export", "refund-1", "--dir", other), "to the byte")
	assert.Contains(t, read(t, "ls", "--dir", other), "refund-1")
	assert.Contains(t, read(t, "verify", "--dir", other), " are good")
	assert.Regexp(t, `(?m)^\S+ +ann +refund-1 +entries 1 to \d+ of refund-1 taken over from an archive: moved$`, read(t, "acts", "--dir", other))
	_, out, _ = tool(t, "import", at("all.clew"), "--dir", other)
	assert.Contains(t, out, "1 execution is taken over, of which 1 was here already\n", "the same once more changes nothing")
	assert.Equal(t, 1, strings.Count(read(t, "acts", "--dir", other), "taken over"))

	assert.Contains(t, read(t, "delete", "refund-1", "--by", "bob", "--dir", other), "entries are gone")
	_, out, _ = tool(t, "import", at("all.clew"), "--dir", other)
	assert.Contains(t, out, "refund-1 was deleted here on purpose, by operator:bob")

	assert.Empty(t, read(t, "export", "refund-1", "--digests", "-o", at("sums.clew"), "--dir", dir))
	assert.Regexp(t, `payloads? (is|are) redacted; the archive is whole\n$`, read(t, "verify", "--file", at("sums.clew")))
	one := filepath.Join(folder, "third.data")
	newStore(t, one)
	assert.Equal(t, "1 execution is taken over\n", read(t, "import", at("sums.clew"), "--namespace", "elsewhere", "--dir", one))
	assert.Contains(t, read(t, "show", "refund-1", "--namespace", "elsewhere", "--dir", one), "(redacted)")
	assert.Regexp(t, `payloads? (is|are) redacted\n$`, read(t, "verify", "--dir", one), "nobody here has taken them away")
}

// newStore makes an empty store.
func newStore(t *testing.T, dir string) {
	t.Helper()
	rt, err := runtime.Open(t.Context(), runtime.Config{Store: dir})
	require.NoError(t, err)
	require.NoError(t, rt.Close())
}

// TestAnArchiveHasFilesAndKeys: a value that is so large that it is kept in a file, and payloads that a program encrypts.
func TestAnArchiveHasFilesAndKeys(t *testing.T) {
	folder := t.TempDir()
	at := func(name string) string { return filepath.Join(folder, name) }
	key := at("receiver.key")
	require.NoError(t, os.WriteFile(key, []byte(vault.NewMaster().Text()), 0o600))

	dir := shipped(t)
	assert.Empty(t, read(t, "export", "hello-1", "--archive", "-o", at("plain.clew"), "--dir", filepath.Join(dir, "store")))
	assert.Regexp(t, `^\d+ entries of 1 execution are good, 1 file is whole; the archive is whole\n$`, read(t, "verify", "--file", at("plain.clew")))
	status, _, errs := tool(t, "import", at("plain.clew"), "--dir", at("plain.data"))
	assert.Equal(t, failed, status)
	assert.Contains(t, errs, "there is no directory")
	status, _, errs = tool(t, "import", at("plain.clew"), "--new", "--dir", folder)
	assert.Equal(t, failed, status)
	assert.Contains(t, errs, "holds no store", "it has other files")
	status, _, errs = tool(t, "export", "--query", "type = ", "--dir", filepath.Join(dir, "store"))
	assert.Equal(t, misused, status, errs)
	assert.Equal(t, "1 execution is taken over\n", read(t, "import", at("plain.clew"), "--new", "--dir", at("plain.data")))
	assert.Regexp(t, `are good, \d+ files? (is|are) whole`, read(t, "verify", "--dir", at("plain.data")))
	for _, from := range [][]string{{"--from", at("plain.clew")}, {"--dir", at("plain.data")}} {
		out := read(t, append(append([]string{"check", "--with", theApp(t), "--all"}, from...), "--", "-release", "before")...)
		assert.Contains(t, out, "greet")
		assert.Contains(t, out, "1 run")
	}

	// A file that is missing or changed is found, and nothing is taken over.
	text, err := os.ReadFile(at("plain.clew"))
	require.NoError(t, err)
	i := bytes.Index(text, []byte(`{"archive":"bytes","data":"`)) + 1_000
	text[i] ^= 1
	require.NoError(t, os.WriteFile(at("bad.clew"), text, 0o600))
	code, out, _ := tool(t, "verify", "--file", at("bad.clew"))
	assert.Equal(t, failed, code)
	assert.Contains(t, out, "is not the one that was written")

	dir = shipped(t, "-sealed")
	store := filepath.Join(dir, "store")
	require.NoError(t, os.WriteFile(at("master"), []byte(strings.Repeat("00", 32)), 0o600))
	code, _, errs = tool(t, "export", "hello-1", "--archive", "--dir", store)
	assert.Equal(t, failed, code)
	assert.Contains(t, errs, "aes-256-gcm is not among")
	with := []string{"--keys", filepath.Join(dir, "keys"), "--master", at("master")}
	code, _, errs = tool(t, append([]string{"export", "hello-1", "--archive", "--dir", store}, with...)...)
	assert.Equal(t, failed, code)
	assert.Contains(t, errs, "a master key that the receiver has")
	assert.Empty(t, read(t, append([]string{"export", "hello-1", "--key", key, "-o", at("sealed.clew"), "--dir", store}, with...)...))
	assert.Regexp(t, `the archive is whole, with 1 key\n$`, read(t, "verify", "--file", at("sealed.clew")))

	other := filepath.Join(t.TempDir(), "other")
	out, err = combined(theApp(t), "-dir", other, "-release", "before", "-sealed", "-idle")
	require.NoError(t, err, out)
	to := []string{"--dir", filepath.Join(other, "store"), "--keys", filepath.Join(other, "keys"), "--master", at("master")}
	_, out, _ = tool(t, append([]string{"import", at("sealed.clew")}, to...)...)
	assert.Contains(t, out, "hello-1 is refused: it is one that cannot be opened here")
	assert.NotContains(t, read(t, "acts", "--dir", filepath.Join(other, "store")), "hello-1")
	assert.Equal(t, "1 execution is taken over\n", read(t, append([]string{"import", at("sealed.clew"), "--key", key}, to...)...))
	assert.Contains(t, read(t, "verify", "--dir", filepath.Join(other, "store")), " are good")
	out = read(t, "check", "--with", theApp(t), "--all", "--dir", filepath.Join(other, "store"), "--", "-dir", other, "-sealed", "-release", "before")
	assert.Contains(t, out, "1 run")
}

func combined(program string, args ...string) (string, error) {
	out, err := exec.Command(program, args...).CombinedOutput()
	return string(out), err
}
