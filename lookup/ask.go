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
	whole  bool         // one filter has all
	now    time.Time
}

func (x *Index) asked(q query.Query) (*ask, error) {
	if err := q.Check(); err != nil {
		return nil, err
	}
	a := &ask{given: q}
	var err error
	if !q.AsOf.IsZero() && x.of != q.AsOf {
		return nil, &query.Invalid{Field: "AsOf", Value: q.AsOf.String(), Want: "none: this index is of " + x.of.String() + "; ask the runtime, or make another one with lookup.AsOf"}
	}
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
	searches := query.Any(tree, func(n query.Node) bool { _, is := n.(query.Text); return is })
	if searches && !x.words.Load().kept {
		return nil, &query.Invalid{Field: "Where", Value: "a search for TEXT", Want: "none: this index does not keep words; switch it on with Config.FullText"}
	}
	if a.cursor.Now.IsZero() {
		a.cursor.Now = q.Now
	}
	if a.cursor.Now.IsZero() && (q.Last > 0 || q.Where != "" || a.order.Field.Name == "duration") {
		a.cursor.Now = x.now()
	}
	a.now = a.cursor.Now
	a.q = q.At(a.now)
	a.take(tree)
	if w := x.words.Load(); searches && a.q.Type != "" && !w.has(a.q.Type) {
		return nil, &query.Invalid{Field: "Where", Value: "a search for TEXT in runs of " + a.q.Type, Want: "one in those of " + strings.Join(w.of, ", ") + ", whose words alone this index keeps; see Config.FullTextOf"}
	}
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
		if onlyOpen(n) && a.q.Status == 0 {
			a.q.Status = query.Open // which are few, and have an index
		}
	default:
		a.rest = append(a.rest, n)
	}
}

// onlyOpen reports whether open runs alone can fit a comparison.
func onlyOpen(n query.Compare) bool {
	switch n.Field.Name {
	case "attempts", "queue", "waiting-for":
		return true
	case "halted":
		return n.Op == query.Equal && n.Value == true
	}
	return false
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

// many is how many runs a beginning of ids may have to be looked for by it, and not in the order asked for.
var many = 20_000

// filters are the conditions of all: the runs are those that fit one of them, and none fits two. If a term is known to fit few runs, they
// are looked for by it.
func (a *ask) filters(ctx context.Context, c *conn) ([]*filter, error) {
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
				f := filterBy(a.q, a.order, nil)
				f.add("position IN ("+text+")", values...)
				a.addRest(f)
				return []*filter{f}, nil
			}
		}
	}
	by := a.q // by which they are found
	if a.q.ID == "" && a.q.IDPrefix != "" && a.order.By != query.ByID {
		f := &filter{by: []string{"id"}}
		f.prefix(a.q.IDPrefix)
		found, err := c.number(ctx, fmt.Sprintf("SELECT count(*) FROM (SELECT 1 FROM run%s LIMIT %d)", f.where(), many+1), f.values...)
		if err != nil {
			return nil, err
		}
		if found > int64(many) {
			by.IDPrefix = ""
		}
	}
	var all []*filter
	for _, set := range a.parts(by) {
		q, by := a.q, by
		q.Status, by.Status = set, set
		if by.Type != "" && set != 0 && set&query.Completed == 0 && a.order.By == query.ByStarted {
			fewer, err := fewerOf(ctx, c, by)
			if err != nil {
				return nil, err
			}
			if fewer {
				by.Type = ""
			} else {
				by.Status = 0
			}
		}
		f := filterBy(q, a.order, driving(by, a.order))
		a.addRest(f)
		all = append(all, f)
	}
	return all, nil
}

// fewerOf reports whether a namespace has fewer runs of the statuses asked for than of the type.
func fewerOf(ctx context.Context, c *conn, q query.Query) (bool, error) {
	n, err := c.number(ctx, "SELECT ifnull(sum(runs), 0) FROM tally WHERE (namespace = ? OR ? = '') AND (status & ?) <> 0", q.Namespace, q.Namespace, int64(q.Status))
	if err != nil {
		return false, err
	}
	of, err := c.number(ctx, "SELECT ifnull(sum(runs), 0) FROM tally WHERE (namespace = ? OR ? = '') AND type = ?", q.Namespace, q.Namespace, q.Type)
	return n <= of, err
}

// filter is the one condition that takes the place of [ask.filters], where runs are counted.
func (a *ask) filter(ctx context.Context, c *conn) (*filter, error) {
	a.whole = true
	all, err := a.filters(ctx, c)
	if err != nil {
		return nil, err
	}
	return all[0], nil
}

// parts divides the statuses asked for so that an index has the runs of each in the order of their start: those that are open, and each of
// those in which few runs end.
func (a *ask) parts(by query.Query) (parts []query.Status) {
	set := by.Status
	if a.whole || set == 0 || set&query.Completed != 0 || a.order.By != query.ByStarted || by.Namespace == "" ||
		by.ID != "" || by.IDPrefix != "" || by.Run != "" || by.Parent != "" || by.CorrelationID != "" {
		return []query.Status{set}
	}
	if open := set & query.Open; open != 0 {
		parts = append(parts, open)
	}
	for bit := query.Status(1); bit <= set; bit <<= 1 {
		if set&bit&^query.Open != 0 {
			parts = append(parts, bit)
		}
	}
	return parts
}

// addRest adds what is not among the fields of the query.
func (a *ask) addRest(f *filter) {
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
}

// places selects the positions of a page of runs, and one more.
func (a *ask) places(all []*filter, limit int) (text string, values []driver.Value) {
	order, ordering := a.orderBy()
	if len(all) == 1 {
		return fmt.Sprintf("SELECT position FROM run%s%s LIMIT %d", all[0].where(), order, limit), slices.Concat(all[0].values, ordering)
	}
	var each []string
	for _, f := range all {
		each = append(each, "SELECT started, position FROM run"+f.where())
		values = append(values, f.values...)
	}
	return fmt.Sprintf("SELECT position FROM (%s%s LIMIT %d)", strings.Join(each, " UNION ALL "), order, limit), values
}

// seek is the selection of the runs that fit a node, by an index of its own; empty if there is none.
func seek(n query.Node) (text string, values []driver.Value) {
	switch n := n.(type) {
	case query.Text:
		return "SELECT doc.run FROM words CROSS JOIN doc ON doc.id = words.rowid WHERE words MATCH ?", []driver.Value{matching(n.Text)}
	case query.Compare:
		if !tabled(n.Field) || n.Op != query.Equal {
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
