package lookup

import (
	"context"
	"database/sql/driver"
	"slices"
	"strings"
	"time"

	"github.com/clewflow/clew/query"
	"github.com/clewflow/clew/store"
)

func (x *Index) group(ctx context.Context, a *ask, all []query.Grouping) (groups query.Groups, err error) {
	err = x.read(ctx, func(c *conn, position store.Position) error {
		groups = query.Groups{Groups: []query.Group{}, Position: position.Commit}
		text, values, tallied := a.counted(all)
		if !tallied {
			f, err := a.filter(ctx, c)
			if err != nil {
				return err
			}
			text, values = a.selection(f, all)
		}
		return c.query(ctx, text, values, func(row []driver.Value) error {
			if len(groups.Groups) == query.MaxGroups {
				groups.More = true
				return nil
			}
			n, _ := row[0].(int64)
			group := query.Group{Keys: []any{}, Count: int(n)}
			for i, g := range all {
				kind, _ := row[2+2*i].(string)
				group.Keys = append(group.Keys, shownKey(g, row[1+2*i], kind))
			}
			groups.Groups = append(groups.Groups, group)
			return nil
		})
	})
	return groups, err
}

// counted is the question to the table of tallies, if it knows the answer.
func (a *ask) counted(all []query.Grouping) (text string, values []driver.Value, ok bool) {
	q := a.q
	q.Namespace, q.Type, q.Status, q.Where, q.Order, q.Limit, q.After, q.Most, q.Within, q.Stale = "", "", 0, "", "", 0, "", 0, 0, false
	if q != (query.Query{}) || len(a.rest) > 0 || a.order.By != query.ByStarted {
		return "", nil, false
	}
	shown := []string{"ifnull(sum(runs), 0)"}
	var places []string
	for i, g := range all {
		if name := g.Field.Name; name != "namespace" && name != "type" && name != "status" {
			return "", nil, false
		}
		shown = append(shown, g.Field.Name, "NULL")
		places = append(places, []string{"2", "4"}[i])
	}
	text = "SELECT " + strings.Join(shown, ", ") + " FROM tally WHERE runs > 0"
	if a.q.Namespace != "" {
		text, values = text+" AND namespace = ?", append(values, a.q.Namespace)
	}
	if a.q.Type != "" {
		text, values = text+" AND type = ?", append(values, a.q.Type)
	}
	if a.q.Status != 0 {
		text, values = text+" AND (status & ?) <> 0", append(values, int64(a.q.Status))
	}
	if len(places) > 0 {
		text += " GROUP BY " + strings.Join(places, ", ") + " ORDER BY 1 DESC, " + strings.Join(places, ", ")
	}
	return text, slices.Clone(values), true
}

// shownKey is a key as groups show it.
func shownKey(g query.Grouping, v driver.Value, kind string) any {
	if v == nil {
		return nil
	}
	n, _ := v.(int64)
	switch {
	case g.Day:
		return time.Unix(n*86400, 0).UTC().Format(time.DateOnly)
	case g.Field.Kind() == query.KindStatus:
		return query.Status(n).String()
	case g.Field.Kind() == query.KindTime, kind == kindTime:
		return time.Unix(0, n).UTC().Format(time.RFC3339Nano)
	case g.Field.Kind() == query.KindDuration, kind == kindDuration:
		return time.Duration(n).String()
	case g.Field.Kind() == query.KindBool, kind == kindBool:
		return n == 1
	}
	return v
}
