package runtime

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/clewflow/clew/commands"
	"github.com/clewflow/clew/dispatch"
	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/query"
	"github.com/clewflow/clew/workflow"
)

// Description is what is known of an execution: of its current run, or the last one.
type Description struct {
	Namespace       string            `json:"namespace"`
	ID              string            `json:"id"`
	Run             string            `json:"run"`
	Number          uint64            `json:"number"`
	Type            string            `json:"type"`
	Version         int               `json:"version,omitempty"`
	Status          query.Status      `json:"-"`
	StatusName      string            `json:"status"`
	Build           string            `json:"build"`
	Origin          history.Origin    `json:"origin"`
	CorrelationID   string            `json:"correlation_id,omitempty"`
	Started         time.Time         `json:"started"`
	Closed          time.Time         `json:"closed,omitzero"`
	Deadline        time.Time         `json:"deadline,omitzero"` // of the execution; if limits are held, as it was when that began
	LimitsHeldSince time.Time         `json:"limits_held_since,omitzero"`
	Entries         uint64            `json:"entries"`
	Bytes           int               `json:"bytes"`
	CancelRequested bool              `json:"cancel_requested,omitempty"`
	Stalled         string            `json:"stalled,omitempty"`
	Slot            string            `json:"slot,omitempty"`   // what it waits for before it begins: which limit, and how full it is
	Halted          string            `json:"halted,omitempty"` // by a rule for its workflow or its namespace: by whom, since when and why
	Parent          string            `json:"parent,omitempty"`
	Root            string            `json:"root,omitempty"`
	Route           string            `json:"route,omitempty"` // why it is of this version; empty: it was the newest
	Attributes      map[string]any    `json:"attributes,omitempty"`
	Memo            map[string]any    `json:"memo,omitempty"`
	Headers         map[string]string `json:"headers,omitempty"`
	Children        []PendingChild    `json:"children,omitempty"`
	Updates         []string          `json:"updates,omitempty"` // ids of those that are accepted and not answered
	Activities      []PendingActivity `json:"activities,omitempty"`
	Timers          []PendingTimer    `json:"timers,omitempty"`
	Waiting         []history.Reason  `json:"waiting,omitempty"`
	Holds           []Hold            `json:"holds,omitempty"` // while there are some, nothing of it is taken away
	Failure         string            `json:"failure,omitempty"`
	Policy          []Setting         `json:"policy,omitempty"` // its time-outs, and the limits of open runs; what is not named is the default, which is none
	View            json.RawMessage   `json:"view,omitempty"`   // what the code has published
	Next            time.Time         `json:"next,omitzero"`    // when it is looked at without being asked
}

// PendingActivity is an activity that is not settled.
type PendingActivity struct {
	Step          uint64          `json:"step"`
	Name          string          `json:"name"`
	Attempt       int             `json:"attempt"`
	Scheduled     time.Time       `json:"scheduled"`
	Started       time.Time       `json:"started,omitzero"` // of the attempt in hand
	LastHeartbeat time.Time       `json:"last_heartbeat,omitzero"`
	Checkpoint    history.Payload `json:"-"`
	NextAttempt   time.Time       `json:"next_attempt,omitzero"`
	Waits         string          `json:"waits,omitempty"`   // for a limit: which, and how much of it is in use
	Outside       bool            `json:"outside,omitempty"` // waits to be completed by its token
	LastFailure   string          `json:"last_failure,omitempty"`
	Policy        []Setting       `json:"policy,omitempty"` // with the limits that are in force; what is not named is the default
}

// PendingChild is a child that has not ended.
type PendingChild struct {
	Step            uint64    `json:"step"`
	ID              string    `json:"id"`
	Type            string    `json:"type"`
	Asked           time.Time `json:"asked"`
	Started         bool      `json:"started"`
	CancelRequested bool      `json:"cancel_requested,omitempty"`
}

// PendingTimer is a timer that has neither fired nor been stopped.
type PendingTimer struct {
	Step uint64    `json:"step"`
	Due  time.Time `json:"due"`
}

