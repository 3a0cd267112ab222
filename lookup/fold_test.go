package lookup

import (
	"context"
	"database/sql/driver"
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/query"
	"github.com/clewflow/clew/store"
)

// TestTheFoldCountsWhatTheStateHolds at every entry, though it keeps no more than counts.
func TestTheFoldCountsWhatTheStateHolds(t *testing.T) {
	w := random(t, 10)
	states, runs := map[history.ID]*history.State{}, map[history.ID]*run{}
	children, sends, finds, updates := 0, 0, 0, 0
	for _, record := range w.steps(2000) {
		id, e := record.ID, record.Entry
		if states[id] == nil {
			states[id] = new(history.State)
		}
		s := states[id]
		s.Evolve(e)
		if started, ok := e.Event.(*history.Started); ok {
			runs[id] = begin(record.Position.Commit, id, e, started, nil, "")
		} else {
			runs[id].evolve(e)
		}
		r := runs[id]
		what := e.String()
		require.Equal(t, len(s.Activities), r.Activities, what)
		require.Equal(t, len(s.Timers), r.Timers, what)
		require.Equal(t, len(s.Children), r.Children, what)
		require.Equal(t, len(s.Sends), r.sends, what)
		require.Equal(t, len(s.Finds), r.finds, what)
		require.Equal(t, len(s.Updates), r.updates, what)
		require.Equal(t, s.Run.Signals, r.Signals, what)
		require.Equal(t, s.Status, r.Status, what)
		require.Equal(t, s.Open(), r.open(), what)
		require.Equal(t, s.Due(), r.open() && r.delayed == 0 && r.input > r.told, what)
		require.Equal(t, s.Attributes, r.attributes, what)
		require.LessOrEqual(t, len(r.waits), r.Activities+r.Children, what)
		children, sends, finds, updates = max(children, r.Children), max(sends, r.sends), max(finds, r.finds), max(updates, r.updates)
	}
	for _, most := range []int{children, sends, finds, updates} {
		require.Greater(t, most, 1, "else nothing was tried")
	}
}

func TestAChildCountsUntilNothingIsToBeDoneOrTold(t *testing.T) {
	for _, c := range []struct {
		onCancel history.Cancel
		events   []history.Event
		counts   []int
	}{
		{history.TryCancel, []history.Event{&history.ChildStarted{Step: 1}, &history.ChildClosed{Step: 1, Status: history.StatusCompleted}}, []int{1, 0}},
		{history.TryCancel, []history.Event{&history.ChildRefused{Step: 1}}, []int{0}},
		{history.TryCancel, []history.Event{&history.ChildCancelRequested{Step: 1}, &history.ChildCancelDelivered{Step: 1}}, []int{1, 0}},
		{history.WaitCancelled, []history.Event{&history.ChildCancelRequested{Step: 1}, &history.ChildCancelDelivered{Step: 1}, &history.ChildClosed{Step: 1, Status: history.StatusCancelled}}, []int{1, 1, 0}},
		{history.TryCancel, []history.Event{&history.ChildStarted{Step: 1}, &history.Completed{}}, []int{1, 0}},
	} {
		w := newWorld(1, 1)
		w.append(w.ids[0], history.Entry{Event: &history.Started{Run: "1", Chain: "1", Number: 1}})
		w.append(w.ids[0], history.Entry{Event: &history.ChildAsked{Step: 1, ID: "c", OnCancel: c.onCancel}, Told: 1})
		x := open(t, memory)
		require.NoError(t, x.Apply(w.records))
		require.Equal(t, "1 child", all(t, x, query.Query{})[0].Waiting)
		for i, event := range c.events {
			w.append(w.ids[0], history.Entry{Event: event, Told: w.states[w.ids[0]].Seq + 1})
			require.NoError(t, x.Apply(w.records))
			row := all(t, x, query.Query{})[0]
			require.Equal(t, c.counts[i], row.Children, "%s after %d", c.onCancel, i)
			require.Equal(t, *w.runs[w.ids[0]][0], row)
		}
	}
}

// TestAttributesChangeInAnyBatch: with the beginning of the run or without, while the run is remembered or not.
func TestAttributesChangeInAnyBatch(t *testing.T) {
	set := func(text string) history.Event {
		return &history.AttributesSet{Attributes: history.JSON([]byte(text))}
	}
	events := []history.Event{
		&history.Started{Run: "1", Chain: "1", Number: 1, Attributes: history.JSON([]byte(`{"a":1,"b":"<x>"}`))},
		set(`{"a":2,"c":true}`), &history.Signaled{}, set(`{"b":null}`), set(`{"b":["x","y"]}`), set(`{"b":["z"],"a":null}`), &history.Completed{},
	}
	var want string
	for size := 1; size <= len(events); size++ {
		for _, forgets := range []bool{false, true} {
			w := newWorld(1, 1)
			x := open(t, memory)
			for i, event := range events {
				w.append(w.ids[0], history.Entry{Event: event})
				if (i+1)%size > 0 && i+1 < len(events) {
					continue
				}
				if forgets {
					clear(x.open)
				}
				require.NoError(t, x.Apply(w.records))
			}
			if want == "" {
				want = dump(t, x)
			}
			require.Equal(t, want, dump(t, x), "batches of %d, forgets: %v", size, forgets)
			require.Equal(t, map[string]any{"b": []string{"z"}, "c": true}, all(t, x, query.Query{})[0].Attributes)
		}
	}
}

