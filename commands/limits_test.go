package commands

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/clewflow/clew/history"
)

func TestARunLeavesNoMoreThanSoManyUpdatesUnanswered(t *testing.T) {
	w := newWorld(t)
	w.record(&history.Started{Run: "r1", Chain: "r1", Number: 1, Type: "order"})
	for i := range MaxUpdates {
		w.record(&history.UpdateAccepted{Update: fmt.Sprint("u", i)})
	}
	_, err := w.do(Update{Update: "more"})
	assert.ErrorIs(t, err, ErrTooManyUpdates)
	assert.EqualError(t, err, "clew: too many updates are not answered: 1000, the limit is 1000")
	events, err := w.do(Update{Update: "u7"})
	assert.NoError(t, err, "one that waits already is no more")
	assert.Empty(t, events)
	_, _ = w.do(CompleteUpdate{Update: "u7"})
	events, err = w.do(Update{Update: "more"})
	assert.NoError(t, err)
	assert.Len(t, events, 1)
}

func TestChildIDsNameTheParentItsRunAndTheStep(t *testing.T) {
	assert.Equal(t, "order-1~2.3", ChildID("order-1", 2, 3))
	at := strings.Repeat("x", MaxName-len("~2.3"))
	assert.Equal(t, at+"~2.3", ChildID(at, 2, 3))
	long, other := ChildID(at+"x", 2, 3), ChildID(at+"y", 2, 3)
	assert.Len(t, long, 1+24+len("~2.3"), "a long id is digested")
	assert.True(t, strings.HasPrefix(long, "~") && strings.HasSuffix(long, "~2.3"), long)
	assert.NotEqual(t, long, other)
	assert.NotEqual(t, long, ChildID(at+"x", 2, 4))
	for _, id := range []string{at, at + "~2.3", strings.Repeat("€", 66), long} {
		assert.NoError(t, CheckID("id", ChildID(id, 1<<63, 1<<63)), "the child of a child has an id too")
	}
	seen := map[string]bool{}
	for run := range uint64(12) {
		for step := range history.Step(12) {
			seen[ChildID("p", run, step)] = true
		}
	}
	assert.Len(t, seen, 144)
}

func TestLimitsOfAttributes(t *testing.T) {
	value := func(n int) json.RawMessage { return json.RawMessage(`"` + strings.Repeat("x", n-2) + `"`) }
	for _, c := range []struct {
		name  string
		value json.RawMessage
		all   int
		want  string
	}{
		{strings.Repeat("n", 64), value(2048), 64, ""},
		{strings.Repeat("n", 65), value(3), 1, "want at most 64 bytes"},
		{"", value(3), 1, "want 1 to 200 letters"},
		{"a b", value(3), 1, "want 1 to 200 letters"},
		{"a", value(2049), 1, "want at most 2 KiB"},
		{"a", value(3), 65, `the attributes of a run is invalid: "65", want at most 64`},
	} {
		err := CheckAttributes(map[string]json.RawMessage{c.name: c.value}, c.all)
		if c.want == "" {
			assert.NoError(t, err)
			continue
		}
		assert.ErrorIs(t, err, ErrInvalid)
		assert.ErrorContains(t, err, c.want)
	}
}
