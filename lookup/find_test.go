package lookup

import (
	"cmp"
	"context"
	"database/sql/driver"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/query"
	"github.com/clewflow/clew/store"
)

// naive says whether a query asks for a run, as its words say.
func naive(q query.Query, r query.Row) bool {
	is := func(want, have string) bool { return want == "" || want == have }
	in := func(since, until, t time.Time) bool {
		return (since.IsZero() || !t.Before(since)) && (until.IsZero() || t.Before(until))
	}
	order, _ := query.ParseOrder(q.Order)
	ends := !q.ClosedSince.IsZero() || !q.ClosedUntil.IsZero() || order.By == query.ByClosed
	return is(q.Namespace, r.Namespace) && is(q.Type, r.Type) && is(q.ID, r.ID) && is(q.Run, r.Run) && is(q.Parent, r.Parent) &&
		is(q.Origin, r.Origin) && is(q.CorrelationID, r.CorrelationID) && strings.HasPrefix(r.ID, q.IDPrefix) &&
		(q.Status == 0 || q.Status&r.Status != 0) && in(q.Since, q.Until, r.Started) &&
		(!ends || !r.Closed.IsZero() && in(q.ClosedSince, q.ClosedUntil, r.Closed))
}

func compare(order query.Order) func(a, b query.Row) int {
	return func(a, b query.Row) int {
		c := 0
		switch order.By {
		case query.ByStarted:
			c = a.Started.Compare(b.Started)
		case query.ByClosed:
			c = a.Closed.Compare(b.Closed)
		case query.ByID:
			c = cmp.Compare(a.ID, b.ID)
		case query.ByType:
			c = cmp.Or(cmp.Compare(a.Type, b.Type), a.Started.Compare(b.Started))
		}
		if order.Desc {
			return -c
		}
		return c
	}
}

// ask makes a query up.
func (w *world) ask() query.Query {
	var q query.Query
	row := w.rows()[w.dice.IntN(len(w.rows()))]
	maybe := func(set func()) {
		if w.dice.IntN(6) == 0 {
			set()
		}
	}
	if w.dice.IntN(4) > 0 {
		q.Namespace = "main"
	}
	maybe(func() { q.Type = row.Type })
	maybe(func() { q.ID = row.ID })
	maybe(func() { q.IDPrefix = row.ID[:w.dice.IntN(len(row.ID))] })
	maybe(func() { q.Run = row.Run })
	maybe(func() { q.Parent = "order-1" })
	maybe(func() { q.Origin = row.Origin })
	maybe(func() { q.CorrelationID = "c-1" })
	maybe(func() { q.Since = row.Started })
	maybe(func() { q.Until = row.Started.Add(time.Minute) })
	maybe(func() { q.ClosedSince = row.Started })
	maybe(func() { q.ClosedUntil = row.Started.Add(time.Hour) })
	switch w.dice.IntN(6) {
	case 0:
		q.Status = query.Open
	case 1:
		q.Status = query.Closed
	case 2:
		q.Status = row.Status
	case 3:
		q.Status = query.Status(1 + w.dice.IntN(int(query.Open|query.Closed)))
	}
	q.Order = append([]string{""}, query.Orders...)[w.dice.IntN(9)]
	q.Limit = w.dice.IntN(100)
	return q
}

func TestFindFindsWhatTheQuerySays(t *testing.T) {
	w := random(t, 25)
	x := open(t, memory)
	require.NoError(t, x.Apply(w.steps(800)))
	found := 0
	for range 80 {
		q := w.ask()
		if q.Check() != nil {
			continue
		}
		var want []query.Row
		for _, r := range w.rows() {
			if naive(q, r) {
				want = append(want, r)
			}
		}
		order, err := query.ParseOrder(q.Order)
		require.NoError(t, err)
		got := all(t, x, q)
		require.ElementsMatch(t, want, got, "%+v", q)
		require.True(t, slices.IsSortedFunc(got, compare(order)), "%+v", q)
		n, err := x.Count(context.Background(), q)
		require.NoError(t, err)
		require.Equal(t, len(want), n, "%+v", q)
		found += n
	}
	require.Positive(t, found)
}

