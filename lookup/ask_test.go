package lookup

import (
	"context"
	"database/sql/driver"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/clewflow/clew/query"
	"github.com/clewflow/clew/store"
)

// plan is how SQLite goes about finding the places of a page.
func plan(t *testing.T, x *Index, q query.Query) (plan string) {
	a, err := x.asked(q)
	require.NoError(t, err)
	require.NoError(t, x.read(context.Background(), func(c *conn, _ store.Position) error {
		all, err := a.filters(context.Background(), c)
		require.NoError(t, err)
		for _, f := range all {
			a.behind(f)
		}
		text, values := a.places(all, 101)
		return c.query(context.Background(), "EXPLAIN QUERY PLAN "+text, values, func(row []driver.Value) error {
			plan += row[3].(string) + "\n"
			return nil
		})
	}))
	return plan
}

// TestFewAreNotLookedForAmongMany: those of some statuses are merged in their order, and none is sorted.
func TestFewAreNotLookedForAmongMany(t *testing.T) {
	x := open(t, memory)
	count := func(of string, status query.Status, runs int) {
		c, err := x.take(context.Background(), x.writer)
		require.NoError(t, err)
		require.NoError(t, c.exec(context.Background(), addTally, "n", of, int64(status), int64(runs)))
		x.writer <- c
	}
	count("order", query.Completed, 1000)
	count("order", query.Failed, 10)
	count("order", query.Running, 10)
	some := query.Query{Namespace: "n", Type: "order", Status: query.Failed | query.Running | query.Stalled}
	got := plan(t, x, some)
	require.Contains(t, got, "MERGE (UNION ALL)")
	require.Contains(t, got, "run_open")
	require.Contains(t, got, "run_status")
	require.NotContains(t, got, "TEMP B-TREE")

	count("trip", query.Running, 100_000) // the open ones are many, and orders few
	got = plan(t, x, some)
	require.NotContains(t, got, "run_open")
	require.Contains(t, got, "run_type")
	require.NotContains(t, got, "TEMP B-TREE")
}

// TestABeginningThatManyHaveIsNoIndex: where nearly all ids begin so, the newest are found in their order.
func TestABeginningThatManyHaveIsNoIndex(t *testing.T) {
	was := many
	many = 3
	t.Cleanup(func() { many = was })
	w := random(t, 25)
	x := open(t, memory)
	require.NoError(t, x.Apply(w.steps(800)))
	require.Contains(t, plan(t, x, query.Query{Namespace: "main", IDPrefix: "o"}), "run_started")
	require.Contains(t, plan(t, x, query.Query{Namespace: "main", IDPrefix: "nobody"}), "run_id")
	for _, prefix := range []string{"o", "order-1", "trip", "", "o'r\"d%_"} {
		for _, status := range []query.Status{0, query.Failed | query.Open, query.Closed} {
			q := query.Query{Namespace: "main", IDPrefix: prefix, Status: status, Limit: 3}
			want := slices.DeleteFunc(w.rows(), func(r query.Row) bool {
				return r.Namespace != "main" || !strings.HasPrefix(r.ID, prefix) || status != 0 && r.Status&status == 0
			})
			require.ElementsMatch(t, want, all(t, x, q), fmt.Sprintf("%+v", q))
		}
	}
}
