package lookup

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"math/bits"
	"slices"
	"strings"
	"time"

	"github.com/clewflow/clew/query"
	"github.com/clewflow/clew/store"
)

// Find answers a query with one page and the position that it reflects. It does not wait for anything: who wants to see
// what was acknowledged before, asks [Index.Reached] first. Errors: [query.ErrInvalid], [ErrClosed], [ErrAnew].
func (x *Index) Find(ctx context.Context, q query.Query) (query.Page, error) {
	a, err := x.asked(q)
	if err != nil {
		return query.Page{}, err
	}
	var page query.Page
	err = limited(ctx, q, func(ctx context.Context) error {
		page, err = x.find(ctx, a)
		return err
	})
	if err != nil {
		return query.Page{}, err
	}
	return page, nil
}

func (x *Index) find(ctx context.Context, a *ask) (page query.Page, err error) {
	q := a.given
	err = x.read(ctx, func(c *conn, position store.Position) error {
		page = query.Page{Rows: []query.Row{}, Position: position.Commit}
		if page.Unknown, err = a.unknown(ctx, c); err != nil {
			return err
		}
		filters, err := a.filters(ctx, c)
		if err != nil {
			return err
		}
		for _, f := range filters {
			a.behind(f)
		}
		places, values := a.places(filters, q.PageSize()+1)
		order, ordering := a.orderBy()
		text := fmt.Sprintf(findRuns, places, order)
		var last *run
		return c.query(ctx, text, slices.Concat(values, ordering), func(row []driver.Value) (err error) {
			if len(page.Rows) == q.PageSize() { // there is one more
				page.Next = q.Next(a.cursorAt(last))
				return nil
			}
			if last, err = scanRow(row); err == nil {
				page.Rows = append(page.Rows, last.Row)
			}
			return err
		})
	})
	return page, err
}

// findRuns sorts, where it has to, positions and not whole rows.
var findRuns = "SELECT " + columns + " FROM run WHERE position IN (%s)%s"

// Count is the number of runs that [Index.Find] finds on all pages.
func (x *Index) Count(ctx context.Context, q query.Query) (n int, err error) {
	groups, err := x.Group(ctx, q)
	if err != nil {
		return 0, err
	}
	return groups.Groups[0].Count, nil
}

// read runs ask on a reader's connection, which sees the index as it is at one position. If the file turns out to be
// damaged it is given up.
func (x *Index) read(ctx context.Context, ask func(*conn, store.Position) error) error {
	epoch, _ := x.place()
	c, err := x.take(ctx, x.readers)
	if err == nil {
		err = c.within("BEGIN", func() error {
			position, err := c.place(ctx)
			if err != nil {
				return err
			}
			return ask(c, position)
		})
		x.readers <- c
	}
	switch {
	case err == nil, errors.Is(err, ErrClosed), errors.Is(err, query.ErrInvalid):
		return err
	case ctx.Err() != nil:
		return ctx.Err()
	case damaged(err):
		return x.giveUp(epoch, err)
	}
	return fmt.Errorf("lookup: reading the index: %w", err)
}

// giveUp begins the index anew, unless that was done since epoch.
func (x *Index) giveUp(epoch int, why error) error {
	c, err := x.take(context.Background(), x.writer)
	if err != nil {
		return err
	}
	if now, _ := x.place(); now == epoch {
		x.logger.Warn("the index is damaged and is built anew", "path", x.path, "error", why)
		c, err = x.anew(c)
	}
	x.writer <- c
	if err != nil {
		return fmt.Errorf("%w: %w", ErrAnew, err)
	}
	return ErrAnew
}

// filter is the condition of a query: all terms must hold. Whatever a user gave is a bound value; the terms are texts of
// this file.
type filter struct {
	by     []string // the columns of the index that is to be chosen
	terms  []string
	values []driver.Value
}

func (f *filter) add(term string, values ...driver.Value) {
	f.terms = append(f.terms, term)
	f.values = append(f.values, values...)
}

func (f *filter) where() string {
	if len(f.terms) == 0 {
		return ""
	}
	return " WHERE " + strings.Join(f.terms, " AND ")
}

// filterOf makes the condition of q. A column that an index should not be chosen for has a plus before it: without
// statistics SQLite believes that each equality leaves a handful of rows, also where it leaves nearly all of them.
func filterOf(q query.Query, order query.Order) *filter {
	return filterBy(q, order, driving(q, order))
}

