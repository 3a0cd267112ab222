package check

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/store"
	"github.com/clewflow/clew/store/pebble"
)

// stored is a store with histories; those that are open begin their last run at the Seq given.
func stored(t *testing.T, open map[string]uint64, histories ...History) *Store {
	t.Helper()
	dir := t.TempDir()
	log, err := pebble.Open(dir, pebble.Options{Ballast: -1})
	require.NoError(t, err)
	for _, h := range histories {
		var entries []history.Entry
		for e := range h.Entries {
			entries = append(entries, e)
		}
		var tail *store.Tail
		if began := open[h.ID.Workflow]; began > 0 {
			tail = &store.Tail{Began: began, Seq: entries[len(entries)-1].Seq}
		}
		require.NoError(t, log.AppendTail(t.Context(), h.ID, tail, entries...))
	}
	require.NoError(t, log.Close())
	s, err := OpenStore(dir, "n")
	require.NoError(t, err)
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func TestOfAnOpenExecutionNoMoreIsReadThanMatters(t *testing.T) {
	carries := started("sleeper", 2)
	carries.Carried = []history.Range{{From: 2, To: 2}}
	poked := &history.Signaled{Name: "nudge", Value: history.JSON([]byte("5"))}
	s := stored(t, map[string]uint64{"carries": 4, "first": 1, "second": 3},
		tale("carries", started("sleeper", 1), poked, &history.Continued{}, carries, slept(time.Hour)),
		tale("closed", started("sleeper", 1), &history.Terminated{}, started("sleeper", 2), &history.Terminated{}),
		tale("first", started("sleeper", 1), slept(time.Hour)),
		tale("second", started("sleeper", 1), &history.Terminated{}, started("sleeper", 2), slept(time.Hour)),
	)
	read := map[string]uint64{}
	for h, err := range s.Histories(t.Context(), Sample{All: true}) {
		require.NoError(t, err)
		for e := range h.Entries {
			read[h.ID.Workflow] = e.Seq
			break
		}
	}
	assert.Equal(t, map[string]uint64{"carries": 1, "closed": 1, "first": 1, "second": 3}, read)

	r, err := Histories(t.Context(), CodeOf(sleeper(time.Hour)), s.Histories(t.Context(), Sample{}), Config{})
	require.NoError(t, err)
	n, open := r.Count(Fits)
	assert.Equal(t, []int{3, 3}, []int{n, open}, r.String())
}
