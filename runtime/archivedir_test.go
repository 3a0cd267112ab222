package runtime_test

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clewflow/clew/audit"
	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/runtime"
	"github.com/clewflow/clew/system"
)

// TestRetentionExportsFirst: what a rule says is exported first is removed when it is elsewhere, and not before; what cannot be exported is kept.
func TestRetentionExportsFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir, full := t.TempDir(), errors.New("the disk is full")
		kept := runtime.ArchiveDir(dir, runtime.ExportWish{})
		var works atomic.Bool
		var asked atomic.Int64
		world := newWorld(t, runtime.Config{Archive: func(ctx context.Context, x runtime.Expired, write func(io.Writer, runtime.ExportWish) error) error {
			if asked.Add(1); !works.Load() {
				return full
			}
			return kept(ctx, x, write)
		}})
		world.open(brief, again)
		defer func() { world.close() }()
		ctx := world.ctx()
		for i, id := range []string{"b/1", "b2", "held"} {
			_, err := runtime.Do(ctx, world.rt, id, brief, i)
			require.NoError(t, err)
		}
		_, err := runtime.Start(ctx, world.rt, "goes on", again, 2)
		require.NoError(t, err)
		require.NoError(t, world.rt.Hold(ctx, "held", "case-7", runtime.Operator("ann")))
		before := world.entries("b2")
		time.Sleep(2 * time.Hour)

		rules := []runtime.RetentionRule{{Name: "all", Age: time.Hour, Export: true}}
		_, err = world.rt.Retain(ctx, rules, false)
		require.ErrorIs(t, err, runtime.ErrNotExported)
		require.ErrorIs(t, err, full)
		_, err = world.rt.Retain(ctx, rules, true)
		require.NoError(t, err, "to say what would go nothing is exported")
		assert.EqualValues(t, 1, asked.Load())
		_, err = world.rt.SetRetention(ctx, runtime.Retention{Rules: rules})
		require.NoError(t, err)
		time.Sleep(time.Minute) // it is carried out once by itself, and nothing can be exported
		swept := func(id string) system.Swept {
			h, err := world.rt.Sweep(ctx, id, false)
			require.NoError(t, err)
			s, err := h.Result(ctx)
			require.NoError(t, err)
			return s
		}
		s := swept("fails")
		assert.Equal(t, 3, s.Unexported)
		assert.Equal(t, 1, s.Held)
		assert.Zero(t, s.Runs)
		require.Equal(t, history.Marshal(before), history.Marshal(world.entries("b2")))

		works.Store(true)
		s = swept("works")
		assert.Zero(t, s.Unexported)
		assert.Equal(t, 2, s.Whole)
		assert.Equal(t, 1, s.Cut)
		names, err := filepath.Glob(filepath.Join(dir, "*.clew"))
		require.NoError(t, err)
		require.Len(t, names, 3)
		for _, name := range names {
			verified(t, name)
		}
		require.NoError(t, world.rt.Release(ctx, "held", "case-7", runtime.Operator("ann")))
		all, err := world.rt.Retain(ctx, rules, false)
		require.NoError(t, err)
		assert.Len(t, all, 1)

		// An archive of what is left of an execution says what was deleted before.
		path := filepath.Join(t.TempDir(), "rest.clew")
		f, err := os.Create(path)
		require.NoError(t, err)
		require.NoError(t, world.rt.Export(ctx, f, runtime.ExportWish{ID: "goes on"}))
		require.NoError(t, f.Close())
		verified(t, path)
	})
}

func verified(t *testing.T, path string) {
	t.Helper()
	a, err := audit.OpenArchive(path)
	require.NoError(t, err)
	defer a.Close()
	report, err := a.Verify(audit.Scope{})
	require.NoError(t, err)
	assert.Empty(t, report.Findings)
	assert.True(t, report.Archive)
}
