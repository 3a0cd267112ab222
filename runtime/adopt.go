package runtime

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/clewflow/clew/commands"
	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/store"
)

// Retry has an execution whose last run did not complete go on from where it failed, as its next run; it returns the id of that. The code
// is told again what it was told up to there, with the recorded results and times, so nothing that completed is done twice. What failed
// is tried anew, with all its attempts; limits begin anew, timers go on with what was left of them. What completed behind that place and
// was asked for before it, and messages, are told once more. Where the run goes on is at the first step whose failure the run's own
// failure tells of, else at the one that failed last; a cancelled run goes on from before it was asked to end; one that was terminated or
// timed out, or whose code failed by itself, from its last entry.
//
// A child that did not complete is started anew, or goes on from where it failed if [ResumeChildren] is given. The run is of the version
// of the one before, unless [NewestVersion] is given. Code that would ask something else than is recorded is refused, and nothing has
// happened then. Who waits for the result of the execution waits for the new run.
//
// Options: [RequestID], [Reason], [Operator], [OfRun], [ResumeChildren], [NewestVersion], [TerminateFirst]. Errors: ErrNotFound,
// ErrAlreadyRunning if it is open, ErrInvalid if it completed, ErrRefused if the code does not fit, ErrUnknownType, ErrUnavailable.
func (r *Runtime) Retry(ctx context.Context, id string, opts ...CallOption) (run string, err error) {
	return r.anew(ctx, id, opts, anew{adopts: true, place: commands.Place{Failed: true}})
}

// Restart begins an execution whose last run has ended from its beginning, with the input that it had, and returns the id of its next
// run. Nothing is taken over, no signals either. It is of the version of the run before, unless [NewestVersion] is given.
//
// Options: [RequestID], [Reason], [Operator], [OfRun], [NewestVersion], [WithInput], [TerminateFirst]. Errors: as of Retry.
func (r *Runtime) Restart(ctx context.Context, id string, opts ...CallOption) (run string, err error) {
	return r.anew(ctx, id, opts, anew{})
}

// Rerun has an execution whose last run has ended go on from a place in that, as its next run, and returns the id of it. What is before
// the place is told to the code again as it was; the code then asks anew for what comes from there on. What completed behind that place
// and was asked for before it, and messages, are told once more. The earlier run stays as it is.
//
// With [WithResult], the activity at the place is not made: its result is the one given. With [WithInput] it is made with another input
// than the code asked for. [WithWorkflowInput] gives the run another input; what was recorded before the place must follow from it too.
//
// Options: as of Retry, and those. Errors: as of Retry; ErrInvalid too if the run has no such place.
func (r *Runtime) Rerun(ctx context.Context, id string, from Place, opts ...CallOption) (run string, err error) {
	return r.anew(ctx, id, opts, anew{adopts: true, place: commands.Place(from), atStep: true})
}

// Place is where in a run another is to go on: [AtStep], [AtActivity] or [AtEntry].
type Place commands.Place

// AtStep is before the step of that number, as histories show it. What was asked for in the same turn before it is taken over.
func AtStep(step uint64) Place { return Place{Step: history.Step(step)} }

// AtActivity is before the nth activity of a name that the code asked for, from 1.
func AtActivity(name string, nth int) Place { return Place{Activity: name, Nth: nth} }

// AtEntry is before an entry of the history.
func AtEntry(seq uint64) Place { return Place{Entry: seq} }

// ResumeChildren has children that did not complete go on from where they failed, and theirs too; else they begin anew.
func ResumeChildren() CallOption { return callOption(func(s *callSettings) { s.resume = true }) }

// NewestVersion makes the next run one of the newest version of its workflow, as a start now would be.
func NewestVersion() CallOption { return callOption(func(s *callSettings) { s.newest = true }) }

// TerminateFirst terminates the run that is open, in the same append.
func TerminateFirst() CallOption { return callOption(func(s *callSettings) { s.terminate = true }) }

