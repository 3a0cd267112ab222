package runtime_test

import (
	"context"
	"io"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/replay"
	"github.com/clewflow/clew/runtime"
	"github.com/clewflow/clew/store"
	"github.com/clewflow/clew/store/memory"
	"github.com/clewflow/clew/workflow"
)

const (
	hour = time.Hour
	day  = 24 * time.Hour
)

// A world is a runtime on a log in memory and a clock that leaps.
type world struct {
	t    *testing.T
	disk *memory.Disk
	rt   *runtime.Runtime
	stop context.CancelFunc
	ran  chan error
	c    runtime.Config
}

// inWorld runs f twice: with executions remembered, and with each forgotten whenever nothing is asked of it.
func inWorld(t *testing.T, f func(w *world), definitions ...workflow.Definition) {
	t.Helper()
	for name, memory := range map[string]int{"remembered": 0, "forgotten": runtime.Forget} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, runtime.Config{Memory: memory})
				w.open(definitions...)
				f(w)
				w.close()
				w.verify(definitions...)
			})
		})
	}
}

// newWorldOf runs f in a world with a configuration of its own.
func newWorldOf(t *testing.T, c runtime.Config, f func(w *world), definitions ...workflow.Definition) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, c)
		w.open(definitions...)
		f(w)
		w.close()
		w.verify(definitions...)
	})
}

func newWorld(t *testing.T, c runtime.Config) *world {
	c.Replay = replay.Strict
	c.Logger = slog.New(slog.NewTextHandler(io.Discard, nil))
	return &world{t: t, disk: memory.NewDisk(), c: c}
}

func (w *world) open(definitions ...workflow.Definition) {
	w.t.Helper()
	w.c.Log = w.disk.Open()
	w.openOn(definitions...)
}

// openOn opens the runtime on the log that is configured.
func (w *world) openOn(definitions ...workflow.Definition) {
	w.t.Helper()
	rt, err := runtime.Open(w.t.Context(), w.c, definitions...)
	require.NoError(w.t, err)
	ctx, stop := context.WithCancel(w.t.Context())
	w.rt, w.stop, w.ran = rt, stop, make(chan error, 1)
	go func() { w.ran <- rt.Run(ctx) }()
	<-rt.Ready()
}

func (w *world) close() {
	w.stop()
	require.NoError(w.t, <-w.ran)
	require.NoError(w.t, w.rt.Close())
}

// ctx is the test's.
func (w *world) ctx() context.Context { return w.t.Context() }

func (w *world) entries(id string) (all []history.Entry) {
	w.t.Helper()
	for e, err := range w.rt.History(w.ctx(), id) {
		require.NoError(w.t, err)
		all = append(all, e)
	}
	return all
}

func (w *world) kinds(id string) (all []string) {
	for _, e := range w.entries(id) {
		all = append(all, e.Event.Kind())
	}
	return all
}

// verify holds every history in the log against the chain and, strictly, against the code.
func (w *world) verify(definitions ...workflow.Definition) {
	w.t.Helper()
	codes := func(name string, version int) workflow.Code {
		for _, d := range definitions {
			if b, ok := workflow.BodyOf(d); ok && b.Name == name && b.Settings.Version == version {
				return b.Code
			}
		}
		return nil
	}
	histories := map[history.ID][]history.Entry{}
	log := w.disk.Open()
	head, err := log.Head(w.ctx())
	require.NoError(w.t, err)
	ctx, cancel := context.WithCancel(w.ctx())
	defer cancel()
	for r, err := range log.Follow(ctx, store.Position{}) {
		require.NoError(w.t, err)
		histories[r.ID] = append(histories[r.ID], r.Entry)
		if r.Position == head {
			break
		}
	}
	for id, entries := range histories {
		var chain history.Chain
		for _, e := range entries {
			require.NoError(w.t, chain.Check(e), id)
		}
		if s := history.Fold(entries...); stuck(entries) || codes(s.Run.Type, s.Run.Version) == nil {
			continue
		}
		require.NoError(w.t, replay.Verify(codes, replay.Strict, entries), "%s", history.Marshal(entries))
	}
}

// stuck reports whether the code of the last run stalled for good.
func stuck(entries []history.Entry) bool {
	stalled := false
	for _, e := range entries {
		switch e.Event.(type) {
		case *history.Stalled:
			stalled = true
		case *history.Terminated:
			return stalled
		default:
			stalled = stalled && e.Told == 0 && e.Event.Kind() != "resumed"
		}
	}
	return stalled
}

var _ store.Log = (*memory.Log)(nil)
