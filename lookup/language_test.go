package lookup

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/query"
)

var mebibyte = strings.Repeat("ü", 1<<19)

var hostile = []any{
	"", "'", "''; DROP TABLE run; --", "%", "_", "a%b_", "\x00", "a\x00b", "a\x00", "\u202eabc\u202c", "\U0010ffff", "\ufffd", "eu", "EU", "declined", mebibyte, mebibyte + "x",
	int64(0), int64(1), int64(-7), int64(math.MaxInt64), int64(math.MinInt64), int64(1<<53 + 1), 1.5, -0.1, float64(1 << 53), 9.3e18, 5e-324,
	true, false, time.Hour, -time.Nanosecond, time.Duration(math.MinInt64), epoch, epoch.Add(time.Minute), time.Time{}, time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC),
}

func pick[T any](dice *rand.Rand, of []T) T { return of[dice.IntN(len(of))] }

// condition makes a condition up, most often of what some row has.
func (w *world) condition(rows []query.Row, depth int) query.Node {
	if depth > 0 {
		switch w.dice.IntN(5) {
		case 0:
			return query.All(w.condition(rows, depth-1), w.condition(rows, depth-1))
		case 1:
			return query.AnyOf(w.condition(rows, depth-1), w.condition(rows, depth-1), w.condition(rows, depth-1))
		case 2:
			return query.Not{Node: w.condition(rows, depth-1)}
		}
	}
	if w.dice.IntN(8) == 0 {
		return query.Text{Text: pick(w.dice, []string{"card", "Card DECLINED", "decl*", "ün*", "42", "nothing", "o'r x"})}
	}
	fields := query.Fields()
	f := query.Field{Name: pick(w.dice, fields)}
	if w.dice.IntN(3) == 0 {
		f = query.Field{Name: pick(w.dice, []string{"attr", "memo", "input"}), Key: pick(w.dice, []string{"a", "region", "tags", "n", "note", "at", "x'\"y\x00%", "total", "h"})}
	}
	if w.dice.IntN(10) == 0 {
		return query.Null{Field: f}
	}
	row := pick(w.dice, rows)
	value := func() any {
		if have := f.Values(&row, w.now); len(have) > 0 && w.dice.IntN(3) > 0 {
			return have[0]
		}
		switch f.Kind() {
		case query.KindStatus:
			return query.Status(1 + w.dice.IntN(int(query.Open|query.Closed)))
		case query.KindTime:
			return pick(w.dice, []any{epoch, row.Started, row.Started.Add(1), query.Relative(-time.Second), query.Relative(time.Hour), time.Time{}})
		}
		for {
			if v := pick(w.dice, hostile); w.dice.IntN(20) > 0 && v == any(mebibyte) {
				continue // it takes long to read
			} else if f.Kind() == query.KindAny || kind(v) == f.Kind() {
				return v
			}
		}
	}
	if w.dice.IntN(5) == 0 && f.Kind() != query.KindStatus {
		return query.In{Field: f, Values: []any{value(), value(), value()}}
	}
	v := value()
	op := pick(w.dice, []query.Op{query.Equal, query.Less, query.AtMost, query.More, query.AtLeast, query.StartsWith})
	if _, text := v.(string); op == query.StartsWith && !text || f.Kind() == query.KindStatus {
		op = query.Equal
	}
	return query.Compare{Field: f, Op: op, Value: v}
}

func kind(v any) query.Kind {
	switch v.(type) {
	case string:
		return query.KindText
	case int64, float64:
		return query.KindNumber
	case bool:
		return query.KindBool
	case time.Duration:
		return query.KindDuration
	}
	return query.KindTime
}

// withHostile adds runs with values that somebody else chose.
func (w *world) withHostile(n int) {
	for i := range n {
		id := history.ID{Namespace: "main", Workflow: fmt.Sprintf("%d-%s", i, strings.ReplaceAll(pick(w.dice, []string{"x", "'", "%", "_", "\u202e", "ü"}), "\x00", ""))}
		w.ids = append(w.ids, id)
		w.states[id], w.attributes[id], w.requests[id] = new(history.State), map[string]any{}, map[string]took{}
		set := history.Attributes{}
		shown := map[string]any{}
		for range 3 {
			name := pick(w.dice, []string{"a", "n", "at", "x'\"y\x00%", "input.total", "h"})
			v := pick(w.dice, hostile)
			if w.dice.IntN(6) == 0 {
				v = []string{"", "x", "'"}[:w.dice.IntN(4)]
			}
			text, err := query.AttributeJSON(v)
			if err != nil {
				continue
			}
			set[name] = text
			shown[name], _ = query.ReadAttribute(text)
		}
		run := fmt.Sprintf("hostile-%d", i)
		input := pick(w.dice, []string{`"card declined"`, `{"a":["Card",42],"b":"ÜNÏ declined"}`, `7`, `null`, `"o'r x\u0000y"`})
		w.append(id, history.Entry{Event: &history.Started{Run: run, Chain: run, Number: 1, Type: "hostile", Origin: history.Origin{Kind: "client"}, Input: history.JSON([]byte(input)), Attributes: set.Payload()}})
		last := w.runs[id][0]
		last.Attributes = nil
		if len(shown) > 0 {
			last.Attributes = shown
		}
	}
}

