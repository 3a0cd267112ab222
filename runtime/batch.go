package runtime

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/clewflow/clew/activity"
	"github.com/clewflow/clew/query"
	"github.com/clewflow/clew/system"
	"github.com/clewflow/clew/workflow"
)

// Batch does an operation to each of the executions that a query finds: as a workflow, whose id is given, so it goes on after a crash, can
// be paused and cancelled, publishes how far it has come ([Published]), and is found like any other. The set is that of the moment at
// which it begins, less the executions that have changed when their turn comes: only the run that was found is operated on. Each operation
// is done once. See [system.Batch] for rate, limit and dry run. Options: those of [Start]. Errors: of Start; ErrInvalid for what cannot be
// done or asked.
func (r *Runtime) Batch(ctx context.Context, id string, b system.Batch, opts ...workflow.Option) (Handle[system.Report], error) {
	if _, err := operationOf(b.Operation); err != nil {
		return Handle[system.Report]{}, err
	}
	if _, err := batchQuery(b.Query); err != nil {
		return Handle[system.Report]{}, err
	}
	return Start(ctx, r, id, system.Batches, b, opts...)
}

// shipped are the workflows that clew ships, and what they are made of.
func (r *Runtime) shipped() []workflow.Definition {
	return append(system.Definitions(), system.Find.Bind(r.batchFind), system.Operate.Bind(r.batchOperate),
		system.PlanRetention.Bind(r.planRetention), system.Remove.Bind(r.removeExpired))
}

// batchQuery reads which runs a batch is about; "*" is every run.
func batchQuery(text string) (query.Query, error) {
	if strings.TrimSpace(text) == "*" {
		text = ""
	}
	q, err := query.Parse(text)
	if err == nil && (q.Order != "" || q.Most > 0) {
		err = &query.Invalid{Field: "the query of a batch", Value: text, Want: "one without ORDER BY and LIMIT: it takes the newest first, and all"}
	}
	return q, err
}

// batchFind answers one page of executions, or counts them. The set is that of one place in the log. If one page has all of it, they come with
// the count; else the pages are asked for as of that place.
func (r *Runtime) batchFind(ctx context.Context, l system.Look) (p system.Page, err error) {
	q, err := batchQuery(l.Query)
	if err != nil {
		return p, activity.NonRetryable(err)
	}
	if q.Until.IsZero() || q.Until.After(l.As) {
		q.Until = l.As
	}
	q.Now, q.Order, q.After, q.Limit, q.AsOf.Position = l.As, "-started", l.After, query.MaxLimit, l.At
	q.Within = batchWithin // what is as of a place may have to be read from the log first
	if !l.Count {
		return r.batchPage(ctx, q, l.As)
	}
	if p, err = r.batchPage(ctx, q, l.As); err != nil || p.Next == "" {
		p.Count, p.Whole = len(p.Targets), true
		return p, err
	}
	all := system.Page{At: p.At}
	q.AsOf.Position = p.At
	for {
		if p, err = r.batchPage(ctx, q, l.As); err != nil {
			return system.Page{}, err
		}
		all.Count, all.Older = all.Count+len(p.Targets), all.Older+p.Older
		if q.After = p.Next; p.Next == "" {
			return all, nil
		}
	}
}

// batchWithin is how long the index may take for a page of a batch.
const batchWithin = 100 * time.Second

// batchPage is one page of the current runs that a query finds. Runs that their execution has gone on from are counted.
func (r *Runtime) batchPage(ctx context.Context, q query.Query, as time.Time) (p system.Page, err error) {
	x, done, err := r.indexFor(ctx, &q)
	if err != nil {
		return p, refusedForGood(err)
	}
	defer done()
	page, err := x.Find(ctx, q)
	if err != nil {
		return p, refusedForGood(err)
	}
	older, err := x.Older(ctx, page.Rows)
	if err != nil {
		return p, err
	}
	for i, row := range page.Rows {
		switch {
		case !row.Closed.Before(as): // what has ended since is not of the set
		case older[i]:
			p.Older++
		default:
			p.Targets = append(p.Targets, system.Target{ID: row.ID, Run: row.Run})
		}
	}
	p.Next, p.At = page.Next, page.Position
	return p, nil
}

