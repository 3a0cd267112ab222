package runtime_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/clewflow/clew/query"
	"github.com/clewflow/clew/runtime"
	"github.com/clewflow/clew/system"
	"github.com/clewflow/clew/workflow"
)

var (
	reindex = workflow.Define("reindex", func(ctx workflow.Context, page string) (string, error) {
		return page + " at " + workflow.Now(ctx).Format(time.TimeOnly), nil
	}, workflow.RunTimeout(time.Hour))
	gather = workflow.Define("gather", func(_ workflow.Context, all []int) (string, error) { return fmt.Sprint(all), nil })
)

func TestStartsThatComeCloseTogetherBecomeOne(t *testing.T) {
	inWorld(t, func(world *world) {
		ctx, rt := world.ctx(), world.rt
		began := time.Now()
		var first, last runtime.Coming[string]
		for i := range 5 {
			c, err := runtime.Debounce(ctx, rt, "page", reindex, fmt.Sprint("v", i), 10*time.Second, workflow.Memo("n", i))
			require.NoError(t, err)
			require.Equal(t, i+1, c.Starts)
			require.WithinDuration(t, time.Now().Add(10*time.Second), c.Begins, time.Second)
			if last = c; i == 0 {
				first = c
			}
			time.Sleep(6 * time.Second)
		}
		require.Equal(t, first.ID, last.ID)
		_, err := rt.Describe(ctx, last.ID)
		require.ErrorIs(t, err, runtime.ErrNotFound, "it is not begun yet")
		for _, c := range []runtime.Coming[string]{first, last} {
			out, err := c.Result(ctx)
			require.NoError(t, err)
			require.Regexp(t, "^v4 at ", out)
		}
		require.InDelta(t, 34, time.Since(began).Seconds(), 1)
		d, err := rt.Describe(ctx, last.ID)
		require.NoError(t, err)
		require.Equal(t, map[string]any{"n": 4.0}, d.Memo)
		time.Sleep(time.Second)
		page, err := rt.FindPage(ctx, query.Query{Where: "status = running"})
		require.NoError(t, err)
		require.Empty(t, page.Rows, "who waited has ended")

		again, err := runtime.Debounce(ctx, rt, "page", reindex, "w", time.Second)
		require.NoError(t, err)
		require.NotEqual(t, first.ID, again.ID)
		_, err = again.Result(ctx)
		require.NoError(t, err)
	}, reindex)
}

func TestAStreamOfStartsIsPutOffNoLongerThanItIsToBe(t *testing.T) {
	inWorld(t, func(world *world) {
		ctx, rt := world.ctx(), world.rt
		seen := map[string]int{}
		for i := range 60 {
			c, err := runtime.Debounce(ctx, rt, "page", reindex, fmt.Sprint(i), 10*time.Second, runtime.PutOffAtMost(20*time.Second))
			require.NoError(t, err)
			seen[c.ID]++
			time.Sleep(time.Second)
		}
		require.GreaterOrEqual(t, len(seen), 3)
		for id, n := range seen {
			require.LessOrEqual(t, n, 21)
			_, err := runtime.Result(ctx, rt, id, reindex)
			if errors.Is(err, runtime.ErrNotFound) {
				time.Sleep(10 * time.Second)
				_, err = runtime.Result(ctx, rt, id, reindex)
			}
			require.NoError(t, err)
		}
	}, reindex)
}

func TestTheInputsOfAllStartsAreCollected(t *testing.T) {
	inWorld(t, func(world *world) {
		ctx, rt := world.ctx(), world.rt
		var c runtime.Coming[string]
		for i := range 3 {
			var err error
			for range 2 { // the same request is one start
				c, err = runtime.DebounceAll(ctx, rt, "all", gather, i, time.Minute, runtime.RequestID(fmt.Sprint("r", i)))
				require.NoError(t, err)
				require.Equal(t, i+1, c.Starts)
			}
		}
		out, err := c.Result(ctx)
		require.NoError(t, err)
		require.Equal(t, "[0 1 2]", out)

		if world.c.Memory != 0 {
			return // it would be replayed a thousand times
		}
		began := time.Now()
		for i := range system.MostInputs {
			c, err = runtime.DebounceAll(ctx, rt, "many", gather, i, time.Hour)
			require.NoError(t, err)
		}
		out, err = c.Result(ctx)
		require.NoError(t, err)
		require.Len(t, strings.Fields(out), system.MostInputs)
		require.Less(t, time.Since(began), time.Minute, "so many begin at once")
	}, gather)
}

