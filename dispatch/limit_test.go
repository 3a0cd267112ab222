package dispatch

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clewflow/clew/history"
)

func activityOf(name string) history.Subject {
	return history.Subject{Of: history.OfActivity, Name: name}
}

// limited is an attempt of activity "a" of the workflow.
func limited(workflow string, a history.Admission) Attempt {
	p := history.StandardPolicy
	p.Admission = a
	at := attempt(workflow)
	at.Activity, at.Policy, at.Number = "a", &p, 1
	return at
}

func atOnce(n int) history.Limit { return history.Limit{AtOnce: n} }

func TestNoMoreAreInHandThanTheLimitAllows(t *testing.T) {
	q := New(100)
	q.SetLimits(Limits{activityOf("a"): {All: atOnce(2)}}, time.Time{}, epoch)
	for i := range 4 {
		q.Offer(limited(fmt.Sprint("w", i), history.Admission{}), epoch, epoch)
	}
	q.Offer(attempt("other"), epoch, epoch)
	first, second := mustTake(t, q, "w0", epoch), mustTake(t, q, "w1", epoch)
	mustTake(t, q, "other", epoch)
	require.Zero(t, nothing(t, q, epoch))
	why, ok := q.Waits(key("w2", 1), epoch)
	require.True(t, ok)
	require.Equal(t, "limit of activity a: 2 of 2 in use", why.String())

	second.Release()
	require.True(t, told(q.Ready()))
	third := mustTake(t, q, "w2", epoch)
	require.Zero(t, nothing(t, q, epoch))
	first.Release()
	third.Release()
	mustTake(t, q, "w3", epoch)
	_, ok = q.Waits(key("w3", 1), epoch)
	require.False(t, ok)
}

func TestAKeyThatIsFullStandsInNoOthersWay(t *testing.T) {
	q := New(100)
	q.SetLimits(Limits{activityOf("a"): {All: atOnce(3), Key: atOnce(1)}}, time.Time{}, epoch)
	for i := range 5 {
		q.Offer(limited(fmt.Sprint("x", i), history.Admission{Key: "x"}), epoch, epoch)
	}
	q.Offer(limited("y", history.Admission{Key: "y"}), epoch, epoch)
	q.Offer(limited("none", history.Admission{}), epoch, epoch)
	var got []string
	for {
		h, _ := take(q, epoch)
		if h.Hand == nil {
			break
		}
		got = append(got, h.ID.Workflow)
	}
	require.ElementsMatch(t, []string{"x0", "y", "none"}, got)
	why, _ := q.Waits(key("x1", 1), epoch)
	require.Equal(t, "limit of activity a for key x: 1 of 1 in use", why.String())
}

// TestEveryEndingGivesTheSlotBack: one after the other, under a limit of one.
func TestEveryEndingGivesTheSlotBack(t *testing.T) {
	for name, end := range map[string]func(*Queue, *Hand){
		"settled":        func(q *Queue, h *Hand) { q.Settle(h.Key, errA); h.Release() },
		"released":       func(q *Queue, h *Hand) { h.Release() },
		"its run closed": func(q *Queue, h *Hand) { q.SettleAll(h.ID, errA); h.Release() },
		"settled with others": func(q *Queue, h *Hand) {
			q.SettleOthers(h.ID, func(history.Step) bool { return false }, errA)
			h.Release()
		},
		"offered again":         func(q *Queue, h *Hand) { q.Offer(h.Attempt, after(time.Hour), epoch); h.Release() },
		"handed over":           func(q *Queue, h *Hand) { q.Yield(h.ID); h.Release() },
		"interrupted":           func(q *Queue, h *Hand) { q.Interrupt(errA); h.Release() },
		"cancelled":             func(q *Queue, h *Hand) { q.Cancel(h.Key, errA); h.Release() },
		"settled outside":       func(q *Queue, h *Hand) { q.Outside(h.Attempt, epoch, epoch); h.Release(); q.Settle(h.Key, errA) },
		"settled outside early": func(q *Queue, h *Hand) { q.Outside(h.Attempt, epoch, epoch); q.Settle(h.Key, errA); h.Release() },
		"forgotten outside":     func(q *Queue, h *Hand) { q.Outside(h.Attempt, epoch, epoch); h.Release(); q.Yield(h.ID) },
		"outside, made again": func(q *Queue, h *Hand) {
			q.Outside(h.Attempt, epoch, epoch)
			h.Release()
			q.Offer(h.Attempt, after(time.Hour), epoch)
		},
		"outside, taken up": func(q *Queue, h *Hand) { h.Release(); q.Outside(h.Attempt, epoch, epoch); q.Settle(h.Key, errA) },
	} {
		t.Run(name, func(t *testing.T) {
			q := New(100)
			q.SetLimits(Limits{activityOf("a"): {All: atOnce(1), Key: atOnce(1)}}, time.Time{}, epoch)
			q.Offer(limited("one", history.Admission{Key: "k"}), epoch, epoch)
			h := mustTake(t, q, "one", epoch)
			q.Offer(limited("two", history.Admission{Key: "k"}), epoch, epoch)
			require.Zero(t, nothing(t, q, epoch))
			end(q, h.Hand)
			if name == "interrupted" {
				q.Offer(limited("two", history.Admission{Key: "k"}), epoch, epoch)
			}
			mustTake(t, q, "two", epoch)
		})
	}
}

