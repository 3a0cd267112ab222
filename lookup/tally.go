package lookup

import (
	"context"
	"database/sql/driver"
	"fmt"
	"strings"
	"time"

	"github.com/clewflow/clew/query"
)

const (
	aDay       = 24 * time.Hour
	nanosOfDay = "86400000000000"
)

// tallied is what runs are counted by as they come.
type tallied struct {
	namespace, kind string
	status          query.Status
	day             int64 // on which it began
}

// count counts a run under its status, or one that it had.
func (b *batch) count(r *run, status query.Status, n int) {
	b.tally[tallied{r.Namespace, r.Type, status, query.Nanos(r.Started) / int64(aDay)}] += n
}

func (b *batch) writeTally() error {
	all := map[tallied]int{}
	for of, n := range b.tally {
		if n != 0 {
			if err := b.c.exec(context.Background(), addDaily, of.namespace, of.day, of.kind, int64(of.status), int64(n)); err != nil {
				return fmt.Errorf("counting the runs of %s: %w", of.kind, err)
			}
		}
		of.day = 0
		all[of] += n
	}
	for of, n := range all {
		if n == 0 {
			continue
		}
		if err := b.c.exec(context.Background(), addTally, of.namespace, of.kind, int64(of.status), int64(n)); err != nil {
			return fmt.Errorf("counting the runs of %s: %w", of.kind, err)
		}
	}
	return nil
}

// counted is the question to the tables of tallies, if they know the answer.
func (a *ask) counted(all []query.Grouping) (text string, values []driver.Value, ok bool) {
	terms, values, daily, ok := a.plain()
	if !ok {
		return "", nil, false
	}
	shown := []string{"ifnull(sum(runs), 0)"}
	var places []string
	for i, g := range all {
		name := g.Field.Name
		switch {
		case g.Day && name == "started":
			name, daily = "day", true
		case g.Day || name != "namespace" && name != "type" && name != "status":
			return "", nil, false
		}
		shown = append(shown, name, "NULL")
		places = append(places, []string{"2", "4"}[i])
	}
	table := "tally"
	if daily {
		table = "daily"
	}
	text = "SELECT " + strings.Join(shown, ", ") + " FROM " + table + " WHERE runs > 0" + terms
	if len(places) > 0 {
		text += " GROUP BY " + strings.Join(places, ", ") + " ORDER BY 1 DESC, " + strings.Join(places, ", ") + fmt.Sprintf(" LIMIT %d", query.MaxGroups+1)
	}
	return text, values, true
}

// plain is the condition of a query that asks for nothing but what runs are counted by, for the tables of tallies.
func (a *ask) plain() (terms string, values []driver.Value, daily, ok bool) {
	q := a.q
	q.Namespace, q.Type, q.Status, q.Since, q.Until = "", "", 0, time.Time{}, time.Time{}
	q.Where, q.Order, q.Limit, q.After, q.Most, q.Within, q.Now, q.Stale, q.Known, q.Unseen, q.AsOf = "", "", 0, "", 0, 0, time.Time{}, false, false, false, query.AsOf{}
	if q != (query.Query{}) || len(a.rest) > 0 || a.order.By != query.ByStarted {
		return "", nil, false, false
	}
	if a.q.Namespace != "" {
		terms, values = terms+" AND namespace = ?", append(values, a.q.Namespace)
	}
	if a.q.Type != "" {
		terms, values = terms+" AND type = ?", append(values, a.q.Type)
	}
	if a.q.Status != 0 {
		terms, values = terms+" AND (status & ?) <> 0", append(values, int64(a.q.Status))
	}
	for is, t := range map[string]time.Time{" >= ?": a.q.Since, " < ?": a.q.Until} {
		if t.IsZero() {
			continue
		}
		n := query.Nanos(t)
		if n <= 0 || n%int64(aDay) != 0 { // the days before 1970 are not told apart at their ends
			return "", nil, false, false
		}
		terms, values, daily = terms+" AND day"+is, append(values, n/int64(aDay)), true
	}
	return terms, values, daily, true
}

// valued is the question how many runs have each value of an attribute, where it can be put to the attributes alone: runs are counted along,
// so those without the attribute are the others. A list has a row for each element, the first of which is at place 0.
func (a *ask) valued(ctx context.Context, c *conn, all []query.Grouping) (text string, values []driver.Value, ok bool, err error) {
	if len(all) != 1 || all[0].Field.Key == "" || all[0].Field.Name == "memo" { // of whose lists some elements are left out
		return "", nil, false, nil
	}
	terms, bound, daily, ok := a.plain()
	if !ok || daily {
		return "", nil, false, nil
	}
	others := int64(1)
	if a.q.Type == "" && a.q.Status == 0 {
		others, err = c.number(ctx, "SELECT count(*) FROM tally WHERE runs > 0 AND namespace <> ? AND ? <> ''", a.q.Namespace, a.q.Namespace)
		if err != nil {
			return "", nil, false, err
		}
	}
	from, where := "attribute AS a", "a.name = ?"
	rows := []driver.Value{storedName(all[0].Field)}
	if others > 0 {
		from, where, rows = "attribute AS a CROSS JOIN run ON run.position = a.run", where+terms, append(rows, bound...)
	}
	with := func(column string) string {
		return " FROM " + from + " WHERE " + where + " AND a." + column + " IS NOT NULL"
	}
	text = "SELECT n, value, kind FROM (" +
		"SELECT count(*) AS n, text AS value, 'text' AS kind FROM (SELECT DISTINCT a.text AS text, a.run" + with("text") + ") GROUP BY 2" +
		" UNION ALL SELECT count(*), a.num, a.kind" + with("num") + " GROUP BY 2, 3" +
		" UNION ALL SELECT (SELECT ifnull(sum(runs), 0) FROM tally WHERE runs > 0" + terms + ") - (SELECT count(*)" + with("text") + " AND a.place = 0) - (SELECT count(*)" + with("num") + "), NULL, NULL" +
		") WHERE n > 0 ORDER BY 1 DESC, 2, 3" + fmt.Sprintf(" LIMIT %d", query.MaxGroups+1)
	for range 2 {
		values = append(values, rows...)
	}
	values = append(values, bound...)
	for range 2 {
		values = append(values, rows...)
	}
	return text, values, true, nil
}
