package runtime

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/clewflow/clew/commands"
	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/query"
	"github.com/clewflow/clew/workflow"
)

// What workflows ask of the index is an errand too: what is asked and not answered is in the state, so it is found again after a crash
// and by the next owner, and an answer that comes second changes nothing.

const (
	findsAtOnce  = 16               // lookups of workflows at the same time; the others wait
	findPatience = 10 * time.Second // for the index to have everything, before its place goes to another lookup
)

// finds answers what an entry asks.
func (x *execution) finds(s *history.State, e *history.Entry) {
	if v, ok := e.Event.(*history.FindAsked); ok {
		if f := s.Finds[v.Step]; f != nil {
			x.find(s.Run, f, v)
		}
	}
}

// findsAgain answers what a state says is asked, when nobody may be doing it.
func (x *execution) findsAgain(s *history.State, durable uint64) {
	for _, step := range sorted(s.Finds) {
		if f := s.Finds[step]; f.Seq <= durable {
			x.find(s.Run, f, nil)
		}
	}
}

// find asks the index, and tells the code. asked is read from the log if it is nil.
func (x *execution) find(run history.Run, f *history.Find, asked *history.FindAsked) {
	r, id, seq, step := x.rt, x.id, f.Seq, f.Step
	r.apart(id, step, "find", id, r.finding, func(ctx context.Context) error {
		if asked == nil {
			e, err := r.event(ctx, id, seq)
			if err != nil {
				return err
			}
			if asked, _ = e.(*history.FindAsked); asked == nil {
				return fmt.Errorf("entry %d of %s is %s and asks nothing of the index", seq, id, e.Kind())
			}
		}
		answer, err := r.answer(ctx, run, asked)
		if err != nil {
			return err
		}
		_, err = r.do(ctx, id, &call{command: answer, by: history.Clock})
		if errors.Is(err, ErrTooLarge) { // for the log, if not for us
			_, err = r.do(ctx, id, &call{command: refusedFind(run, step, err), by: history.Clock})
		}
		if over(err) {
			return nil
		}
		return err
	})
}

// answer is what the index says to a question of a run. The error is one that may not come again.
func (r *Runtime) answer(ctx context.Context, run history.Run, asked *history.FindAsked) (commands.AnswerFind, error) {
	answer := commands.AnswerFind{Run: run.ID, Step: asked.Step}
	var q query.Query
	err := asked.Query.Decode(&q)
	if err != nil {
		return answer, fmt.Errorf("runtime: reading what step %d asks of the index: %w", asked.Step, err)
	}
	var rows []query.Row
	switch {
	case r.config.Hooks.Find != nil:
		rows = append([]query.Row{}, r.config.Hooks.Find(q)...)
		answer.Found = uint64(len(rows))
	case asked.Count:
		answer.Found, answer.Position, err = r.countFor(ctx, q.AskedBy(run.ID, run.Started))
	default:
		rows, answer.Position, err = r.rowsFor(ctx, q.AskedBy(run.ID, run.Started))
		answer.Found = uint64(len(rows))
	}
	if err == nil && !asked.Count {
		answer.Rows, err = r.rowsPayload(rows)
	}
	if refused := refusedFind(run, asked.Step, err); refused.Refused != "" {
		return refused, nil
	}
	return answer, err
}

// rowsFor turns all pages. The position is that of the first one, which all others are at or behind.
func (r *Runtime) rowsFor(ctx context.Context, q query.Query) (rows []query.Row, position uint64, err error) {
	q.Unseen = !q.Known // a sweep may come before the first run that it looks for
	if err := r.freshSoon(ctx, &q); err != nil {
		return nil, 0, err
	}
	rows, q.Limit = []query.Row{}, query.MaxLimit
	for {
		page, err := r.index.Find(ctx, q)
		if err != nil {
			return nil, 0, err
		}
		if len(rows) == 0 {
			position = page.Position
		}
		rows = append(rows, page.Rows...)
		switch {
		case q.Most > 0 && len(rows) >= q.Most:
			rows, page.Next = rows[:q.Most], ""
		case len(rows) > workflow.MaxRows:
			return nil, 0, fmt.Errorf("%w: more than %d; ask for less, or say with Most how many are enough", workflow.ErrTooManyRows, workflow.MaxRows)
		}
		if page.Next == "" {
			return rows, position, nil
		}
		q.After = page.Next
	}
}

func (r *Runtime) countFor(ctx context.Context, q query.Query) (found, position uint64, err error) {
	q.Unseen = !q.Known
	if err := r.freshSoon(ctx, &q); err != nil {
		return 0, 0, err
	}
	groups, err := r.index.Group(ctx, q)
	if err != nil {
		return 0, 0, err
	}
	return uint64(groups.Groups[0].Count), groups.Position, nil
}

// freshSoon is fresh that gives up after a while, with [lookup.ErrBehind].
func (r *Runtime) freshSoon(ctx context.Context, q *query.Query) error {
	ctx, cancel := context.WithTimeout(ctx, findPatience)
	defer cancel()
	return r.fresh(ctx, q)
}

// rowsPayload is how rows are recorded: in the entry, or where the vault puts what is large.
func (r *Runtime) rowsPayload(rows []query.Row) (history.Payload, error) {
	if len(rows) > workflow.MaxRows { // which a test has made up
		return history.Payload{}, fmt.Errorf("%w: %d, the limit is %d", workflow.ErrTooManyRows, len(rows), workflow.MaxRows)
	}
	p, err := history.Encode(rows)
	if err == nil && p.Size() > r.config.Payload {
		err = fmt.Errorf("%w: %d rows take %d bytes, the limit is %d", ErrTooLarge, len(rows), p.Size(), r.config.Payload)
	}
	return p, err
}

// refusedFind is the answer for what would be wrong again next time; without a reason it may not be.
func refusedFind(run history.Run, step history.Step, err error) commands.AnswerFind {
	c := commands.AnswerFind{Run: run.ID, Step: step}
	for _, known := range []struct {
		err    error
		reason string
	}{
		{workflow.ErrTooManyRows, history.RefusedTooMany}, {ErrTooLarge, history.RefusedTooLarge}, {query.ErrTooLong, history.RefusedTooLong},
		{ErrInvalid, history.RefusedInvalid}, {query.ErrInvalid, history.RefusedInvalid},
	} {
		if c.Refused == "" && errors.Is(err, known.err) {
			c.Refused, c.Message = known.reason, err.Error()
		}
	}
	return c
}
