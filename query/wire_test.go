package query

import (
	"encoding/json"
	"os"
	"reflect"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// fullRow has every field set, and attributes of every type.
func fullRow() Row {
	return Row{
		Namespace: "shop", ID: "order-1", Run: "r-1", Type: "order", Version: 3, Number: 2, Status: Stalled, Started: noon, Closed: noon.Add(time.Hour),
		Deadline: noon.Add(2 * time.Hour), Began: 4, Seq: 9, Parent: "trip-1", Root: "trip-0", Origin: "schedule:daily", CorrelationID: "basket-7", Build: "v1.2.3",
		Waiting: "1 timer", Activities: 1, Timers: 2, Children: 3, Signals: 4, Wake: noon.Add(time.Minute), Progressed: noon.Add(time.Second), Attempts: 5,
		Entries: 6, Held: true, Depth: 2, Unread: 3, Attempt: 4, Queues: []string{"gpu"}, Patches: []string{"gift", "tax"}, Halted: true, Failure: "declined",
		Attributes: map[string]any{"bool": true, "float": 1.5, "int": int64(7), "list": []string{"a", "b"}, "text": "eu", "time": noon, "while": 90 * time.Second},
		Memo:       map[string]any{"note": "fragile"},
	}
}

func fullQuery() Query {
	return Query{
		Namespace: "shop", Type: "order", ID: "order-1", IDPrefix: "order-", Run: "r-1", Status: Running | Failed, Parent: "trip-1", Origin: "schedule:daily",
		CorrelationID: "basket-7", Since: noon, Until: noon.Add(time.Hour), Last: 36 * time.Hour, ClosedSince: noon.Add(time.Minute), ClosedUntil: noon.Add(2 * time.Minute),
		Where: "attr.region = 'eu'", Now: noon.Add(3 * time.Minute), AsOf: AsOf{Position: 7, Time: noon}, Known: true, Unseen: true, Order: "-closed", Limit: 20, After: "cursor", Most: 500, Within: 90 * time.Second, Stale: true,
	}
}

// TestRecordedFormsAreFrozen: rows and queries are recorded in histories, and what was ever written must be read for ever.
func TestRecordedFormsAreFrozen(t *testing.T) {
	frozen := func(file string, v any, into any) {
		for i := range reflect.ValueOf(v).NumField() {
			require.False(t, reflect.ValueOf(v).Field(i).IsZero(), "%s is not set, so its key is not frozen", reflect.TypeOf(v).Field(i).Name)
		}
		text, err := json.MarshalIndent(v, "", "  ")
		require.NoError(t, err)
		text = append(text, '\n')
		if *update {
			require.NoError(t, os.WriteFile(file, text, 0o644))
		}
		golden, err := os.ReadFile(file)
		require.NoError(t, err)
		assert.Equal(t, string(golden), string(text))
		require.NoError(t, json.Unmarshal(golden, into))
		assert.Equal(t, v, reflect.ValueOf(into).Elem().Interface())
	}
	frozen("testdata/row.json", fullRow(), new(Row))
	frozen("testdata/query.json", fullQuery(), new(Query))
}

func TestEqualQuestionsAreEqualTexts(t *testing.T) {
	text := func(q Query) string {
		b, err := json.Marshal(q)
		require.NoError(t, err)
		return string(b)
	}
	elsewhere := time.FixedZone("elsewhere", 3600)
	assert.Equal(t, text(Query{Since: noon, Now: noon}), text(Query{Since: noon.In(elsewhere), Now: noon.In(elsewhere)}))
	assert.Equal(t, "{}", text(Query{}))
	for _, bad := range []string{`{"status":"asleep"}`, `{"last":"soon"}`, `{"within":"1"}`, `{"limit":"1"}`, `[]`} {
		assert.Error(t, json.Unmarshal([]byte(bad), new(Query)), bad)
	}
}

// TestAWorkflowAsksAsOfItsStart: what a run is asked to find was there when it began, and is not itself.
func TestAWorkflowAsksAsOfItsStart(t *testing.T) {
	q := Query{Type: "order", Last: time.Hour}.AskedBy("r-0", noon)
	assert.Equal(t, Query{Type: "order", Last: time.Hour, Now: noon, Until: noon.Add(1), Where: "NOT (run = 'r-0')"}, q)
	require.NoError(t, q.Check())
	n, err := ParseWhere(q.Where)
	require.NoError(t, err)
	assert.False(t, Match(n, &Row{Run: "r-0"}, Beside{Now: noon}))
	assert.True(t, Match(n, &Row{Run: "r-1"}, Beside{Now: noon}))

	assert.Equal(t, noon.Add(-time.Hour), Query{Until: noon.Add(-time.Hour)}.AskedBy("r-0", noon).Until, "a nearer bound stays")
	late := Query{Since: noon.Add(time.Hour)}.AskedBy("r-0", noon)
	assert.NoError(t, late.Check(), "nothing began in what is still to come; that is no mistake")
	assert.Equal(t, late.Since, late.Until)
	assert.Equal(t, noon.Add(-time.Hour), Query{Now: noon.Add(-time.Hour)}.AskedBy("r-0", noon).Now)
	both := Query{Where: "type = a OR type = b"}.AskedBy("it's", noon)
	assert.NoError(t, both.Check(), both.Where)
}
