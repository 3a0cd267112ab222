package dispatch

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/clewflow/clew/history"
)

func TestWhatIsHandedOverIsWhatIsInHand(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	id := history.ID{Namespace: "n", Workflow: "w"}
	q := New(10)
	for step := range history.Step(4) {
		q.Offer(Attempt{Key: Key{id, step}, Policy: &history.StandardPolicy, Claim: step == 3}, now, now)
	}
	_, cancel := context.WithCancelCause(t.Context())
	h, _ := q.Take(now, cancel)
	require.False(t, h.Recorded())
	q.Yield(id)
	require.Len(t, q.Taken(id), 1)
	steps, takeable := q.Steps(id)
	require.Equal(t, []history.Step{0, 3}, steps, "what is in hand, and the claim")
	require.Equal(t, []history.Step{3}, takeable)
	require.Equal(t, []history.ID{id}, q.IDs())

	half := history.StandardPolicy.Heartbeat/2 + unlimitedBeat
	require.False(t, h.Beat(history.Payload{}, now.Add(half)), "its own process knows")
	q.Away(Key{id, 0})
	require.True(t, h.Recorded())
	require.True(t, h.Beat(history.Payload{}, now.Add(2*half)), "others know what is recorded")
	require.False(t, h.Beat(history.Payload{}, now.Add(2*half+time.Millisecond)), "at a bounded rate")

	claim, _ := q.Take(now, cancel)
	require.True(t, claim.Recorded())
}

func TestWhatIsInterruptedIsNotHandedOver(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	id := history.ID{Namespace: "n", Workflow: "w"}
	q := New(10)
	q.Offer(Attempt{Key: Key{id, 1}, Policy: &history.StandardPolicy}, now, now)
	q.Offer(Attempt{Key: Key{id, 2}, Policy: &history.StandardPolicy}, now, now)
	ctx, cancel := context.WithCancelCause(t.Context())
	q.Take(now, cancel)
	cause := errors.New("the end")
	q.Interrupt(cause)
	require.Equal(t, cause, context.Cause(ctx))
	require.Empty(t, q.Taken(id))
	steps, _ := q.Steps(id)
	require.Equal(t, []history.Step{1}, steps)
	require.True(t, q.Knows(id))
}

func TestWhatANodeHoldsIsFound(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	q := New(10)
	for _, w := range []string{"b", "a"} {
		q.Outside(Attempt{Key: Key{history.ID{Namespace: "n", Workflow: w}, 1}, Node: "x", Policy: &history.StandardPolicy}, now, now)
	}
	require.Equal(t, []history.ID{{Namespace: "n", Workflow: "a"}, {Namespace: "n", Workflow: "b"}}, q.HeldBy("x"))
	require.Empty(t, q.HeldBy("y"))
}
