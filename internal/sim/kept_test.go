package sim_test

import (
	"testing"

	"github.com/clewflow/clew/internal/sim"
)

// TestKeptWorlds: what is deleted or redacted is nowhere, what is open or held is not touched, and what is left is as it was, whenever
// the process dies.
func TestKeptWorlds(t *testing.T) {
	from, n := *first, *seeds
	t.Logf("again with: go test ./internal/sim -run TestKeptWorlds -seed %d -seeds %d", from, n)
	seen, appends := map[string]int{}, 0
	for i := range n {
		seed := from + uint64(i)
		wrongs, stored, happened := sim.RunKept(t, seed)
		appends += stored
		for what, times := range happened {
			seen[what] += times
		}
		if len(wrongs) > 0 {
			for _, wrong := range wrongs[:min(len(wrongs), 5)] {
				t.Logf("\nWRONG: in the world of seed %d %s", seed, wrong)
			}
			t.Logf("%d seeds, %d appends", i+1, appends)
			t.Fatalf("the world of seed %d is wrong", seed)
		}
	}
	t.Logf("%d seeds, %d appends, %v", n, appends, seen)
	for _, what := range sim.KeptSometimes {
		if n >= 60 && seen[what] == 0 {
			t.Errorf("this never happened: %s", what)
		}
	}
}
