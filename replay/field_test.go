package replay_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clewflow/clew/activity"
	"github.com/clewflow/clew/replay"
	"github.com/clewflow/clew/workflow"
)

type basket struct {
	Note  string `json:",omitempty"`
	Items []item
}

type item struct {
	Name  string
	Price float64
}

var buy = activity.Define("buy", func(context.Context, basket) (int, error) { return 0, nil })

func buying(b basket) shopFn {
	return func(ctx workflow.Context, _ int) (int, error) { return workflow.Do(ctx, buy, b) }
}

func TestFieldsMayDiffer(t *testing.T) {
	w := begin(t, buying(basket{"a", []item{{"lamp", 1}, {"rope", 2}}}), 0)
	w.complete(1, 0)
	for _, c := range []struct {
		now    basket
		ignore []replay.Field
		at     string // where they differ all the same; empty: nowhere
	}{
		{basket{"b", []item{{"lamp", 1}, {"rope", 2}}}, nil, "$.Note, recorded is \"a\", asked \"b\""},
		{basket{"b", []item{{"lamp", 1}, {"rope", 2}}}, []replay.Field{{"buy", "$.Note"}}, ""},
		{basket{"", []item{{"lamp", 1}, {"rope", 2}}}, []replay.Field{{"buy", "$.Note"}}, ""},
		{basket{"b", []item{{"lamp", 1}, {"rope", 2}}}, []replay.Field{{"sell", "$.Note"}}, "$.Note"},
		{basket{"a", []item{{"lamp", 3}, {"rope", 4}}}, []replay.Field{{"buy", "$.Items[*].Price"}}, ""},
		{basket{"a", []item{{"lamp", 3}, {"rope", 4}}}, []replay.Field{{"buy", "$.Items[0].Price"}}, "$.Items[0].Price, recorded is 1, asked 3"},
		{basket{"a", []item{{"lamp", 1}, {"rope", 4}}}, []replay.Field{{"buy", "$.Items[1].Price"}}, ""},
		{basket{"a", []item{{"lamp", 1}}}, []replay.Field{{"buy", "$.Items[*].Price"}}, `$.Items[1], recorded is {"Name":"rope","Price":2}, asked nothing`},
		{basket{"b", nil}, []replay.Field{{"buy", "$.Items"}, {"buy", "$.Note"}}, ""},
		{basket{"b", nil}, []replay.Field{{"buy", "$"}}, ""},
	} {
		code := codeOf(buying(c.now))
		err := replay.Check{
			Codes: func(string, int) workflow.Code { return code }, Level: replay.Strict, Ignore: c.ignore,
		}.Verify(w.entries)
		if c.at == "" {
			assert.NoError(t, err, "%v", c)
			continue
		}
		var got *replay.Mismatch
		require.ErrorAs(t, err, &got, "%v", c)
		assert.Contains(t, got.Why, "activity buy (step 1) is called with another input: they differ at "+c.at)
	}
}

func TestAFieldThatIsNoPathIsRefused(t *testing.T) {
	for _, path := range []string{"", "Note", "$Note", "$.", "$..a", "$[", "$[x]", "$[]", "$.a[-1]"} {
		err := replay.Check{Ignore: []replay.Field{{"buy", path}}}.Verify(nil)
		assert.ErrorContains(t, err, "is no part of a value", "%q", path)
	}
	assert.Error(t, replay.Field{Path: "$"}.Check())
	assert.NoError(t, replay.Field{Name: "buy", Path: "$.a b[*][0].c"}.Check())
}
