package lookup

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/clewflow/clew/query"
)

// ask is a query that is about to be answered.
type ask struct {
	q      query.Query // with what its condition says too
	given  query.Query
	order  query.Order
	cursor query.Cursor
	rest   []query.Node // all must hold
	now    time.Time
}

func (x *Index) asked(q query.Query) (*ask, error) {
	if err := q.Check(); err != nil {
		return nil, err
	}
	a := &ask{given: q}
	var err error
	if a.cursor, err = q.Cursor(); err != nil {
		return nil, err
	}
	if a.order, err = query.ParseOrder(q.Order); err != nil {
		return nil, err
	}
	tree, err := query.ParseWhere(q.Where)
	if err != nil {
		return nil, err
	}
	if !x.words.Load() && query.Any(tree, func(n query.Node) bool { _, is := n.(query.Text); return is }) {
		return nil, &query.Invalid{Field: "Where", Value: "a search for TEXT", Want: "none: this index does not keep words; switch it on with Config.FullText"}
	}
	if a.cursor.Now.IsZero() && (q.Last > 0 || q.Where != "" || a.order.Field.Name == "duration") {
		a.cursor.Now = time.Now().UTC()
	}
	a.now = a.cursor.Now
	a.q = q.At(a.now)
	a.take(tree)
	return a, nil
}

// take makes fields of the query of what must hold, by which SQLite is led to an index, and keeps the rest.
func (a *ask) take(n query.Node) {
	switch n := n.(type) {
	case nil:
	case query.And:
		for _, each := range n {
			a.take(each)
		}
	case query.Compare:
		if !a.takes(n) {
			a.rest = append(a.rest, n)
		}
	default:
		a.rest = append(a.rest, n)
	}
}

func (a *ask) takes(n query.Compare) bool {
	switch v := query.Resolve(n.Value, a.now).(type) {
	case string:
		to := map[string]*string{
			"namespace": &a.q.Namespace, "type": &a.q.Type, "id": &a.q.ID, "run": &a.q.Run, "parent": &a.q.Parent, "correlation-id": &a.q.CorrelationID,
		}[n.Field.Name]
		if n.Field.Name == "id" && n.Op == query.StartsWith {
			to = &a.q.IDPrefix
		} else if n.Op != query.Equal {
			return false
		}
		if to == nil || *to != "" || v == "" {
			return false
		}
		*to = v
		return true
	case query.Status:
		if a.q.Status != 0 {
			return false
		}
		a.q.Status = v
		return true
	case time.Time:
		since, until := &a.q.Since, &a.q.Until
		switch n.Field.Name {
		case "closed":
			since, until = &a.q.ClosedSince, &a.q.ClosedUntil
		case "started":
		default:
			return false
		}
		return bounds(n.Op, v, since, until)
	}
	return false
}

// bounds narrows the bounds of a time.
func bounds(op query.Op, v time.Time, since, until *time.Time) bool {
	if year := v.Year(); year < 1700 || year > 2200 { // they must be told apart from none, and have a next nanosecond
		return false
	}
	switch op {
	case query.More, query.AtMost:
		v = v.Add(1)
	}
	switch op {
	case query.More, query.AtLeast:
		if since.IsZero() || v.After(*since) {
			*since = v
		}
		return true
	case query.Less, query.AtMost:
		if until.IsZero() || v.Before(*until) {
			*until = v
		}
		return true
	}
	return false
}

// few is how many runs an attribute or words may have to be looked for by them, and not in the order asked for.
const few = 2000

// filter is the condition of all. If one of its terms is known to fit few runs, they are looked for by it.
func (a *ask) filter(ctx context.Context, c *conn) (*filter, error) {
	f := filterOf(a.q, a.order)
	if a.q.ID == "" && a.q.IDPrefix == "" && a.q.Run == "" && a.q.Parent == "" && a.q.CorrelationID == "" {
		for i, n := range a.rest {
			text, values := seek(n)
			if text == "" {
				continue
			}
			found, err := c.number(ctx, fmt.Sprintf("SELECT count(*) FROM (%s LIMIT %d)", text, few+1), values...)
			if err != nil {
				return nil, err
			}
			if found <= few {
				a.rest = slices.Delete(slices.Clone(a.rest), i, i+1)
				f = filterBy(a.q, a.order, nil)
				f.add("position IN ("+text+")", values...)
				break
			}
		}
	}
	for _, n := range a.rest {
		w := &condition{now: a.now}
		text := w.of(n)
		if words, is := n.(query.Text); is { // that many have: nearly each run that is looked at will do
			text, w.values = "EXISTS (SELECT 1 FROM doc WHERE doc.run = run.position AND EXISTS (SELECT 1 FROM words WHERE words.rowid = doc.id AND words MATCH ?))", []driver.Value{matching(words.Text)}
		}
		f.add(text, w.values...)
	}
	if a.order.Field.Name != "" && keys[a.order.By] == nil {
		w := &condition{now: a.now}
		text := w.expression(a.order.Field)
		f.add("("+text+") IS NOT NULL", w.values...)
	}
	return f, nil
}