// Describe says how an execution stands, with everything that is in progress. Errors: ErrInvalid, ErrNotFound,
// ErrUnavailable.
func (r *Runtime) Describe(ctx context.Context, id string) (d Description, err error) {
	if err := commands.CheckID("workflow id", id); err != nil {
		return d, err
	}
	holds, err := r.Holds(ctx, id)
	if err != nil {
		return d, err
	}
	d, err = see(ctx, r, r.id(id), func(m *memory) (d Description, _ error) {
		if m.state.Status == 0 {
			return d, fmt.Errorf("%w: %s", ErrNotFound, id)
		}
		d = describe(r.id(id), m.state)
		d.Holds = holds
		if of, rule, halted := r.halts(d.Type); halted && m.state.Open() {
			d.Halted = haltedBecause(of, rule)
			d.Waiting = append([]history.Reason{{Why: "somebody to unpause " + of.String() + "; it is " + d.Halted, Since: rule.At}}, d.Waiting...)
		}
		if m.state.Run.Queued {
			d.waitsForSlot(m.state.Run.SlotWanted(), r.openRuns.Why(r.id(id)))
		}
		for _, f := range r.queue.Facts(r.id(id)) {
			d.inHand(f)
		}
		for i := range d.Activities {
			if p := &d.Activities[i]; p.Started.IsZero() {
				p.Waits = r.waits(dispatch.Key{ID: r.id(id), Step: history.Step(p.Step)})
			}
		}
		r.limitsOf(&d, m.state)
		return d, nil
	})
	if err != nil {
		return d, err
	}
	return d, r.laidDown(ctx, &d)
}

func describe(id history.ID, s *history.State) Description {
	d := Description{
		Namespace: id.Namespace, ID: id.Workflow, Run: s.Run.ID, Number: s.Run.Number, Type: s.Run.Type, Version: s.Run.Version,
		Status: s.Status, StatusName: s.Status.String(), Build: s.Build, Origin: s.Run.Origin, CorrelationID: s.Run.CorrelationID,
		Started: s.Run.Started, Closed: s.Run.Closed, Deadline: s.Run.Deadline, Entries: s.Seq - s.Run.Began + 1, Bytes: s.Bytes,
		CancelRequested: s.Run.CancelRequested, Waiting: s.Waiting(), Next: s.Wake(), Policy: history.Chosen(s.Settings()),
	}
	if v := s.View; !v.Closed() && !v.Redacted() && v.Encoding == "" {
		d.View = v.Data
	}
	if s.Pause.HoldsLimits() {
		d.LimitsHeldSince = s.Pause.Since
	}
	if s.Stall != nil {
		d.Stalled = s.Stall.Reason
	}
	if !s.Outcome.Failure.Absent() {
		d.Failure = history.ReadFailure(s.Outcome.Failure).Message
	}
	for _, a := range s.Activities {
		p := PendingActivity{
			Step: uint64(a.Step), Name: a.Name, Attempt: a.Attempt, Scheduled: a.Scheduled, Started: a.Started, LastHeartbeat: a.Beat,
			Checkpoint: a.Checkpoint, NextAttempt: a.RetryAt, Outside: a.Pending, Policy: history.Chosen(a.Settings()),
		}
		if !a.LastFailure.Absent() {
			p.LastFailure = history.ReadFailure(a.LastFailure).Message
		}
		d.Activities = append(d.Activities, p)
	}
	slices.SortFunc(d.Activities, func(a, b PendingActivity) int { return cmp.Compare(a.Step, b.Step) })
	d.relations(s)
	for step, due := range s.Timers {
		d.Timers = append(d.Timers, PendingTimer{uint64(step), due})
	}
	slices.SortFunc(d.Timers, func(a, b PendingTimer) int { return cmp.Compare(a.Step, b.Step) })
	return d
}

// relations adds what a run has to do with others, and what it says of itself. What cannot be read is left out.
func (d *Description) relations(s *history.State) {
	d.Parent, d.Root, d.Route = s.Run.Parent.ID, s.Run.Root, s.Run.Route
	_ = s.Run.Memo.Decode(&d.Memo)
	_ = s.Run.Headers.Decode(&d.Headers)
	if len(s.Attributes) > 0 {
		d.Attributes = query.AttributesOf(s.Attributes)
	}
	for _, step := range sorted(s.Children) {
		c := s.Children[step]
		d.Children = append(d.Children, PendingChild{uint64(step), c.ID, c.Type, c.Asked, c.Chain != "", c.CancelRequested})
	}
	for id := range s.Updates {
		d.Updates = append(d.Updates, id)
	}
	slices.Sort(d.Updates)
}

// inHand adds what only those know who have an attempt in hand.
func (d *Description) inHand(f commands.Attempt) {
	for i := range d.Activities {
		if a := &d.Activities[i]; a.Step == uint64(f.Step) {
			a.Started, a.LastHeartbeat, a.NextAttempt = f.Started, f.Beat, time.Time{}
			if !f.Checkpoint.Absent() {
				a.Checkpoint = f.Checkpoint
			}
		}
	}
}

// History yields the entries of an execution, over all its runs, with payloads open where they can be opened. An error ends it.
func (r *Runtime) History(ctx context.Context, id string) iter.Seq2[history.Entry, error] {
	return func(yield func(history.Entry, error) bool) {
		if err := commands.CheckID("workflow id", id); err != nil {
			yield(history.Entry{}, err)
			return
		}
		none := true
		for record, err := range r.log.Read(ctx, r.id(id), 1) {
			none = false
			open, closed := r.unwrap(ctx, r.id(id), record.Entry)
			if closed != nil {
				open = record.Entry // it says itself that it is closed
			}
			if !yield(open, err) || err != nil {
				return
			}
		}
		if none {
			yield(history.Entry{}, fmt.Errorf("%w: %s", ErrNotFound, id))
		}
	}
}

