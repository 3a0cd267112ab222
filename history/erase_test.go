package history

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestRedactionOfEveryEventKeepsTheChain(t *testing.T) {
	var prev Hash
	var chain Chain
	taken := 0
	for i, event := range full() {
		e := Entry{Seq: uint64(i + 1), At: when, By: Client, Event: event}
		Seal(prev, &e)
		prev = e.Hash
		without, n := Redact(e, "")
		taken += n
		require.NoError(t, chain.Check(without), "%s", e)
		for name, p := range Payloads(without.Event) {
			assert.True(t, p.Redacted(), "%s %s", e, name)
		}
		again, n := Redact(without, "")
		assert.Zero(t, n)
		assert.Equal(t, AppendEntry(nil, without), AppendEntry(nil, again))
	}
	assert.Greater(t, taken, 30)
}

func TestRedactionOfOnePayloadLeavesTheOthers(t *testing.T) {
	e := Entry{Seq: 1, At: when, Event: full()[0]}
	Seal(Hash{}, &e)
	without, n := Redact(e, "memo")
	require.Equal(t, 1, n)
	for name, p := range Payloads(without.Event) {
		assert.Equal(t, name == "memo", p.Redacted(), name)
	}
	same, n := Redact(e, "nothing")
	assert.Zero(t, n)
	assert.Equal(t, AppendEntry(nil, e), AppendEntry(nil, same))
}

func TestAdminStreamsSayWhatTheyAreAbout(t *testing.T) {
	namespace, ok := AdminOf("shop").Administers()
	assert.True(t, ok)
	assert.Equal(t, "shop", namespace)
	_, ok = ID{"shop", "log"}.Administers()
	assert.False(t, ok)
	_, ok = ID{"node@shop", "log"}.Administers()
	assert.False(t, ok)
}
