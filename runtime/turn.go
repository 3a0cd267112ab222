package runtime

import (
	"cmp"
	"errors"
	"fmt"
	"time"

	"github.com/clewflow/clew/commands"
	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/replay"
)

// turns handles calls in memory, until all are handled or enough is to be appended.
func (w *runner) turns(m *memory, calls []*call, first bool) (n int, err error) {
	code := false
	if m.state == nil && first && starts(calls[0]) {
		m.state, m.guessed = new(history.State), true
		s := calls[0].command.(commands.Start)
		w.owns = w.x.rt.owns(w.x.id, s.Type, s.Version)
	}
	for _, c := range calls {
		code = code || c.code
		if c.heard {
			w.x.asked.Store(false) // before it is read: what is heard from now on may be missed
		}
	}
	if err := w.remember(m, code); err != nil {
		return 0, err
	}
	defer func() {
		if w.halted {
			m.forgetCode() // it may have been asked how things stand, and was not told all
		}
	}()
	if w.works() && !w.isHalted(m.state) {
		if err := w.catchUp(m); err != nil {
			return 0, err
		}
	}
	if m.machine != nil {
		if err := w.observed(m, m.machine.Strayed()); err != nil {
			return 0, err
		}
	}
	size := 0
	for _, c := range calls {
		if c.code && (n > 0 || len(m.pending) > 0) && m.machine == nil && m.stall == nil {
			break // a run has just been closed, and its code stopped: it is remembered for the next batch
		}
		if (c.then != nil || c.anew != nil) && (n > 0 || c.anew != nil && len(m.pending) > 0) {
			break // it has an append of its own, because all of it may have to be dropped
		}
		before := len(m.pending)
		if err := w.turn(m, c); err != nil {
			return 0, err
		}
		n++
		if c.then != nil && c.answer.err != nil && len(m.pending) > before {
			w.forget(m) // of what is refused nothing is kept
			return n, w.remember(m, false)
		}
		for _, e := range m.pending[before:] {
			size += e.Size()
		}
		if len(m.pending) >= maxEntries || size >= maxBytes || c.then != nil || c.anew != nil {
			break
		}
	}
	return n, nil
}

// starts reports whether a call most likely begins a history. Then that is taken for granted: if it is wrong, the append
// conflicts and the calls are handled again.
func starts(c *call) bool {
	s, ok := c.command.(commands.Start)
	return ok && s.IfRunning == commands.Refuse && s.IfClosed == commands.Allow
}

// turn handles one call.
func (w *runner) turn(m *memory, c *call) error {
	w.asked = c.code
	c.answer = answer{run: m.state.Run.ID, chain: m.state.Run.Chain}
	if c.of != "" && m.state.Status != 0 && m.state.Run.ID != c.of && (c.exact || m.state.Run.Chain != c.of) {
		c.answer.err = fmt.Errorf("%w: run %s is not the current one, which is %s", ErrNotRunning, c.of, m.state.Run.ID)
		return nil
	}
	if c.look != nil {
		return w.look(m, c)
	}
	if _, wakes := c.command.(commands.Wake); wakes && !w.owns {
		c.answer.nothing = true // its owner is woken
		return nil
	}
	again, err := w.requested(m, c)
	if err != nil {
		return err
	}
	if again {
		c.answer.nothing = true
		return nil
	}
	if _, more := m.state.Adopting(); more {
		c.answer.err = fmt.Errorf("%w: run %s is yet to take over entries of the one before; try again", ErrUnavailable, m.state.Run.ID)
		return nil
	}
	if c.anew != nil {
		return w.begins(m, c)
	}
	if w.owns && !m.guessed {
		w.stand(m) // to look for an earlier request can take so long that another node owns the execution now
	}
	if err := w.command(m, c, c.command); err != nil || c.answer.err != nil || c.then == nil {
		return err
	}
	return w.command(m, c, c.then)
}

// command decides one command, and records what follows.
func (w *runner) command(m *memory, c *call, command commands.Command) error {
	for first := true; ; first = false {
		command = w.informed(m, command)
		refused, err := w.refuses(m, command)
		if err != nil {
			return err
		}
		var events []history.Event
		if refused == nil {
			events, refused = w.decide(m, c, command)
		}
		if refused != nil {
			c.answer.err = refused
			return nil
		}
		if !w.owns && beatenLately(m.state, command) {
			events = nil
		}
		if len(events) == 0 {
			c.answer.nothing = first
			return nil
		}
		for _, e := range events {
			if err := w.record(m, e, c.by, c.request); err != nil {
				return err
			}
		}
		c.answer.run, c.answer.chain = m.state.Run.ID, m.state.Run.Chain
		_, wakes := command.(commands.Wake)
		if !commands.Again(command, events) || wakes && len(m.pending) >= maxEntries {
			return nil
		}
	}
}

