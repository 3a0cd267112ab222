package runtime

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/clewflow/clew/commands"
	"github.com/clewflow/clew/dispatch"
	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/query"
)

// Runs of a workflow that is limited begin when they have a slot. Who has one follows from the histories: a run that was recorded as queued has
// none until it has begun, any other that is open has one. They are counted in memory, first from the index and then by what is recorded here,
// and a run that is about to be recorded takes its slot before that. This process is the only one that writes, see keepable.

// decide decides a command. A run that begins takes its slot, or is recorded as one that waits.
func (w *runner) decide(m *memory, c *call, command commands.Command) (events []history.Event, refused error) {
	slots, now := w.x.rt.openRuns, w.x.rt.now()
	var turn dispatch.Turn
	switch start := command.(type) {
	case commands.Wake:
		start.Limited = !m.state.Run.BeginAt.IsZero() && slots.Counts(m.state.Run.Type)
		command = start
	case commands.Start:
		if start.After <= 0 && !start.At.After(now) { // else it is asked when it is to begin
			turn = slots.Take(w.x.id, start.Run, start.Type, start.Slot.Key, c.full, now)
			start.Slot.Queued, start.Slot.Replaces = turn.Queued, turn.Replaces
			command = start
		}
	}
	events, refused = commands.Decide(m.state, command, now)
	if begins := slices.ContainsFunc(events, isStarted); refused != nil || !begins {
		slots.GiveBack(turn)
		return events, refused
	}
	switch {
	case turn.Counting:
		refused = fmt.Errorf("%w: the open runs of the workflow are being counted; try again", ErrUnavailable)
	case turn.Full != nil:
		refused = turn.Full
	}
	if refused != nil {
		slots.GiveBack(turn)
		return nil, refused
	}
	m.turns = append(m.turns, turn)
	return events, nil
}

func isStarted(e history.Event) bool {
	_, ok := e.(*history.Started)
	return ok
}

// slotAnew is what is known of the limits of a run that follows the one that is there. It waits if it has to, whatever a start would do.
func (w *runner) slotAnew(m *memory, next commands.Anew) (s commands.Slot, err error) {
	r := w.x.rt
	s.Key = m.state.Run.Key
	if !next.Input.Absent() {
		settings := r.settings[m.state.Run.Type]
		if s.Key, err = settings.KeyOfInput(next.Input); err != nil {
			return s, err
		}
	}
	turn := r.openRuns.Take(w.x.id, next.Run, m.state.Run.Type, s.Key, history.Queued, r.now())
	m.turns = append(m.turns, turn)
	s.Queued = turn.Queued
	return s, nil
}

// giveBack gives back what runs have taken that are not recorded. If some of what was pending is, what there is to give back follows from
// the state when it is read again.
func (w *runner) giveBack(m *memory) {
	if m.partly {
		return
	}
	for _, t := range m.turns {
		w.x.rt.openRuns.GiveBack(t)
	}
	m.turns = nil
}

// slotFor waits until it is known how many runs of a workflow are open, where a start is to be refused or to replace another if that are too many.
func (r *Runtime) slotFor(ctx context.Context, workflow string, full history.Full) error {
	if r.node != nil && r.limitsRuns(workflow) {
		return errNotAmongNodes(workflow)
	}
	known := r.openRuns.Known(workflow)
	if known == nil || full == "" || full == history.Queued {
		return nil
	}
	select {
	case <-known:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-r.opened.Done():
		return ErrClosed
	}
}

// limitRuns has the limits of open runs kept, and takes them out of those of attempts. The caller holds laws.mu.
func (r *Runtime) limitRuns(limits dispatch.Limits) {
	ofRuns := dispatch.Limits{}
	for name, rule := range r.laws.runs {
		if rule != (history.Rule{}) {
			ofRuns[OfWorkflow(name)] = rule
		}
	}
	for of, standing := range r.laws.known.Load().Rules {
		if of.Of != history.OfWorkflow {
			continue
		}
		delete(limits, of)
		rule := ofRuns[of]
		rule.All, rule.Key = filled(standing.All, rule.All), filled(standing.Key, rule.Key)
		ofRuns[of] = rule
	}
	if r.node != nil {
		return
	}
	r.openRuns.SetLimits(ofRuns)
	tell(r.uncounted)
}

// limitsRuns reports whether a limit of the open runs of a workflow is in force.
func (r *Runtime) limitsRuns(workflow string) bool {
	rule, defined := r.laws.known.Load().Rules[OfWorkflow(workflow)], r.laws.runs[workflow]
	none := history.Limit{}
	return rule.All != none || rule.Key != none || defined.All != none || defined.Key != none
}

func errNotAmongNodes(workflow string) error {
	return &commands.Invalid{Field: "the limit of open runs of workflow " + workflow, Value: "in force where several processes work on the store",
		Want: "none there, because nobody would keep it: take it back, or let one process work on the store"}
}

// keepable refuses limits of open runs among nodes: nobody would keep them.
func (r *Runtime) keepable(events []history.Event) error {
	for _, e := range events {
		set, ok := e.(*history.PolicySet)
		if ok && r.node != nil && set.Subject.Of == history.OfWorkflow && (set.After.All != history.Limit{} || set.After.Key != history.Limit{}) {
			return errNotAmongNodes(set.Subject.Name)
		}
	}
	return nil
}

