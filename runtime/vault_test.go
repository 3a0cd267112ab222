package runtime_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clewflow/clew/activity"
	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/runtime"
	"github.com/clewflow/clew/vault"
	"github.com/clewflow/clew/workflow"
)

// secret marks what must not be found on a disk. Each is another one, so that one that is found says where it comes from.
func secret(where string) string { return "CANARY-" + where + "-" + strings.Repeat("x", 40) }

// canaries is a workflow that has every way of getting a value into a history say something secret.
func canaries() []workflow.Definition {
	note := workflow.NewSignal[string]("note")
	change := workflow.NewUpdate[string, string]("change")
	fails := activity.Define("fails", func(ctx context.Context, in string) (string, error) {
		_ = activity.Heartbeat(ctx, secret("checkpoint"))
		if activity.Info(ctx).Number == 2 {
			panic(secret("panic"))
		}
		return "", fmt.Errorf("failing: %s", secret("failure"))
	}, activity.MaxAttempts(3), activity.Retry{Initial: time.Millisecond}, activity.HeartbeatWithin(time.Minute))
	works := activity.Define("works", func(_ context.Context, in string) (string, error) { return secret("result"), nil })
	child := workflow.Define("child", func(ctx workflow.Context, in string) (string, error) {
		if in == secret("child-input") {
			return "", errors.New(secret("child-failure"))
		}
		return "", nil
	})
	main := workflow.Define("canaries", func(ctx workflow.Context, in string) (string, error) {
		change.Handle(ctx, func(ctx workflow.Context, s string) (string, error) {
			if s == secret("update-2") {
				return "", errors.New(secret("update-failure"))
			}
			return secret("update-answer"), nil
		})
		if _, err := workflow.Do(ctx, fails, secret("activity-input")); err == nil {
			return "", errors.New("it has to fail")
		}
		if _, err := workflow.Do(ctx, works, secret("activity-input-2")); err != nil {
			return "", err
		}
		if _, err := workflow.Step(ctx, "step", func(context.Context) (string, error) { return secret("step"), nil }); err != nil {
			return "", err
		}
		workflow.Value(ctx, "value", func() string { return secret("value") })
		workflow.Latest(ctx, "latest", func() string { return secret("latest") })
		workflow.Publish(ctx, secret("view"))
		if _, err := workflow.Child(ctx, child, secret("child-input"), workflow.Memo("m", secret("child-memo"))); err == nil {
			return "", errors.New("it has to fail")
		}
		_ = workflow.Send(ctx, workflow.Info(ctx).ID, note.With(secret("send")))
		for range 2 {
			if _, err := note.Receive(ctx); err != nil {
				return "", err
			}
		}
		if in == secret("input") {
			return "", workflow.ContinueAsNew(ctx, secret("continued"))
		}
		return secret("workflow-result"), nil
	})
	stalls := workflow.Define("stalls", func(ctx workflow.Context, in string) (string, error) { panic(secret("stall")) })
	fails2 := workflow.Define("fails", func(ctx workflow.Context, in string) (string, error) { return "", errors.New(secret("run-failure")) })
	return []workflow.Definition{main, child, stalls, fails2, fails, works}
}

