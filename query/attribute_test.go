package query

import (
	"encoding/json"
	"flag"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write the golden files")

// comesBack holds that an attribute is the same after its wire form, and in a row that was written and read.
func comesBack[T any](t *testing.T, values ...T) {
	t.Helper()
	for _, v := range values {
		text, err := AttributeJSON(v)
		require.NoError(t, err)
		shown, err := ReadAttribute(text)
		require.NoError(t, err)
		same(t, v, shown)

		data, err := json.Marshal(Row{Attributes: map[string]any{"a": shown}})
		require.NoError(t, err)
		var row Row
		require.NoError(t, json.Unmarshal(data, &row))
		require.Equal(t, shown, row.Attributes["a"])
		same(t, v, row.Attributes["a"])
	}
}

func same[T any](t *testing.T, want T, shown any) {
	t.Helper()
	got, ok := AttributeOf[T](shown)
	require.True(t, ok, "%v in %#v", want, shown)
	if at, is := any(want).(time.Time); is {
		require.True(t, at.Equal(any(got).(time.Time)), "%v in %#v", want, shown)
		return
	}
	require.Equal(t, want, got)
}

func TestAnAttributeOfEachTypeComesBackAsItWas(t *testing.T) {
	comesBack(t, "", "eu", "<ü> & \x00 \u2028 ☃", "null", `{"time":"2026-01-02T12:00:00Z"}`)
	comesBack(t, 0, 7, -7, math.MaxInt, math.MinInt)
	comesBack[int64](t, 0, 1<<53+1, -(1<<53 + 1), math.MaxInt64, math.MinInt64)
	comesBack(t, 0, 12, 12.5, -0.1, 1e20, 1e21, 1<<53, 5e-324, math.MaxFloat64, -math.MaxFloat64)
	comesBack(t, true, false)
	comesBack(t, noon, noon.Add(1), time.Time{}, noon.In(time.FixedZone("", 3600)), time.Date(9999, 12, 31, 23, 59, 59, 999999999, time.UTC))
	comesBack(t, 0, time.Nanosecond, 90*time.Minute, -time.Second, 200*24*time.Hour+1, math.MaxInt64, math.MinInt64)
	comesBack(t, []string{}, []string{"a"}, []string{"b", "", "a"})

	text, err := AttributeJSON([]string(nil))
	require.NoError(t, err)
	require.Equal(t, "[]", string(text))
}

func TestAnAttributeOfAnotherTypeIsNone(t *testing.T) {
	shown := map[string]any{"text": "1", "number": int64(1), "float": 1.5, "bool": true, "time": noon, "duration": time.Second, "list": []string{"a"}, "mixed": []any{"a", int64(1)}, "none": nil}
	is := func(ask func(any) bool) (all []string) {
		for _, name := range []string{"text", "number", "float", "bool", "time", "duration", "list", "mixed", "none"} {
			if ask(shown[name]) {
				all = append(all, name)
			}
		}
		return all
	}
	assert.Equal(t, []string{"text"}, is(func(v any) bool { _, ok := AttributeOf[string](v); return ok }))
	assert.Equal(t, []string{"number"}, is(func(v any) bool { _, ok := AttributeOf[int](v); return ok }))
	assert.Equal(t, []string{"number"}, is(func(v any) bool { _, ok := AttributeOf[int64](v); return ok }))
	assert.Equal(t, []string{"number", "float"}, is(func(v any) bool { _, ok := AttributeOf[float64](v); return ok }))
	assert.Equal(t, []string{"bool"}, is(func(v any) bool { _, ok := AttributeOf[bool](v); return ok }))
	assert.Equal(t, []string{"time"}, is(func(v any) bool { _, ok := AttributeOf[time.Time](v); return ok }))
	assert.Equal(t, []string{"duration"}, is(func(v any) bool { _, ok := AttributeOf[time.Duration](v); return ok }))
	assert.Equal(t, []string{"list"}, is(func(v any) bool { _, ok := AttributeOf[[]string](v); return ok }))
	for _, huge := range []float64{1 << 63, -1 << 64, 1e300} {
		_, ok := AttributeOf[int64](huge)
		assert.False(t, ok, huge)
	}
}

func TestAnAttributeThatWouldNotComeBackIsRefused(t *testing.T) {
	for _, c := range []struct {
		v    any
		text string
	}{
		{math.NaN(), "query: an attribute is NaN, want a finite number"},
		{math.Inf(-1), "query: an attribute is -Inf, want a finite number"},
		{time.Date(10_000, 1, 1, 0, 0, 0, 0, time.UTC), "query: an attribute is 10000, want a time in a year from 0 to 9999"},
		{time.Date(-1, 1, 1, 0, 0, 0, 0, time.UTC), "query: an attribute is -1, want a time in a year from 0 to 9999"},
		{"\xff", `query: an attribute is "\xff", want text in UTF-8`},
		{[]string{"a", "\xff"}, `query: an attribute is "\xff", want texts in UTF-8`},
	} {
		_, err := AttributeJSON(c.v)
		require.ErrorIs(t, err, ErrInvalid)
		require.EqualError(t, err, c.text)
	}
}

func TestWhatIsNoneOfTheTypesIsShownAsItIs(t *testing.T) {
	for text, want := range map[string]any{
		`{"x":1}`:                           map[string]any{"x": int64(1)},
		`{"time":"soon"}`:                   map[string]any{"time": "soon"},
		`{"duration":"long"}`:               map[string]any{"duration": "long"},
		`{"time":"2026-01-02","x":1}`:       map[string]any{"time": "2026-01-02", "x": int64(1)},
		`["a",1,{"x":[2.5]}]`:               []any{"a", int64(1), map[string]any{"x": []any{2.5}}},
		`[{"time":"2026-01-02T12:00:00Z"}]`: []any{map[string]any{"time": "2026-01-02T12:00:00Z"}},
		`1e999`:                             json.Number("1e999"),
		`null`:                              nil,
	} {
		got, err := ReadAttribute([]byte(text))
		require.NoError(t, err)
		require.Equal(t, want, got, text)
		data, err := json.Marshal(Row{Attributes: map[string]any{"a": got}})
		require.NoError(t, err)
		var row Row
		require.NoError(t, json.Unmarshal(data, &row))
		require.Equal(t, want, row.Attributes["a"], text)
	}
}

// TestTheJSONOfARowIsAPromise: rows are recorded and exported. The golden file may grow, and nothing in it may change.
func TestTheJSONOfARowIsAPromise(t *testing.T) {
	full := Row{
		Namespace: "main", ID: "order-1", Run: "r", Type: "order", Version: 2, Number: 3, Status: Failed, Started: noon, Closed: noon.Add(time.Hour), Deadline: noon.Add(2 * time.Hour), Wake: noon.Add(3), Progressed: noon.Add(4), Attempts: 5,
		Began: 4, Seq: 9, Parent: "p", Root: "q", Origin: "schedule:daily", CorrelationID: "c", Build: "b", Waiting: "a signal", Activities: 5, Timers: 6,
		Children: 7, Signals: 8, Entries: 6, Held: true, Depth: 2, Unread: 3, Attempt: 4, Queues: []string{"gpu"}, Patches: []string{"gift", "tax"}, Halted: true, Failure: "declined",
		Attributes: map[string]any{"text": "eu", "whole": int64(1<<53 + 1), "float": 1.5, "bool": true, "time": noon, "duration": time.Minute, "list": []string{"a"}},
		Memo:       map[string]any{"note": "keep", "n": 1.0},
	}
	for i := range reflect.TypeFor[Row]().NumField() {
		require.False(t, reflect.ValueOf(full).Field(i).IsZero(), "%s is not in the golden file", reflect.TypeFor[Row]().Field(i).Name)
	}
	data, err := json.MarshalIndent(Page{Rows: []Row{full, {Status: Running}}, Next: "n", Position: 10}, "", "  ")
	require.NoError(t, err)
	path := filepath.Join("testdata", "page.json")
	if *update {
		require.NoError(t, os.WriteFile(path, append(data, '\n'), 0o644))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, string(want), string(data)+"\n")
	var page Page
	require.NoError(t, json.Unmarshal(want, &page))
	require.Equal(t, []Row{full, {Status: Running}}, page.Rows)
}
