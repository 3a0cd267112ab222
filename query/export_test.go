package query

import (
	"encoding/csv"
	"errors"
	"iter"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func yield(rows ...Row) iter.Seq2[Row, error] {
	return func(yield func(Row, error) bool) {
		for _, r := range rows {
			if !yield(r, nil) {
				return
			}
		}
	}
}

func TestRowsAreExported(t *testing.T) {
	row := Row{Namespace: "main", ID: "a,\"b\"\nc", Run: "r", Type: "order", Number: 1, Status: Failed, Started: noon, Attributes: map[string]any{"env": "uat"}}
	var b strings.Builder
	require.NoError(t, WriteCSV(&b, yield(row, Row{ID: "x"})))
	all, err := csv.NewReader(strings.NewReader(b.String())).ReadAll()
	require.NoError(t, err)
	require.Len(t, all, 3)
	require.Equal(t, csvColumns, all[0])
	require.Equal(t, []string{"main", "a,\"b\"\nc", "r", "order", "0", "1", "failed", "2026-01-02T12:00:00Z", ""}, all[1][:9])
	require.Equal(t, `{"env":"uat"}`, all[1][25])
	b.Reset()
	require.NoError(t, WriteJSON(&b, yield(row, row)))
	require.Equal(t, 2, strings.Count(b.String(), "\n"))
	boom := errors.New("boom")
	require.ErrorIs(t, WriteCSV(&b, func(yield func(Row, error) bool) { yield(Row{}, boom) }), boom)
}
