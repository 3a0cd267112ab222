package runtime_test

import (
	"context"
	"fmt"
	"iter"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/runtime"
	"github.com/clewflow/clew/store"
	"github.com/clewflow/clew/store/memory"
	"github.com/clewflow/clew/workflow"
)

// unfollowed is a log that nobody can follow, so that no index comes up to date.
type unfollowed struct{ *memory.Log }

func (unfollowed) Follow(ctx context.Context, _ store.Position) iter.Seq2[store.Record, error] {
	return func(func(store.Record, error) bool) { <-ctx.Done() }
}

// repeated sends each signal twice, the second time some runs later, and holds that each counts once.
func repeated(t *testing.T, w *world, name func(i int) string) {
	const signals = 60
	h, err := runtime.Start(w.ctx(), w.rt, "t", tallying, tally{Every: 3, Until: signals})
	require.NoError(t, err)
	for i := range signals {
		require.NoError(t, w.rt.Signal(w.ctx(), "t", number.With(i+1), runtime.RequestID(name(i))))
		for _, before := range []int{i - 30, i - 4, i} {
			if before >= 0 && i+1 < signals {
				require.NoError(t, w.rt.Signal(w.ctx(), "t", number.With(-1), runtime.RequestID(name(before))))
			}
		}
	}
	out, err := h.Result(w.ctx())
	require.NoError(t, err)
	assert.Equal(t, signals, out.Last)
	assert.Zero(t, out.OutOfOrder)
}

func TestARequestOfAnEarlierRunIsKnown(t *testing.T) {
	inWorld(t, func(w *world) {
		repeated(t, w, func(i int) string { return fmt.Sprint("signal ", i) })
	}, tallying)
}

// TestARequestWhoseIDSaysWhenItWasMadeIsKnownToo, though the index has no row for it.
func TestARequestWhoseIDSaysWhenItWasMadeIsKnownToo(t *testing.T) {
	inWorld(t, func(w *world) {
		var ids []string
		repeated(t, w, func(i int) string {
			if i == len(ids) {
				ids = append(ids, uuid.Must(uuid.NewV7()).String())
			}
			return ids[i]
		})
	}, tallying)
}

// TestARequestOfAnEarlierRunIsKnownWithoutTheIndex, which may be behind for long.
func TestARequestOfAnEarlierRunIsKnownWithoutTheIndex(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, runtime.Config{})
		w.c.Log = unfollowed{w.disk.Open()}
		w.openOn(tallying)
		began := time.Now()
		repeated(t, w, func(i int) string { return fmt.Sprint("signal ", i) })
		assert.Equal(t, 5*time.Second, time.Since(began), "one waits for it, the others learn from that")
		w.close()
		w.verify(tallying)
	})
}

// counted is a log that counts how often a history is read from its beginning.
type counted struct {
	*memory.Log
	times *atomic.Int64
}

func (l counted) Read(ctx context.Context, id history.ID, from uint64) iter.Seq2[store.Record, error] {
	if from == 1 && id.Family() == "" {
		l.times.Add(1)
	}
	return l.Log.Read(ctx, id, from)
}

func TestARequestIsFoundWithoutReadingTheHistory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, runtime.Config{})
		var times atomic.Int64
		w.c.Log = counted{w.disk.Open(), &times}
		w.openOn(tallying)
		repeated(t, w, func(i int) string { return fmt.Sprint("signal ", i) })
		assert.Zero(t, times.Load())
		w.close()
	})
}

// TestRequestsThatComeTogetherAreKnownAcrossRuns that are not yet recorded.
func TestRequestsThatComeTogetherAreKnownAcrossRuns(t *testing.T) {
	count := workflow.Define("count", func(ctx workflow.Context, seen int) (int, error) {
		n, err := number.Receive(ctx)
		if err != nil || n < 0 {
			return seen, err
		}
		return seen, workflow.ContinueAsNew(ctx, seen+1)
	})
	inWorld(t, func(w *world) {
		h, err := runtime.Start(w.ctx(), w.rt, "c", count, 0)
		require.NoError(t, err)
		var senders sync.WaitGroup
		for i := range 400 {
			senders.Go(func() {
				assert.NoError(t, w.rt.Signal(w.ctx(), "c", number.With(1), runtime.RequestID(fmt.Sprint("signal ", i%40))))
			})
		}
		senders.Wait()
		require.NoError(t, w.rt.Signal(w.ctx(), "c", number.With(-1)))
		seen, err := h.Result(w.ctx())
		require.NoError(t, err)
		assert.Equal(t, 40, seen)
	}, count)
}

// TestARepeatedStartGivesItsOwnRun, also one that ended a run first, when further runs have begun.
func TestARepeatedStartGivesItsOwnRun(t *testing.T) {
	wait := workflow.Define("wait", func(ctx workflow.Context, _ workflow.None) (workflow.None, error) {
		return workflow.None{}, workflow.Sleep(ctx, hour)
	})
	for _, follows := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, runtime.Config{})
			w.c.Log = w.disk.Open()
			if !follows {
				w.c.Log = unfollowed{w.disk.Open()}
			}
			w.openOn(wait)
			start := func(request string) string {
				h, err := runtime.Start(w.ctx(), w.rt, "a", wait, workflow.None{}, runtime.RequestID(request), runtime.IfRunning(runtime.TerminateExisting))
				require.NoError(t, err)
				return h.Run
			}
			runs := []string{start("one"), start("two"), start("three")}
			time.Sleep(day)
			assert.Equal(t, runs, []string{start("one"), start("two"), start("three")}, "the index is followed: %v", follows)
			w.close()
		})
	}
}