// refuses asks the code whether it accepts what only it can judge.
func (w *runner) refuses(m *memory, c commands.Command) (refused, err error) {
	if move, ok := c.(commands.Move); ok && m.state.Open() {
		return w.fits(m, move.Version)
	}
	if given, ok := c.(commands.GiveOutcome); ok && given.Failure.Absent() {
		return w.noResult(m, given), nil
	}
	u, ok := c.(commands.Update)
	if !ok || !m.state.Open() {
		return nil, nil
	}
	if _, answered := m.state.Answered(u.Update); answered || m.state.Updates[u.Update] != nil {
		return nil, nil
	}
	if p := m.state.Pause; p != nil {
		return fmt.Errorf("%w since %s%s; its code cannot accept an update before it goes on", ErrPaused, p.Since.Format(time.RFC3339), because(p.Reason)), nil
	}
	if of, rule, halted := w.x.rt.halts(m.state.Run.Type); halted {
		return fmt.Errorf("%w: it is %s; its code cannot accept an update before it goes on", ErrPaused, haltedBecause(of, rule)), nil
	}
	if m.machine == nil {
		if w.x.rt.node != nil && w.x.rt.code(m.state.Run.Type, m.state.Run.Version) == nil {
			return w.x.rt.notHere(m.state.Run.Type, m.state.Run.Version), nil
		}
		if m.stall == nil {
			return fmt.Errorf("%w: nobody runs the code of %s here, and it may refuse an update", ErrUnavailable, w.x.id.Workflow), nil
		}
		return fmt.Errorf("%w: %w", ErrStalled, m.stall), nil
	}
	if !m.state.Run.BeginAt.IsZero() {
		return fmt.Errorf("%w: run %s begins at %s, and only then can its code accept updates", ErrNotRunning, m.state.Run.ID,
			m.state.Run.BeginAt.Format(time.RFC3339)), nil
	}
	if m.state.Run.Queued {
		return fmt.Errorf("%w: run %s waits for %s, and only then can its code accept updates", ErrNotRunning, m.state.Run.ID, m.state.Run.SlotWanted()), nil
	}
	w.x.turn.Store(w.x.rt.tick.Load())
	refused = m.machine.Validate(u.Name, u.Input)
	w.x.turn.Store(0)
	if w.givenUp() {
		return nil, errGivenUp
	}
	if refused != nil && !errors.Is(refused, ErrInvalid) {
		refused = fmt.Errorf("%w: %w", ErrRefused, refused)
	}
	return refused, nil
}

// noResult refuses what the code that waits for an activity could not read: it would stall on it.
func (w *runner) noResult(m *memory, c commands.GiveOutcome) error {
	a := m.state.Activities[c.Step]
	if a == nil || w.x.rt.holds[a.Name] == nil {
		return nil
	}
	if err := w.x.rt.holds[a.Name](c.Result); err != nil {
		return &commands.Invalid{Field: "the result of " + a.Name, Value: string(c.Result.Data), Want: fmt.Sprintf("a value that its code can read: %v", cmp.Or(errors.Unwrap(err), err))}
	}
	return nil
}

func (w *runner) look(m *memory, c *call) error {
	if c.code && m.machine == nil && m.stall != nil && w.x.rt.node != nil && w.x.rt.code(m.state.Run.Type, m.state.Run.Version) == nil {
		c.answer.err = w.x.rt.notHere(m.state.Run.Type, m.state.Run.Version)
		return nil
	}
	if c.code && m.machine == nil && m.stall != nil {
		c.answer.err = fmt.Errorf("%w: %w", ErrStalled, m.stall)
		return nil
	}
	w.x.turn.Store(w.x.rt.tick.Load())
	err := c.look(m)
	w.x.turn.Store(0)
	if w.givenUp() {
		return errGivenUp
	}
	c.answer.err = err
	if w.isHalted(m.state) {
		m.forgetCode() // it was asked how it stands, and is told nothing
	}
	return nil
}

