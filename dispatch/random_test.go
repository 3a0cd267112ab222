package dispatch

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/clewflow/clew/commands"
	"github.com/clewflow/clew/history"
)

// naive is a queue without lists: all it knows is searched.
type naive struct {
	work  map[Key]*plain
	ready []Key // first in first out
	hand  int
}

type plain struct {
	Attempt
	state    state
	at       time.Time
	hand     *held
	facts    commands.Attempt
	unserved bool
}

// held is a hand of both queues, until it is released.
type held struct {
	taken
	want error // how its context is to end
	work *plain
}

func (n *naive) remove(k Key, cause error) {
	p := n.work[k]
	if p == nil {
		return
	}
	if p.state == inHand && p.hand.want == nil {
		p.hand.want = cause
	}
	n.ready = slices.DeleteFunc(n.ready, func(r Key) bool { return r == k })
	delete(n.work, k)
}

func (n *naive) offer(a Attempt, at, now time.Time) {
	if old := n.work[a.Key]; old != nil {
		a.Serial = max(a.Serial, old.Serial)
	}
	n.remove(a.Key, errTakenOver)
	p := &plain{Attempt: a, state: waiting, at: at, unserved: a.Queue != ""}
	n.work[a.Key] = p
	if !at.After(now) && !p.unserved {
		p.state = ready
		n.ready = append(n.ready, a.Key)
	}
}

// fallDue makes ready what waits and is due, in the order of its moments, which all differ.
func (n *naive) fallDue(now time.Time) (next time.Time) {
	var due []*plain
	for _, p := range n.work {
		switch {
		case p.state != waiting || p.unserved:
		case !p.at.After(now):
			due = append(due, p)
		case next.IsZero() || p.at.Before(next):
			next = p.at
		}
	}
	slices.SortFunc(due, func(a, b *plain) int { return a.at.Compare(b.at) })
	for _, p := range due {
		p.state = ready
		n.ready = append(n.ready, p.Key)
	}
	return next
}

func (n *naive) factsOf(id history.ID) (all []commands.Attempt) {
	for k, p := range n.work {
		if k.ID == id && (p.state == inHand || p.state == outside) {
			all = append(all, p.facts)
		}
	}
	return all
}

// TestQueueIsThatOfANaiveMap holds the lists against a map that is searched, and the contexts against how they are to
// end. To run a case again, set its seed here.
func TestQueueIsThatOfANaiveMap(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	dice := rand.New(rand.NewPCG(seed, 0))
	for range 40 {
		compare(t, dice)
	}
}

