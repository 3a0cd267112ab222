package dispatch

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clewflow/clew/commands"
	"github.com/clewflow/clew/history"
)

func TestFirstOfferedIsFirstTaken(t *testing.T) {
	q := New(10)
	for _, name := range []string{"a", "b", "c", "d"} {
		q.Offer(attempt(name), epoch, epoch)
	}
	require.True(t, told(q.Ready()))
	q.Settle(key("b", 1), errA) // from the middle
	for _, name := range []string{"a", "c", "d"} {
		mustTake(t, q, name, epoch)
	}
	require.Zero(t, nothing(t, q, epoch))
	require.Equal(t, 3, q.InHand())
}

func TestLaterAttemptsComeWhenTheyAreDue(t *testing.T) {
	q := New(10)
	q.Offer(attempt("late"), after(2*time.Second), epoch)
	require.True(t, told(q.Earlier()))
	q.Offer(attempt("early"), after(time.Second), epoch)
	require.True(t, told(q.Earlier()))
	require.Equal(t, after(time.Second), nothing(t, q, epoch))
	require.Equal(t, after(time.Second), nothing(t, q, after(time.Second-1)))

	h, next := take(q, after(time.Second))
	require.Equal(t, "early", h.ID.Workflow)
	require.Equal(t, after(2*time.Second), next)
	mustTake(t, q, "late", after(2*time.Second))
	require.Zero(t, nothing(t, q, after(time.Hour)))
}

func TestWhatIsOfferedAgainComesAtItsNewTime(t *testing.T) {
	q := New(10)
	q.Offer(attempt("x"), after(time.Second), epoch)
	q.Offer(attempt("x"), after(time.Minute), epoch)
	require.Equal(t, after(time.Minute), nothing(t, q, after(2*time.Second)))
	q.Offer(attempt("x"), epoch, after(3*time.Second))
	mustTake(t, q, "x", after(3*time.Second))
	require.Zero(t, nothing(t, q, after(time.Hour)), "it is there once")
}

// TestMoreThanAHandfulFallDueAtOnce: however many fall due at the same moment, each is taken once.
func TestMoreThanAHandfulFallDueAtOnce(t *testing.T) {
	const many = 1000
	q := New(many)
	for i := range many {
		q.Offer(attempt(fmt.Sprint(i)), after(time.Second), epoch)
	}
	seen := map[Key]bool{}
	for range many {
		h, _ := take(q, after(time.Second))
		require.NotNil(t, h.Hand)
		seen[h.Key] = true
	}
	require.Len(t, seen, many)
	require.Zero(t, nothing(t, q, after(time.Second)))
}

func TestNoMoreAreInHandThanMayBe(t *testing.T) {
	q := New(2)
	for _, name := range []string{"a", "b", "c"} {
		q.Offer(attempt(name), epoch, epoch)
	}
	a := mustTake(t, q, "a", epoch)
	b := mustTake(t, q, "b", epoch)
	nothing(t, q, epoch)
	q.Settle(b.Key, errA)
	nothing(t, q, epoch) // it is settled and still running
	require.Equal(t, 2, q.InHand())

	told(q.Ready())
	a.Release()
	require.True(t, told(q.Ready()))
	require.Equal(t, 1, q.InHand())
	require.NoError(t, *a.cause, "its context did not end")
	require.Empty(t, q.Facts(a.ID), "it is forgotten: what is to follow is offered again")
	mustTake(t, q, "c", epoch)
	nothing(t, q, epoch)
	b.Release()
	require.Equal(t, 1, q.InHand())
}

func TestSerialsOnlyRise(t *testing.T) {
	q := New(10)
	a := attempt("x")
	a.Serial = history.Serial(epoch.UnixMicro()) + 1000 // handed out by a clock that was ahead
	last := a.Serial
	for i := range 5 {
		q.Offer(a, epoch, epoch)
		h := mustTake(t, q, "x", epoch)
		require.Greater(t, h.Serial, last, "hand-out %d", i)
		require.Equal(t, h.Serial, q.Newest(h.Key))
		require.Equal(t, h.Serial, h.Facts().Serial)
		last, a.Serial = h.Serial, 0 // whoever offers knows nothing of it
	}
	q.Offer(a, epoch, after(time.Hour))
	require.Zero(t, q.Newest(a.Key), "what is to be taken has not been handed out")
	h := mustTake(t, q, "x", after(time.Hour))
	require.Equal(t, history.Serial(after(time.Hour).UnixMicro()), h.Serial, "it follows the clock if that is ahead")
}

