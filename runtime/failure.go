package runtime

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/clewflow/clew/commands"
	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/query"
	"github.com/clewflow/clew/workflow"
)

// mourn starts the failure workflow of a run that has failed. Who is cut short is followed by whoever works on the store next, see
// mournAgain.
func (r *Runtime) mourn(id history.ID, s ended) {
	if !s.Run.OnFailure.After(s.Status) || s.Run.Origin.Kind == originFailure {
		return
	}
	r.apart(id, 0, "start its failure workflow", id, nil, func(ctx context.Context) error {
		return r.insist(ctx, "starting a failure workflow", id, func(ctx context.Context) error { return r.startFailure(ctx, id, s.Run.Began, s.Run.ID) })
	})
}

const originFailure = "failure"

// startFailure starts what is to be started because a run has failed. Doing it twice changes nothing.
func (r *Runtime) startFailure(ctx context.Context, id history.ID, began uint64, run string) error {
	var entries []history.Entry
	for record, err := range r.log.Read(ctx, id, began) {
		if err != nil {
			return err
		}
		if len(entries) > 0 && begun(record.Entry) {
			break
		}
		e, err := r.unwrap(ctx, id, record.Entry)
		if err != nil {
			r.logger.Warn("a failure workflow is told less, because payloads of the run cannot be opened", "id", id.Workflow, "error", err)
		}
		entries = append(entries, e)
	}
	if len(entries) == 0 {
		return nil // it was deleted meanwhile
	}
	s := history.Fold(entries...)
	if s.Open() || s.Run.ID != run {
		return fmt.Errorf("runtime: entry %d of %s begins run %s, which is %s, and not %s, which has failed", began, id, s.Run.ID, s.Status, run)
	}
	input, err := history.Encode(failureOf(id, s, entries))
	if err != nil {
		return err
	}
	on := s.Run.OnFailure
	as := r.id(commands.FailureID(id.Workflow, s.Run.Number))
	version, route, err := r.route(on.Type, as.Workflow, 0, "")
	if err != nil {
		return err // until there is code
	}
	child := derive(s.Run.Seed, s.Run.ID, 0)
	_, err = r.do(ctx, as, &call{
		command: commands.Start{
			ID: as, Run: child.id, Type: on.Type, Version: version, Route: route, Input: input, Seed: child.seed,
			Origin: history.Origin{Kind: originFailure, ID: id.Workflow}, CorrelationID: s.Run.CorrelationID, Headers: s.Run.Headers, Budget: r.config.Budget,
			IfRunning: commands.UseExisting, IfClosed: commands.Reject,
		},
		by: history.Clock,
	})
	if errors.Is(err, ErrAlreadyExists) {
		return nil
	}
	return err
}

func failureOf(id history.ID, s *history.State, entries []history.Entry) workflow.Failure {
	f := workflow.Failure{
		ID: id.Workflow, Run: s.Run.ID, Number: s.Run.Number, Workflow: s.Run.Type, Version: s.Run.Version, Status: s.Status.String(),
		Reason: s.Outcome.Reason, Started: s.Run.Started, Closed: s.Run.Closed,
	}
	if !s.Outcome.Failure.Absent() {
		f.Reason = history.ReadFailure(s.Outcome.Failure).Message
	}
	if s.Status == history.StatusTimedOut {
		f.Reason = "the limit of the " + s.Outcome.Reason + " has passed"
	}
	step, name := commands.FailedStep(entries)
	f.Step, f.Activity = uint64(step), name
	if started := entries[0].Event.(*history.Started); !started.Input.Closed() && !started.Input.Redacted() && started.Input.Encoding == "" {
		f.Input = started.Input.Data
	}
	return f
}

// mourned is how long before the last end that the index knows runs are looked for whose failure workflow was not started, because whoever
// was about to do so has died.
const mourned = 24 * time.Hour

// mournAll does mournAgain, when everything that is open was taken up.
func (r *Runtime) mournAll(ctx context.Context) {
	select {
	case <-r.ready:
	case <-ctx.Done():
		return
	}
	_ = r.insist(ctx, "looking for failure workflows that were not started", history.ID{}, r.mournAgain)
}

// mournAgain starts failure workflows that were not started by whoever saw the runs fail.
func (r *Runtime) mournAgain(ctx context.Context) error {
	types := slices.Sorted(maps.Keys(r.settings))
	types = slices.DeleteFunc(types, func(name string) bool { return r.settings[name].OnFailure.Type == "" })
	if len(types) == 0 {
		return nil
	}
	newest, err := r.FindPage(ctx, query.Query{Status: query.Closed, Order: "-closed", Limit: 1})
	if err != nil || len(newest.Rows) == 0 {
		return err
	}
	for _, name := range types {
		q := query.Query{
			Type: name, Status: query.Failed | query.TimedOut | query.Terminated, Order: "-closed", Limit: query.MaxLimit,
			ClosedSince: newest.Rows[0].Closed.Add(-mourned),
		}
		for row, err := range r.Find(ctx, q) {
			if err != nil {
				return err
			}
			if err := r.mournOne(ctx, row); err != nil {
				return err
			}
		}
	}
	return nil
}

func (r *Runtime) mournOne(ctx context.Context, row query.Row) error {
	id := r.id(row.ID)
	if !r.owns(id, row.Type, row.Version) {
		return nil
	}
	started, err := see(ctx, r, r.id(commands.FailureID(row.ID, row.Number)), func(m *memory) (bool, error) { return m.state.Status != 0, nil })
	if err != nil || started {
		return err
	}
	e, err := r.event(ctx, id, row.Began)
	if err != nil {
		return err
	}
	if s, ok := e.(*history.Started); ok {
		r.mourn(id, ended{Status: row.Status, Run: history.Run{
			ID: row.Run, Number: row.Number, Began: row.Began, Origin: s.Origin, Lasting: &history.Lasting{OnFailure: s.OnFailure},
		}})
	}
	return nil
}
