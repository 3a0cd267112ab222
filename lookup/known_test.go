package lookup

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/query"
)

// TestNamesThatNoRunHasAreRefused: those that look misspelt always, and all where that is wanted, with those that may have been meant.
func TestNamesThatNoRunHasAreRefused(t *testing.T) {
	x := open(t, memory)
	find := func(where, order string, known bool) error {
		_, err := x.Find(context.Background(), query.Query{Where: where, Order: order, Known: known})
		return err
	}
	require.ErrorContains(t, find("attr.env = 'a'", "", true), "none has any")
	require.NoError(t, find("attr.env = 'a'", "", false), "the first run that has it may be to come")
	w := short(0, epoch, "order-1")
	started := w[0].Entry.Event.(*history.Started)
	started.Attributes = history.Attributes{"env": []byte(`"uat"`), "input.total": []byte("7"), "paid": []byte("true"), "region1": []byte("1")}.Payload()
	started.Memo = history.JSON([]byte(`{"note":"x"}`))
	require.NoError(t, x.Apply(w))

	for _, where := range []string{"attr.env = 'b'", "input.total > 1", "attr.paid = true", "memo.note IS NULL", "NOT attr.env IN ('b') OR id = 'a'"} {
		require.NoError(t, find(where, "", true), where)
		require.NoError(t, find(where, "", false), where)
	}
	require.NoError(t, find("", "attr.env", true))
	for where, meant := range map[string]string{"attr.evn = 'a'": "did you mean attr.env?", "id = 'a' OR NOT input.totl > 1": "did you mean input.total?", "attr.Env IS NULL": "did you mean attr.env?", "attr.piad = true": "did you mean attr.paid?"} {
		for _, known := range []bool{true, false} {
			err := find(where, "", known)
			require.ErrorIs(t, err, query.ErrInvalid)
			require.ErrorContains(t, err, meant)
			_, err = x.Count(context.Background(), query.Query{Where: where, Known: known})
			require.ErrorIs(t, err, query.ErrInvalid)
		}
		page, err := x.Find(context.Background(), query.Query{Where: where, Unseen: true})
		require.NoError(t, err)
		require.Len(t, page.Unknown, 1)
	}
	for where, unknown := range map[string]string{"memo.something = 1 AND attr.env = 'a'": "memo.something", "attr.region2 = 1": "attr.region2", "attr.customer = 'c' OR attr.customer IS NULL": "attr.customer"} {
		require.ErrorContains(t, find(where, "", true), "a name that some run has")
		page, err := x.Find(context.Background(), query.Query{Where: where})
		require.NoError(t, err, where)
		require.Equal(t, []string{unknown}, page.Unknown)
		groups, err := x.Group(context.Background(), query.Query{Where: where})
		require.NoError(t, err)
		require.Equal(t, []string{unknown}, groups.Unknown)
	}
	require.ErrorContains(t, find("input.customer = 1", "", true), "the tag `find:\"customer\"`")
	require.ErrorIs(t, find("", "attr.evn", true), query.ErrInvalid)
	require.ErrorIs(t, find("", "attr.evn", false), query.ErrInvalid)
	_, err := x.Group(context.Background(), query.Query{}, "attr.evn")
	require.ErrorIs(t, err, query.ErrInvalid)
	require.ErrorIs(t, query.Query{Known: true, Unseen: true}.Check(), query.ErrInvalid)
}