func TestAnOfferGivesUpWhatIsInHand(t *testing.T) {
	q := New(10)
	q.Offer(attempt("x"), epoch, epoch)
	old := mustTake(t, q, "x", epoch)
	q.Offer(attempt("x"), epoch, epoch)
	require.ErrorIs(t, *old.cause, errTakenOver)
	now := mustTake(t, q, "x", epoch)
	old.Beat(text("of the old one"), epoch)
	old.Release()
	require.Equal(t, now.Serial, q.Newest(now.Key), "the end of the old one changes nothing for the new one")
	require.Equal(t, []commands.Attempt{now.Facts()}, q.Facts(now.ID))
	require.True(t, now.Checkpoint().Absent())
	require.NoError(t, *now.cause)
	require.Equal(t, 1, q.InHand())
}

// TestOfferNewDisturbsNothing: an activity may have been offered and taken between the look at a history and the offer of
// what stands in it.
func TestOfferNewDisturbsNothing(t *testing.T) {
	q := New(10)
	again := func() { q.OfferNew(attempt("x"), epoch, epoch) }
	q.OfferNew(attempt("x"), after(time.Second), epoch)
	again()
	require.Equal(t, after(time.Second), nothing(t, q, epoch), "it waits for its time")
	h := mustTake(t, q, "x", after(time.Second))
	again()
	require.NoError(t, *h.cause)
	require.Equal(t, h.Serial, q.Newest(h.Key))
	nothing(t, q, after(time.Second))

	q.Outside(h.Attempt, h.Started, h.Started)
	again()
	h.Release()
	again()
	nothing(t, q, after(time.Second))
	require.Equal(t, h.Serial, q.Newest(h.Key), "it goes on outside")

	q.Settle(h.Key, errA)
	again()
	mustTake(t, q, "x", after(time.Second))
}

// TestALaterAttemptTakesOver what was offered or taken of an earlier one, of which nobody has said how it ended.
func TestALaterAttemptTakesOver(t *testing.T) {
	q := New(10)
	first, second := attempt("x"), attempt("x")
	first.Number, second.Number = 1, 2
	q.Offer(first, epoch, epoch)
	h := mustTake(t, q, "x", epoch)
	require.True(t, q.Has(h.Key, 1))
	require.False(t, q.Has(h.Key, 2))
	q.OfferNew(second, after(time.Second), epoch)
	require.ErrorIs(t, *h.cause, errTakenOver)
	mustTake(t, q, "x", after(time.Second))
	require.True(t, q.Has(h.Key, 2))
}

func TestSettleEndsTheContextWithItsCause(t *testing.T) {
	q := New(10)
	q.Settle(key("nobody", 1), errA)
	q.Offer(attempt("x"), epoch, epoch)
	h := mustTake(t, q, "x", epoch)
	q.Settle(h.Key, errA)
	require.Equal(t, errA, *h.cause)
	require.Zero(t, q.Newest(h.Key))
	require.Empty(t, q.Facts(h.ID))
	q.Settle(h.Key, errB)
	require.Equal(t, errA, *h.cause)

	q.Offer(attempt("waits"), after(time.Second), epoch)
	q.Settle(key("waits", 1), errA)
	require.Zero(t, nothing(t, q, after(time.Hour)))
}

func TestSettleAllTakesOffOneExecutionOnly(t *testing.T) {
	q := New(10)
	var hands []taken
	for step := range history.Step(5) {
		a := attempt("x")
		a.Step = step
		at := epoch
		if step == 4 {
			at = after(time.Second)
		}
		q.Offer(a, at, epoch)
		if step < 3 {
			hands = append(hands, mustTake(t, q, "x", epoch))
		}
	}
	q.Outside(hands[2].Attempt, epoch, epoch)
	q.Offer(attempt("y"), epoch, epoch)
	q.SettleAll(hands[0].ID, errA)
	require.Equal(t, errA, *hands[0].cause)
	require.Equal(t, errA, *hands[1].cause)
	require.Empty(t, q.Facts(hands[0].ID))
	mustTake(t, q, "y", after(time.Hour))
	require.Zero(t, nothing(t, q, after(time.Hour)))
}

func TestCancelReportsWhetherSomebodyWillSettle(t *testing.T) {
	q := New(10)
	k := key("x", 1)
	require.False(t, q.Cancel(k, errA), "nobody knows of it")

	q.Offer(attempt("x"), after(time.Second), epoch)
	require.False(t, q.Cancel(k, errA), "it waits for its time")
	require.Zero(t, nothing(t, q, after(time.Hour)), "and is taken off")

	q.Offer(attempt("x"), epoch, epoch)
	require.False(t, q.Cancel(k, errA), "it is ready")
	nothing(t, q, epoch)

	q.Offer(attempt("x"), epoch, epoch)
	h := mustTake(t, q, "x", epoch)
	require.True(t, q.Cancel(k, errA), "it is in hand")
	require.Equal(t, errA, *h.cause)
	require.Equal(t, h.Serial, q.Newest(k), "and is kept")
	q.Outside(h.Attempt, epoch, epoch)
	require.True(t, q.Cancel(k, errA), "it goes on outside")
	require.Equal(t, h.Serial, q.Newest(k))
}