// TestOpenRunsKeepNoLongTexts: there may be ten thousand of them.
func TestOpenRunsKeepNoLongTexts(t *testing.T) {
	w := random(t, 40)
	x := open(t, memory)
	for batch := range w.batches(w.steps(500), 30) {
		if w.dice.IntN(3) == 0 {
			clear(x.open)
		}
		require.NoError(t, x.Apply(batch))
		for _, r := range x.open {
			require.False(t, r.loaded)
			require.Nil(t, r.attributes)
			require.Nil(t, r.Attributes)
			require.Nil(t, r.memo)
			require.Nil(t, r.Memo)
		}
	}
}

// TestWhatIsClosedIsShownAsAbsent: an index never opens a payload, and shows no garbage.
func TestWhatIsClosedIsShownAsAbsent(t *testing.T) {
	w := newWorld(1, 1)
	w.append(w.ids[0], history.Entry{Event: &history.Started{Run: "1", Chain: "1", Number: 1, Memo: secret()}})
	w.append(w.ids[0], history.Entry{Event: &history.Failed{Failure: secret()}})
	x := open(t, memory)
	require.NoError(t, x.Apply(w.records))
	row := all(t, x, query.Query{})[0]
	require.Equal(t, query.Failed, row.Status)
	require.Empty(t, row.Memo)
	require.Empty(t, row.Failure)
	require.NotContains(t, dump(t, x), "never shown")
	require.NotContains(t, dump(t, x), strings.Trim(string(secret().Data), `"`))
}

// TestTimesAndDurationsAreSearchedInTheirOrder, and by their index.
func TestTimesAndDurationsAreSearchedInTheirOrder(t *testing.T) {
	w := newWorld(1, 1)
	x := open(t, memory)
	at := func(year int) time.Time { return time.Date(year, 1, 1, 0, 0, 0, 1, time.UTC) }
	due := []time.Time{at(1), at(1600), at(1969), at(1970), at(2026), at(2026).Add(1), at(2262), at(2300), at(9999)}
	left := []time.Duration{math.MinInt64, -1, 0, 1, time.Hour, time.Hour + 1, 200 * 24 * time.Hour, 250 * 365 * 24 * time.Hour, math.MaxInt64}
	for i := range due {
		text, err := json.Marshal(map[string]json.RawMessage{"due": wire(t, due[i]), "left": wire(t, left[i])})
		require.NoError(t, err)
		w.append(w.ids[0], history.Entry{Event: &history.Started{Run: "1", Chain: "1", Number: 1, Attributes: history.JSON(text)}})
		w.append(w.ids[0], history.Entry{Event: &history.Completed{}})
	}
	require.NoError(t, x.Apply(w.records))
	ask := func(text string, values ...driver.Value) (n int) {
		require.NoError(t, x.read(context.Background(), func(c *conn, _ store.Position) error {
			return c.query(context.Background(), text, values, func([]driver.Value) error { n++; return nil })
		}))
		return n
	}
	for i := range due {
		if time.Unix(0, math.MinInt64).Before(due[i]) && due[i].Before(time.Unix(0, math.MaxInt64)) {
			assert.Equal(t, len(due)-i, ask("SELECT 1 FROM attribute WHERE name = 'attr.due' AND kind = 'time' AND num >= ?", due[i].UnixNano()), due[i])
		}
		assert.Equal(t, len(left)-i, ask("SELECT 1 FROM attribute WHERE name = 'attr.left' AND kind = 'duration' AND num >= ?", int64(left[i])), left[i])
	}
	for _, name := range []string{"due", "left"} {
		var plan string
		require.NoError(t, x.read(context.Background(), func(c *conn, _ store.Position) error {
			return c.query(context.Background(), "EXPLAIN QUERY PLAN SELECT run FROM attribute WHERE name = ? AND num >= ? AND num < ?",
				[]driver.Value{name, int64(0), int64(9)}, func(row []driver.Value) error { plan += row[3].(string); return nil })
		}))
		assert.Contains(t, plan, "attribute_num (name=? AND num>? AND num<?)")
	}
}

func wire(t *testing.T, v any) json.RawMessage {
	text, err := query.AttributeJSON(v)
	require.NoError(t, err)
	return text
}