func TestTheOrderIsTheSameBothWays(t *testing.T) {
	w := random(t, 25)
	x := open(t, memory)
	require.NoError(t, x.Apply(w.steps(400)))
	for _, order := range []string{"started", "closed", "id", "type"} {
		up, down := all(t, x, query.Query{Order: order, Limit: 7}), all(t, x, query.Query{Order: "-" + order, Limit: 11})
		slices.Reverse(down)
		require.Equal(t, up, down, order)
	}
}

func TestNoRunIsTwiceOrMissingWhileRunsChange(t *testing.T) {
	w := random(t, 25)
	x := open(t, memory)
	require.NoError(t, x.Apply(w.steps(300)))
	for _, order := range query.Orders {
		q := query.Query{Order: order, Limit: 8}
		before := map[string]bool{} // all that is there all the time
		for _, r := range all(t, x, q) {
			before[r.Run] = true
		}
		seen := map[string]bool{}
		for {
			page, err := x.Find(context.Background(), q)
			require.NoError(t, err)
			for _, r := range page.Rows {
				require.False(t, seen[r.Run], "%s is there twice in the order %s", r.Run, order)
				seen[r.Run] = true
				delete(before, r.Run)
			}
			if page.Next == "" {
				break
			}
			q.After = page.Next
			if len(seen) < 60 { // else the end would run away
				require.NoError(t, x.Apply(w.steps(10)))
			}
		}
		require.Empty(t, before, "missing in the order %s", order)
	}
}

func TestLastIsResolvedOnceForAllPages(t *testing.T) {
	w := newWorld(1, 1)
	w.now = time.Now().Add(-30 * time.Minute).UTC()
	for n := range 3 {
		w.append(w.ids[0], history.Entry{Event: &history.Started{Run: fmt.Sprint(n), Number: uint64(n + 1)}})
		w.append(w.ids[0], history.Entry{Event: &history.Completed{}})
	}
	x := open(t, memory)
	require.NoError(t, x.Apply(w.records))
	require.Empty(t, all(t, x, query.Query{Last: time.Minute}))
	require.Len(t, all(t, x, query.Query{Last: 2 * time.Hour, Limit: 1}), 3)

	q := query.Query{Last: time.Hour, Limit: 1}
	page, err := x.Find(context.Background(), q)
	require.NoError(t, err)
	require.NotEmpty(t, page.Next)
	first, err := func() (query.Cursor, error) { q.After = page.Next; return q.Cursor() }()
	require.NoError(t, err)
	require.WithinDuration(t, time.Now(), first.Now, time.Minute)
}

func TestACursorFitsItsQueryOnly(t *testing.T) {
	w := random(t, 25)
	x := open(t, memory)
	require.NoError(t, x.Apply(w.steps(300)))
	page, err := x.Find(context.Background(), query.Query{Namespace: "main", Limit: 3})
	require.NoError(t, err)
	require.NotEmpty(t, page.Next)
	for what, q := range map[string]query.Query{
		"damaged":           {Namespace: "main", After: page.Next[:5] + string(page.Next[5]^1) + page.Next[6:]},
		"cut":               {Namespace: "main", After: page.Next[:len(page.Next)-2]},
		"no cursor":         {Namespace: "main", After: "hello"},
		"another namespace": {Namespace: "other", After: page.Next},
		"another order":     {Namespace: "main", Order: "started", After: page.Next},
	} {
		_, err := x.Find(context.Background(), q)
		require.ErrorIs(t, err, query.ErrInvalid, what)
	}
	_, err = x.Find(context.Background(), query.Query{Namespace: "main", Limit: 5, Stale: true, After: page.Next})
	require.NoError(t, err, "the size of the page may change")
}

func TestAnInvalidQueryIsNotAsked(t *testing.T) {
	x := open(t, memory)
	_, err := x.Find(context.Background(), query.Query{Order: "started; DROP TABLE run"})
	require.ErrorIs(t, err, query.ErrInvalid)
	_, err = x.Count(context.Background(), query.Query{Where: "type = "})
	require.ErrorIs(t, err, query.ErrInvalid)
}

