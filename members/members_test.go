package members

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/store"
)

var epoch0 = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// tape is a log of what nodes say.
type tape struct {
	m   *Members
	at  uint64
	seq map[string]uint64
}

func newTape() *tape { return &tape{m: New(store.Position{}), seq: map[string]uint64{}} }

func (l *tape) record(node string, event history.Event) store.Record {
	l.at++
	l.seq[node]++
	return store.Record{Position: store.At(l.at), ID: ID("default", node), Entry: history.Entry{Seq: l.seq[node], At: epoch0, Event: event}}
}

func (l *tape) say(node string, event history.Event) Change {
	return l.m.Apply(l.record(node, event), epoch0.Add(time.Duration(l.at)*time.Second))
}

// acted is an announcement of one who has acted on everything so far.
func (l *tape) acted() *history.NodeAnnounced {
	return &history.NodeAnnounced{Types: []string{"order"}, Activities: []string{"charge"}, Applied: history.Place{Commit: l.at}}
}

func some(n int) (ids []history.ID) {
	for i := range n {
		ids = append(ids, history.ID{Namespace: "default", Workflow: fmt.Sprint("order-", i)})
	}
	return ids
}

func (l *tape) owners(ids []history.ID) map[history.ID]string {
	all := map[history.ID]string{}
	for _, id := range ids {
		if o := l.m.Owner(id, "order", 0); o != nil {
			all[id] = o.ID
		}
	}
	return all
}

func TestWorkIsSharedEvenlyAndMovesOnlyWhereItMust(t *testing.T) {
	l, ids := newTape(), some(3000)
	require.Empty(t, l.owners(ids))
	for _, node := range []string{"a", "b", "c"} {
		require.Equal(t, Shared, l.say(node, l.acted()))
	}
	before, share := l.owners(ids), map[string]int{}
	for _, o := range before {
		share[o]++
	}
	for _, n := range share {
		require.InDelta(t, 1000, n, 150)
	}
	l.say("d", l.acted())
	moved := 0
	for id, o := range l.owners(ids) {
		if o != before[id] {
			require.Equal(t, "d", o)
			moved++
		}
	}
	require.InDelta(t, 750, moved, 150)
	require.Equal(t, Shared, l.say("d", &history.NodeBuried{By: "a"}))
	require.Equal(t, before, l.owners(ids))
}

func TestANewOwnerWaitsUntilTheFormerOneHasLetGo(t *testing.T) {
	l, ids := newTape(), some(200)
	for _, node := range []string{"a", "b", "a", "b"} {
		l.say(node, l.acted())
	}
	before := l.owners(ids)
	old := l.acted()
	l.say("c", l.acted())
	after := l.owners(ids)
	may := func(node string, id history.ID) bool { return l.m.May(node, id, "order", 0) }
	gained := map[string]int{}
	for _, id := range ids {
		for _, node := range []string{"a", "b", "c"} {
			require.Equal(t, after[id] == node && before[id] == node, may(node, id), "only who keeps an execution may act")
		}
		if after[id] == "c" {
			gained[before[id]]++
		}
	}
	require.Len(t, gained, 2)
	require.Equal(t, Nothing, l.say("a", old), "what it says was known before")
	l.say("a", l.acted())
	for _, id := range ids {
		require.Equal(t, after[id] == "c" && before[id] == "a", may("c", id), "a has let go, b has not")
	}
	l.say("b", &history.NodeBuried{By: "c"})
	for _, id := range ids {
		if l.m.Owner(id, "order", 0).ID == "c" {
			require.True(t, may("c", id), "b is gone")
		}
	}
}

func TestOneWhoJoinsWhileAnotherDiesWaitsForWhoHadItInBetween(t *testing.T) {
	for _, id := range some(300) {
		l := newTape()
		for _, node := range []string{"a", "b", "dead", "a", "b", "dead"} {
			l.say(node, l.acted())
		}
		if l.m.Owner(id, "order", 0).ID != "dead" {
			continue
		}
		l.say("dead", &history.NodeBuried{By: "a"})
		between := l.m.Owner(id, "order", 0).ID
		require.True(t, l.m.May(between, id, "order", 0))
		l.say("new", l.acted())
		if l.m.Owner(id, "order", 0).ID != "new" {
			continue
		}
		require.False(t, l.m.May("new", id, "order", 0), "%s may have begun", between)
		l.say(between, l.acted())
		require.True(t, l.m.May("new", id, "order", 0))
		return
	}
	t.Fatal("no execution came by")
}

func TestWhoLeavesOwnsNothingAndWhoRepeatsChangesNothing(t *testing.T) {
	l, ids := newTape(), some(50)
	l.say("a", l.acted())
	r := l.record("b", l.acted())
	require.Equal(t, Shared, l.m.Apply(r, epoch0))
	require.Equal(t, Nothing, l.m.Apply(r, epoch0), "delivered twice")
	e := l.acted()
	e.Leaving = true
	require.Equal(t, Shared, l.say("b", e))
	for id, o := range l.owners(ids) {
		require.Equal(t, "a", o)
		require.True(t, l.m.May("a", id, "order", 0), "who says that he leaves has let go")
	}
	require.True(t, l.m.Has("b"), "but may have attempts in hand")
	require.Equal(t, Shared, l.say("b", &history.NodeLeft{}))
	require.False(t, l.m.Has("b"))
	require.Equal(t, Nothing, l.say("nobody", &history.NodeLeft{}))
}

func TestWhatWasBeforeTheBeginningIsWaitedFor(t *testing.T) {
	l := newTape()
	l.at = 9
	l.m = New(store.At(9))
	early := l.record("a", &history.NodeAnnounced{Types: []string{"order"}, Joined: history.Place{Commit: 1}, Applied: history.Place{Commit: 5}})
	l.m.Restore(early, epoch0)
	l.say("b", l.acted())
	for _, id := range some(50) {
		if l.m.Owner(id, "order", 0).ID == "b" {
			require.False(t, l.m.May("b", id, "order", 0))
		}
	}
	l.say("a", l.acted())
	for _, id := range some(50) {
		if l.m.Owner(id, "order", 0).ID == "b" {
			require.True(t, l.m.May("b", id, "order", 0))
		}
	}
}

func TestCodeAndActivitiesDecideWhoWorks(t *testing.T) {
	l := newTape()
	l.say("a", &history.NodeAnnounced{Types: []string{"order", "order@2"}, Activities: []string{"charge"}})
	l.say("b", &history.NodeAnnounced{Types: []string{"order"}, Activities: []string{"charge", "render"}, Queues: []string{"gpu"}})
	require.False(t, l.m.Alike())
	for _, id := range some(60) {
		require.Equal(t, "a", l.m.Owner(id, "order", 2).ID, "it alone has the version")
		require.NotNil(t, l.m.Owner(id, "refund", 0), "nobody has it: any")
		require.Equal(t, "b", l.m.Maker(id, "order", 2, "render", "gpu").ID)
		require.Nil(t, l.m.Maker(id, "order", 2, "render", "cpu"), "nobody serves that queue")
		require.Equal(t, "a", l.m.Maker(id, "order", 2, "charge", "").ID, "the owner makes what it can")
	}
	require.Equal(t, []string{"a"}, names(l.m.Silent(epoch0.Add(11*time.Second), 10*time.Second)))
}

func names(all []Member) (ids []string) {
	for _, m := range all {
		ids = append(ids, m.ID)
	}
	return ids
}
