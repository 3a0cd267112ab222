package lookup

import (
	"cmp"
	"context"
	"database/sql/driver"
	"math"
	"slices"

	"github.com/clewflow/clew/query"
	"github.com/clewflow/clew/store"
)

// Measure says what the numbers of a field come to among the runs that a query asks for, by one or two fields, a [query.Day] or
// nothing at all, which gives one group, or none if no run has a number. It does not wait for anything, like [Index.Find].
func (x *Index) Measure(ctx context.Context, q query.Query, of string, by ...string) (query.Measures, error) {
	f, err := query.ParseMeasured(of)
	if err != nil {
		return query.Measures{}, err
	}
	all, err := query.ParseGroups(by...)
	if err != nil {
		return query.Measures{}, err
	}
	a, err := x.asked(q)
	if err != nil {
		return query.Measures{}, err
	}
	if a.now.IsZero() {
		a.now = x.now()
	}
	answer := query.Measures{Of: of, By: by, Measures: []query.Measure{}}
	err = limited(ctx, q, func(ctx context.Context) error {
		return x.read(ctx, func(c *conn, position store.Position) error {
			answer.Position = position.Commit
			if answer.Unknown, err = a.unknown(ctx, c, append(all, query.Grouping{Field: f})...); err != nil {
				return err
			}
			answer.Measures, answer.More, err = a.measures(ctx, c, f, all)
			return err
		})
	})
	if err != nil {
		return query.Measures{}, err
	}
	return answer, nil
}

// bucket is the numbers of a group, as they come.
type bucket struct {
	keys    []any
	numbers []float64
	order   groupKey
}

// groupKey is what tells groups apart: values with their kinds, and the kind of what is measured.
type groupKey [5]driver.Value

// measures reads all numbers: a percentile is known when all are. A number takes 8 bytes.
func (a *ask) measures(ctx context.Context, c *conn, of query.Field, by []query.Grouping) (all []query.Measure, more bool, err error) {
	f, err := a.filter(ctx, c)
	if err != nil {
		return nil, false, err
	}
	s := a.source(f, by)
	first, fixed := []string{"m.num", "m.kind"}, "" // the kind, where all numbers are of one
	if of.Key == "" {
		w := &condition{now: a.now}
		first, fixed = []string{w.expression(of)}, kindNumber
		if of.Kind() == query.KindDuration {
			fixed = kindDuration
		}
		s.shownValues = slices.Concat(w.values, s.shownValues)
	} else {
		s.joins = slices.Concat([]string{" JOIN attribute AS m ON m.run = run.position AND m.name = ? AND m.kind IN ('" + kindNumber + "', '" + kindDuration + "')"}, s.joins)
		s.joined = slices.Concat([]driver.Value{storedName(of)}, s.joined)
	}
	text, values := s.selection(first...)
	buckets := map[groupKey]*bucket{}
	err = c.query(ctx, text, values, func(row []driver.Value) error {
		n, is := number(row[0])
		if !is {
			return nil
		}
		key := groupKey{fixed}
		if fixed == "" {
			key[0] = row[1]
		}
		keys := row[len(first):]
		for i, v := range keys {
			if n, is := v.(float64); is && n == math.Trunc(n) && math.Abs(n) < 1<<53 {
				v = int64(n) // which is the same group
			}
			key[1+i] = v
		}
		b := buckets[key]
		if b == nil {
			b = &bucket{order: key, keys: []any{}}
			for i, g := range by {
				kind, _ := keys[1+2*i].(string)
				b.keys = append(b.keys, shownKey(g, keys[2*i], kind))
			}
			buckets[key] = b
		}
		b.numbers = append(b.numbers, n)
		return nil
	})
	if err != nil {
		return nil, false, err
	}
	all = []query.Measure{}
	for _, b := range sortedBuckets(buckets) {
		if len(all) == query.MaxGroups {
			return all, true, nil
		}
		all = append(all, b.measure())
	}
	return all, false, nil
}

// sortedBuckets are the fullest first, those of one size in the order of their keys.
func sortedBuckets(buckets map[groupKey]*bucket) (all []*bucket) {
	for _, b := range buckets {
		all = append(all, b)
	}
	slices.SortFunc(all, func(a, b *bucket) int {
		if c := len(b.numbers) - len(a.numbers); c != 0 {
			return c
		}
		for _, i := range []int{1, 2, 3, 4, 0} {
			if c := compareStored(a.order[i], b.order[i]); c != 0 {
				return c
			}
		}
		return 0
	})
	return all
}

// compareStored orders values as SQLite does: none, numbers, texts.
func compareStored(a, b driver.Value) int {
	rank := func(v driver.Value) int {
		switch v.(type) {
		case nil:
			return 0
		case string:
			return 2
		}
		return 1
	}
	if c := rank(a) - rank(b); c != 0 || a == nil {
		return c
	}
	if text, is := a.(string); is {
		other, _ := b.(string)
		return cmp.Compare(text, other)
	}
	x, _ := number(a)
	y, _ := number(b)
	return cmp.Compare(x, y)
}

func number(v driver.Value) (float64, bool) {
	switch v := v.(type) {
	case int64:
		return float64(v), true
	case float64:
		return v, true
	}
	return 0, false
}

func (b *bucket) measure() query.Measure {
	slices.Sort(b.numbers)
	n := len(b.numbers)
	sum := 0.0
	for _, v := range b.numbers {
		sum += v
	}
	percentile := func(p int) float64 { return b.numbers[max(0, (n*p+99)/100-1)] }
	m := query.Measure{
		Keys: b.keys, Count: n, Min: b.numbers[0], Max: b.numbers[n-1], Sum: sum, Average: sum / float64(n),
		P50: percentile(50), P90: percentile(90), P95: percentile(95), P99: percentile(99),
	}
	if b.order[0] == kindDuration {
		m.Unit = query.Seconds
		for _, v := range []*float64{&m.Min, &m.Max, &m.Sum, &m.Average, &m.P50, &m.P90, &m.P95, &m.P99} {
			*v /= 1e9
		}
	}
	return m
}
