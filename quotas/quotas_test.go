package quotas

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/store"
)

var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

const stream = "activity charge"

// tape is a stream that takes what names its place.
type tape struct {
	all []store.Record
}

func (l *tape) append(node string, seq uint64, set *history.QuotasSet) bool {
	if seq != uint64(len(l.all)) {
		return false
	}
	e := history.Entry{Seq: seq + 1, At: epoch, Node: node, Event: set}
	l.all = append(l.all, store.Record{Position: store.At(seq + 1), ID: history.QuotaID("ns", stream), Entry: e})
	return true
}

// guest is a node with work.
type guest struct {
	name  string
	known *Quotas
	heard int
	may   int // may be in hand at once
	hand  int
	waits int
	fresh bool
	done  int
}

func (g *guest) hear(l *tape, n int) {
	for ; n > 0 && g.heard < len(l.all); n-- {
		g.known.Apply(l.all[g.heard], epoch)
		g.heard++
	}
}

func (g *guest) begin() {
	for g.waits > 0 && g.hand < g.may {
		g.waits, g.hand, g.fresh = g.waits-1, g.hand+1, false
	}
}

// share is what a node does that looks at its quota.
func (g *guest) share(l *tape, most int, gone func(string) bool) {
	n := Need{Most: most, Used: g.hand, Waits: g.waits > 0 && g.hand >= g.may, Takes: true, Fresh: g.fresh}
	had, _ := g.known.Held(stream, "", false, g.name, gone)
	aim := g.known.Aim(stream, g.name, n, gone)
	g.may = min(had, aim.Held)
	held := max(aim.Held, g.hand)
	set, changed := g.known.Set(stream, g.name, []history.Quota{{Held: held, Wants: max(0, aim.Held+aim.Wants-held)}}, gone)
	if changed {
		if !l.append(g.name, g.known.Head(stream).Seq, set) {
			return
		}
		g.known.Apply(l.all[len(l.all)-1], epoch)
	}
	g.fresh = g.fresh || aim.Held > had
	g.may = aim.Held
	g.begin()
}

// TestALimitIsNeverExceededAndNobodyWaitsForEver: nodes hear late, and of each other in bits; at the end each has done all of its work.
func TestALimitIsNeverExceededAndNobodyWaitsForEver(t *testing.T) {
	for seed := range uint64(100) {
		dice := rand.New(rand.NewPCG(seed, 7))
		l, most := &tape{}, 1+dice.IntN(5)
		var guests []*guest
		left := map[string]bool{}
		for i := range 1 + dice.IntN(5) {
			guests = append(guests, &guest{name: fmt.Sprint("n", i), known: New(), waits: dice.IntN(30)})
		}
		gone := func(name string) bool { return left[name] }
		for step := 0; ; step++ {
			require.Less(t, step, 40_000, "seed %d: somebody waits for ever: %s", seed, stand(guests, l))
			g := guests[dice.IntN(len(guests))]
			switch n := dice.IntN(10); {
			case n < 3:
				g.hear(l, 1+dice.IntN(3))
			case n < 6:
				g.share(l, most, gone)
			case n < 9 && g.hand > 0:
				g.hand, g.done = g.hand-1, g.done+1
				g.begin()
			case n == 9 && step < 200 && len(guests) > 1 && dice.IntN(40) == 0: // it dies, and its attempts with it
				left[g.name] = true
				guests = slicesWithout(guests, g)
			}
			hand, work := 0, 0
			for _, o := range guests {
				hand, work = hand+o.hand, work+o.hand+o.waits
			}
			require.LessOrEqual(t, hand, most, "seed %d, step %d: %s", seed, step, stand(guests, l))
			if work == 0 {
				break
			}
		}
	}
}

func slicesWithout(all []*guest, g *guest) (rest []*guest) {
	for _, o := range all {
		if o != g {
			rest = append(rest, o)
		}
	}
	return rest
}

func stand(all []*guest, l *tape) (text string) {
	for _, g := range all {
		text += fmt.Sprintf("%s may %d, has %d, waits %d, heard %d; ", g.name, g.may, g.hand, g.waits, g.heard)
	}
	if n := len(l.all); n > 0 {
		text += fmt.Sprintf("%d: %+v", n, l.all[n-1].Entry.Event)
	}
	return text
}

// two has a limit of most, of which a has held and b wants some.
func two(t *testing.T, most int, b history.Quota, a ...history.Quota) *Quotas {
	q, l := New(), &tape{}
	none := func(string) bool { return false }
	set, _ := q.Set(stream, "a", a, none)
	require.True(t, l.append("a", 0, set))
	q.Apply(l.all[0], epoch)
	set, _ = q.Set(stream, "b", []history.Quota{b}, none)
	require.True(t, l.append("b", 1, set))
	q.Apply(l.all[1], epoch.Add(time.Second))
	return q
}