// WithInput gives another input: to the run, if it is restarted, else to the activity from which it is run again.
func WithInput(input any) CallOption { return callOption(func(s *callSettings) { s.input = &input }) }

// WithWorkflowInput gives a run another input that is run again from a place.
func WithWorkflowInput(input any) CallOption {
	return callOption(func(s *callSettings) { s.runInput = &input })
}

// WithResult gives the activity from which a run goes on its result, so that it is not made.
func WithResult(result any) CallOption {
	return callOption(func(s *callSettings) { s.result = &result })
}

// anew is how a run is to follow the one that is there. What that is only its runner knows.
type anew struct {
	adopts, atStep          bool
	place                   commands.Place
	resume, newest, ends    bool
	reason                  string
	left                    []uint64        // gates that the code at hand does not ask for
	input, newInput, result history.Payload // of the run; of the activity at the place; its result
	parent                  history.Parent
}

func (r *Runtime) anew(ctx context.Context, id string, opts []CallOption, a anew) (string, error) {
	s := callSettingsOf(opts)
	a.resume, a.newest, a.ends, a.reason = s.resume, s.newest, s.terminate, s.reason
	payload := func(field string, v *any, into *history.Payload) (err error) {
		if v == nil {
			return nil
		}
		if *into, err = history.Encode(*v); err != nil {
			return &commands.Invalid{Field: field, Value: err.Error(), Want: "a value that becomes JSON"}
		}
		if into.Size() > r.config.Payload {
			return fmt.Errorf("%s: %w: %d bytes, the limit is %d", field, ErrTooLarge, into.Size(), r.config.Payload)
		}
		return nil
	}
	input := &a.input
	if a.atStep {
		input = &a.newInput
	}
	err := errors.Join(payload("the input", s.input, input), payload("the input of the workflow", s.runInput, &a.input), payload("the result", s.result, &a.result))
	if err != nil {
		return "", err
	}
	if a.place.Open = !a.newInput.Absent() || !a.result.Absent(); a.place.Open && !a.atStep {
		return "", &commands.Invalid{Field: "an option", Value: "WithResult", Want: "it only with Rerun"}
	}
	answer, err := r.put(ctx, id, s, &call{anew: &a})
	return answer.run, err
}

// begins reads the run that is there and begins the one that is to follow it. All of it is one append, or is refused.
func (w *runner) begins(m *memory, c *call) error {
	refuse := func(err error) error {
		c.answer.err = err
		if len(m.pending) == 0 {
			return nil
		}
		w.forget(m) // of what is refused nothing is kept
		return w.remember(m, false)
	}
	run, err := w.lastRun(m)
	if err == nil && len(run) == 0 {
		err = ErrNotFound
	}
	if err != nil {
		return refuse(err)
	}
	next, step, err := w.further(m, run, c.anew)
	if err != nil {
		return refuse(err)
	}
	if next.Slot, err = w.slotAnew(m, next); err != nil {
		return refuse(err)
	}
	events, err := commands.Decide(m.state, next, w.x.rt.now())
	if err != nil {
		return refuse(err)
	}
	for _, e := range events {
		started, begins := e.(*history.Started)
		if !begins || started.Adopts == nil {
			if err := w.record(m, e, c.by, c.request); err != nil {
				return err
			}
			continue
		}
		if err := w.goOn(m, c, started, run, step); err != nil {
			if errors.Is(err, errLeft) {
				w.forget(m)
				if err := w.remember(m, false); err != nil {
					return err
				}
				return w.begins(m, c)
			}
			if errors.Is(err, errGivenUp) || errors.Is(err, store.ErrUnavailable) {
				return err
			}
			return refuse(err)
		}
	}
	c.answer.run, c.answer.chain = m.state.Run.ID, m.state.Run.Chain
	if w.works() && next.Adopts != nil {
		return w.catchUp(m)
	}
	return nil
}