// answers holds what the index says against what the words of the language say.
func answers(t *testing.T, seed uint64, questions int) {
	w := newWorld(seed, 12)
	x, err := Open(context.Background(), memory, Options{Text: On})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, x.Close()) })
	w.steps(300)
	w.withHostile(60)
	require.NoError(t, x.Apply(w.records))
	texts := map[string][]string{}
	run := map[history.ID]string{}
	for _, r := range w.records {
		if started, ok := r.Entry.Event.(*history.Started); ok {
			run[r.ID] = started.Run
		}
		texts[run[r.ID]] = append(texts[run[r.ID]], query.TextOf(r.Entry.Event))
	}
	rows := all(t, x, query.Query{Limit: 1000})
	require.Len(t, rows, len(w.rows()))
	some := 0
	for range questions {
		n := w.condition(rows, 3)
		q := query.Query{Where: n.String(), Limit: 1 + w.dice.IntN(40)}
		by := query.Field{Name: pick(w.dice, query.Fields())}
		if w.dice.IntN(3) == 0 {
			by = query.Field{Name: "attr", Key: pick(w.dice, []string{"a", "n", "h"})}
		}
		q.Order = pick(w.dice, []string{"", "-"}) + by.Name
		if by.Key != "" {
			q.Order += "." + by.Key
		}
		if q.Check() != nil { // such as a text that the kind of the field does not take
			require.NotContains(t, q.Check().Error(), "\n")
			continue
		}
		page, err := x.Find(context.Background(), q)
		require.NoError(t, err, "%s", abridged(q.Where))
		now := time.Now().UTC()
		if page.Next != "" {
			after := q
			after.After = page.Next
			c, err := after.Cursor()
			require.NoError(t, err)
			now = c.Now
		}
		tree, err := query.ParseWhere(q.Where)
		require.NoError(t, err)
		var want, got []string
		for _, r := range rows {
			if query.Match(tree, &r, texts[r.Run], now) && len(by.Values(&r, now)) > 0 {
				want = append(want, r.Run)
			}
		}
		for {
			for _, r := range page.Rows {
				got = append(got, r.Run)
			}
			if page.Next == "" {
				break
			}
			q.After = page.Next
			page, err = x.Find(context.Background(), q)
			require.NoError(t, err)
		}
		some += len(got)
		require.ElementsMatch(t, want, got, "seed %d: %s ordered by %s", seed, abridged(q.Where), q.Order)
		q.After = ""
		groups, err := x.Group(context.Background(), query.Query{Where: q.Where}, pick(w.dice, []string{"status", "type", "day", "build", "is-child"}))
		require.NoError(t, err)
		total, all := 0, 0
		for _, g := range groups.Groups {
			total += g.Count
		}
		for _, r := range rows {
			if query.Match(tree, &r, texts[r.Run], now) {
				all++
			}
		}
		require.Equal(t, all, total, "seed %d: %s", seed, abridged(q.Where))
	}
	require.Positive(t, some)
}

func abridged(text string) string {
	if len(text) > 2000 {
		return text[:2000] + "…"
	}
	return text
}

func TestTheIndexAnswersAsTheLanguageSays(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	answers(t, seed, 100)
}

func FuzzAnswers(f *testing.F) {
	f.Add(uint64(1))
	f.Fuzz(func(t *testing.T, seed uint64) { answers(t, seed, 20) })
}

func TestFullTextIsRefusedWhereItIsOff(t *testing.T) {
	x := open(t, memory)
	_, err := x.Find(context.Background(), query.Query{Where: "TEXT 'card'"})
	require.ErrorIs(t, err, query.ErrInvalid)
	require.ErrorContains(t, err, "Config.FullText")
}

func TestGroupsAreCounted(t *testing.T) {
	w := random(t, 25)
	x := open(t, memory)
	require.NoError(t, x.Apply(w.steps(500)))
	byTally, err := x.Group(context.Background(), query.Query{Namespace: "main"}, "status", "type")
	require.NoError(t, err)
	byScan, err := x.Group(context.Background(), query.Query{Namespace: "main", Where: "number > 0"}, "status", "type")
	require.NoError(t, err)
	require.Equal(t, byScan, byTally)
	require.NotEmpty(t, byTally.Groups)
	require.True(t, slices.IsSortedFunc(byTally.Groups, func(a, b query.Group) int { return b.Count - a.Count }))
}
