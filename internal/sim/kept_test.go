package sim_test

import (
	"testing"

	"github.com/clewflow/clew/internal/sim"
)

// TestKeptWorlds: what is deleted or redacted is nowhere, what is open or held is not touched, and what is left is as it was, whenever
// the process dies.
func TestKeptWorlds(t *testing.T) {
	t.Logf("again with: go test ./internal/sim -run TestKeptWorlds -seed %d -seeds %d", *first, *seeds)
	seen, appends, worlds := map[string]int{}, 0, 0
	each(*first, *seeds, func(seed uint64) bool {
		wrongs, stored, happened := sim.RunKept(t, seed)
		mu.Lock()
		defer mu.Unlock()
		appends += stored
		worlds++
		for what, times := range happened {
			seen[what] += times
		}
		for _, wrong := range wrongs[:min(len(wrongs), 5)] {
			t.Errorf("\nWRONG: in the world of seed %d %s", seed, wrong)
		}
		return len(wrongs) == 0
	})
	t.Logf("%d seeds, %d appends, %v", worlds, appends, seen)
	for _, what := range sim.KeptSometimes {
		if worlds >= 60 && seen[what] == 0 {
			t.Errorf("this never happened: %s", what)
		}
	}
}
