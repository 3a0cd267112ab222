package replay_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clewflow/clew/commands"
	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/replay"
	"github.com/clewflow/clew/workflow"
)

// sent says what became of something that the code wanted to send.
func (w *world) sent(step history.Step, refused string) bool {
	w.t.Helper()
	return w.give(commands.NoteSent{Run: w.state.Run.ID, Step: step, Refused: refused})
}

func TestWhatIsSentWaitsUntilItIsAccepted(t *testing.T) {
	w := run(t, func(ctx workflow.Context) error {
		if err := workflow.Send(ctx, "order-2", poke.With(7)); err != nil {
			return err
		}
		return workflow.SendCancel(ctx, "order-3")
	})
	assert.NoError(t, w.machine.Deadlock())
	assert.Equal(t, &history.SendAsked{Step: 1, ID: "order-2", Name: "poke", Value: history.JSON([]byte("7"))}, w.entries[1].Event)
	w.sent(1, "")
	assert.Equal(t, &history.SendAsked{Step: 2, ID: "order-3", Cancel: true}, w.entries[3].Event)
	w.sent(2, "")
	assert.Equal(t, []string{"started", "send-asked 1", "sent", "send-asked 2", "sent", "completed"}, w.kinds())
}

func TestWhyItWasNotDeliveredReachesTheCode(t *testing.T) {
	for reason, is := range map[string]error{
		history.RefusedNotFound: workflow.ErrNotFound, history.RefusedNotRunning: workflow.ErrNotRunning, history.RefusedFull: commands.ErrTooManySignals,
	} {
		var signal, cancel error
		w := run(t, func(ctx workflow.Context) error {
			signal = workflow.Send(ctx, "order-2", poke.With(7))
			cancel = workflow.SendCancel(ctx, "order-2")
			return nil
		})
		w.sent(1, reason)
		w.sent(2, reason)
		assert.ErrorIs(t, signal, is)
		assert.ErrorIs(t, cancel, is)
		assert.ErrorContains(t, signal, "it was not delivered")
		assert.Equal(t, history.StatusCompleted, w.state.Status)
	}
	w := run(t, func(ctx workflow.Context) error { return workflow.SendCancel(ctx, "order-2") })
	w.sent(1, "a reason to come")
	assert.EqualError(t, w.failure(), "it was not delivered: a reason to come ")
}

func TestWhatCannotBeSentIsNotAsked(t *testing.T) {
	var errs []error
	w := untold(t, replay.Config{MaxPayload: 10, Code: codeOf(func(ctx workflow.Context, _ int) (int, error) {
		ended, cancel := workflow.WithCancel(ctx)
		cancel()
		errs = []error{
			workflow.Send(ctx, "", poke.With(1)), workflow.SendCancel(ctx, "a\nb"), workflow.Send(ctx, "x", workflow.NewSignal[int]("no spaces").With(1)),
			workflow.Send(ctx, "x", workflow.NewSignal[string]("s").With("much too long for this")),
			workflow.Send(ended, "x", poke.With(1)), workflow.SendCancel(ended, "x"),
		}
		return 0, nil
	})})
	w.give(start(t, 1))
	for i, want := range []error{commands.ErrInvalid, commands.ErrInvalid, commands.ErrInvalid, commands.ErrTooLarge, workflow.ErrCancelled, workflow.ErrCancelled} {
		assert.ErrorIs(t, errs[i], want, "%d", i)
	}
	assert.Equal(t, []string{"started", "completed"}, w.kinds())
}

func TestSendingEndsWithItsScope(t *testing.T) {
	w := yields(t, func(ctx workflow.Context) (string, error) {
		err := workflow.Send(ctx, "order-2", poke.With(1))
		_, again := workflow.Do(workflow.WithoutCancel(ctx), work, 1)
		return fmt.Sprint(err, again), nil
	})
	w.cancel()
	assert.Equal(t, []string{"started", "send-asked 1", "cancel-requested", "activity-scheduled 2"}, w.kinds(), "what was asked is not taken back")
	w.sent(1, "")
	w.complete(2, 0)
	assert.Equal(t, "cancelled <nil>", result[string](w))
}

func TestSendsAreHeld(t *testing.T) {
	send := func(id string, m workflow.Message) shopFn {
		return func(ctx workflow.Context, _ int) (int, error) { return 0, workflow.Send(ctx, id, m) }
	}
	w := begin(t, send("a", poke.With(1)), 0)
	for what, c := range map[string]struct {
		code   shopFn
		strict bool // only then
		want   string
		asked  string
	}{
		"another name":  {send("a", halt.With(1)), false, "the code now sends signal halt to a (step 1), where the history sends signal poke to a; was it renamed?", "signal halt to a, step 1, value 1"},
		"another id":    {send("b", poke.With(1)), true, "the code sends to b, recorded is a (step 1)", "signal poke to b, step 1, value 1"},
		"another value": {send("a", poke.With(2)), true, "signal poke (step 1) is sent with another value: recorded is 1, asked 2", "signal poke to a, step 1, value 2"},
		"a cancel": {
			func(ctx workflow.Context, _ int) (int, error) { return 0, workflow.SendCancel(ctx, "a") }, false,
			"the code now asks a to end (step 1), where the history sends signal poke to a", "ask a to end, step 1",
		},
	} {
		t.Run(what, func(t *testing.T) {
			got := held(w, replay.Strict, c.code)
			require.NotNil(t, got)
			assert.Equal(t, []string{c.want, "signal poke to a, step 1, value 1", c.asked}, []string{got.Why, got.Recorded, got.Asked})
			assert.Equal(t, c.strict, held(w, replay.Names, c.code) == nil)
		})
	}
	w.sent(1, "")
}

func TestSendsInAnotherOrderNeverPass(t *testing.T) {
	both := func(a, b string) shopFn {
		return func(ctx workflow.Context, _ int) (int, error) {
			var g workflow.WaitGroup
			for _, id := range []string{a, b} {
				g.Go(ctx, func(ctx workflow.Context) { _ = workflow.SendCancel(ctx, id) })
			}
			return 0, g.Wait(ctx)
		}
	}
	w := begin(t, both("east", "west"), 0)
	w.sent(2, history.RefusedNotFound)
	got := held(w, replay.Names, both("west", "east"))
	require.NotNil(t, got, "what became of one would reach the sender of the other")
	assert.Equal(t, "the code sends to west, recorded is east (step 1): it is the id of step 2, so the order has changed", got.Why)
	assert.Nil(t, held(w, replay.Names, both("east", "north")), "an id that is nobody else's has only changed")
	w.sent(1, "")
}
