package workflow

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/clewflow/clew/commands"
	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/query"
)

// MaxRows is how many rows one [Find] can be given.
const MaxRows = 100_000

// ErrTooManyRows: more runs than [MaxRows] fit the question. None is given, because code that acts on what it finds must not take a part
// for the whole. Ask for less, or say with Most how many are enough.
var ErrTooManyRows = errors.New("clew: a lookup finds more rows than a workflow can be given")

// Find looks runs up, in the order asked for, and waits for the answer. It is recorded: replay gives the same rows and looks nothing up.
// No rows is an answer.
//
// The window ends where the asking run begins: runs that were recorded later than it are not found, nor is the run itself, and what is
// relative to now ("started > now-24h", Last, the duration of open runs) is relative to [Run].Started. How the runs stand, such as their
// status, is as of the answer, which has everything that was acknowledged before the question, unless the query is Stale. The namespace is
// that of the run, unless the query names another.
//
// All pages are turned, so Limit means nothing and After is refused. Most bounds the rows; without it more than [MaxRows] are
// [ErrTooManyRows]. Errors: runtime.ErrInvalid for a question that cannot be answered as it stands, [ErrTooManyRows], runtime.ErrTooLarge
// for rows that are larger together than a payload may be, [query.ErrTooLong], or that the scope ended. While the index is behind or
// unavailable it is asked again.
func Find(ctx Context, q query.Query) (rows []query.Row, err error) {
	p, err := ctx.find(q, false)
	if err != nil {
		return nil, err
	}
	rows, err = Future[[]query.Row]{p}.Get(ctx)
	ctx.seeFind(p, len(rows), err)
	return rows, err
}

// Count is the number of rows that [Find] would be given if there were no limits. Order, Limit and Most mean nothing.
func Count(ctx Context, q query.Query) (n int, err error) {
	p, err := ctx.find(q, true)
	if err != nil {
		return 0, err
	}
	n, err = Future[int]{p}.Get(ctx)
	ctx.seeFind(p, n, err)
	return n, err
}

// find asks, unless it is known at once that there is no answer.
func (c Context) find(q query.Query, count bool) (*Pending, error) {
	if err := c.Err(); err != nil {
		return nil, err
	}
	if q.After != "" {
		return nil, fmt.Errorf("%w: %w", commands.ErrInvalid, &query.Invalid{Field: "After", Value: "a place among pages", Want: "none: a workflow is given all pages"})
	}
	if err := q.Check(); err != nil {
		return nil, fmt.Errorf("%w: %w", commands.ErrInvalid, err)
	}
	text, err := q.MarshalJSON() // which leaves < and > as they are
	asked := history.JSON(text)
	if err == nil {
		err = c.run.driver.Fits(asked)
	}
	if err != nil {
		return nil, fmt.Errorf("lookup: %w", err)
	}
	p := &Pending{}
	ask := commands.Find{Step: c.run.driver.NextStep(p), Query: asked, Count: count}
	p.bell.Outside = true
	p.bell.About = func() string { return fmt.Sprintf("the answer to a lookup (step %d)", ask.Step) }
	c.run.ask(ask)
	c.seeFind(p, 0, nil)
	return p, nil
}

// ForEach begins a child for each row, several at once, and returns how they ended in the order of the rows. The row is the child's input.
// Default of [Limit]: 16. One child that fails does not stop the others; the error says only that the scope ended.
//
// The id of a child follows from the id of the execution that calls ForEach, the child's type, and the row's run; and it is started only if
// that id was never used. So when the same sweep is done again, by a later run or after a restart, or a row is met twice, nothing is
// started twice: the outcome is then [ErrAlreadyExists], or [ErrAlreadyRunning] while the child runs.
func ForEach[Out any](ctx Context, rows []query.Row, w Type[query.Row, Out], opts ...MapOption) ([]Outcome[Out], error) {
	sweep := ctx.run.driver.Run().ID
	return MapAll(ctx, rows, func(ctx Context, row query.Row) (Out, error) {
		return Child(ctx, w, row, ID(sweptID(sweep, w.Definition(), row)), once)
	}, opts...)
}

// once has a child started only if its id was never used.
var once = childOption(func(s *Settings) { s.once = true })

// sweptID is the id of the child for a row. It names both executions, as long as there is room.
func sweptID(sweep, child string, row query.Row) string {
	h := sha256.New()
	fmt.Fprintf(h, "%q %q %q %q", child, row.Namespace, row.ID, row.Run)
	sum := hex.EncodeToString(h.Sum(nil))
	if id := sweep + "~" + row.ID + "." + sum[:12]; len(id) <= commands.MaxName {
		return id
	}
	fmt.Fprintf(h, " %q", sweep)
	return "~" + hex.EncodeToString(h.Sum(nil)[:18])
}
