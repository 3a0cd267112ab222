package lookup

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"path/filepath"
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
		if f.Name == "version" && w.dice.IntN(3) == 0 {
			return query.Latest{}
		}
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
				v = []string{"", "x", "'", "x"}[:w.dice.IntN(5)]
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

// answers holds what the index says against what the words of the language say, and returns how many runs were found.
func answers(t *testing.T, seed uint64, questions int) (some int) {
	w := newWorld(seed, 12)
	kept := pick(w.dice, [][]string{nil, nil, {"order", "hostile"}})
	x, err := Open(context.Background(), memory, Options{Text: On, TextOf: kept})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, x.Close()) })
	for range 10 {
		w.steps(30)
		w.rule()
	}
	w.withHostile(60)
	require.NoError(t, x.Apply(w.records))
	texts := map[string][]string{}
	run := map[history.ID]string{}
	for _, r := range w.records {
		if started, ok := r.Entry.Event.(*history.Started); ok {
			run[r.ID] = started.Run
		} else if run[r.ID] == "" {
			continue // a rule
		}
		texts[run[r.ID]] = append(texts[run[r.ID]], query.TextOf(r.Entry.Event))
	}
	rows := all(t, x, query.Query{Limit: 1000})
	require.Len(t, rows, len(w.rows()))
	versions := map[[2]string]int{}
	for _, r := range rows {
		_, _, halted := w.rules[r.Namespace].Halts(r.Type, strings.HasPrefix(r.Type, ours))
		require.Equal(t, halted && r.Closed.IsZero(), r.Halted, "seed %d: %s", seed, r.Run)
		of := [2]string{r.Namespace, r.Type}
		versions[of] = max(versions[of], r.Version)
	}
	fits := func(tree query.Node, r *query.Row, now time.Time) bool {
		by := query.Beside{Now: now, Texts: texts[r.Run], Latest: versions[[2]string{r.Namespace, r.Type}]}
		if kept != nil && !slices.Contains(kept, r.Type) {
			by.Texts = nil
		}
		return query.Match(tree, r, by)
	}
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
		if kept != nil && err != nil && strings.Contains(err.Error(), "Config.FullTextOf") {
			require.Contains(t, q.Where, "type = '")
			continue
		}
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
			if fits(tree, &r, now) && len(by.Values(&r, now)) > 0 {
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
		groups, err := x.Group(context.Background(), query.Query{Where: q.Where}, pick(w.dice, []string{"status", "type", "day", "build", "is-child", "depth", "halted", "unread", "attempts"}))
		require.NoError(t, err)
		total, all := 0, 0
		for _, g := range groups.Groups {
			total += g.Count
		}
		for _, r := range rows {
			if fits(tree, &r, now) {
				all++
			}
		}
		require.Equal(t, all, total, "seed %d: %s", seed, abridged(q.Where))
	}
	return some
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
	if testing.Short() {
		t.Skip("one goroutine asks much of the database; FuzzAnswers asks a little")
	}
	require.Positive(t, answers(t, seed, 100))
}

// FuzzAnswers asks little of each world: a fuzzer takes for hung what takes 10 s, and slows the database down too. For the same questions at full
// speed there is the test above, whose seed is another each time.
func FuzzAnswers(f *testing.F) {
	f.Add(uint64(1))
	f.Fuzz(func(t *testing.T, seed uint64) { answers(t, seed, 1) })
}

func TestFullTextIsRefusedWhereItIsOff(t *testing.T) {
	x := open(t, memory)
	_, err := x.Find(context.Background(), query.Query{Where: "TEXT 'card'"})
	require.ErrorIs(t, err, query.ErrInvalid)
	require.ErrorContains(t, err, "Config.FullText")
}

