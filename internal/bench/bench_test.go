package bench_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clewflow/clew/internal/bench"
)

// TestEveryBenchMeasures runs each on little. It asserts what does not depend on the machine.
func TestEveryBenchMeasures(t *testing.T) {
	for _, b := range bench.All {
		t.Run(b.Name, func(t *testing.T) {
			r, err := b.Run(t.Context(), bench.Config{N: b.Small, InFlight: 10, Dir: t.TempDir()})
			require.NoError(t, err)
			assert.Equal(t, b.Name, r.Bench)
			assert.Positive(t, r.Seconds)
			switch b.Name {
			case "noop":
				assert.InDelta(t, 2, r.AppendsPerWorkflow, 0.001, "one activity costs two appends")
			case "sequence":
				assert.InDelta(t, 11, r.AppendsPerWorkflow, 0.001, "ten in a row cost eleven appends")
			case "replay":
				assert.Positive(t, r.EntriesPerSecond)
			case "timers", "lag":
				assert.Positive(t, r.LateP50)
			case "restart":
				assert.Positive(t, r.Ready)
			}
		})
	}
}
