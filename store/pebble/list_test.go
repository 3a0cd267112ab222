package pebble

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/store"
)

func entries(first, n int) (all []history.Entry) {
	for i := range n {
		e := history.Entry{Seq: uint64(first + i), At: time.Unix(1, 0).UTC(), Event: &history.Told{}}
		history.Seal(history.Hash{}, &e)
		all = append(all, e)
	}
	return all
}

func listed(t *testing.T, l *Log, namespace string) (all []Known) {
	t.Helper()
	for k, err := range l.List(t.Context(), namespace) {
		require.NoError(t, err)
		all = append(all, k)
	}
	return all
}

func TestAListHasEachExecutionOnce(t *testing.T) {
	l := open(t, t.TempDir(), small(nil))
	id := func(namespace, workflow string) history.ID {
		return history.ID{Namespace: namespace, Workflow: workflow}
	}
	require.NoError(t, l.Append(t.Context(), id("a", "x"), entries(1, 3)...))
	require.NoError(t, l.Append(t.Context(), id("b", "x"), entries(1, 1)...))
	require.NoError(t, l.AppendTail(t.Context(), id("b", "x\x00y"), &store.Tail{Began: 1, Seq: 1}, entries(1, 1)...))
	require.NoError(t, l.Append(t.Context(), id("b", "x"), entries(2, 2)...))
	require.NoError(t, l.Append(t.Context(), id("c", "x"), entries(1, 1)...))
	assert.Equal(t, []Known{{id("b", "x"), false, store.At(6)}, {id("b", "x\x00y"), true, store.At(5)}}, listed(t, l, "b"))
	assert.Empty(t, listed(t, l, "d"))

	for i := range 2*chunkRecords + 3 {
		require.NoError(t, l.Append(t.Context(), id("many", fmt.Sprintf("%05d", i)), entries(1, 1)...))
	}
	all := listed(t, l, "many")
	require.Len(t, all, 2*chunkRecords+3)
	for i, k := range all {
		require.Equal(t, fmt.Sprintf("%05d", i), k.ID.Workflow)
	}
}

// content is every file of a directory.
func content(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	require.NoError(t, filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		all[path] = string(text)
		return err
	}))
	return all
}

func TestReadingOnlyChangesNothing(t *testing.T) {
	id := history.ID{Namespace: "n", Workflow: "w"}
	for name, leave := range map[string]func(*testing.T, *Log) string{
		"closed": func(t *testing.T, l *Log) string {
			require.NoError(t, l.Close())
			return filepath.Dir(l.dir)
		},
		"killed": func(t *testing.T, l *Log) string { // a copy is what a process leaves that was killed
			dir := t.TempDir()
			require.NoError(t, os.CopyFS(dir, os.DirFS(filepath.Dir(l.dir))))
			return dir
		},
	} {
		t.Run(name, func(t *testing.T) {
			l := open(t, t.TempDir(), small(nil))
			require.NoError(t, l.AppendTail(t.Context(), id, &store.Tail{Began: 1, Seq: 3}, entries(1, 3)...))
			dir := leave(t, l)
			before := content(t, dir)

			o := small(nil)
			o.ReadOnly = true
			r := open(t, dir, o)
			n := 0
			for _, err := range r.Read(t.Context(), id, 1) {
				require.NoError(t, err)
				n++
			}
			assert.Equal(t, 3, n)
			assert.Equal(t, []Known{{id, true, store.At(1)}}, listed(t, r, "n"))
			assert.ErrorIs(t, r.Append(t.Context(), id, entries(4, 1)...), store.ErrDenied)
			_, err := Open(dir, small(nil))
			assert.ErrorIs(t, err, store.ErrInUse)
			require.NoError(t, r.Close())
			assert.Equal(t, before, content(t, dir))
		})
	}
	dir := t.TempDir()
	_, err := Open(dir, Options{ReadOnly: true})
	assert.ErrorIs(t, err, os.ErrNotExist)
	assert.Empty(t, content(t, dir))
}