func TestAPageSaysWhichPositionItReflects(t *testing.T) {
	w := newWorld(1, 5)
	x := open(t, memory)
	page, err := x.Find(context.Background(), query.Query{})
	require.NoError(t, err)
	require.Equal(t, query.Page{Rows: []query.Row{}}, page)
	require.NoError(t, x.Apply(w.steps(50)))
	page, err = x.Find(context.Background(), query.Query{Type: "none such"})
	require.NoError(t, err)
	require.Equal(t, w.position.Commit, page.Position)
}

func TestAFindThatNobodyWaitsForEnds(t *testing.T) {
	x := open(t, memory)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err := x.Find(ctx, query.Query{})
	require.ErrorIs(t, err, context.Canceled)
	_, err = x.Find(context.Background(), query.Query{})
	require.NoError(t, err, "the connection is still good")
}

// Without statistics SQLite could take the wrong index, and with many runs nobody would get an answer.
func TestEachUsualQueryHasItsIndex(t *testing.T) {
	x := open(t, memory)
	now := time.Now()
	for _, c := range []struct {
		q     query.Query
		index string
		sorts bool
	}{
		{query.Query{Namespace: "n"}, "run_started", false},
		{query.Query{Namespace: "n", Order: "started", Since: now, Until: now}, "run_started", false},
		{query.Query{Namespace: "n", Status: query.Completed}, "run_started", false},
		{query.Query{Namespace: "n", CorrelationID: "c"}, "run_correlation", true},
		{query.Query{Namespace: "n", Status: query.Open}, "run_open", false},
		{query.Query{Namespace: "n", Status: query.Stalled}, "run_open", false},
		{query.Query{Namespace: "n", Status: query.Stalled | query.Running, Since: now}, "run_open", false},
		{query.Query{Namespace: "n", Status: query.Failed}, "run_status", false},
		{query.Query{Namespace: "n", Status: query.Failed, Type: "t"}, "run_status", false},
		{query.Query{Namespace: "n", Status: query.Failed | query.TimedOut}, "run_status", true},
		{query.Query{Namespace: "n", Type: "t"}, "run_type", false},
		{query.Query{Namespace: "n", Type: "t", Since: now}, "run_type", false},
		{query.Query{Namespace: "n", Order: "type"}, "run_type", false},
		{query.Query{Namespace: "n", Order: "-closed"}, "run_closed", false},
		{query.Query{Namespace: "n", ClosedSince: now, Order: "closed"}, "run_closed", false},
		{query.Query{Namespace: "n", ClosedSince: now}, "run_closed", true},
		{query.Query{Namespace: "n", ID: "i"}, "run_id", true},
		{query.Query{Namespace: "n", IDPrefix: "i", Type: "t"}, "run_id", true},
		{query.Query{Namespace: "n", IDPrefix: "i", Order: "id"}, "run_id", false},
		{query.Query{Namespace: "n", Order: "-id"}, "run_id", false},
		{query.Query{Namespace: "n", Run: "r"}, "run_run", true},
		{query.Query{Namespace: "n", Parent: "p"}, "run_parent", true},
	} {
		for _, turned := range []bool{false, true} {
			q := c.q
			order, err := query.ParseOrder(q.Order)
			require.NoError(t, err)
			f := filterOf(q, order)
			if turned {
				q.After = "a page"
				f.behind(q, query.Cursor{}, order)
			}
			text := "EXPLAIN QUERY PLAN SELECT position FROM run" + f.where() + orderBy(order)
			var plan []string
			require.NoError(t, x.read(context.Background(), func(n *conn, _ store.Position) error {
				return n.query(context.Background(), text, f.values, func(row []driver.Value) error {
					plan = append(plan, row[3].(string))
					return nil
				})
			}))
			require.Contains(t, plan[0]+" ", c.index+" ", "%+v: %v", q, plan)
			require.Equal(t, c.sorts, len(plan) > 1, "%+v: %v", q, plan)
		}
	}
}