// TestNoSecretIsFoundOnTheDisk: with encryption, nothing of the author's is readable in the directory of the store, or logged.
func TestNoSecretIsFoundOnTheDisk(t *testing.T) {
	dir := t.TempDir()
	keys, err := vault.OpenKeys(filepath.Join(dir, "keys"), vault.NewMaster())
	require.NoError(t, err)
	blobs, err := vault.OpenBlobs(filepath.Join(dir, "blobs"))
	require.NoError(t, err)
	v, err := vault.New(vault.Options{Codecs: []vault.Codec{vault.Zstd(64), vault.Encrypt(keys)}, Blobs: blobs, Threshold: 200})
	require.NoError(t, err)
	defs := canaries()
	var logged bytes.Buffer
	config := runtime.Config{Store: filepath.Join(dir, "store"), Vault: v, Logger: slog.New(slog.NewTextHandler(&logged, nil))}
	rt, stop := open(t, config, defs...)
	ctx := t.Context()
	main := defs[0].(workflow.Type[string, string])
	stalls := defs[2].(workflow.Type[string, string])
	fails := defs[3].(workflow.Type[string, string])
	h, err := runtime.Start(ctx, rt, "c", main, secret("input"), workflow.Memo("m", secret("memo")), workflow.Header("h", secret("header")))
	require.NoError(t, err)
	_, err = runtime.Start(ctx, rt, "s", stalls, secret("stalled-input"))
	require.NoError(t, err)
	_, err = runtime.Do(ctx, rt, "f", fails, secret("failed-input"))
	require.ErrorContains(t, err, "CANARY-run-failure")
	change := workflow.NewUpdate[string, string]("change")
	answer, err := runtime.Update(ctx, rt, "c", change, secret("update"))
	require.NoError(t, err)
	require.Equal(t, secret("update-answer"), answer)
	_, err = runtime.Update(ctx, rt, "c", change, secret("update-2"))
	require.ErrorContains(t, err, "CANARY-update-failure")
	for range 2 {
		require.NoError(t, rt.Signal(ctx, "c", workflow.NewSignal[string]("note").With(secret("signal"))))
	}
	out, err := h.Result(ctx)
	require.NoError(t, err)
	assert.Equal(t, secret("workflow-result"), out)
	view, ok, err := runtime.Published[string](ctx, rt, "c")
	require.NoError(t, err)
	assert.True(t, ok)
	assert.Equal(t, secret("view"), view)
	stop()

	sees := 0
	require.NoError(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		if i := bytes.Index(data, []byte("CANARY")); i >= 0 {
			t.Errorf("%s holds %q", path, data[i:min(len(data), i+40)])
		}
		sees += len(data)
		return err
	}))
	assert.Greater(t, sees, 10_000)
	assert.NotContains(t, logged.String(), "CANARY")

	// Opened again with the same keys, it is all there.
	rt, stop = open(t, config, defs...)
	out, err = runtime.Result(ctx, rt, "c", main)
	require.NoError(t, err)
	assert.Equal(t, secret("workflow-result"), out)
	open := 0
	for e, err := range rt.History(ctx, "c") {
		require.NoError(t, err)
		for _, p := range history.Payloads(e.Event) {
			assert.False(t, p.Closed())
			open++
		}
	}
	assert.Greater(t, open, 20)
	stop()
	require.NoError(t, keys.Close())
}

// open opens a runtime on a real directory and runs it.
func open(t *testing.T, c runtime.Config, defs ...workflow.Definition) (*runtime.Runtime, func()) {
	t.Helper()
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	rt, err := runtime.Open(t.Context(), c, defs...)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	ran := make(chan error, 1)
	go func() { ran <- rt.Run(ctx) }()
	<-rt.Ready()
	return rt, func() {
		cancel()
		require.NoError(t, <-ran)
		require.NoError(t, rt.Close())
	}
}

