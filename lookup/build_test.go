package lookup

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/clewflow/clew/query"
)

// small makes much of little while a test runs.
func small(t *testing.T, records, open int) {
	wasMuch, wasRecords, wasOpen := much, buildRecords, maxWhole
	much, buildRecords, maxWhole = 10, records, open
	t.Cleanup(func() { much, buildRecords, maxWhole = wasMuch, wasRecords, wasOpen })
}

// TestABuiltIndexIsTheSame: also if runs straddle batches, ids come back, and more runs are open than are kept.
func TestABuiltIndexIsTheSame(t *testing.T) {
	for _, records := range []int{3, 40, 10_000} {
		for _, kept := range []int{0, 2, 10_000} {
			t.Run(fmt.Sprintf("batches of %d, %d open", records, kept), func(t *testing.T) {
				small(t, records, kept)
				w := random(t, 20)
				log := newTape(w.steps(400)...)
				path := filepath.Join(t.TempDir(), "index.db")
				require.NoError(t, os.WriteFile(path+".new", []byte("what a crash has left"), 0o600))
				x := open(t, path)
				follow(t, x, log)
				reach(t, x, w.position)
				built, _ := x.place()
				require.Equal(t, 1, built)
				require.Equal(t, fedAtOnce(t, w.records), dump(t, x))
				require.NoFileExists(t, path+".new")

				log.add(w.steps(50)...) // and goes on
				reach(t, x, w.position)
				require.Equal(t, fedAtOnce(t, w.records), dump(t, x))
				require.ElementsMatch(t, w.rows(), all(t, x, query.Query{}))
			})
		}
	}
}

// TestABuildingThatIsGivenUpLeavesNothing: the next one begins anew, whatever the one before has come to.
func TestABuildingThatIsGivenUpLeavesNothing(t *testing.T) {
	small(t, 50, 10_000)
	w := random(t, 20)
	path := filepath.Join(t.TempDir(), "index.db")
	x := open(t, path)
	log := newTape(w.steps(400)...)
	log.failing = errors.New("torn")
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- x.build(ctx, log, w.position) }()
	require.ErrorContains(t, <-ended, "torn")
	require.Zero(t, x.Position())
	require.NoFileExists(t, path+".new")

	go func() { ended <- x.build(ctx, newTape(w.records[:100]...), w.position) }() // which does not come to its end
	stop()
	require.ErrorIs(t, <-ended, context.Canceled)
	require.Zero(t, x.Position())
	require.NoFileExists(t, path+".new")

	follow(t, x, log)
	reach(t, x, w.position)
	require.Equal(t, fedAtOnce(t, w.records), dump(t, x))
}

// TestWhoAsksMeanwhileIsToldHowFarABuildingIs: nothing of it is shown before it is whole.
func TestWhoAsksMeanwhileIsToldHowFarABuildingIs(t *testing.T) {
	small(t, 50, 10_000)
	w := random(t, 20)
	x := open(t, filepath.Join(t.TempDir(), "index.db"))
	w.steps(400)
	log := newTape(w.records[:300]...)
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- x.build(ctx, log, w.position) }()
	require.Eventually(t, func() bool {
		x.mu.Lock()
		defer x.mu.Unlock()
		return !x.building.IsZero()
	}, 10*time.Second, time.Millisecond)
	page, err := x.Find(context.Background(), query.Query{})
	require.NoError(t, err)
	require.Empty(t, page.Rows)
	require.Zero(t, page.Position)
	log.add(w.records[300:]...)
	require.ErrorIs(t, <-ended, errBuilt)
	require.Equal(t, w.position, x.Position())
	require.ElementsMatch(t, w.rows(), all(t, x, query.Query{}))
	stop()
}
