package history_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clewflow/clew/history"
)

// exported is the history of an execution, of two entries.
func exported(id history.ID) []history.Entry {
	at := time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)
	all := []history.Entry{
		{Seq: 1, At: at, Event: &history.Started{ID: id, Run: "r", Number: 1, Type: "t"}},
		{Seq: 2, At: at, Event: &history.CancelRequested{}},
	}
	var last history.Hash
	for i := range all {
		history.Seal(last, &all[i])
		last = all[i].Hash
	}
	return all
}

func TestAnExportHoldsOneExecutionOrSeveral(t *testing.T) {
	a, b := history.ID{Namespace: "n", Workflow: "a"}, history.ID{Namespace: "n", Workflow: `b"`}
	one, other := history.Marshal(exported(a)), history.Marshal(exported(b))
	headed := append(history.AppendHeading(nil, a), one...)
	headed = append(history.AppendHeading(append(headed, '\n'), b), other...)
	for what, lines := range map[string][]byte{
		"with headings": headed, "without": append(append([]byte{}, one...), other...),
	} {
		all, err := history.UnmarshalExport(lines)
		require.NoError(t, err, what)
		require.Len(t, all, 2, what)
		assert.Equal(t, a, all[0].ID)
		assert.Equal(t, b, all[1].ID)
		assert.Equal(t, one, history.Marshal(all[0].Entries))
		assert.Equal(t, other, history.Marshal(all[1].Entries))
	}
	assert.JSONEq(t, `{"execution":{"namespace":"n","id":"b\""}}`, string(history.AppendHeading(nil, b)), "a promise")
}

func TestAnExportThatIsNoneIsRefused(t *testing.T) {
	id := history.ID{Namespace: "n", Workflow: "a"}
	all, err := history.UnmarshalExport(append(history.Marshal(exported(id)), `{"lamps":3}`...))
	assert.ErrorIs(t, err, history.ErrUnreadable)
	assert.ErrorContains(t, err, "line 3: ")
	assert.Len(t, all, 1)
	all, err = history.UnmarshalExport(nil)
	assert.NoError(t, err)
	assert.Empty(t, all)
	_, ok := history.ParseHeading([]byte(`{"execution":3}`))
	assert.False(t, ok)
}