// goOn begins a run that adopts what is to be adopted of another, and runs the code along it if it is run here.
func (w *runner) goOn(m *memory, c *call, started *history.Started, of []history.Entry, step history.Step) error {
	m.forgetCode()
	m.stall = nil
	w.owns, w.halted = w.x.rt.owns(w.x.id, started.Type, started.Version), w.x.rt.halted(started.Type)
	began := w.entry(m, started, c.by)
	began.Request = c.request
	began.Adopted = &history.Adopted{Seq: of[0].Seq, Was: of[0].Time(), Size: of[0].Length()}
	w.push(m, began)
	run, err := w.adopt(m, began, of)
	if err != nil {
		return err
	}
	if step > 0 && c.anew.place.Open {
		edit := commands.Command(commands.ChangeActivity{Step: step, Reason: c.anew.reason, Input: c.anew.newInput})
		if !c.anew.result.Absent() {
			edit = commands.GiveOutcome{Step: step, Result: c.anew.result, Reason: c.anew.reason}
		}
		events, err := commands.Decide(m.state, edit, w.x.rt.now())
		if err != nil {
			return err
		}
		for _, event := range events {
			e := w.entry(m, event, c.by)
			w.push(m, e)
			run = append(run, e)
		}
		if w.x.rt.piece(m.pending) < len(m.pending) { // whoever finished it after a crash would not know of the change
			return fmt.Errorf("%w: what run %s takes over does not fit one append, so it cannot be changed with it; run it again from there without a result or "+
				"an input, and settle the activity by hand", ErrTooLarge, started.Run)
		}
	}
	if !w.works() {
		return nil
	}
	if w.isHalted(m.state) {
		defer m.forgetCode() // it is to judge, and goes on when it is halted no more
	}
	if err := w.makeCode(m, run, run); err != nil { // all of it, also where the code goes on later: which gates it asks for is decided now
		return fmt.Errorf("%w: its code cannot go on from there: %w", ErrRefused, err)
	}
	for seq, gate := range commands.GatesOf(of, started.Adopts.Cut) {
		if !m.machine.Asked(gate) && !slices.Contains(c.anew.left, seq) {
			c.anew.left = append(c.anew.left, seq)
			err = errLeft
		}
	}
	slices.Sort(c.anew.left)
	return err
}

// errLeft says that the code at hand does not ask for a gate that was kept in the turn which it is to make anew: code that does would take
// it for its own.
var errLeft = errors.New("runtime: a gate is to be left")

// adopt repeats entries of an earlier run that the current one adopts and that are not there yet. It returns the beginning of the run and
// those that it has repeated.
func (w *runner) adopt(m *memory, began history.Entry, of []history.Entry) (run []history.Entry, err error) {
	a := m.state.Run.Adopts
	run = []history.Entry{began}
	done, more := m.state.Adopting()
	if !more {
		return run, nil
	}
	var all []history.Entry
	var cutAt time.Time
	for _, e := range of {
		if e.Seq > a.From && e.Seq < a.Cut && !slices.Contains(a.Left, e.Seq) {
			all = append(all, e)
		}
		if e.Seq < a.Cut {
			cutAt = e.At
		}
	}
	for _, r := range a.Again {
		for _, e := range of {
			if e.Seq >= r.From && e.Seq <= r.To {
				all = append(all, e)
			}
		}
	}
	if len(all) != a.Entries() {
		return nil, fmt.Errorf("runtime: %s: %w: of %d entries that run %s adopts %d are there", w.x.id, store.ErrCorrupt, a.Entries(), m.state.Run.ID, len(all))
	}
	for _, e := range all[done:] {
		repeated := commands.Repeat(began, cutAt, e)
		next := w.entry(m, repeated.Event, repeated.By)
		next.Adopted, next.Told, next.Unread = repeated.Adopted, repeated.Told, repeated.Unread
		w.push(m, next)
		run = append(run, next)
	}
	return run, nil
}

