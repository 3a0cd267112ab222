package query

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

func TestTheZeroQueryIsRight(t *testing.T) {
	require.NoError(t, Query{}.Check())
	require.Equal(t, DefaultLimit, Query{}.PageSize())
	order, err := ParseOrder("")
	require.NoError(t, err)
	require.Equal(t, Order{By: ByStarted, Desc: true, Field: Field{Name: "started"}}, order)
}

func TestAWrongQuerySaysWhatIsWrong(t *testing.T) {
	for _, c := range []struct {
		q           Query
		field, text string
	}{
		{Query{Limit: -1}, "Limit", "query: Limit is -1, want 1 to 1000, or 0 for 100"},
		{Query{Limit: 1001}, "Limit", "query: Limit is 1001, want 1 to 1000, or 0 for 100"},
		{Query{Order: "size"}, "Order", `query: Order is 'size', want one of started, -started, closed, -closed, id, -id, type, -type, or another field`},
		{Query{Order: "-closed", Status: Open}, "Order", `query: Order is "-closed", want another one, because the runs asked for are running,paused,stalled and have not closed`},
		{Query{Last: -time.Second}, "Last", "query: Last is -1s, want a duration above 0, or 0 for no bound"},
		{Query{Since: noon, Until: noon.Add(-1)}, "Until", "query: Until is 2026-01-02T11:59:59.999999999Z, want a time after Since, 2026-01-02T12:00:00Z"},
		{Query{ClosedSince: noon, ClosedUntil: noon.Add(-1)}, "ClosedUntil", "query: ClosedUntil is 2026-01-02T11:59:59.999999999Z, want a time after ClosedSince, 2026-01-02T12:00:00Z"},
		{Query{Most: -1}, "Most", "query: Most is -1, want 1 or more, or 0 for all"},
		{Query{Within: -1}, "Within", "query: Within is -1ns, want a duration above 0, or 0 for 30s"},
		{Query{After: "x"}, "After", `query: After is "x", want the Next of a page of the same query, unchanged`},
		{Query{Status: 1 << 12}, "Status", "query: Status is 0x1000, want a set of Running, Paused, Stalled, Completed, Failed, Cancelled, Terminated, TimedOut and Continued"},
	} {
		err := c.q.Check()
		require.ErrorIs(t, err, ErrInvalid)
		var invalid *Invalid
		require.ErrorAs(t, err, &invalid)
		require.Equal(t, c.field, invalid.Field)
		require.EqualError(t, err, c.text)
	}
}

func TestACursorComesBackForItsQueryOnly(t *testing.T) {
	q := Query{Namespace: "main", Type: "order", Since: noon}
	want := Cursor{Text: "a\x00ü", Time: noon, Position: 1 << 60, Now: noon.Add(time.Nanosecond)}
	for _, want := range []Cursor{want, {}, {Position: 7}} {
		q.After = q.Next(want)
		got, err := q.Cursor()
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	q.After = q.Next(want)
	same := q
	same.Limit, same.Stale, same.Since = 7, true, noon.In(time.FixedZone("", 3600))
	require.NoError(t, same.Check())

	for i := range q.After {
		for _, c := range []byte("A_-z0 =") {
			bad := q
			bad.After = q.After[:i] + string(c) + q.After[i+1:]
			if bad.After != q.After {
				require.ErrorIs(t, bad.Check(), ErrInvalid, "%q", bad.After)
			}
		}
		cut := q
		if cut.After = q.After[:i]; i > 0 {
			require.ErrorIs(t, cut.Check(), ErrInvalid)
		}
	}
	for _, change := range []func(*Query){
		func(q *Query) { q.Namespace = "other" }, func(q *Query) { q.Type = "" }, func(q *Query) { q.ID = "x" }, func(q *Query) { q.IDPrefix = "x" },
		func(q *Query) { q.Run = "x" }, func(q *Query) { q.Status = Open }, func(q *Query) { q.Parent = "x" }, func(q *Query) { q.Origin = "x" },
		func(q *Query) { q.CorrelationID = "x" }, func(q *Query) { q.Since = noon.Add(1) }, func(q *Query) { q.Until = noon.Add(1) }, func(q *Query) { q.Last = 1 },
		func(q *Query) { q.ClosedSince = noon }, func(q *Query) { q.ClosedUntil = noon }, func(q *Query) { q.Order = "id" },
	} {
		foreign := q
		change(&foreign)
		require.ErrorIs(t, foreign.Check(), ErrInvalid, "%+v", foreign)
	}
}

func TestLastAndSinceBothHold(t *testing.T) {
	require.Equal(t, Query{Since: noon.Add(-time.Hour)}, Query{Last: time.Hour}.At(noon))
	require.Equal(t, Query{Since: noon}, Query{Last: time.Hour, Since: noon}.At(noon))
	require.Equal(t, Query{Since: noon}, Query{Since: noon}.At(noon.Add(time.Hour)))
}

func TestARowIsTheSameAfterJSON(t *testing.T) {
	row := Row{Namespace: "main", ID: "order-1", Run: "r", Type: "order", Number: 1, Status: TimedOut, Started: noon, Closed: noon, Began: 1, Seq: 4, Entries: 4, Attributes: map[string]any{"n": 1.5}}
	data, err := json.Marshal(row)
	require.NoError(t, err)
	require.JSONEq(t, `{"namespace":"main","id":"order-1","run":"r","type":"order","number":1,"status":"timed-out","started":"2026-01-02T12:00:00Z",
		"closed":"2026-01-02T12:00:00Z","began":1,"seq":4,"entries":4,"attributes":{"n":1.5}}`, string(data))
	var back Row
	require.NoError(t, json.Unmarshal(data, &back))
	require.Equal(t, row, back)
	require.ErrorContains(t, json.Unmarshal([]byte(`{"status":"gone"}`), &back), `"gone"`)
}