// definedAmongNodes refuses what register has accepted before it was known whether others work on the store.
func (r *Runtime) definedAmongNodes() (err error) {
	if r.node == nil {
		return nil
	}
	for _, name := range slices.Sorted(maps.Keys(r.laws.runs)) {
		if r.laws.runs[name] != (history.Rule{}) {
			err = errors.Join(err, errNotAmongNodes(name))
		}
	}
	return err
}

// countRuns counts the open runs of workflows whenever some are to be counted, until Close.
func (r *Runtime) countRuns() {
	if r.node != nil {
		return
	}
	for {
		for _, name := range r.openRuns.Uncounted() {
			id := r.id(name)
			if r.insist(r.ctx, "count the open runs of a workflow", id, func(ctx context.Context) error { return r.countRunsOf(ctx, name) }) != nil {
				return
			}
		}
		select {
		case <-r.uncounted:
		case <-r.ctx.Done():
			return
		}
	}
}

// countRunsOf counts those that the index has, up to the end of the log as of now.
func (r *Runtime) countRunsOf(ctx context.Context, name string) error {
	if err := r.fresh(ctx, &query.Query{}); err != nil {
		return err
	}
	var runs []dispatch.Run
	for s, err := range r.index.Slots(ctx, r.config.Namespace, name) {
		if err != nil {
			return err
		}
		if !s.Delayed {
			runs = append(runs, dispatch.Run{ID: s.ID, Run: s.Run, Chain: s.Chain, Key: s.Key, Queued: s.Queued, Started: s.Started})
		}
	}
	r.openRuns.Counted(name, runs)
	return nil
}

// slotsAtOnce bounds how many runs are given their slots at the same time.
const slotsAtOnce = 64

// giveSlots lets runs begin whenever there is a slot for them, until ctx ends.
func (r *Runtime) giveSlots(ctx context.Context) {
	if r.node != nil {
		return
	}
	if r.insist(ctx, "look for runs that wait for a slot", history.ID{}, r.countWaiting) != nil {
		return
	}
	places := make(chan struct{}, slotsAtOnce)
	for {
		select {
		case places <- struct{}{}:
		case <-ctx.Done():
			return
		}
		id, run, ok := r.openRuns.Next()
		for ; !ok; id, run, ok = r.openRuns.Next() {
			r.await(ctx, time.Time{}, r.openRuns.Freed(), nil)
			if ctx.Err() != nil {
				return
			}
		}
		r.own.Go(func() {
			defer func() { <-places }()
			r.giveSlot(id, run)
		})
	}
}

// countWaiting has those workflows counted too of which runs wait though they are limited no more.
func (r *Runtime) countWaiting(ctx context.Context) error {
	if err := r.fresh(ctx, &query.Query{}); err != nil {
		return err
	}
	for s, err := range r.index.Slots(ctx, r.config.Namespace, "") {
		if err != nil {
			return err
		}
		r.openRuns.Count(s.Type)
	}
	tell(r.uncounted)
	return nil
}

// giveSlot records that a run begins, which has its slot already. While the store is unavailable it keeps that, because the record may be
// there. A run whose history cannot be read or written stands in nobody's way.
func (r *Runtime) giveSlot(id history.ID, run string) {
	err := r.insistOnAnswer(r.ctx, "begin a run", id, func(ctx context.Context) error {
		_, err := r.do(ctx, id, &call{command: commands.Admit{Run: run}, by: history.Clock})
		return err
	})
	if err == nil || r.ctx.Err() != nil || errors.Is(err, ErrClosed) {
		return
	}
	waits, unknown := see(r.ctx, r, id, func(m *memory) (bool, error) { return m.state.Run.ID == run && m.state.Run.Queued, nil })
	if unknown == nil && !waits {
		return
	}
	r.logger.Error("a run that has waited for its slot cannot begin, and is tried again in a minute; the others go on", "id", id.Workflow, "error", err)
	r.openRuns.SetApart(id, run)
	if sleep(r.ctx, time.Minute) {
		r.openRuns.PutBack(id, run)
	}
}

// replace terminates the run that makes room for this one.
func (x *execution) replace(s *history.State) {
	if !s.Replacing() {
		return
	}
	r, id, run, of, began := x.rt, x.id, s.Run.ID, s.Run.Replaces, s.Run.Started
	r.errand(id, 0, "replace", id, func(ctx context.Context) error {
		_, err := r.do(ctx, r.id(of.ID), &call{
			command: commands.Terminate{Reason: fmt.Sprintf("replaced by %s, for which the limit of open runs had no room", id.Workflow)}, by: history.Clock,
			of: of.Chain, request: "replace:" + run, named: true, since: began, // once: who has gone on since then is left alone
		})
		if over(err) {
			return nil
		}
		return err
	})
}

// waitsForSlot says what a run waits for that has no slot.
func (d *Description) waitsForSlot(wanted, why string) {
	if d.Slot = why; why == "" {
		return
	}
	for i := range d.Waiting {
		if w := &d.Waiting[i]; w.Step == 0 && w.Why == wanted {
			w.Why += ": " + why
		}
	}
}