// seek is the selection of the runs that fit a node, by an index of its own; empty if there is none.
func seek(n query.Node) (text string, values []driver.Value) {
	switch n := n.(type) {
	case query.Text:
		return "SELECT doc.run FROM words CROSS JOIN doc ON doc.id = words.rowid WHERE words MATCH ?", []driver.Value{matching(n.Text)}
	case query.Compare:
		if n.Field.Key == "" || n.Op != query.Equal {
			return "", nil
		}
		switch v := n.Value.(type) {
		case string:
			return "SELECT run FROM attribute WHERE name = ? AND text = ? AND text IS NOT NULL", []driver.Value{storedName(n.Field), v}
		case int64, float64, bool, time.Duration, time.Time:
			num, kind := stored(v)
			return "SELECT run FROM attribute WHERE name = ? AND num = ? AND num IS NOT NULL AND kind = '" + kind + "'", []driver.Value{storedName(n.Field), num}
		}
	}
	return "", nil
}

// orderBy is the order, and what it binds.
func (a *ask) orderBy() (text string, values []driver.Value) {
	if keys[a.order.By] != nil {
		return orderBy(a.order), nil
	}
	direction := ""
	if a.order.Desc {
		direction = " DESC"
	}
	w := &condition{now: a.now}
	text = " ORDER BY " + w.expression(a.order.Field) + direction + ", position" + direction
	return text, w.values
}

// behind leaves what comes behind the cursor.
func (a *ask) behind(f *filter) {
	if a.given.After == "" {
		return
	}
	if keys[a.order.By] != nil {
		f.behind(a.given, a.cursor, a.order)
		return
	}
	is := " > "
	if a.order.Desc {
		is = " < "
	}
	w := &condition{now: a.now}
	text := "(" + w.expression(a.order.Field) + ", position)" + is + "(?, ?)"
	f.add(text, append(w.values, unkey(a.cursor.Text), int64(a.cursor.Position))...)
}

// cursorAt is the place behind r.
func (a *ask) cursorAt(r *run) query.Cursor {
	if keys[a.order.By] != nil {
		return cursorAt(r, a.order, a.cursor.Now)
	}
	c := query.Cursor{Position: r.position, Now: a.cursor.Now}
	if all := a.order.Field.Values(&r.Row, a.now); len(all) > 0 {
		v, _ := stored(all[0])
		c.Text = key(v)
	}
	return c
}

// key is a value of an order as a text, and unkey the value again.
func key(v driver.Value) string {
	switch v := v.(type) {
	case string:
		return "t" + v
	case float64:
		return "f" + strconv.FormatFloat(v, 'x', -1, 64)
	}
	return "i" + fmt.Sprint(v)
}

func unkey(text string) driver.Value {
	if text == "" {
		return nil
	}
	switch rest := text[1:]; text[0] {
	case 'f':
		f, _ := strconv.ParseFloat(rest, 64)
		return f
	case 'i':
		n, _ := strconv.ParseInt(rest, 10, 64)
		return n
	default:
		return rest
	}
}

// limited ends what takes longer than the query allows.
func limited(ctx context.Context, q query.Query, do func(context.Context) error) error {
	within := q.Within
	if within == 0 {
		within = query.Patience
	}
	inner, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	err := do(inner)
	if err != nil && inner.Err() != nil && ctx.Err() == nil && errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("%w: not done within %s; ask for less, such as a type or a time, or allow more with Within", query.ErrTooLong, within)
	}
	return err
}

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
		a.now = time.Now()
	}
	var groups query.Groups
	err = limited(ctx, q, func(ctx context.Context) error {
		groups, err = x.group(ctx, a, all)
		return err
	})
	groups.By = by
	return groups, err
}

const nanosOfDay = "86400000000000"

// grouped is the expression of a grouping, with the kind of its values where each has its own, and the table that it joins.
func (a *ask) grouped(g query.Grouping, place int) (expression, kind, join string, w *condition) {
	w = &condition{now: a.now}
	if g.Field.Key == "" {
		expression = w.expression(g.Field)
		if g.Day {
			expression = "(" + expression + ") / " + nanosOfDay
		}
		return expression, "NULL", "", w
	}
	name := "g" + strconv.Itoa(place)
	w.bind(storedName(g.Field))
	return "ifnull(" + name + ".text, " + name + ".num)", "replace(" + name + ".kind, 'list', 'text')",
		" LEFT JOIN attribute AS " + name + " ON " + name + ".run = run.position AND " + name + ".name = ?", w
}

func (a *ask) selection(f *filter, all []query.Grouping) (text string, values []driver.Value) {
	var shown, joins []string
	var keyValues, joinValues []driver.Value
	for i, g := range all {
		expression, kind, join, w := a.grouped(g, i)
		shown = append(shown, expression, kind)
		if join == "" {
			keyValues = append(keyValues, w.values...)
		} else {
			joins = append(joins, join)
			joinValues = append(joinValues, w.values...)
		}
	}
	count := "count(*)"
	from := "run" + f.where()
	if len(joins) > 0 {
		count = "count(DISTINCT run.position)"
		from = "(SELECT * FROM run" + f.where() + ") AS run" + strings.Join(joins, "")
		values = slices.Concat(keyValues, f.values, joinValues)
	} else {
		values = slices.Concat(keyValues, f.values)
	}
	places := make([]string, len(shown))
	for i := range shown {
		places[i] = strconv.Itoa(i + 2)
	}
	text = "SELECT " + strings.Join(append([]string{count}, shown...), ", ") + " FROM " + from
	if len(places) > 0 {
		text += " GROUP BY " + strings.Join(places, ", ") + " ORDER BY 1 DESC, " + strings.Join(places, ", ") + fmt.Sprintf(" LIMIT %d", query.MaxGroups+1)
	}
	return text, values
}