func compare(t *testing.T, dice *rand.Rand) {
	most := 1 + dice.IntN(6)
	q, n, now := New(most, ""), &naive{work: map[Key]*plain{}}, epoch
	var hands []*held // not released
	var ended []*held
	for op := range 400 {
		k := key(fmt.Sprint("w", dice.IntN(3)), history.Step(dice.IntN(5)))
		a := Attempt{Key: k, Run: "run", Number: 1 + dice.IntN(3), Policy: &history.Policy{}, Serial: history.Serial(dice.IntN(5)), Scheduled: now, Input: text("input")}
		if dice.IntN(10) == 0 {
			a.Queue = "not served"
		}
		at := now
		if dice.IntN(3) == 0 {
			at = now.Add(time.Duration(dice.IntN(20))*time.Millisecond + time.Duration(op)) // no two the same
		}
		cause := fmt.Errorf("cause %d", op)
		known := n.work[k]
		switch dice.IntN(13) {
		case 0, 1:
			q.Offer(a, at, now)
			n.offer(a, at, now)
		case 2:
			q.OfferNew(a, at, now)
			if known == nil || known.Number < a.Number {
				n.offer(a, at, now)
			}
		case 3, 4, 5:
			h, next := take(q, now)
			require.Equal(t, n.fallDue(now), next)
			if len(n.ready) == 0 || n.hand == most {
				require.Nil(t, h.Hand)
				break
			}
			p := n.work[n.ready[0]]
			n.ready = n.ready[1:]
			n.hand++
			require.NotNil(t, h.Hand)
			require.Equal(t, p.Key, h.Key)
			require.Equal(t, p.Number, h.Number)
			p.Serial = max(p.Serial+1, history.Serial(now.UnixMicro()))
			p.state, p.hand = inHand, &held{taken: h, work: p}
			p.facts = commands.Attempt{Run: "run", Step: p.Step, Serial: p.Serial, Started: now, Beat: now}
			hands = append(hands, p.hand)
		case 6:
			q.Settle(k, cause)
			n.remove(k, cause)
		case 7:
			if dice.IntN(3) > 0 {
				break
			}
			q.SettleAll(k.ID, cause)
			for other := range n.work {
				if other.ID == k.ID {
					n.remove(other, cause)
				}
			}
		case 8:
			got := q.Cancel(k, cause)
			switch {
			case known == nil:
				require.False(t, got)
			case known.state == inHand:
				require.True(t, got)
				if known.hand.want == nil {
					known.hand.want = cause
				}
			case known.state == outside:
				require.True(t, got)
			default:
				require.False(t, got)
				n.remove(k, cause)
			}
		case 9:
			if known != nil && known.state == inHand && dice.IntN(3) > 0 {
				q.Outside(known.hand.Attempt, now, now)
				known.state = outside
				break
			}
			if known != nil { // a newer one; what is the same is tested elsewhere
				a.Serial = known.Serial + 1
			}
			q.Outside(a, now, now)
			n.remove(k, errTakenOver)
			n.work[k] = &plain{Attempt: a, state: outside, facts: commands.Attempt{Run: "run", Step: k.Step, Serial: a.Serial, Started: now, Beat: now}}
		case 12:
			stays := history.Step(dice.IntN(5))
			q.SettleOthers(k.ID, func(step history.Step) bool { return step == stays }, cause)
			for other := range n.work {
				if other.ID == k.ID && other.Step != stays {
					n.remove(other, cause)
				}
			}
		case 10:
			if len(hands) == 0 {
				break
			}
			i := dice.IntN(len(hands))
			h := hands[i]
			hands = slices.Delete(hands, i, i+1)
			ended = append(ended, h)
			h.Release()
			n.hand--
			if n.work[h.Key] == h.work && h.work.state == inHand {
				delete(n.work, h.Key)
			}
		default:
			if len(hands) > 0 {
				h, checkpoint := hands[dice.IntN(len(hands))], text(fmt.Sprint(op))
				h.Beat(checkpoint, now)
				h.work.facts.Beat, h.work.facts.Checkpoint = now, checkpoint
			}
			now = now.Add(time.Duration(dice.IntN(8)) * time.Millisecond)
		}
		same(t, q, n, append(slices.Clone(hands), ended...))
	}
	for i := range 3 {
		q.SettleAll(key(fmt.Sprint("w", i), 0).ID, errA)
	}
	require.Empty(t, q.work)
	require.Empty(t, q.of)
	require.Zero(t, q.runnable.len())
	require.Zero(t, q.bytes)
	require.Zero(t, q.later.Len(), "nothing waits")
}

// same holds all that can be asked of both queues against each other.
func same(t *testing.T, q *Queue, n *naive, hands []*held) {
	t.Helper()
	require.Equal(t, n.hand, q.InHand())
	bytes := 0
	for i := range 3 {
		id := key(fmt.Sprint("w", i), 0).ID
		require.ElementsMatch(t, n.factsOf(id), q.Facts(id))
		for step := range history.Step(5) {
			k, want := Key{id, step}, history.Serial(0)
			if p := n.work[k]; p != nil {
				if p.state == inHand || p.state == outside {
					want = p.Serial
				}
				bytes += p.Input.Size()
			}
			require.Equal(t, want, q.Newest(k))
		}
	}
	require.Equal(t, bytes, q.bytes)
	for _, h := range hands {
		require.Equal(t, h.want, *h.cause, "%v", h.Key)
	}
}