// filterBy is filterOf with other columns than those of an index of runs.
func filterBy(q query.Query, order query.Order, by []string) *filter {
	f := &filter{by: by}
	column := f.column
	equal := func(name, value string) {
		if value != "" {
			f.add(column(name)+" = ?", value)
		}
	}
	equal("namespace", q.Namespace)
	equal("type", q.Type)
	equal("id", q.ID)
	equal("run", q.Run)
	equal("parent", q.Parent)
	equal("origin", q.Origin)
	equal("correlation", q.CorrelationID)
	if q.IDPrefix != "" {
		f.prefix(q.IDPrefix)
	}
	bound := func(name, is string, t time.Time) {
		if !t.IsZero() {
			f.add(column(name)+is, query.Nanos(t))
		}
	}
	bound("started", " >= ?", q.Since)
	bound("started", " < ?", q.Until)
	bound("closed", " >= ?", q.ClosedSince)
	bound("closed", " < ?", q.ClosedUntil)
	if order.By == query.ByClosed {
		f.add(column("closed") + " IS NOT NULL")
	}
	f.status(q.Status, column("status"))
	return f
}

func (f *filter) prefix(prefix string) {
	f.add(f.column("id")+" >= ?", prefix)
	if end, ok := beyond(prefix); ok {
		f.add(f.column("id")+" < ?", end)
	}
}

func (f *filter) column(name string) string {
	if slices.Contains(f.by, name) {
		return name
	}
	return "+" + name
}

// driving names the columns of the index by which SQLite is to find the runs.
func driving(q query.Query, order query.Order) []string {
	switch {
	case q.ID != "" || q.IDPrefix != "":
		return []string{"id"}
	case q.Run != "":
		return []string{"run"}
	case q.Parent != "":
		return []string{"parent"}
	case q.CorrelationID != "":
		return []string{"correlation"}
	case q.Status != 0 && q.Status&query.Completed == 0 && q.Status&query.Open == 0:
		if bits.OnesCount16(uint16(q.Status)) > 1 {
			return []string{"namespace", "status"}
		}
		return []string{"namespace", "status", "started"}
	case order.By == query.ByID:
		return []string{"id"}
	case order.By == query.ByClosed || !q.ClosedSince.IsZero() || !q.ClosedUntil.IsZero():
		return []string{"namespace", "closed"}
	case q.Type != "" || order.By == query.ByType:
		return []string{"namespace", "type", "started"}
	}
	return []string{"namespace", "started"}
}

// status adds the statuses as numbers in the text, because only so SQLite sees that a partial index will do.
func (f *filter) status(set query.Status, column string) {
	if set == 0 || set == query.Open|query.Closed {
		return
	}
	if f.by == nil {
		f.add("(status & ?) <> 0", int64(set))
		return
	}
	if set&^query.Open == 0 {
		f.add(isOpen)
	} else if set&(query.Open|query.Completed) == 0 {
		f.add(isUnusual)
	}
	if set == query.Open {
		return
	}
	var each []string
	for bit := query.Status(1); bit <= set; bit <<= 1 {
		if set&bit != 0 {
			each = append(each, fmt.Sprint(uint16(bit)))
		}
	}
	f.add(column + " IN (" + strings.Join(each, ", ") + ")")
}

// beyond returns the least text that is greater than all that begin with prefix; ok is false if there is none.
func beyond(prefix string) (end string, ok bool) {
	b := []byte(prefix)
	for len(b) > 0 && b[len(b)-1] == 0xff {
		b = b[:len(b)-1]
	}
	if len(b) == 0 {
		return "", false
	}
	b[len(b)-1]++
	return string(b), true
}

// keys are the columns that rows are ordered by. The last one is different in every row.
var keys = map[query.By][]string{
	query.ByStarted: {"started", "position"},
	query.ByClosed:  {"closed", "position"},
	query.ByID:      {"id", "position"},
	query.ByType:    {"type", "started", "position"},
}

func orderBy(order query.Order) string {
	direction := ""
	if order.Desc {
		direction = " DESC"
	}
	return " ORDER BY " + strings.Join(keys[order.By], direction+", ") + direction
}

// behind leaves only what comes behind a cursor. The first column is compared once more alone, so that its index is used.
func (f *filter) behind(q query.Query, c query.Cursor, order query.Order) {
	if q.After == "" {
		return
	}
	is := " > "
	if order.Desc {
		is = " < "
	}
	key := map[query.By][]driver.Value{
		query.ByStarted: {c.Time.UnixNano()},
		query.ByClosed:  {c.Time.UnixNano()},
		query.ByID:      {c.Text},
		query.ByType:    {c.Text, c.Time.UnixNano()},
	}[order.By]
	names := slices.Clone(keys[order.By])
	names[0] = f.column(names[0])
	f.add(names[0]+strings.TrimSpace(is)+"= ?", key[0])
	marks := strings.TrimSuffix(strings.Repeat("?, ", len(names)), ", ")
	f.add("("+strings.Join(names, ", ")+")"+is+"("+marks+")", append(key, int64(c.Position))...)
}

// cursorAt is the place behind r.
func cursorAt(r *run, order query.Order, now time.Time) query.Cursor {
	c := query.Cursor{Position: r.position, Now: now}
	switch order.By {
	case query.ByStarted:
		c.Time = r.Started
	case query.ByClosed:
		c.Time = r.Closed
	case query.ByID:
		c.Text = r.ID
	case query.ByType:
		c.Text, c.Time = r.Type, r.Started
	}
	return c
}
