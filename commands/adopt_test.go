package commands

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clewflow/clew/history"
)

// What has begun by the history has begun, though the clock says that it is yet to begin: the next run asks for a slot of its own.
func TestARunThatAdoptsWhatHasBegunWaitsForASlotWhateverTheClockSays(t *testing.T) {
	at := time.Date(2026, 1, 2, 10, 0, 0, 0, time.UTC)
	started := &history.Started{ID: history.ID{Namespace: "n", Workflow: "wa"}, Run: "r1", Chain: "r1", Type: "order", Key: "ann", Queued: true}
	s := history.Fold(
		history.Entry{Seq: 1, At: at, Event: started}, history.Entry{Seq: 2, At: at, Event: &history.Begun{}}, history.Entry{Seq: 3, At: at, Event: &history.Terminated{}},
	)
	for _, now := range []time.Time{at.Add(time.Hour), at.Add(-time.Hour)} {
		events, err := Decide(s, Anew{
			ID: started.ID, Run: "r2", Of: started, OfSeq: 1, Adopts: &history.Adoption{Run: "r1", From: 1, Cut: 3}, Begun: true, Slot: Slot{Key: "ann", Queued: true},
		}, now)
		require.NoError(t, err)
		next := events[len(events)-1].(*history.Started)
		assert.True(t, next.Queued, now)
	}
}
