package lookup

import (
	"context"
	"database/sql/driver"
	"time"

	"github.com/clewflow/clew/query"
	"github.com/clewflow/clew/store"
)

// Group counts the runs that a query asks for by one or two fields, a [query.Day] or nothing at all, which gives one group. It does not
// wait for anything, like [Index.Find].
func (x *Index) Group(ctx context.Context, q query.Query, by ...string) (query.Groups, error) {
	all, err := query.ParseGroups(by...)
	if err != nil {
		return query.Groups{}, err
	}
	a, err := x.asked(q)
	if err != nil {
		return query.Groups{}, err
	}
	if a.now.IsZero() {
		a.now = x.now()
	}
	var groups query.Groups
	err = limited(ctx, q, func(ctx context.Context) error {
		groups, err = x.group(ctx, a, all)
		return err
	})
	groups.By = by
	return groups, err
}

func (x *Index) group(ctx context.Context, a *ask, all []query.Grouping) (groups query.Groups, err error) {
	err = x.read(ctx, func(c *conn, position store.Position) error {
		groups = query.Groups{Groups: []query.Group{}, Position: position.Commit}
		if groups.Unknown, err = a.unknown(ctx, c, all...); err != nil {
			return err
		}
		text, values, known := a.counted(all)
		if !known {
			if text, values, known, err = a.valued(ctx, c, all); err != nil {
				return err
			}
		}
		if !known {
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
