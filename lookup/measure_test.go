package lookup

import (
	"context"
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/clewflow/clew/query"
)

// TestMeasuresAreThoseOfTheRows: each number of an answer can be reckoned from the rows.
func TestMeasuresAreThoseOfTheRows(t *testing.T) {
	w := newWorld(uint64(time.Now().UnixNano()), 25)
	x := open(t, memory)
	w.steps(600)
	w.withHostile(80)
	require.NoError(t, x.Apply(w.records))
	now := epoch.Add(1000 * time.Hour)
	rows := all(t, x, query.Query{Limit: 1000})
	some := 0
	for _, of := range []string{"duration", "entries", "version", "attr.n", "attr.a", "input.total"} {
		field, err := query.ParseMeasured(of)
		require.NoError(t, err)
		for _, by := range [][]string{{}, {"status"}, {"type", "day"}, {"attr.a"}, {"is-child", "status"}} {
			groups, err := query.ParseGroups(by...)
			require.NoError(t, err)
			want := map[string][]float64{}
			for _, r := range rows {
				for _, v := range field.Values(&r, now) {
					n, unit := 0.0, ""
					switch v := v.(type) {
					case int64:
						n = float64(v)
					case float64:
						n = v
					case time.Duration:
						n, unit = float64(v), query.Seconds
					default:
						continue
					}
					keys := [][]any{{}}
					for _, g := range groups {
						var next [][]any
						for _, key := range keysOf(g, &r, now) {
							for _, before := range keys {
								next = append(next, append(slices.Clone(before), key))
							}
						}
						keys = next
					}
					for _, key := range keys {
						name := fmt.Sprintf("%#v %s", key, unit)
						want[name] = append(want[name], n)
					}
				}
			}
			answer, err := x.Measure(context.Background(), query.Query{Now: now}, of, by...)
			require.NoError(t, err)
			got := map[string]query.Measure{}
			for _, m := range answer.Measures {
				got[fmt.Sprintf("%#v %s", m.Keys, m.Unit)] = m
			}
			require.Len(t, got, len(answer.Measures))
			require.Len(t, got, len(want), "%s by %v", of, by)
			for name, numbers := range want {
				slices.Sort(numbers)
				m, scale := got[name], 1.0
				if m.Unit == query.Seconds {
					scale = 1e9
				}
				n := len(numbers)
				require.Equal(t, n, m.Count, "%s by %v: %s", of, by, name)
				require.Equal(t, []float64{numbers[0] / scale, numbers[n-1] / scale}, []float64{m.Min, m.Max})
				require.InEpsilon(t, 1+math.Abs(numbers[int(math.Ceil(float64(n)*0.9))-1]/scale), 1+math.Abs(m.P90), 1e-9)
				require.Equal(t, numbers[int(math.Ceil(float64(n)/2))-1]/scale, m.P50)
				require.LessOrEqual(t, m.P95, m.P99)
				some++
			}
			require.True(t, slices.IsSortedFunc(answer.Measures, func(a, b query.Measure) int { return b.Count - a.Count }))
		}
	}
	require.Greater(t, some, 30)
	for _, wrong := range []string{"started", "type", "status", "durations", "attr"} {
		_, err := x.Measure(context.Background(), query.Query{}, wrong)
		require.ErrorIs(t, err, query.ErrInvalid)
		require.ErrorContains(t, err, "attempts-since-progress")
	}
}

// keysOf are the keys of the groups that a row is in.
func keysOf(g query.Grouping, r *query.Row, now time.Time) (all []any) {
	for _, v := range g.Field.Values(r, now) {
		n, kind := stored(v)
		if g.Day {
			n = n.(int64) / int64(aDay)
		}
		if f, is := n.(float64); is && f == math.Trunc(f) && math.Abs(f) < 1<<53 {
			n = int64(f)
		}
		key := shownKey(g, n, kind)
		if !slices.Contains(all, key) {
			all = append(all, key)
		}
	}
	if len(all) == 0 {
		all = []any{nil}
	}
	return all
}