// adoptRest repeats what of an earlier run the current one has not adopted yet, because who began with it was cut short.
func (w *runner) adoptRest(m *memory, run []history.Entry) ([]history.Entry, error) {
	a := m.state.Run.Adopts
	var of []history.Entry
	for record, err := range w.x.rt.log.Read(w.x.rt.ctx, w.x.id, a.From) {
		if err != nil {
			return nil, fmt.Errorf("runtime: reading what run %s of %s adopts: %w", m.state.Run.ID, w.x.id, err)
		}
		if record.Entry.Seq >= m.state.Run.Began {
			break
		}
		e, err := w.x.rt.unwrap(w.x.rt.ctx, w.x.id, record.Entry)
		if err != nil {
			return nil, fmt.Errorf("runtime: reading what run %s of %s adopts: %w", m.state.Run.ID, w.x.id, err)
		}
		of = append(of, e)
	}
	rest, err := w.adopt(m, run[0], of)
	if err != nil {
		return nil, err
	}
	return append(run, rest[1:]...), nil
}

// further is the command that begins the run which is to follow the one that is there, and the step that it is edited at.
func (w *runner) further(m *memory, run []history.Entry, a *anew) (c commands.Anew, step history.Step, err error) {
	of, ok := run[0].Event.(*history.Started)
	if !ok {
		return c, 0, fmt.Errorf("runtime: %s: %w: entry %d is %s, a run begins with started", w.x.id, store.ErrCorrupt, run[0].Seq, run[0].Event.Kind())
	}
	r := w.x.rt
	c = commands.Anew{
		ID: w.x.id, Run: r.newID(), Seed: r.dice.seed(), Reason: a.reason, Of: of, OfSeq: run[0].Seq, Version: m.state.Run.Version, Route: of.Route, Pinned: of.Pinned,
		Input: a.input, Parent: a.parent, Terminate: a.ends, Unread: m.unread(),
	}
	if _, err := commands.Decide(m.state, c, r.now()); err != nil {
		return c, 0, err // before it is said what is wrong with the place
	}
	if a.newest {
		if c.Version, c.Route, err = r.route(of.Type, w.x.id.Workflow, 0, ""); err != nil {
			return c, 0, err
		}
		c.Pinned = false
	}
	if a.place.Failed && (m.state.Status == history.StatusCompleted || m.state.Status == history.StatusContinued) {
		return c, 0, &commands.Invalid{Field: "the run to be retried", Value: m.state.Run.ID + ", which is " + m.state.Status.String(),
			Want: "one that did not complete; to do it once more, restart it or run it again from a step"}
	}
	if a.adopts {
		if c.Adopts, step, err = commands.Adopt(run, a.place, a.resume, a.left); err != nil {
			return c, 0, err
		}
		c.Begun = slices.ContainsFunc(run, func(e history.Entry) bool {
			_, begun := e.Event.(*history.Begun)
			return begun && e.Seq < c.Adopts.Cut
		})
	}
	return c, step, nil
}

// lastRun reads the entries of the run that is there, with what is pending of it.
func (w *runner) lastRun(m *memory) (run []history.Entry, err error) {
	if m.state.Status == 0 {
		return nil, nil
	}
	for record, err := range w.x.rt.log.Read(w.x.rt.ctx, w.x.id, m.state.Run.Began) {
		if err != nil {
			return nil, fmt.Errorf("runtime: reading the last run of %s: %w", w.x.id, err)
		}
		if record.Entry.Seq > m.state.Seq {
			break
		}
		e, err := w.x.rt.unwrap(w.x.rt.ctx, w.x.id, record.Entry)
		if err != nil {
			return nil, fmt.Errorf("runtime: reading the last run of %s: %w", w.x.id, err)
		}
		run = append(run, e)
	}
	return run, nil
}