// TestShreddedPayloadsCannotBeReadAndTheChainHolds: the history of a shredded execution verifies, its code stalls with the reason,
// operators can still end it, and others go on.
func TestShreddedPayloadsCannotBeReadAndTheChainHolds(t *testing.T) {
	keys := new(vault.MemoryKeys)
	v, err := vault.New(vault.Options{Codecs: []vault.Codec{vault.Encrypt(keys)}})
	require.NoError(t, err)
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, runtime.Config{Vault: v})
		w.open(tallying)
		defer w.close()
		_, err := runtime.Start(w.ctx(), w.rt, "a", tallying, tally{Every: 100, Until: 3})
		require.NoError(t, err)
		_, err = runtime.Start(w.ctx(), w.rt, "b", tallying, tally{Every: 100, Until: 1})
		require.NoError(t, err)
		_, err = runtime.Do(w.ctx(), w.rt, "done", tallying, tally{Every: 1, Until: 1}, runtime.AndSignal(number.With(1)))
		require.NoError(t, err)
		require.NoError(t, w.rt.Signal(w.ctx(), "a", number.With(1)))
		require.NoError(t, w.rt.Shred(w.ctx(), "a"))
		require.NoError(t, w.rt.Shred(w.ctx(), "done"))

		_, err = runtime.Result(w.ctx(), w.rt, "done", tallying)
		assert.Error(t, err)
		require.NoError(t, w.rt.Signal(w.ctx(), "a", number.With(2)))
		d, err := w.rt.Describe(w.ctx(), "a")
		require.NoError(t, err)
		assert.Contains(t, d.Stalled, "shredded")
		var chain history.Chain
		for e, err := range w.rt.History(w.ctx(), "a") {
			require.NoError(t, err)
			require.NoError(t, chain.Check(e))
		}
		require.NoError(t, w.rt.Signal(w.ctx(), "b", number.With(1)))
		_, err = runtime.Result(w.ctx(), w.rt, "b", tallying)
		require.NoError(t, err)
		require.NoError(t, w.rt.Terminate(w.ctx(), "a"))
	})
}

// TestLargePayloadsAreKeptInFiles: by default, in a directory; the entries stay small, and the same content is stored once.
func TestLargePayloadsAreKeptInFiles(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "store")
	echo := activity.Define("echo", func(_ context.Context, in []byte) ([]byte, error) { return in, nil })
	w := workflow.Define("large", func(ctx workflow.Context, in []byte) ([]byte, error) { return workflow.Do(ctx, echo, in) })
	rt, stop := open(t, runtime.Config{Store: dir}, w, echo)
	in := make([]byte, 300<<10)
	for i := range in {
		in[i] = byte(i * i >> 3 * 7919 >> (i % 5)) // does not compress well
	}
	out, err := runtime.Do(t.Context(), rt, "l", w, in)
	require.NoError(t, err)
	assert.True(t, bytes.Equal(in, out))
	d, err := rt.Describe(t.Context(), "l")
	require.NoError(t, err)
	assert.Less(t, d.Bytes, 8<<10)
	stop()
	files := 0
	require.NoError(t, filepath.WalkDir(filepath.Join(dir, "blobs"), func(_ string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			files++
		}
		return err
	}))
	assert.Equal(t, 1, files, "input, activity's input, its result and the result are the same")

	rt, stop = open(t, runtime.Config{Store: dir}, w, echo)
	out, err = runtime.Result(t.Context(), rt, "l", w)
	require.NoError(t, err)
	assert.True(t, bytes.Equal(in, out))
	stop()

	require.NoError(t, os.RemoveAll(filepath.Join(dir, "blobs")))
	rt, stop = open(t, runtime.Config{Store: dir}, w, echo)
	_, err = runtime.Result(t.Context(), rt, "l", w)
	assert.Error(t, err, "what is missing is not taken for absent")
	stop()
}

// TestActivitiesPassFilesByReference through a workflow that never sees them.
func TestActivitiesPassFilesByReference(t *testing.T) {
	write := activity.Define("write", func(ctx context.Context, n int) (activity.File, error) {
		return activity.WriteFile(ctx, "numbers.txt", io.LimitReader(zeros{}, int64(n)))
	})
	read := activity.Define("read", func(ctx context.Context, f activity.File) (int64, error) {
		r, err := activity.OpenFile(ctx, f)
		if err != nil {
			return 0, err
		}
		defer r.Close()
		return io.Copy(io.Discard, r)
	})
	w := workflow.Define("files", func(ctx workflow.Context, n int) (int64, error) {
		f, err := workflow.Do(ctx, write, n)
		if err != nil {
			return 0, err
		}
		return workflow.Do(ctx, read, f)
	})
	rt, stop := open(t, runtime.Config{Store: filepath.Join(t.TempDir(), "store")}, w, write, read)
	defer stop()
	got, err := runtime.Do(t.Context(), rt, "f", w, 5<<20)
	require.NoError(t, err)
	assert.Equal(t, int64(5<<20), got)
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) { clear(b); return len(b), nil }