func TestWhatIsSettledHoldsItsSlotUntilItHasReturned(t *testing.T) {
	q := New(100)
	q.SetLimits(Limits{activityOf("a"): {All: atOnce(1)}}, time.Time{}, epoch)
	q.Offer(limited("one", history.Admission{}), epoch, epoch)
	h := mustTake(t, q, "one", epoch)
	q.Offer(limited("two", history.Admission{}), epoch, epoch)
	q.Settle(h.Key, errA)
	require.Zero(t, nothing(t, q, epoch), "its function runs on")
	h.Release()
	mustTake(t, q, "two", epoch)
}

func TestWhatGoesOnOutsideHoldsItsSlot(t *testing.T) {
	q := New(100)
	q.SetLimits(Limits{activityOf("a"): {All: atOnce(1)}}, time.Time{}, epoch)
	outside := limited("one", history.Admission{})
	outside.Serial = 5
	q.Outside(outside, epoch, epoch) // as after a restart
	q.Offer(limited("two", history.Admission{}), epoch, epoch)
	require.Zero(t, nothing(t, q, epoch))
	q.Settle(outside.Key, errA)
	mustTake(t, q, "two", epoch)

	elsewhere := limited("three", history.Admission{})
	elsewhere.Node = "n2"
	q.Outside(elsewhere, epoch, epoch)
	q.Settle(key("two", 1), errA)
	require.Equal(t, 1, q.buckets[bucketKind{activityOf("a"), "", false}].inUse, "of two, whose function has not returned")
}

func TestNoMoreAreBegunInAnyWindowThanTheRateAllows(t *testing.T) {
	q := New(100)
	q.SetLimits(Limits{activityOf("a"): {All: history.Limit{Rate: 2, Per: 10 * time.Second}}}, time.Time{}, epoch)
	for i := range 5 {
		q.Offer(limited(fmt.Sprint("w", i), history.Admission{}), epoch, epoch)
	}
	mustTake(t, q, "w0", epoch).Release()
	mustTake(t, q, "w1", after(3*time.Second)).Release()
	require.Equal(t, after(10*time.Second), nothing(t, q, after(4*time.Second)))
	why, ok := q.Waits(key("w2", 1), after(4*time.Second))
	require.True(t, ok)
	require.Equal(t, after(10*time.Second), why.Begins)
	require.Equal(t, "limit of activity a: 2 begun within 10s", why.String())
	mustTake(t, q, "w2", after(10*time.Second))
	require.Equal(t, after(13*time.Second), nothing(t, q, after(10*time.Second)))
	mustTake(t, q, "w3", after(13*time.Second))
	require.Equal(t, after(20*time.Second), nothing(t, q, after(13*time.Second)))
}

func TestARateIsNotTakenForUnusedAfterARestart(t *testing.T) {
	q := New(100)
	q.SetLimits(Limits{activityOf("a"): {All: history.Limit{Rate: 2, Per: 10 * time.Second}}}, epoch, epoch)
	q.Offer(limited("w", history.Admission{}), epoch, epoch)
	require.Equal(t, after(10*time.Second), nothing(t, q, epoch))
	mustTake(t, q, "w", after(10*time.Second))
}

