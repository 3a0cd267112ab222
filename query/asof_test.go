package query_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/clewflow/clew/query"
)

func TestAMomentIsAPositionOrATime(t *testing.T) {
	now := time.Date(2026, 1, 4, 12, 0, 0, 0, time.UTC)
	for text, want := range map[string]query.AsOf{
		"": {}, "7": {Position: 7}, "2026-01-02": {Time: time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC)},
		"2026-01-02T09:00:00Z": {Time: time.Date(2026, 1, 2, 9, 0, 0, 0, time.UTC)}, "now-3h": {Time: now.Add(-3 * time.Hour)}, "now": {Time: now},
	} {
		got, err := query.ParseAsOf(text, now)
		require.NoError(t, err, text)
		require.Equal(t, want, got, text)
	}
	for _, text := range []string{"0", "-1", "yesterday", "7 OR id = 'a'", "2026-01-02 AND id = 'a'", "'2026'", "1h", "7.5"} {
		_, err := query.ParseAsOf(text, now)
		require.ErrorIs(t, err, query.ErrInvalid, text)
	}
}

func TestAQuestionIsOfOneMoment(t *testing.T) {
	q := query.Query{AsOf: query.AsOf{Position: 1, Time: time.Unix(1, 0)}}
	require.ErrorIs(t, q.Check(), query.ErrInvalid)

	q = query.Query{AsOf: query.AsOf{Position: 7}}
	q.After = q.Next(query.Cursor{Text: "order-1"})
	require.NoError(t, q.Check())
	q.AsOf.Position = 8
	require.ErrorIs(t, q.Check(), query.ErrInvalid, "a page of one moment is no page of another")
	q.AsOf = query.AsOf{}
	require.ErrorIs(t, q.Check(), query.ErrInvalid)
}
