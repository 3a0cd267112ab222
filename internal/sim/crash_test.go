package sim_test

import (
	"flag"
	"maps"
	"slices"
	"testing"

	"github.com/clewflow/clew/internal/sim"
)

var share = flag.Int("share", 8, "one of how many points is tried")

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
					if points++; points%*share != 0 {
						continue
					}
					if r, got := sim.Crash(t, programs[name], runs, n, what); got != want || len(r.Wrong) > 0 {
						t.Fatalf("%s, %d, %s at append %d: %s\nwas done:\n%s\nand is else:\n%s", name, runs, what, n, r, got, want)
					}
				}
			}
		}
	}
	t.Logf("%d programs, one of %d of %d points", 2*len(programs), *share, points)
}