func TestOutsideKeepsWhatTheHandKnew(t *testing.T) {
	q := New(1)
	q.Offer(attempt("x"), epoch, epoch)
	h := mustTake(t, q, "x", epoch)
	h.Beat(text("half"), after(time.Second))
	q.Outside(h.Attempt, epoch, epoch)
	h.Release()
	require.Zero(t, q.InHand())
	want := commands.Attempt{Run: "run", Step: 1, Serial: h.Serial, Started: epoch, Beat: after(time.Second), Checkpoint: text("half")}
	require.Equal(t, []commands.Attempt{want}, q.Facts(h.ID))

	q.Outside(h.Attempt, epoch, after(time.Second)) // told again, by a history that knows less
	require.Equal(t, []commands.Attempt{want}, q.Facts(h.ID))
	ahead := h.Attempt
	ahead.Checkpoint = text("more")
	q.Outside(ahead, epoch, after(time.Minute)) // told by one that knows more
	want.Beat, want.Checkpoint = after(time.Minute), text("more")
	require.Equal(t, []commands.Attempt{want}, q.Facts(h.ID))
	q.Settle(h.Key, errA)
	require.Empty(t, q.Facts(h.ID))
}

func TestOutsideWithoutAHandIsKnownFromHistory(t *testing.T) {
	q := New(1)
	a := attempt("x")
	a.Serial, a.Checkpoint = 7, text("half")
	q.Outside(a, epoch, after(time.Second))
	require.Equal(t, history.Serial(7), q.Newest(a.Key))
	require.Equal(t, []commands.Attempt{{Run: "run", Step: 1, Serial: 7, Started: epoch, Beat: after(time.Second), Checkpoint: text("half")}}, q.Facts(a.ID))
	nothing(t, q, after(time.Hour))
	require.Zero(t, q.InHand())
}

func TestFactsAreOfWhatHasBegun(t *testing.T) {
	q := New(10)
	for step := range history.Step(4) {
		a := attempt("x")
		a.Step = step
		a.Checkpoint = text("of the attempt before")
		at := epoch
		if step == 3 {
			at = after(time.Hour)
		}
		q.Offer(a, at, epoch)
	}
	one := mustTake(t, q, "x", epoch)
	two := mustTake(t, q, "x", after(time.Second))
	require.ElementsMatch(t, []commands.Attempt{
		{Run: "run", Step: 0, Serial: one.Serial, Started: epoch, Beat: epoch, Checkpoint: text("of the attempt before")},
		{Run: "run", Step: 1, Serial: two.Serial, Started: after(time.Second), Beat: after(time.Second), Checkpoint: text("of the attempt before")},
	}, q.Facts(one.ID))
	require.Zero(t, q.Newest(key("x", 2)), "it is ready")
	require.Zero(t, q.Newest(key("x", 3)), "it waits")
	require.Zero(t, q.Newest(key("x", 4)), "it is not known")
}

func TestQueuesThatAreNotServedWait(t *testing.T) {
	q := New(10, "ours", "")
	offer := func(workflow, queue string) {
		a := attempt(workflow)
		a.Queue = queue
		q.Offer(a, epoch, epoch)
	}
	offer("theirs", "theirs")
	offer("ours", "ours")
	offer("plain", "")
	mustTake(t, q, "ours", epoch)
	mustTake(t, q, "plain", epoch)
	require.Zero(t, nothing(t, q, after(time.Hour)))
	require.Empty(t, q.Facts(key("theirs", 1).ID))
	require.False(t, q.Cancel(key("theirs", 1), errA), "nobody will settle it")
	q.Settle(key("theirs", 1), errA)

	all := New(10)
	a := attempt("x")
	a.Queue = "any"
	all.Offer(a, epoch, epoch)
	mustTake(t, all, "x", epoch)
}

func TestInputsBeyondTheBoundAreLeftOut(t *testing.T) {
	q := New(10)
	third := text("shared by all")
	third.Data = make([]byte, keptInputs/3)
	offer := func(workflow string) {
		a := attempt(workflow)
		a.Input = third
		q.Offer(a, epoch, epoch)
	}
	for _, name := range []string{"a", "b", "c", "d"} {
		offer(name)
	}
	offer("a") // again: its own input makes room, and it is last in the line
	require.LessOrEqual(t, q.bytes, keptInputs)
	kept := map[string]taken{}
	for _, name := range []string{"b", "c", "d", "a"} {
		h := mustTake(t, q, name, epoch)
		assert.Equal(t, name == "d", h.Input.Absent(), name)
		kept[name] = h
	}
	kept["b"].Release()
	offer("e")
	require.False(t, mustTake(t, q, "e", epoch).Input.Absent(), "what is released makes room")
	for _, name := range []string{"a", "c", "d", "e"} {
		q.Settle(key(name, 1), errA)
	}
	require.Zero(t, q.bytes)
}
