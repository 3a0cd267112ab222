package sim_test

import (
	"maps"
	"slices"
	"testing"

	"github.com/clewflow/clew/internal/sim"
)

// TestCrashAtEveryAppend: whatever becomes of one append, and whoever dies of it, each program does in the end what it does when
// nothing goes wrong.
func TestCrashAtEveryAppend(t *testing.T) {
	programs, points := sim.Canonical(), 0
	for _, name := range slices.Sorted(maps.Keys(programs)) {
		for runs := range 2 { // it continues as new so often
			calm, want := sim.Crash(t, programs[name], runs, 0, "")
			if len(calm.Wrong) > 0 {
				t.Fatalf("%s, %d: %s", name, runs, calm)
			}
			for n := 1; n <= calm.Appends; n++ {
				for _, what := range sim.Crashes {
					points++
					if r, got := sim.Crash(t, programs[name], runs, n, what); got != want || len(r.Wrong) > 0 {
						t.Fatalf("%s, %d, %s at append %d: %s\nwas done:\n%s\nand is else:\n%s", name, runs, what, n, r, got, want)
					}
				}
			}
		}
	}
	t.Logf("%d programs, %d points", 2*len(programs), points)
}