// forgetCode stops the code; the state stays.
func (m *memory) forgetCode() {
	if m.machine != nil {
		m.machine.Stop()
		m.machine = nil
	}
}

// record makes an event the next entry, tells the code if it is an input, and makes what the code asks in answer the
// entries after it.
func (w *runner) record(m *memory, event history.Event, by history.Actor, request string) error {
	if _, begins := event.(*history.Started); begins {
		w.begin(m, event.(*history.Started))
	}
	e := w.entry(m, event, by)
	e.Request = request
	if _, begins := event.(*history.Started); !w.owns || w.isHalted(m.state) && !begins {
		return w.recordAlone(m, e)
	}
	switch event.(type) {
	case *history.Paused:
		w.push(m, e)
		m.forgetCode()
		return nil
	case *history.Moved, *history.TriedAgain: // the code is tried anew, at once
		w.push(m, e)
		m.forgetCode()
		m.stall, m.retryAt = nil, time.Time{}
		w.x.rt.executions.heal(w.x.id)
		w.x.rt.soon(w.x.id)
		return nil
	}
	if m.machine == nil || event.Role() != history.Input {
		w.push(m, e)
		if _, begins := event.(*history.Started); begins {
			return w.observed(m, m.stall)
		}
		if m.machine != nil {
			return w.observed(m, m.machine.Observe(&e, m.state.Bytes))
		}
		return nil
	}
	err := w.full(m)
	if err == nil {
		err = w.tell(m, &e)
	}
	if errors.Is(err, errGivenUp) {
		return err
	}
	if err != nil {
		w.push(m, e)
		return w.observed(m, err)
	}
	asks := m.machine.Asks()
	if len(asks) == 0 {
		e.Told = e.Seq
	}
	w.push(m, e)
	if err := w.answers(m, asks, e.Seq); err != nil {
		return err
	}
	return w.deadlock(m)
}

// recordAlone makes an event that others answer the next entry. The code is told of the beginning of a run if it is to judge what
// comes with it; what it asks then is for the owner to record.
func (w *runner) recordAlone(m *memory, e history.Entry) error {
	_, begins := e.Event.(*history.Started)
	if m.machine != nil && begins {
		if err := w.tell(m, &e); err != nil {
			m.machine.Stop()
			m.machine, m.stall = nil, err
		}
	} else if e.Event.Role() == history.Input || closes(e.Event) || turnsPause(e.Event) {
		m.forgetCode() // it was not told
	}
	w.push(m, e)
	return nil
}

// full keeps a run from growing beyond what it may hold. The input that comes then is kept, and told when there is more room.
func (w *runner) full(m *memory) error {
	if most, n := w.x.rt.config.Entries, m.state.Entries(); most > 0 && n >= most && m.state.Open() {
		return &replay.Stalled{Reason: fmt.Sprintf("the history of the run has reached its limit of %d entries: let the workflow continue as new "+
			"before that (see ShouldContinueAsNew), raise runtime.Config.Entries, or terminate the run", most)}
	}
	return nil
}

var errGivenUp = errors.New("runtime: given up")

// tell shows an input to the machine, under the eyes of the watchdog.
func (w *runner) tell(m *memory, e *history.Entry) error {
	bytes := m.state.Bytes
	if _, begins := e.Event.(*history.Started); begins {
		bytes = 0 // what was before is another run's
	}
	end := func() {}
	if len(w.x.rt.config.Interceptors) > 0 {
		end = w.telling(m, e)
	}
	w.x.turn.Store(w.x.rt.tick.Load())
	err := m.machine.Observe(e, bytes)
	w.x.turn.Store(0)
	end()
	if w.givenUp() {
		return errGivenUp
	}
	return err
}

func (w *runner) givenUp() bool {
	w.x.mu.Lock()
	defer w.x.mu.Unlock()
	return w.x.runner != w
}