func TestWhatIsIdleIsGivenToWhoWantsIt(t *testing.T) {
	none := func(string) bool { return false }
	q := two(t, 4, history.Quota{Wants: 2}, history.Quota{Held: 4})
	require.Equal(t, Aim{Held: 4}, two(t, 4, history.Quota{}, history.Quota{Held: 4}).Aim(stream, "a", Need{Most: 4, Used: 1}, none), "nobody wants it")
	require.Equal(t, Aim{Held: 2, Contested: true}, q.Aim(stream, "a", Need{Most: 4, Used: 1}, none))
	require.Equal(t, Aim{Held: 2, Wants: 2, Contested: true}, q.Aim(stream, "a", Need{Most: 4, Used: 4, Waits: true}, none), "no more than a share")
	q = two(t, 4, history.Quota{Wants: 3}, history.Quota{Held: 4})
	require.Equal(t, Aim{Held: 1, Contested: true}, q.Aim(stream, "a", Need{Most: 4, Used: 1}, none))
	require.Equal(t, Aim{Held: 2, Contested: true}, q.Aim(stream, "a", Need{Most: 4, Used: 1, Keeps: true}, none), "it is about to be used")
	require.Equal(t, Aim{Held: 1}, two(t, 4, history.Quota{}, history.Quota{Held: 4}).Aim(stream, "a", Need{Most: 4, Used: 1, Frees: true}, none))
	require.Zero(t, q.Aim(stream, "a", Need{Used: 3}, none).Held, "there is no limit any more")
}

func TestWhereThereIsNotOneForEachTheyTakeTurns(t *testing.T) {
	none := func(string) bool { return false }
	q := two(t, 1, history.Quota{Wants: 1}, history.Quota{Held: 1})
	require.Equal(t, Aim{Held: 0, Wants: 1, Contested: true}, q.Aim(stream, "a", Need{Most: 1, Used: 1, Waits: true}, none))
	require.Equal(t, Aim{Held: 1, Contested: true}, q.Aim(stream, "a", Need{Most: 1, Used: 0, Waits: true, Fresh: true}, none), "it is used once at least")
}

func TestWhatIsInHandCountsThoughItWasNeverTaken(t *testing.T) {
	none := func(string) bool { return false }
	q := two(t, 3, history.Quota{Held: 2})
	require.Equal(t, Aim{Held: 1, Wants: 2, Contested: true}, q.Aim(stream, "a", Need{Most: 3, Used: 5}, none), "what is too much goes on, and is given back as it ends")
	require.Equal(t, Aim{Wants: 1}, q.Aim(stream, "c", Need{Most: 3, Waits: true}, none), "who has not said what it has in hand takes nothing")
	require.Equal(t, Aim{Held: 1}, q.Aim(stream, "c", Need{Most: 3, Waits: true, Takes: true}, none))
	gone := func(node string) bool { return node == "b" }
	mine, others := q.Held(stream, "", false, "b", none)
	require.Equal(t, [2]int{2, 0}, [2]int{mine, others})
	_, others = q.Held(stream, "", false, "a", gone)
	require.Zero(t, others, "what is gone has nothing")
}

func TestWhatIsTakenOfARateWasUsedByOthers(t *testing.T) {
	none := func(string) bool { return false }
	q := two(t, 3, history.Quota{Rate: true, Wants: 2}, history.Quota{Rate: true, Held: 3})
	set, changed := q.Set(stream, "a", []history.Quota{{Rate: true, Held: 0, Spent: 2}}, none)
	require.True(t, changed)
	require.True(t, q.Apply(store.Record{ID: history.QuotaID("ns", stream), Entry: history.Entry{Seq: 3, Event: set}}, epoch.Add(5*time.Second)))
	used := func(at time.Duration) []time.Time {
		return q.Used(stream, "", 2, 3, 10*time.Second, epoch.Add(at), none)
	}
	require.Equal(t, []time.Time{epoch.Add(5 * time.Second)}, used(14*time.Second), "one of three was not used")
	require.Empty(t, used(15*time.Second))
	q = two(t, 3, history.Quota{Rate: true, Wants: 2}, history.Quota{Rate: true, Held: 3})
	gone := func(node string) bool { return node == "a" }
	require.Len(t, q.Used(stream, "", 3, 3, 10*time.Second, epoch.Add(time.Minute), gone), 3, "nobody knows when it stopped")
	set, changed = q.Set(stream, "b", []history.Quota{{Rate: true, Held: 2}}, gone)
	require.True(t, changed)
	require.True(t, q.Apply(store.Record{ID: history.QuotaID("ns", stream), Entry: history.Entry{Seq: 3, Event: set}}, epoch.Add(time.Minute)))
	require.Len(t, q.Used(stream, "", 1, 3, 10*time.Second, epoch.Add(time.Minute), gone), 1)
}

func TestKeysAreSpreadOverStreams(t *testing.T) {
	of := history.Subject{Of: history.OfActivity, Name: "charge"}
	require.Equal(t, "activity charge", Stream(of, "", false))
	seen := map[string]bool{}
	for i := range 1000 {
		seen[Stream(of, fmt.Sprint("k", i), true)] = true
	}
	require.Len(t, seen, parts)
	require.NotContains(t, seen, "activity charge")
}
