package runtime_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clewflow/clew/runtime"
	"github.com/clewflow/clew/vault"
	"github.com/clewflow/clew/workflow"
)

// TestTheParentOfAShreddedChildIsTold: that it has ended, and that how cannot be read.
func TestTheParentOfAShreddedChildIsTold(t *testing.T) {
	parent := workflow.Define("parent", func(ctx workflow.Context, _ workflow.None) (string, error) {
		child := workflow.BeginChild(ctx, parcel, "wait", workflow.ID("child"))
		if _, err := finish.Receive(ctx); err != nil {
			return "", err
		}
		return child.Get(ctx)
	})
	v, err := vault.New(vault.Options{Codecs: []vault.Codec{vault.Encrypt(new(vault.MemoryKeys))}})
	require.NoError(t, err)
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, runtime.Config{Vault: v})
		told := false
		w.c.Hooks.Errands = func(e runtime.Errand) {
			if e.What != "tell its parent" || told { // as if the process had died
				go e.Do()
			}
		}
		w.open(parent, parcel)
		_, err := runtime.Start(w.ctx(), w.rt, "p", parent, workflow.None{})
		require.NoError(t, err)
		time.Sleep(time.Second)
		require.NoError(t, w.rt.Signal(w.ctx(), "child", number.With(1)))
		time.Sleep(time.Second)
		require.NoError(t, w.rt.Shred(w.ctx(), "child"))
		w.close()
		told = true
		w.open(parent, parcel)
		time.Sleep(hour)
		require.NoError(t, w.rt.Signal(w.ctx(), "p", finish.With("now")))
		time.Sleep(hour)
		d, err := w.rt.Describe(w.ctx(), "p")
		require.NoError(t, err)
		assert.Contains(t, d.Stalled, "the code panicked", "a result that was redacted")
		assert.Contains(t, w.kinds("p"), "child-closed")
		require.NoError(t, w.rt.Terminate(w.ctx(), "p"))
		w.close()
	})
}

// TestNothingIsHalfDoneWhileFilesCannotBeWritten: what is too large for its entry waits, the rest goes on, and all recovers.
func TestNothingIsHalfDoneWhileFilesCannotBeWritten(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "store")
	text := func(n int) string { // does not compress
		var b strings.Builder
		for x := uint32(1); b.Len() < n; {
			x ^= x << 13
			x ^= x >> 17
			x ^= x << 5
			b.WriteByte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"[x%64])
		}
		return b.String()
	}
	echo := workflow.NewUpdate[string, string]("echo")
	w := workflow.Define("echoes", func(ctx workflow.Context, n int) (int, error) {
		sum := 0
		echo.Handle(ctx, func(ctx workflow.Context, s string) (string, error) { return s + s, nil })
		for range n {
			i, err := number.Receive(ctx)
			if err != nil {
				return 0, err
			}
			sum += i
		}
		return sum, nil
	})
	rt, stop := open(t, runtime.Config{Store: dir}, w)
	_, err := runtime.Start(t.Context(), rt, "e", w, 3)
	require.NoError(t, err)
	require.NoError(t, os.Rename(filepath.Join(dir, "blobs"), filepath.Join(dir, "gone")))
	require.NoError(t, rt.Signal(t.Context(), "e", number.With(1)))
	sizes := []int{100, 8<<10 - 200, 8 << 10, 9 << 10, 40 << 10, 64 << 10, 65 << 10, 90 << 10}
	for _, n := range sizes {
		got, err := runtime.Update(t.Context(), rt, "e", echo, text(n))
		if n >= 64<<10 {
			assert.ErrorIs(t, err, runtime.ErrUnavailable, "%d bytes", n)
		} else if assert.NoError(t, err, "%d bytes", n) {
			assert.Equal(t, text(n)+text(n), got)
		}
	}
	require.NoError(t, rt.Signal(t.Context(), "e", number.With(10)))
	require.NoError(t, os.Rename(filepath.Join(dir, "gone"), filepath.Join(dir, "blobs")))
	for _, n := range sizes {
		got, err := runtime.Update(t.Context(), rt, "e", echo, text(n))
		require.NoError(t, err, "%d bytes", n)
		assert.Equal(t, text(n)+text(n), got)
	}
	stop()
	rt, stop = open(t, runtime.Config{Store: dir}, w)
	require.NoError(t, rt.Signal(t.Context(), "e", number.With(100)))
	out, err := runtime.Result(t.Context(), rt, "e", w)
	require.NoError(t, err)
	assert.Equal(t, 111, out)
	stop()
}
