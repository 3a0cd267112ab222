package eventstore

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/store/storetest"
)

// These names are in databases. They never change.
func TestNamesOfStreams(t *testing.T) {
	n := names{"clew."}
	for _, test := range []struct {
		id   history.ID
		want string
	}{
		{history.ID{Namespace: "orders", Workflow: "4711"}, "clew.x.orders-4711"},
		{history.ID{Namespace: "orders", Workflow: "a-b~1.2_C"}, "clew.x.orders-a-b~1.2_C"},
		{history.ID{Namespace: "orders", Workflow: "a/b c%2D"}, "clew.x.orders-a%2Fb%20c%252D"},
		{history.ID{Namespace: "orders", Workflow: "日"}, "clew.x.orders-%E6%97%A5"},
		{history.ID{Namespace: "orders", Workflow: "$all"}, "clew.x.orders-%24all"},
		{history.ID{Namespace: "a-b", Workflow: ""}, "clew.x.a%2Db-"},
		{history.ID{Namespace: "node@default", Workflow: "p-1"}, "clew.node.default-p-1"},
		{history.ID{Namespace: "x@orders", Workflow: "1"}, "clew.x.x%40orders-1"},
		{history.ID{Namespace: "No@orders", Workflow: "1"}, "clew.x.No%40orders-1"},
		{history.ID{Namespace: "@orders", Workflow: "1"}, "clew.x.%40orders-1"},
	} {
		require.Equal(t, test.want, n.stream(test.id))
		id, err := n.id(test.want)
		require.NoError(t, err)
		require.Equal(t, test.id, id)
	}
}

func TestStreamsOfOthersAreNotTakenForOurs(t *testing.T) {
	n := names{"clew."}
	for _, s := range []string{
		"", "clew", "clew.", "clew.x", "clew.x.", "clew.x.orders", "clew.X.orders-1", "clew..orders-1", "clow.x.orders-1", "clew.x.orders-a b", "clew.x.orders-%2d",
		"clew.x.orders-%", "clew.x.orders-%2", "clew.x.orders-%zz", "clew.x.orders-%41", "clew.x.%6Frders-1", "$$clew.x.orders-1", "clew.x.node%40default-1",
		"clew.x.orders-\xff",
	} {
		_, err := n.id(s)
		require.Error(t, err, "%q", s)
	}
}

func TestNoTwoIDsShareAStream(t *testing.T) {
	n := names{"clew."}
	seed := storetest.Seed(t, 3)
	rng := rand.New(rand.NewPCG(seed, 3))
	const awkward = "ab-%2Dx.@~/$\x00\xff_A "
	word := func() string {
		var b strings.Builder
		for range rng.IntN(6) {
			b.WriteByte(awkward[rng.IntN(len(awkward))])
		}
		return b.String()
	}
	ids := storetest.StrangeIDs()
	for range 20_000 {
		ids = append(ids, history.ID{Namespace: word(), Workflow: word()})
	}
	of := map[string]history.ID{}
	for _, id := range ids {
		s := n.stream(id)
		for i := range len(s) {
			require.True(t, s[i] > ' ' && s[i] < 0x7f, "%q", s)
		}
		if other, ok := of[s]; ok {
			require.Equal(t, other, id, "both are %q", s)
		}
		of[s] = id
		back, err := n.id(s)
		require.NoError(t, err)
		require.Equal(t, id, back)
	}
}
