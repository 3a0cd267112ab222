package timers

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clewflow/clew/history"
)

func named(i int) history.ID { return history.ID{Namespace: "ns", Workflow: fmt.Sprint("w", i)} }

func TestFarWakesAreLeftToTheLog(t *testing.T) {
	w := NewWakes(time.Minute)
	w.Wake(named(1), after(60), epoch)
	require.Equal(t, 1, w.Len(), "at the horizon it is kept")
	require.Zero(t, w.Look(), "nothing was left to the log")

	w.Wake(named(2), after(100), epoch)
	w.Wake(named(3), after(90), epoch)
	w.Wake(named(4), after(200), epoch)
	require.Equal(t, 1, w.Len())
	require.Equal(t, after(60), w.Look(), "half a horizon before the earliest")

	w.Looking()
	require.Zero(t, w.Look())
	w.WakeBy(named(4), after(200), after(60))
	require.Equal(t, after(170), w.Look(), "what is still far is left to the log again")
}

func TestAWakeThatMovesBeyondTheHorizonIsTakenOff(t *testing.T) {
	w := NewWakes(time.Minute)
	w.Wake(named(1), after(5), epoch)
	w.Wake(named(1), after(500), epoch)
	ids, next := w.Due(after(60), 10)
	require.Empty(t, ids)
	require.Zero(t, next)

	w.Wake(named(1), after(510), after(500))
	w.Wake(named(1), time.Time{}, after(500))
	require.Zero(t, w.Len(), "zero takes it off")
}

func TestWithoutAHorizonAllWakesAreKept(t *testing.T) {
	w := NewWakes(0)
	century := epoch.AddDate(100, 0, 0)
	w.Wake(named(1), century, epoch)
	w.WakeBy(named(2), century, epoch)
	require.Equal(t, 2, w.Len())
	require.Zero(t, w.Look())
}

func TestEarlierTellsOfAnEarlierLook(t *testing.T) {
	w := NewWakes(time.Minute)
	w.Wake(named(1), after(500), epoch)
	require.True(t, told(w.Earlier()))
	w.Wake(named(2), after(600), epoch)
	require.False(t, told(w.Earlier()), "a later one changes nothing")
	w.WakeBy(named(3), after(400), epoch)
	require.True(t, told(w.Earlier()))
}

// TestWakeByNeverMakesAWakeLater: who knows how things stood a while ago takes nothing away from who knows it now.
func TestWakeByNeverMakesAWakeLater(t *testing.T) {
	for name, old := range map[string]time.Time{"later": after(30), "beyond the horizon": after(300), "never": {}} {
		w := NewWakes(time.Minute)
		w.Wake(named(1), after(10), epoch)
		w.WakeBy(named(1), old, epoch)
		ids, _ := w.Due(after(10), 10)
		assert.Equal(t, []history.ID{named(1)}, ids, name)
	}
	w := NewWakes(time.Minute)
	w.Wake(named(1), after(10), epoch)
	w.WakeBy(named(1), after(5), epoch)
	ids, _ := w.Due(after(5), 10)
	require.Equal(t, []history.ID{named(1)}, ids, "it may make it earlier")
}

// TestNobodySleepsPastHisWake drives Wakes as the runtime does, over far more than a horizon: whoever looks through the
// log when Look says so wakes everybody in time, though most wakes are far away when they are set. To run a case again,
// set its seed here.
func TestNobodySleepsPastHisWake(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	dice := rand.New(rand.NewPCG(seed, 0))
	const horizon = time.Minute
	w, log, now := NewWakes(horizon), map[history.ID]time.Time{}, epoch
	woken := 0
	for range 3000 {
		if dice.IntN(3) > 0 { // an execution moves its wake, and the log knows of it
			id, due := named(dice.IntN(100)), time.Time{}
			if dice.IntN(8) > 0 {
				due = now.Add(time.Duration(1+dice.IntN(600)) * time.Second)
			}
			if log[id] = due; due.IsZero() {
				delete(log, id)
			}
			w.Wake(id, due, now)
		}
		now = now.Add(time.Duration(dice.IntN(4)) * time.Second)
		if look := w.Look(); !look.IsZero() && !look.After(now) {
			w.Looking()
			for id, due := range log {
				w.WakeBy(id, due, now)
			}
		}
		for {
			ids, _ := w.Due(now, 3)
			for _, id := range ids {
				require.Contains(t, log, id, "nobody is woken who has no wake")
				require.False(t, log[id].After(now), "%s is woken too early", id)
				delete(log, id)
				woken++
			}
			if len(ids) == 0 {
				break
			}
		}
		near := 0
		for id, due := range log {
			require.True(t, due.After(now), "%s was to be woken at %s, now it is %s", id, due, now)
			if due.Sub(now) <= horizon/4 {
				near++
			}
		}
		require.GreaterOrEqual(t, w.Len(), near)
	}
	require.NotZero(t, woken)
}
