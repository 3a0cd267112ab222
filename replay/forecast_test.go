package replay_test

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clewflow/clew/replay"
	"github.com/clewflow/clew/workflow"
)

func TestAForecastEnds(t *testing.T) {
	w := shopped(t)
	got := held(w, replay.Names, func(ctx workflow.Context, n int) (int, error) {
		for {
			_, _ = workflow.Do(ctx, debit, n)
		}
	})
	require.NotNil(t, got)
	assert.Equal(t, replay.Replaced, got.Change)
	assert.True(t, got.Guessed)
	assert.Equal(t, replay.Row{Seq: 8, Recorded: "complete with 3", Asked: "activity debit 7"}, got.Window[3])
	got = held(w, replay.Names, func(ctx workflow.Context, n int) (int, error) {
		v, _ := workflow.Do(ctx, debit, n)
		return 1 / v, nil // of an empty result
	})
	require.NotNil(t, got)
	assert.Equal(t, "activity debit, step 1, input 7", got.Asked)
}

func TestAForecastTellsWhatIsRecordedOfTheSameThing(t *testing.T) {
	w := begin(t, func(ctx workflow.Context, n int) (int, error) {
		v, err := workflow.Do(ctx, charge, n)
		if err != nil {
			return workflow.Do(ctx, debit, v)
		}
		if _, err := poke.Receive(ctx); err != nil {
			return 0, err
		}
		return workflow.Child(ctx, parcel, v)
	}, 1)
	w.complete(1, 5)
	w.signal(poke.With(1))
	w.childStarts(2)
	w.childCompletes(2, 6)
	got := held(w, replay.Strict, func(ctx workflow.Context, n int) (int, error) {
		_ = workflow.Sleep(ctx, time.Minute)
		v, err := workflow.Do(ctx, charge, n)
		if _, lost := poke.Receive(ctx); lost != nil || err != nil {
			return 0, err
		}
		return workflow.Child(ctx, parcel, v)
	})
	require.NotNil(t, got)
	assert.Equal(t, replay.Added, got.Change)
	assert.Equal(t, []replay.Row{
		{Asked: "timer of 1m0s", Here: true}, {Seq: 2, Recorded: "activity charge 1", Asked: "activity charge 1"},
		{Seq: 5, Recorded: "child w1~1.2 (parcel) 5", Asked: "child w1~1.3 (parcel) 5"},
		{Seq: 8, Recorded: "complete with 6", Asked: "complete with 6"},
	}, got.Window)
}

func TestAForecastTellsOfATimeThatIsOver(t *testing.T) {
	within := func(ctx workflow.Context, n int) (int, error) {
		scope, cancel := workflow.WithTimeout(ctx, time.Minute)
		defer cancel()
		_, _ = workflow.Do(scope, charge, n)
		return workflow.Do(ctx, debit, n)
	}
	w := begin(t, within, 1)
	w.pass(time.Minute) // which ends the scope, and that asks for the activity to be cancelled
	got := held(w, replay.Strict, func(ctx workflow.Context, n int) (int, error) {
		workflow.Begin(ctx, debit, 7)
		return within(ctx, n)
	})
	require.NotNil(t, got)
	assert.Equal(t, replay.Added, got.Change)
}

// TestWithoutAForecastWhatIsKnownIsSaid, as in a runtime, which asks nothing that is made up.
func TestWithoutAForecastWhatIsKnownIsSaid(t *testing.T) {
	w := shopped(t)
	asked := 0
	m, err := replay.Remember(replay.Config{Code: codeOf(func(ctx workflow.Context, n int) (int, error) {
		_, _ = workflow.Do(ctx, debit, n)
		asked++
		return 0, nil
	})}, w.entries)
	require.NotNil(t, m)
	m.Stop()
	var got *replay.Mismatch
	require.True(t, errors.As(err, &got))
	assert.Zero(t, asked, "the code went no further")
	assert.False(t, got.Guessed)
	assert.Equal(t, "the code now asks for activity debit (step 1), where the history asks for activity charge; was it renamed?", got.Why)
	assert.NotEmpty(t, got.Place)
	assert.Equal(t, []replay.Row{
		{Seq: 2, Recorded: "activity charge 7", Asked: "activity debit 7", Here: true}, {Seq: 4, Recorded: "timer of 1h0m0s", Asked: "?"},
		{Seq: 6, Recorded: "activity ship 7", Asked: "?"}, {Seq: 8, Recorded: "complete with 3", Asked: "?"},
	}, got.Window)
}

func TestWhatIsAskedInAnEarlierTurnHasMoved(t *testing.T) {
	w := begin(t, func(ctx workflow.Context, n int) (int, error) {
		if _, err := poke.Receive(ctx); err != nil {
			return 0, err
		}
		return workflow.Do(ctx, charge, n)
	}, 1)
	w.signal(poke.With(1))
	code := func(ctx workflow.Context, n int) (int, error) { return workflow.Do(ctx, charge, n) }
	w.machine.Stop()
	got := held(w, replay.Strict, code)
	require.NotNil(t, got)
	assert.Equal(t, replay.Moved, got.Change)
	assert.Equal(t, "the code asks in another order: it asks for activity charge (step 1) in answer to an earlier entry than is recorded", got.Why)
	m, err := replay.Remember(replay.Config{Code: codeOf(code)}, w.entries)
	m.Stop()
	require.ErrorAs(t, err, &got)
	assert.Equal(t, replay.Moved, got.Change)
	assert.Contains(t, got.Snippet, "activity charge later")
}
