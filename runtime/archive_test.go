package runtime_test

import (
	"bytes"
	"context"
	"crypto/sha512"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clewflow/clew/activity"
	"github.com/clewflow/clew/audit"
	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/runtime"
	"github.com/clewflow/clew/vault"
	"github.com/clewflow/clew/workflow"
)

// told is a long text about a number, which cannot be compressed to much less.
func told(n int) string {
	text := ""
	for i := range 20 {
		text += fmt.Sprintf("%x", sha512.Sum512([]byte(fmt.Sprint(n, i))))
	}
	return text
}

// scans is a workflow whose activities pass a file on, and have a large result.
func scans() []workflow.Definition {
	scan := activity.Define("scan", func(ctx context.Context, text string) (activity.File, error) {
		return activity.WriteFile(ctx, "scan.txt", strings.NewReader(strings.Repeat(text, 20_000)))
	})
	count := activity.Define("count", func(ctx context.Context, f activity.File) (string, error) {
		r, err := activity.OpenFile(ctx, f)
		if err != nil {
			return "", err
		}
		defer r.Close()
		text, err := io.ReadAll(r)
		return told(len(text)), err
	})
	return []workflow.Definition{scan, count, workflow.Define("scans", func(ctx workflow.Context, text string) (string, error) {
		f, err := workflow.Do(ctx, scan, text)
		if err != nil {
			return "", err
		}
		return workflow.Do(ctx, count, f)
	})}
}

// shelf is a runtime with a vault of its own.
type shelf struct {
	*world
	keys  *vault.MemoryKeys
	blobs *vault.MemoryBlobs
}

func newShelf(t *testing.T, namespace string, encrypted bool, beside *shelf) *shelf {
	s := &shelf{keys: new(vault.MemoryKeys), blobs: new(vault.MemoryBlobs)}
	o := vault.Options{Blobs: s.blobs, Threshold: 400}
	if encrypted {
		o.Codecs = append(o.Codecs, vault.Encrypt(s.keys))
	}
	v, err := vault.New(o)
	require.NoError(t, err)
	s.world = newWorld(t, runtime.Config{Vault: v, Namespace: namespace})
	if beside != nil {
		s.keys, s.blobs, s.disk, s.c.Vault = beside.keys, beside.blobs, beside.disk, beside.c.Vault
	}
	s.open(scans()...)
	return s
}

func (s *shelf) archive(wish runtime.ExportWish) string {
	s.t.Helper()
	path := filepath.Join(s.t.TempDir(), "a.clew")
	var b bytes.Buffer
	require.NoError(s.t, s.rt.Export(s.ctx(), &b, wish))
	require.NoError(s.t, os.WriteFile(path, b.Bytes(), 0o600))
	return path
}

// imported imports an archive of one execution.
func (s *shelf) imported(path string, keys ...vault.Master) runtime.Import {
	s.t.Helper()
	all, err := s.rt.ImportFile(s.ctx(), path, runtime.ArchiveKeys(keys...), runtime.Operator("ann"))
	require.NoError(s.t, err)
	require.Len(s.t, all, 1)
	return all[0]
}

func (s *shelf) acts() (n int) {
	for _, err := range s.rt.Acts(s.ctx(), runtime.ActsQuery{}) {
		require.NoError(s.t, err)
		n++
	}
	return n
}

// TestAnArchiveHasEverythingWithIt: the files that payloads and values refer to, and the keys.
func TestAnArchiveHasEverythingWithIt(t *testing.T) {
	for _, encrypted := range []bool{false, true} {
		t.Run(fmt.Sprint("encrypted=", encrypted), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { wholeArchive(t, encrypted) })
		})
	}
}

func wholeArchive(t *testing.T, encrypted bool) {
	receiver := vault.NewMaster()
	s := newShelf(t, "shop", encrypted, nil)
	_, err := runtime.Do(t.Context(), s.rt, "scan-1", scans()[2].(workflow.Type[string, string]), "secret")
	require.NoError(t, err)
	if encrypted {
		assert.ErrorIs(t, s.rt.Export(t.Context(), io.Discard, runtime.ExportWish{ID: "scan-1"}), runtime.ErrInvalid, "no key for the receiver")
	}
	path := s.archive(runtime.ExportWish{ID: "scan-1", Key: receiver.Text()})
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, !encrypted, bytes.Contains(text, []byte("secret")))
	a, err := audit.OpenArchive(path)
	require.NoError(t, err)
	defer a.Close()
	report, err := a.Verify(audit.Scope{})
	require.NoError(t, err)
	assert.Empty(t, report.Findings)
	assert.Equal(t, map[bool]int{false: 2, true: 3}[encrypted], report.Blobs, "the file, and the large result, which is there twice and once only where it is not encrypted")
	assert.Equal(t, encrypted, report.Keys > 0)

	// Everything in it can be read with nothing else at hand, as a replay test does.
	v, err := a.Vault(t.Context(), receiver)
	require.NoError(t, err)
	for x, err := range a.Executions() {
		require.NoError(t, err)
		for _, e := range x.Entries {
			_, err := v.Unwrap(t.Context(), x.ID, e.Seq, e.Event)
			require.NoError(t, err)
		}
	}

	there := newShelf(t, "shop", encrypted, nil)
	if encrypted {
		assert.Contains(t, there.imported(path).Refused, "wrapped under master key", "without the receiver's key")
		plain := newShelf(t, "shop", false, nil)
		assert.Contains(t, plain.imported(path, receiver).Refused, "aes-256-gcm is not among", "without a vault that encrypts")
		plain.close()
	}
	assert.Zero(t, there.acts(), "nothing was taken over")
	assert.True(t, s.imported(path, receiver).Here)
	assert.Zero(t, s.acts(), "an import into the same store is nothing, and is not recorded")
	entries := s.entries("scan-1")
	s.close()
	second := newShelf(t, "second", encrypted, s) // another namespace of the same store
	elsewhere := newShelf(t, "elsewhere", encrypted, nil)
	for _, to := range []*shelf{there, elsewhere, second} {
		require.Equal(t, runtime.Import{ID: "scan-1", Entries: len(entries)}, to.imported(path, receiver))
		assert.Equal(t, history.Marshal(entries), history.Marshal(to.entries("scan-1")), "to the byte")
		assert.Equal(t, 1, to.acts())
		assert.True(t, to.imported(path, receiver).Here)
		assert.Equal(t, 1, to.acts(), "once more it is nothing")
		report, err := to.rt.Verify(t.Context(), audit.Scope{})
		require.NoError(t, err)
		assert.Empty(t, report.Findings)

		code := scans()[2].(workflow.Type[string, string])
		out, err := runtime.Result(t.Context(), to.rt, "scan-1", code)
		require.NoError(t, err)
		assert.Equal(t, told(120_000), out)
		_, err = to.rt.Rerun(t.Context(), "scan-1", runtime.AtActivity("count", 1))
		require.NoError(t, err)
		out, err = runtime.Result(t.Context(), to.rt, "scan-1", code)
		require.NoError(t, err)
		assert.Equal(t, told(120_000), out, "the file is there, and is read again")
		to.close()
	}
}