func TestWhatCannotBeDebouncedIsRefused(t *testing.T) {
	inWorld(t, func(world *world) {
		ctx, rt := world.ctx(), world.rt
		_, err := runtime.Debounce(ctx, rt, "k", reindex, "v", 0)
		require.ErrorContains(t, err, "the window")
		_, err = runtime.Debounce(ctx, rt, "k", reindex, "v", time.Minute, runtime.PutOffAtMost(time.Second))
		require.ErrorContains(t, err, "PutOffAtMost")
		_, err = runtime.Debounce(ctx, rt, "k", reindex, "v", time.Minute, runtime.After(time.Second))
		require.ErrorContains(t, err, "an option of a debounced start")
		_, err = runtime.Debounce(ctx, rt, "", reindex, "v", time.Minute)
		require.ErrorContains(t, err, "the key")
		_, err = runtime.Debounce(ctx, rt, strings.Repeat("k", 240), reindex, "v", time.Minute)
		require.ErrorContains(t, err, "the key")
		_, err = runtime.Debounce(ctx, rt, "k", workflow.Declare[string, string]("nobody's"), "v", time.Minute)
		require.ErrorIs(t, err, runtime.ErrUnknownType)
		_, err = rt.Describe(ctx, system.DebounceID("k"))
		require.ErrorIs(t, err, runtime.ErrNotFound, "nothing is half done")

		_, err = runtime.Debounce(ctx, rt, "k", reindex, "v", time.Minute)
		require.NoError(t, err)
		_, err = runtime.DebounceAll(ctx, rt, "k", gather, 1, time.Minute)
		require.ErrorIs(t, err, runtime.ErrRefused)
		require.ErrorContains(t, err, "starts of reindex wait with this key")
		require.NoError(t, rt.Cancel(ctx, system.DebounceID("k")))
		time.Sleep(2 * time.Minute)
		page, err := rt.FindPage(ctx, query.Query{Type: "reindex"})
		require.NoError(t, err)
		require.Empty(t, page.Rows, "it was given up")
	}, reindex, gather)
}

func TestARunThatCannotBeBegunIsTold(t *testing.T) {
	full := workflow.Define("full", func(ctx workflow.Context, _ int) (int, error) { return 0, workflow.Sleep(ctx, time.Hour) },
		workflow.RunLimit{AtOnce: 1}, workflow.WhenFull(workflow.RefuseWhenFull))
	inWorld(t, func(world *world) {
		ctx, rt := world.ctx(), world.rt
		_, err := runtime.Start(ctx, rt, "first", full, 0)
		require.NoError(t, err)
		c, err := runtime.Debounce(ctx, rt, "k", full, 0, time.Second)
		require.NoError(t, err)
		_, err = c.Result(ctx)
		require.ErrorContains(t, err, "was not begun: ")
		require.ErrorContains(t, err, "the limit of open runs is reached")
		time.Sleep(time.Second)
		d, err := rt.Describe(ctx, system.DebounceID("k"))
		require.NoError(t, err)
		require.Equal(t, "failed", d.StatusName)
		_, err = c.Result(ctx)
		require.ErrorContains(t, err, "the history of clew.debounce.k says why")
		c, err = runtime.Debounce(ctx, rt, "k", full, 0, time.Second, workflow.WhenFull(workflow.WaitWhenFull))
		require.NoError(t, err)
		_, err = c.Begun(ctx)
		require.NoError(t, err, "it waits for a slot")
	}, full)
}

// TestALongBurstContinuesAsNew, and those who wait for the run are told all the same.
func TestALongBurstContinuesAsNew(t *testing.T) {
	newWorldOf(t, runtime.Config{Budget: workflow.Budget{Entries: 30}}, func(world *world) {
		ctx, rt := world.ctx(), world.rt
		ids, told := map[string]bool{}, make(chan string, 100)
		for i := range 100 {
			c, err := runtime.DebounceAll(ctx, rt, "k", gather, i, time.Minute, runtime.PutOffAtMost(time.Hour))
			require.NoError(t, err)
			require.Equal(t, i+1, c.Starts)
			ids[c.ID] = true
			go func() {
				out, err := c.Result(ctx)
				told <- fmt.Sprint(out, err)
			}()
			time.Sleep(10 * time.Second)
		}
		require.Len(t, ids, 1)
		for range 100 {
			require.Regexp(t, `^\[0 1 2 .* 99\]<nil>$`, <-told)
		}
		require.Greater(t, strings.Count(strings.Join(world.kinds(system.DebounceID("k")), " "), "continued"), 3)
	}, gather)
}

// TestNoStartIsLostWhoeverDies: the process dies at each append, and who starts tries again; each start is in exactly one run.
func TestNoStartIsLostWhoeverDies(t *testing.T) {
	start := func(w *world) (last runtime.Coming[string], err error) {
		for i := 0; i < 3 && err == nil; i++ {
			last, err = runtime.DebounceAll(context.WithoutCancel(w.ctx()), w.rt, "k", gather, i, time.Second, runtime.RequestID(fmt.Sprint("r", i)))
			time.Sleep(700 * time.Millisecond)
		}
		return last, err
	}
	most := 0
	for n := 0; n <= most; n++ {
		for _, stored := range []bool{false, true} {
			inFaulty(t, n, stored, func(w *world, appends func() int) {
				_, err := start(w)
				require.NoError(t, err)
				time.Sleep(time.Minute)
				page, err := w.rt.FindPage(w.ctx(), query.Query{Type: "gather"})
				require.NoError(t, err)
				var all []string
				for _, row := range page.Rows {
					out, err := runtime.Result(w.ctx(), w.rt, row.ID, gather)
					require.NoError(t, err)
					all = append(all, strings.Fields(strings.Trim(out, "[]"))...)
				}
				require.ElementsMatch(t, []string{"0", "1", "2"}, all, "death at append %d (stored: %v)", n, stored)
				d, err := w.rt.Describe(w.ctx(), system.DebounceID("k"))
				require.NoError(t, err)
				require.Equal(t, "completed", d.StatusName)
				most = max(most, appends())
			}, func(w *world) { _, _ = start(w) }, gather)
		}
	}
	require.GreaterOrEqual(t, most, 8)
}