func TestZeroStopsAndLiftingGoesOn(t *testing.T) {
	q := New(100)
	q.SetLimits(Limits{activityOf("a"): {All: history.Limit{None: true}}}, time.Time{}, epoch)
	q.Offer(limited("w0", history.Admission{}), epoch, epoch)
	q.Offer(limited("w1", history.Admission{}), epoch, epoch)
	require.Zero(t, nothing(t, q, epoch))
	why, _ := q.Waits(key("w0", 1), epoch)
	require.Equal(t, "limit of activity a: 0, none are begun", why.String())
	told(q.Ready())
	q.SetLimits(nil, time.Time{}, epoch)
	require.True(t, told(q.Ready()))
	mustTake(t, q, "w0", epoch)
	q.SetLimits(Limits{activityOf("a"): {All: atOnce(1)}}, time.Time{}, epoch)
	require.Zero(t, nothing(t, q, epoch), "what was begun without a limit counts")
}

func TestNamedLimitsAndQueuesAreSharedByActivities(t *testing.T) {
	bank, slow := history.Subject{Of: history.OfLimit, Name: "bank"}, history.Subject{Of: history.OfQueue, Name: "slow"}
	q := New(100)
	q.SetLimits(Limits{bank: {All: atOnce(1)}, slow: {All: history.Limit{None: true}}}, time.Time{}, epoch)
	a, b, c := limited("a", history.Admission{Limits: []string{"bank"}}), limited("b", history.Admission{Limits: []string{"mail", "bank"}}), limited("c", history.Admission{})
	b.Activity, c.Queue = "b", "slow"
	for _, x := range []Attempt{a, b, c} {
		q.Offer(x, epoch, epoch)
	}
	h := mustTake(t, q, "a", epoch)
	require.Zero(t, nothing(t, q, epoch))
	h.Release()
	mustTake(t, q, "b", epoch)
}

func TestWhatRefusesToWaitIsTurnedAwayOnce(t *testing.T) {
	q := New(100)
	q.SetLimits(Limits{activityOf("a"): {All: atOnce(1)}}, time.Time{}, epoch)
	refuses := history.Admission{WhenFull: history.Refused}
	for i := range 3 {
		q.Offer(limited(fmt.Sprint("w", i), refuses), epoch, epoch)
	}
	retry := limited("retry", refuses)
	retry.Number = 2
	q.Offer(retry, epoch, epoch)
	h := mustTake(t, q, "w0", epoch)
	require.Zero(t, nothing(t, q, epoch))
	q.Settle(key("w2", 1), errA)
	surplus, why := q.Surplus()
	require.Len(t, surplus, 1)
	require.Equal(t, "w1", surplus[0].ID.Workflow)
	require.Equal(t, 1, why[0].InUse)
	surplus, _ = q.Surplus()
	require.Empty(t, surplus)
	require.False(t, q.Has(key("w1", 1), 1))
	h.Release()
	mustTake(t, q, "retry", epoch)
	require.Zero(t, nothing(t, q, epoch), "what was turned away is not made")
}

// TestAFloodUnderOneKeyDelaysOthersByNoMoreThanTheirShare: also where a limit keeps them all waiting.
func TestAFloodUnderOneKeyDelaysOthersByNoMoreThanTheirShare(t *testing.T) {
	for _, limits := range []Limits{nil, {activityOf("a"): {All: atOnce(1)}}} {
		q := New(1)
		q.SetLimits(limits, time.Time{}, epoch)
		for i := range 100 {
			q.Offer(limited(fmt.Sprint("flood", i), history.Admission{Key: "flood"}), epoch, epoch)
		}
		for range 50 {
			h, _ := take(q, epoch)
			h.Release()
		}
		for i := range 10 {
			q.Offer(limited(fmt.Sprint("small", i), history.Admission{Key: "small"}), epoch, epoch)
			q.Offer(limited(fmt.Sprint("heavy", i), history.Admission{Key: "heavy", Weight: 3}), epoch, epoch)
		}
		var got []string
		for range 20 {
			h, _ := take(q, epoch)
			require.NotNil(t, h.Hand)
			got = append(got, h.ID.Workflow[:5])
			h.Release()
		}
		count := func(s string) (n int) {
			for _, g := range got {
				if g == s {
					n++
				}
			}
			return n
		}
		assert.InDelta(t, 4, count("flood"), 1)
		assert.InDelta(t, 4, count("small"), 1)
		assert.InDelta(t, 12, count("heavy"), 2)
	}
}