// refusedForGood ends the attempts to ask what is wrong.
func refusedForGood(err error) error {
	if errors.Is(err, query.ErrInvalid) || errors.Is(err, ErrInvalid) {
		return activity.NonRetryable(err)
	}
	return err
}

// batchOperate operates on executions one after the other. Its checkpoint are the outcomes so far.
func (r *Runtime) batchOperate(ctx context.Context, s system.Some) ([]system.Outcome, error) {
	o, err := operationOf(s.Operation)
	if err != nil {
		return nil, activity.NonRetryable(err)
	}
	outcomes, _ := activity.Checkpoint[[]system.Outcome](ctx)
	turn := time.NewTicker(time.Duration(float64(time.Second) / s.Rate))
	defer turn.Stop()
	beat := time.Now()
	for _, t := range s.Targets[len(outcomes):] {
		select {
		case <-turn.C:
		case <-ctx.Done():
			_ = activity.Heartbeat(ctx, outcomes)
			return nil, context.Cause(ctx)
		}
		one, err := r.batchOne(ctx, s, o, t)
		if err != nil {
			_ = activity.Heartbeat(ctx, outcomes)
			return nil, err
		}
		outcomes = append(outcomes, one)
		if time.Since(beat) > 5*time.Second {
			beat = time.Now()
			if err := activity.Heartbeat(ctx, outcomes); err != nil {
				return nil, err
			}
		}
	}
	return outcomes, nil
}

// batchOne operates on one execution. Its error is that nothing is known of the outcome.
func (r *Runtime) batchOne(ctx context.Context, s system.Some, o Operation, t system.Target) (system.Outcome, error) {
	opts := []CallOption{RequestID(batchRequest(s.Batch, t.ID)), Reason(s.Reason)}
	if s.By != "" {
		opts = append(opts, Operator(s.By))
	}
	if t.Run != "" {
		opts = append(opts, thisRun(t.Run))
	}
	run, err := "", r.isCurrent(ctx, t, o)
	if err == nil {
		run, err = r.Operate(ctx, t.ID, o, opts...)
	}
	if err == nil {
		return system.Outcome{ID: t.ID, Run: run}, nil
	}
	kind := kindOf(err)
	if kind == "" {
		return system.Outcome{}, fmt.Errorf("%s: %w", t.ID, err)
	}
	return system.Outcome{ID: t.ID, Kind: kind, Why: err.Error()}, nil
}

// isCurrent refuses what would take more away than the run that was found, because another has begun since. The other operations see to
// that themselves, in the same turn.
func (r *Runtime) isCurrent(ctx context.Context, t system.Target, o Operation) error {
	if t.Run == "" || o.Do != "delete" && o.Do != "redact" {
		return nil
	}
	current, err := see(ctx, r, r.id(t.ID), func(m *memory) (string, error) { return m.state.Run.ID, nil })
	switch {
	case err != nil:
		return err
	case current == "":
		return fmt.Errorf("%w: %s", ErrNotFound, t.ID)
	case current != t.Run:
		return fmt.Errorf("%w: run %s is not the current one, which is %s", ErrNotRunning, t.Run, current)
	}
	return nil
}

// kindOf is the kind of refusal that an error is, empty if it is none and the operation is to be tried again.
func kindOf(err error) string {
	for _, known := range []error{
		ErrNotFound, ErrNotRunning, ErrStillRunning, ErrHeld, ErrNotErasable, ErrAlreadyRunning, ErrAlreadyExists, ErrInvalid, ErrRefused, ErrSettled, ErrStale, ErrPaused, ErrStalled, ErrUnknownType,
		ErrTooLarge, ErrTooManySignals, ErrHistoryFull, ErrNotHere,
	} {
		if errors.Is(err, known) {
			return strings.TrimPrefix(known.Error(), "clew: ")
		}
	}
	return ""
}

// batchRequest names an operation of a batch, so that it is done once.
func batchRequest(batch, id string) string {
	sum := sha256.Sum256([]byte(batch + "\x00" + id))
	return "batch:" + base64.RawURLEncoding.EncodeToString(sum[:])
}

// thisRun means that run and none that continues it.
func thisRun(run string) CallOption {
	return callOption(func(s *callSettings) { s.run, s.exact = run, true })
}