// Find yields the runs that a query asks for, page by page. The zero query asks for every run of the namespace, newest
// first, and a query whose condition names a namespace those of that. It sees all that was acknowledged before it was asked, unless the query
// is Stale, and ends after Most.
func (r *Runtime) Find(ctx context.Context, q query.Query) iter.Seq2[query.Row, error] {
	return func(yield func(query.Row, error) bool) {
		left := q.Most
		for {
			page, err := r.FindPage(ctx, q)
			if err != nil {
				yield(query.Row{}, err)
				return
			}
			for _, row := range page.Rows {
				if !yield(row, nil) {
					return
				}
				if left--; left == 0 {
					return
				}
			}
			if page.Next == "" {
				return
			}
			q.After = page.Next
		}
	}
}

// FindPage returns one page of what [Runtime.Find] yields.
func (r *Runtime) FindPage(ctx context.Context, q query.Query) (query.Page, error) {
	x, done, err := r.indexFor(ctx, &q)
	if err != nil {
		return query.Page{}, err
	}
	defer done()
	page, err := x.Find(ctx, q)
	for i, row := range page.Rows {
		if of, rule, halted := r.halts(row.Type); halted && row.Status&query.Open != 0 && row.Namespace == r.config.Namespace {
			page.Rows[i].Waiting = haltedBecause(of, rule)
		}
	}
	return page, err
}

// Count returns how many runs a query asks for.
func (r *Runtime) Count(ctx context.Context, q query.Query) (int, error) {
	x, done, err := r.indexFor(ctx, &q)
	if err != nil {
		return 0, err
	}
	defer done()
	return x.Count(ctx, q)
}

// Group counts the runs that a query asks for by the values of one or two fields, or of a day ([query.Day]); by nothing at all it is one
// group. Errors: ErrInvalid, [query.ErrTooLong].
func (r *Runtime) Group(ctx context.Context, q query.Query, by ...string) (query.Groups, error) {
	x, done, err := r.indexFor(ctx, &q)
	if err != nil {
		return query.Groups{}, err
	}
	defer done()
	groups, err := x.Group(ctx, q, by...)
	if errors.Is(err, query.ErrInvalid) {
		err = fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	return groups, err
}

// Measure says what the numbers of a field come to, such as "duration" or "input.total", among the runs that a query asks for: least, greatest, sum,
// average and percentiles, by one or two fields, a day, or for all together. Errors: as of Group.
func (r *Runtime) Measure(ctx context.Context, q query.Query, of string, by ...string) (query.Measures, error) {
	x, done, err := r.indexFor(ctx, &q)
	if err != nil {
		return query.Measures{}, err
	}
	defer done()
	answer, err := x.Measure(ctx, q, of, by...)
	if errors.Is(err, query.ErrInvalid) {
		err = fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	return answer, err
}

// fresh waits until the index has everything that was acknowledged so far.
func (r *Runtime) fresh(ctx context.Context, q *query.Query) error {
	if q.Namespace == "" {
		if n, err := query.ParseWhere(q.Where); err != nil || !query.Mentions(n, "namespace") {
			q.Namespace = r.config.Namespace
		}
	}
	if err := q.Check(); err != nil {
		return fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	if q.Stale || !q.AsOf.IsZero() {
		return nil
	}
	head, err := r.log.Head(ctx)
	if err != nil {
		return err
	}
	return r.index.Reached(ctx, head)
}

// Query asks the code of an execution about its state. Nothing is recorded. Errors: ErrInvalid (the code answers no such
// query), ErrNotFound, ErrStalled, or what the handler returned.
func Query[Out any](ctx context.Context, rt *Runtime, id string, q workflow.Query[Out], opts ...CallOption) (out Out, err error) {
	name, arg, err := q.Asked()
	if err != nil {
		return out, &commands.Invalid{Field: "the argument of the query", Value: err.Error(), Want: "a value that encodes as JSON"}
	}
	if err := commands.CheckID("workflow id", id); err != nil {
		return out, err
	}
	var answer history.Payload
	_, err = rt.do(ctx, rt.id(id), &call{code: true, of: callSettingsOf(opts).run, look: func(m *memory) (err error) {
		switch {
		case m.state.Status == 0:
			return fmt.Errorf("%w: %s", ErrNotFound, id)
		case m.machine == nil:
			return fmt.Errorf("%w: %w", ErrStalled, m.stall)
		}
		answer, err = m.machine.Query(name, arg)
		return err
	}})
	if err != nil {
		return out, err
	}
	return out, answer.Decode(&out)
}