// TestWhoAsksForOneAtATimeDoesNotOvertake: a flow that is empty in between is remembered for what it has had.
func TestWhoAsksForOneAtATimeDoesNotOvertake(t *testing.T) {
	q := New(1)
	for i := range 100 {
		q.Offer(limited(fmt.Sprint("flood", i), history.Admission{Key: "flood"}), epoch, epoch)
	}
	floods := 0
	q.Offer(limited("one", history.Admission{Key: "one"}), epoch, epoch)
	for i := range 20 {
		h, _ := take(q, epoch)
		if h.Policy.Admission.Key == "flood" {
			floods++
		}
		h.Release()
		if h.Policy.Admission.Key == "one" {
			q.Offer(limited(fmt.Sprint("one", i), history.Admission{Key: "one"}), epoch, epoch)
		}
	}
	require.InDelta(t, 10, floods, 1)
}

func TestPrioritiesGoFirstAndStarveNobody(t *testing.T) {
	q := New(1)
	for i := range 200 {
		q.Offer(limited(fmt.Sprint("low", i), history.Admission{Priority: 5}), epoch, epoch)
		q.Offer(limited(fmt.Sprint("top", i), history.Admission{Priority: 1}), epoch, epoch)
	}
	var got []int
	for range 170 {
		h, _ := take(q, epoch)
		got = append(got, h.Policy.Admission.Priority)
		h.Release()
	}
	require.Equal(t, 1, got[0])
	low := 0
	for _, p := range got {
		if p == 5 {
			low++
		}
	}
	require.InDelta(t, 10, low, 1, "one in seventeen")
}

// TestLimitsHoldAndNobodyWaitsInVain holds queues under limits against a count of everything, after each of many random things that can
// happen. To run a case again, set its seed here.
func TestLimitsHoldAndNobodyWaitsInVain(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	dice := rand.New(rand.NewPCG(seed, 0))
	for range 60 {
		l := &limitWorld{t: t, dice: dice, q: New(1 + dice.IntN(8)), now: epoch, begun: map[bucketKind][]time.Time{}}
		l.change()
		for range 400 {
			l.step()
			l.check()
		}
		l.drain()
	}
}

type limitWorld struct {
	t     *testing.T
	dice  *rand.Rand
	q     *Queue
	now   time.Time
	rules Limits
	hands []*Hand
	begun map[bucketKind][]time.Time
}

func (l *limitWorld) limit() (limit history.Limit) {
	switch l.dice.IntN(5) {
	case 0:
		limit.AtOnce = 1 + l.dice.IntN(3)
	case 1:
		limit.Rate, limit.Per = 1+l.dice.IntN(3), time.Duration(1+l.dice.IntN(20))*time.Millisecond
	case 2:
		limit = history.Limit{AtOnce: 1 + l.dice.IntN(2), Rate: 1 + l.dice.IntN(3), Per: time.Duration(1+l.dice.IntN(20)) * time.Millisecond}
	case 3:
		limit.None = l.dice.IntN(4) == 0
	}
	return limit
}

func (l *limitWorld) change() {
	l.rules = Limits{}
	for _, s := range []history.Subject{activityOf("a"), activityOf("b"), {Of: history.OfLimit, Name: "bank"}, {Of: history.OfQueue, Name: "slow"}} {
		rule := history.Rule{All: l.limit()}
		if s.Of != history.OfQueue {
			rule.Key = l.limit()
		}
		l.rules[s] = rule
	}
	l.q.SetLimits(l.rules, time.Time{}, l.now)
	l.begun = map[bucketKind][]time.Time{} // a rate counts from when it is set
}

func (l *limitWorld) step() {
	pick := func(all ...string) string { return all[l.dice.IntN(len(all))] }
	k := key(fmt.Sprint("w", l.dice.IntN(12)), history.Step(l.dice.IntN(3)))
	switch l.dice.IntN(16) {
	case 0:
		if l.dice.IntN(10) == 0 {
			l.change()
		}
	case 1:
		l.q.Settle(k, errA)
	case 2:
		l.q.SettleAll(k.ID, errA)
	case 3:
		l.q.Cancel(k, errA)
	case 4, 5:
		l.now = l.now.Add(time.Duration(l.dice.IntN(12)) * time.Millisecond)
	case 6:
		if len(l.hands) > 0 {
			h := l.hands[l.dice.IntN(len(l.hands))]
			l.q.Outside(h.Attempt, l.now, l.now)
		}
	case 7, 8:
		if len(l.hands) > 0 {
			i := l.dice.IntN(len(l.hands))
			l.hands[i].Release()
			l.hands = slices.Delete(l.hands, i, i+1)
		}
	case 9, 10, 11:
		l.take()
	default:
		a := limited("", history.Admission{Key: pick("", "", "x", "y", "z"), Priority: l.dice.IntN(6)})
		a.Key, a.Activity, a.Queue = k, pick("a", "b"), pick("", "slow")
		if l.dice.IntN(3) == 0 {
			a.Policy.Admission.Limits = []string{"bank"}
		}
		if l.dice.IntN(10) == 0 {
			a.Policy.Admission.WhenFull = history.Refused
		}
		l.q.Offer(a, l.now.Add(time.Duration(l.dice.IntN(3))*5*time.Millisecond), l.now)
	}
}

