package dispatch

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/clewflow/clew/history"
)

func TestWhatWaitsGetsTheTurnOfItsNewPolicy(t *testing.T) {
	q := New(10)
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	key := func(step history.Step) Key {
		return Key{ID: history.ID{Namespace: "shop", Workflow: "order"}, Step: step}
	}
	plain := history.StandardPolicy
	urgent := plain
	urgent.Admission.Priority = 1
	for step := range history.Step(3) {
		q.Offer(Attempt{Key: key(step + 1), Activity: "a", Number: 1, Policy: &plain}, now, now)
	}
	later := now.Add(time.Hour)
	q.Offer(Attempt{Key: key(4), Activity: "a", Number: 2, Policy: &plain}, later, now)
	take := func(at time.Time) history.Step {
		h, _ := q.Take(at, func(error) {})
		if h == nil {
			return 0
		}
		return h.Step
	}
	q.Govern(key(3), &urgent, 0, time.Time{}, now)
	q.Govern(key(9), &urgent, 0, time.Time{}, now) // nothing is known of it
	require.Equal(t, history.Step(3), take(now), "the urgent one goes first")
	require.Equal(t, history.Step(1), take(now))
	require.Equal(t, history.Step(2), take(now))
	require.Zero(t, take(now))
	q.Govern(key(4), &urgent, 0, now.Add(time.Second), now)
	require.Equal(t, history.Step(4), take(now.Add(time.Second)), "it need not wait for the hour any more")

	short := plain
	short.StartToClose, short.Assumed = time.Second, false
	q.Govern(key(1), &short, 0, time.Time{}, now)
	ids, _ := q.Overdue(now.Add(2 * time.Second))
	require.Equal(t, []history.ID{key(1).ID}, ids, "what is in hand has the new limit")
}