// TestWordsAreKeptOfSomeTypesAlone, and a file goes on with those that it has, or is built anew for others.
func TestWordsAreKeptOfSomeTypesAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "index")
	s := newScene(t)
	begun := func(kind string) *history.Started {
		e := start(kind, kind, 1)
		e.Input = history.JSON([]byte(`"secretword"`))
		return e
	}
	s.then("a", begun("order"))
	s.then("b", begun("trip"))
	s.then("c", begun("refund"))
	find := func(o Options, where string) (ids []string, err error) {
		x, err := Open(t.Context(), path, o)
		require.NoError(t, err)
		defer func() { require.NoError(t, x.Close()) }()
		if !x.Position().IsZero() && o.Text != AsItIs {
			t.Error("it was to be built anew")
		}
		require.NoError(t, x.Apply(s.records))
		page, err := x.Find(t.Context(), query.Query{Where: where})
		for _, row := range page.Rows {
			ids = append(ids, row.ID)
		}
		return ids, err
	}
	for _, c := range []struct {
		o    Options
		want []string
	}{
		{Options{Text: On, TextOf: []string{"trip", "order", "trip"}}, []string{"b", "a"}}, {Options{}, []string{"b", "a"}},
		{Options{Text: On}, []string{"c", "b", "a"}}, {Options{}, []string{"c", "b", "a"}}, {Options{Text: On, TextOf: []string{"refund"}}, []string{"c"}},
	} {
		ids, err := find(c.o, "TEXT 'secretword'")
		require.NoError(t, err)
		require.Equal(t, c.want, ids)
	}
	_, err := find(Options{}, "type = 'order' AND TEXT 'secretword'")
	require.ErrorIs(t, err, query.ErrInvalid)
	require.EqualError(t, err, "query: Where is a search for TEXT in runs of order, want one in those of refund, whose words alone this index keeps; see Config.FullTextOf")
	built, err := AsOf(t.Context(), memory, newTape(s.records...), query.AsOf{Position: s.position.Commit}, Options{TextOf: []string{"trip"}})
	require.NoError(t, err)
	page, err := built.Find(t.Context(), query.Query{Where: "TEXT 'secretword'", AsOf: query.AsOf{Position: s.position.Commit}})
	require.NoError(t, err)
	require.Len(t, page.Rows, 1)
	require.NoError(t, built.Close())
	_, err = find(Options{Text: Off, TextOf: []string{"trip"}}, "TEXT 'secretword'")
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

// TestCountsKeptAlongAreThoseOfTheRows: whatever is answered without looking at each run is what looking at each run gives.
func TestCountsKeptAlongAreThoseOfTheRows(t *testing.T) {
	w := random(t, 25)
	x, err := Open(context.Background(), memory, Options{Text: On})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, x.Close()) })
	w.steps(500)
	w.withHostile(60)
	require.NoError(t, x.Apply(w.records))
	count := func(q query.Query, by ...string) []query.Group {
		groups, err := x.Group(context.Background(), q, by...)
		require.NoError(t, err)
		return groups.Groups
	}
	first := epoch.Truncate(aDay)
	some := 0
	queries := []query.Query{
		{}, {Namespace: "main"}, {Namespace: "main", Type: "hostile"}, {Status: query.Open}, {Type: "order", Status: query.Failed | query.Completed},
		{Since: first.Add(aDay)}, {Since: first, Until: first.Add(aDay)}, {Namespace: "main", Until: first.Add(2 * aDay)},
	}
	gone := w.ids[:len(w.ids)/2]
	for len(gone) > 0 { // each time less is left
		q := pick(w.dice, queries)
		require.NoError(t, x.Refold(gone[0], nil))
		gone = gone[1:]
		require.Equal(t, count(query.Query{Namespace: q.Namespace, Where: "number > 0"}, "day", "status"), count(query.Query{Namespace: q.Namespace}, "day", "status"))
	}
	for _, q := range queries {
		looked := q
		looked.Where = "number > 0"
		for _, by := range [][]string{{}, {"day"}, {"day", "status"}, {"type", "day"}, {"namespace"}, {"attr.a"}, {"attr.n"}, {"attr.tags"}, {"attr.region"}, {"input.total"}, {"memo.tags"}} {
			kept := count(q, by...)
			require.Equal(t, count(looked, by...), kept, "%+v by %v", q, by)
			some += len(kept)
		}
	}
	require.Greater(t, some, 100)
}