// take takes all that there is, and looks whether what is left has to wait.
func (l *limitWorld) take() {
	for {
		h, next := take(l.q, l.now)
		if h.Hand == nil {
			l.stuck(next)
			return
		}
		l.hands = append(l.hands, h.Hand)
		for _, kind := range kindsOf(h.work) {
			rule := l.q.limitOf(kind)
			require.False(l.t, rule.None, "%v", kind)
			begun := append(l.begun[kind], l.now)
			l.begun[kind] = begun
			if rule.Rate > 0 && len(begun) > rule.Rate {
				require.GreaterOrEqual(l.t, l.now.Sub(begun[len(begun)-1-rule.Rate]), rule.Per, "%v", kind)
			}
		}
		l.check()
	}
}

func kindsOf(w *work) (all []bucketKind) {
	a := w.admission()
	of := []history.Subject{activityOf(w.Activity)}
	for _, name := range a.Limits {
		of = append(of, history.Subject{Of: history.OfLimit, Name: name})
	}
	for _, s := range of {
		all = append(all, bucketKind{Subject: s})
		if a.Key != "" {
			all = append(all, bucketKind{s, a.Key, true})
		}
	}
	if w.Queue != "" {
		all = append(all, bucketKind{Subject: history.Subject{Of: history.OfQueue, Name: w.Queue}})
	}
	return all
}

// stuck holds that nothing could be taken, and that the moment at which something can is known.
func (l *limitWorld) stuck(next time.Time) {
	require.True(l.t, next.IsZero() || next.After(l.now), "next is %v at %v", next, l.now)
	if l.q.free == 0 {
		return
	}
	for k, w := range l.q.work {
		if w.state != ready {
			continue
		}
		_, waits := l.q.Waits(k, l.now)
		require.True(l.t, waits, "%v could be made", k)
		var at time.Time // when the rates allow it, if nothing else is in the way
		for _, b := range w.lane.buckets {
			if t := b.until(l.now); t.After(at) {
				at = t
			} else if t.IsZero() && !b.allows(l.now) {
				at = time.Time{}
				break
			}
		}
		if !at.IsZero() {
			require.False(l.t, next.IsZero() || next.After(at), "%v could be made at %v, next is %v", k, at, next)
		}
	}
}

// check counts what is in hand and outside.
func (l *limitWorld) check() {
	used := map[bucketKind]int{}
	count := func(w *work) {
		for _, kind := range kindsOf(w) {
			used[kind]++
		}
	}
	making := map[*work]bool{}
	for _, h := range l.hands {
		making[h.work] = true
		count(h.work)
	}
	for _, w := range l.q.work {
		if w.state == outside && !making[w] {
			count(w)
		}
	}
	for kind, b := range l.q.buckets {
		require.Equal(l.t, used[kind], b.inUse, "%v", kind)
		delete(used, kind)
	}
	require.Empty(l.t, used)
}

// drain ends everything that is in hand until nothing waits.
func (l *limitWorld) drain() {
	l.q.SetLimits(Limits{activityOf("a"): {All: atOnce(1), Key: atOnce(1)}, activityOf("b"): {All: history.Limit{Rate: 1, Per: time.Second}}}, time.Time{}, l.now)
	l.rules = nil
	l.begun = map[bucketKind][]time.Time{}
	for range 1000 {
		for _, h := range l.hands {
			l.q.Settle(h.Key, errA)
			h.Release()
		}
		l.hands = nil
		for k, w := range l.q.work {
			if w.state == outside || w.state == turnedAway {
				l.q.Settle(k, errA)
			}
		}
		l.now = l.now.Add(100 * time.Millisecond)
		l.take()
	}
	for _, h := range l.hands {
		h.Release()
	}
	require.Empty(l.t, l.q.work, "all was made")
	l.now = l.now.Add(time.Hour)
	l.take()
	for kind, b := range l.q.buckets {
		require.False(l.t, kind.keyed, "%v is kept", kind)
		require.Zero(l.t, b.inUse)
	}
	require.Zero(l.t, l.q.refills.Len())
}