// answers records what the code asks. The last ask in answer to an input carries the mark that the input has been told;
// told is the input of the last one.
func (w *runner) answers(m *memory, asks []replay.Ask, told uint64) error {
	for i, a := range asks {
		var late *history.CancelRequested
		_, continues := a.Command.(commands.ContinueAsNew)
		if continues {
			m.carried, late = m.machine.Carry(), m.machine.Late()
		}
		events, err := commands.Decide(m.state, w.informed(m, a.Command), w.x.rt.now())
		if err != nil || len(events) == 0 || len(events) > 1 && !continues {
			return w.observed(m, fmt.Errorf("clew: a bug: the code asks for %T, and what follows is %d events, %v", a.Command, len(events), err))
		}
		e := w.entry(m, events[0], history.Code)
		switch {
		case i == len(asks)-1:
			e.Told = told
		case asks[i+1].Input != a.Input:
			e.Told = a.Input
		}
		w.push(m, e)
		if continues {
			return w.next(m, events[1].(*history.Started), late)
		}
		if m.machine == nil { // that was the end
			return nil
		}
		if err := m.machine.Observe(&e, m.state.Bytes); err != nil {
			return w.observed(m, err)
		}
	}
	return nil
}

// next begins the run that continues the one that has just been closed. Its code is told at once, as part of the same append,
// unless that is large already. late is a wish that the run end which its code was not told any more: the next is told.
func (w *runner) next(m *memory, e *history.Started, late *history.CancelRequested) error {
	if len(m.pending) < maxEntries/2 && w.works() {
		if err := w.record(m, e, history.Code, ""); err != nil {
			return err
		}
	} else {
		w.push(m, w.entry(m, e, history.Code))
		m.carried = nil // it is due now
	}
	if late == nil || !m.state.Open() || m.state.Run.CancelRequested {
		return nil
	}
	return w.record(m, late, history.Code, "")
}

// deadlock notes that nothing can ever wake the code. The machine stays: somebody may still cancel.
func (w *runner) deadlock(m *memory) error {
	if m.machine == nil {
		return nil
	}
	if err := m.machine.Deadlock(); err != nil {
		return w.noteStall(m, err)
	}
	return nil
}

// entry makes an event the next entry, not yet sealed.
func (w *runner) entry(m *memory, event history.Event, by history.Actor) history.Entry {
	at := w.x.rt.now()
	if m.guessed && m.state.Seq == 0 {
		at = w.x.rt.guesses.moment(w.x.id, at)
	}
	if at.Before(m.state.At) {
		at = m.state.At
	}
	e := history.Entry{Seq: m.state.Seq + 1, At: at, By: by, Event: event}
	if n := w.x.rt.node; n != nil {
		e.Node = n.me()
	}
	// A run may be read without those before it, so its first entry names the build always.
	if _, begins := event.(*history.Started); begins || m.state.Build != w.x.rt.build {
		e.Build = w.x.rt.build
	}
	return e
}

// push seals an entry and folds it.
func (w *runner) push(m *memory, e history.Entry) {
	if e.Told > 0 && e.Adopted == nil && m.machine != nil && !closes(e.Event) {
		e.Unread = m.machine.UnreadCount()
	}
	stored, err := w.x.rt.seal(w.x.id, m.state.Hash, &e)
	if err != nil && m.failed == nil {
		m.failed = err // what is pending is not appended
	}
	m.state.Evolve(e)
	if stored.Event != e.Event && m.plain == nil {
		m.plain = append([]history.Entry{}, m.pending...) // and not nil, which says that all are open
	}
	m.pending = append(m.pending, stored)
	if m.plain != nil {
		m.plain = append(m.plain, e)
	}
	if m.state.Open() {
		if n := len(m.ends); n > 0 && m.ends[n-1].Run.Chain == m.state.Run.Chain {
			m.ends = m.ends[:n-1] // this run continues that one: their chain has not ended
		}
		w.warn(m)
		return
	}
	w.x.rt.executions.heal(w.x.id)
	if m.state.Run.Parent.ID != "" || m.state.Run.HadChildren || m.state.Run.OnFailure.Type != "" {
		m.ends = append(m.ends, end{e.Seq, ended{m.state.Status, m.state.Run, m.state.Outcome}})
	}
	if m.machine != nil {
		m.machine.Stop()
		m.machine = nil
	}
}

// warn tells once that a run has used up what it is to hold.
func (w *runner) warn(m *memory) {
	budget := m.state.Run.Budget.Entries
	if budget == 0 {
		budget = history.StandardBudget.Entries
	}
	if m.state.Entries() == budget {
		w.x.rt.logger.Warn("the history of a run grows long; let the workflow continue as new, see workflow.ShouldContinueAsNew",
			"id", w.x.id.Workflow, "workflow", m.state.Run.Type, "entries", budget, "limit", w.x.rt.config.Entries)
	}
}
