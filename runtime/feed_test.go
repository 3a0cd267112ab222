package runtime_test

import (
	"context"
	"fmt"
	"iter"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/clewflow/clew/query"
	"github.com/clewflow/clew/runtime"
	"github.com/clewflow/clew/workflow"
)

// copied is what an outside system makes of a feed.
type copied struct {
	rows     map[string]query.Row
	position uint64
	lines    int
}

func (c *copied) take(changed query.Changed) {
	c.position, c.lines = changed.Position, c.lines+1
	if changed.Row != nil {
		c.rows[changed.Row.ID+" "+changed.Row.Run] = *changed.Row
		return
	}
	for key, row := range c.rows {
		if row.ID == changed.Gone {
			delete(c.rows, key)
		}
	}
}

// TestAFeedAmountsToTheIndex: wherever it is taken up again, and whatever was told twice.
func TestAFeedAmountsToTheIndex(t *testing.T) {
	more := workflow.NewSignal[int]("more")
	code := workflow.Define("adds", func(ctx workflow.Context, n int) (int, error) {
		v, err := more.Receive(ctx)
		if err == nil && v > 0 {
			return 0, workflow.ContinueAsNew(ctx, n+v)
		}
		return n, err
	})
	inWorld(t, func(w *world) {
		t, ctx := w.t, w.ctx()
		system := copied{rows: map[string]query.Row{}}
		same := func() {
			for changed, err := range w.rt.FeedToHead(ctx, system.position) {
				require.NoError(t, err)
				system.take(changed)
			}
			want := map[string]query.Row{}
			for row, err := range w.rt.Find(ctx, query.Query{}) {
				require.NoError(t, err)
				want[row.ID+" "+row.Run] = row
			}
			require.Equal(t, want, system.rows)
		}
		same()
		for i := range 30 {
			_, err := runtime.Start(ctx, w.rt, fmt.Sprint("a", i), code, i)
			require.NoError(t, err)
		}
		same()
		require.Len(t, system.rows, 30)
		for i := range 10 {
			require.NoError(t, w.rt.Signal(ctx, fmt.Sprint("a", i), more.With(i%3)))
		}
		time.Sleep(time.Second)
		// Somebody takes a few lines, and dies.
		for changed, err := range w.rt.FeedToHead(ctx, system.position) {
			require.NoError(t, err)
			if system.take(changed); system.lines%7 == 0 {
				break
			}
		}
		same()
		lines := system.lines
		same()
		require.Equal(t, lines, system.lines, "nothing more is told when nothing has changed")
		require.NoError(t, w.rt.Terminate(ctx, "a20"))
		_, err := w.rt.Delete(ctx, "a20")
		require.NoError(t, err)
		same()
		require.NotContains(t, system.rows, "a20")

		// One that goes on is told of what comes, soon.
		told := make(chan query.Changed)
		ctx2, stop := context.WithCancel(ctx)
		ended := make(chan error, 1)
		go func() {
			var last error
			for changed, err := range w.rt.Feed(ctx2, system.position) {
				if last = err; err == nil {
					told <- changed
				}
			}
			ended <- last
		}()
		require.NoError(t, w.rt.Signal(ctx, "a29", more.With(0)))
		for changed := range told {
			if changed.Row != nil && changed.Row.ID == "a29" && changed.Row.Status == query.Completed {
				break
			}
		}
		stop()
		for end := false; !end; {
			select {
			case <-told:
			case err := <-ended:
				require.ErrorIs(t, err, context.Canceled)
				end = true
			}
		}
	}, code)
}

// A position that the log has not reached is of another log: whoever has it is told, instead of nothing.
func TestAFeedFromBehindTheLogIsRefused(t *testing.T) {
	rt, _ := open(t, runtime.Config{Store: "memory:"}, brief)
	ctx := t.Context()
	_, err := runtime.Do(ctx, rt, "a", brief, 1)
	require.NoError(t, err)
	last := uint64(0)
	for changed, err := range rt.FeedToHead(ctx, 0) {
		require.NoError(t, err)
		last = changed.Position
	}
	require.Positive(t, last)
	for range rt.FeedToHead(ctx, last) {
		t.Error("there is nothing new")
	}
	for name, feed := range map[string]iter.Seq2[query.Changed, error]{"ends": rt.FeedToHead(ctx, last+1000), "goes on": rt.Feed(ctx, last+1000)} {
		n := 0
		for _, err := range feed {
			n++
			require.ErrorIs(t, err, runtime.ErrInvalid, name)
			require.ErrorContains(t, err, fmt.Sprint("one up to ", last), name)
		}
		require.Equal(t, 1, n, name)
	}
}
