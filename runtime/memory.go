package runtime

import (
	"errors"
	"fmt"
	"time"

	"github.com/clewflow/clew/commands"
	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/replay"
	"github.com/clewflow/clew/store"
)

// remember reads what is not known: the state and, where code is to run or asked for, the machine of an open run. What keeps the
// code from running is not an error: the execution is then stalled.
func (w *runner) remember(m *memory, asked bool) error {
	r := w.x.rt
	if err := w.refresh(m); err != nil {
		return err
	}
	if m.state != nil && !m.guessed {
		w.stand(m)
	}
	code := asked || w.works() && (m.state == nil || !w.isHalted(m.state))
	if m.state != nil && (!code || m.machine != nil) {
		return nil
	}
	if m.state != nil && !m.mayTry(r.now()) {
		return nil
	}
	if m.state != nil && !m.state.Open() && !w.asksClosed() {
		return nil
	}
	run, closed, err := w.read()
	if err != nil {
		return err
	}
	absorbed := m.absorbed
	*m = memory{state: history.Fold(run...), closed: closed, fresh: true, absorbed: absorbed}
	r.openRuns.Stands(w.x.id, m.state)
	w.stand(m)
	code = asked || w.works() && !w.isHalted(m.state)
	m.began, m.first = m.state.Run.Began, names{m.state.Run.ID, m.state.Run.Chain}
	run = lastRun(run, m.state.Run.Began)
	if _, more := m.state.Adopting(); more && w.works() {
		if run, err = w.adoptRest(m, run); err != nil {
			return err
		}
	}
	if !code || m.state.Status == 0 || !m.state.Open() && !w.asksClosed() {
		return nil
	}
	return w.rememberCode(m, run)
}

// mayTry reports whether the code is to be tried, which after a stall is not at every occasion.
func (m *memory) mayTry(now time.Time) bool {
	return m.stall == nil || !m.retryAt.IsZero() && !now.Before(m.retryAt)
}

// asksClosed reports whether a call asks the code of a closed run.
func (w *runner) asksClosed() bool {
	for _, c := range w.x.busy {
		if c.code {
			return true
		}
	}
	return false
}

// read reads the entries of the current run, or of all if there is no tail that says where it begins. closed is why payloads
// cannot be opened: entries are then as they are stored, and do for everything but running code.
func (w *runner) read() (entries []history.Entry, closed, err error) {
	r, x := w.x.rt, w.x
	from, tail := uint64(1), store.Tail{}
	if r.tailed != nil {
		t, ok, err := r.tailed.Tail(r.ctx, x.id)
		if err != nil {
			return nil, nil, fmt.Errorf("runtime: reading %s: %w", x.id, err)
		}
		if tail = t; ok && t.Began <= t.Seq { // else where the run begins is not known
			from = t.Began
		}
	}
	if tail.Seq > 0 {
		entries = make([]history.Entry, 0, tail.Seq-from+1)
	}
	for record, err := range r.log.Read(r.ctx, x.id, from) {
		if err != nil {
			return nil, nil, fmt.Errorf("runtime: reading %s: %w", x.id, err)
		}
		e, err := r.unwrap(r.ctx, x.id, record.Entry)
		if _, begins := e.Event.(*history.Started); begins {
			closed = nil // what was before does not matter to the run
		}
		if err != nil && closed == nil {
			closed = err
		}
		entries = append(entries, e)
	}
	if n := len(entries); tail.Seq > 0 && (n == 0 || entries[n-1].Seq < tail.Seq) {
		return nil, nil, fmt.Errorf("runtime: reading %s: %w: the history ends before entry %d", x.id, store.ErrCorrupt, tail.Seq)
	}
	return entries, closed, nil
}

func lastRun(entries []history.Entry, began uint64) []history.Entry {
	for i, e := range entries {
		if e.Seq == began {
			return entries[i:]
		}
	}
	return entries
}

// rememberCode runs the code along the run. What keeps it from running is noted.
func (w *runner) rememberCode(m *memory, run []history.Entry) error {
	err := w.makeCode(m, run, told(m.state, run, w.isHalted(m.state)))
	if err != nil && !errors.Is(err, errGivenUp) {
		return w.observed(m, err)
	}
	return err
}

// makeCode runs the code along the run, of which it is shown so much.
func (w *runner) makeCode(m *memory, run, shown []history.Entry) error {
	r, x := w.x.rt, w.x
	config, err := w.machineConfig(m.state.Run.Type, m.state.Run.Version)
	if err == nil && m.state.Due() {
		err = w.full(m)
	}
	if err == nil && m.closed != nil {
		err = &replay.Stalled{Reason: "payloads of the run cannot be opened: " + m.closed.Error()}
	}
	if err == nil {
		config.Carried, err = w.carriedBy(run)
	}
	if err == nil {
		x.turn.Store(r.tick.Load())
		m.machine, err = replay.Remember(config, shown)
		x.turn.Store(0)
		if w.givenUp() {
			return errGivenUp
		}
	}
	if err != nil {
		return err
	}
	if w.works() && !w.isHalted(m.state) {
		x.offerLocals(m)
	}
	for _, warning := range m.machine.Warnings() {
		r.logger.Warn("a history was made by code that differs a little from the code that is here", "id", x.id.Workflow, "difference", warning)
	}
	return nil
}

// carriedBy reads from the log what the runs before have left to a run.
func (w *runner) carriedBy(run []history.Entry) ([]replay.Carried, error) {
	started, ok := run[0].Event.(*history.Started)
	if !ok || len(started.Carried)+len(started.Updates) == 0 {
		return nil, nil
	}
	read := map[uint64]history.Event{}
	for _, r := range started.Carried {
		for record, err := range w.x.rt.log.Read(w.x.rt.ctx, w.x.id, r.From) {
			if err != nil {
				return nil, fmt.Errorf("runtime: reading what run %s carries on: %w", started.Run, err)
			}
			if record.Entry.Seq > r.To {
				break
			}
			e, err := w.x.rt.unwrap(w.x.rt.ctx, w.x.id, record.Entry)
			if err != nil {
				return nil, err
			}
			read[e.Seq] = e.Event
		}
	}
	return replay.CarriedBy(started, func(seq uint64) (history.Event, error) {
		if e, ok := read[seq]; ok {
			return e, nil
		}
		return w.x.rt.event(w.x.rt.ctx, w.x.id, seq)
	})
}

func (w *runner) machineConfig(name string, version int) (replay.Config, error) {
	r := w.x.rt
	if reason, ok := r.executions.poisoned(w.x.id); ok {
		return replay.Config{}, &poisoned{reason}
	}
	code := r.code(name, version)
	if code == nil {
		return replay.Config{}, &replay.Stalled{Reason: fmt.Sprintf("no code for workflow %s%s", name, versionText(version))}
	}
	return replay.Config{
		Code: code, Level: r.config.Replay, MaxPayload: r.config.Payload, Logger: r.logger, Pool: r.pool, Value: r.config.Hooks.Value,
		Stray: func() { _ = r.submit(w.x.id, &call{look: func(*memory) error { return nil }}) },
	}, nil
}

// poisoned is why the code of an execution is not run again in this process: it did not come back.
type poisoned struct{ reason string }

func (e *poisoned) Error() string { return e.reason }

func versionText(version int) string {
	if version == 0 {
		return ""
	}
	return fmt.Sprintf(" version %d", version)
}

// begin makes the machine of a run that is about to start.
func (w *runner) begin(m *memory, e *history.Started) {
	if m.machine != nil {
		m.machine.Stop()
	}
	m.machine, m.stall = nil, nil
	w.owns, w.halted = w.x.rt.owns(w.x.id, e.Type, e.Version), w.x.rt.halted(e.Type)
	if w.halted || !w.works() && (w.owns || !w.asked) {
		return
	}
	config, err := w.machineConfig(e.Type, e.Version)
	if err != nil {
		m.stall = err // noted by record, after Started
		return
	}
	config.Carried, m.carried = m.carried, nil
	m.machine = replay.New(config)
}

// catchUp records what the code asks in answer to inputs that were recorded before it could be told, and that it goes on
// or cannot.
func (w *runner) catchUp(m *memory) error {
	if !m.state.Open() {
		return nil
	}
	if m.machine == nil {
		if m.stall != nil {
			return w.noteStall(m, m.stall)
		}
		return nil
	}
	if err := w.answers(m, m.machine.Asks(), m.state.Input); err != nil || m.machine == nil {
		return err
	}
	if m.state.Due() {
		if err := w.mark(m, commands.Tell{}); err != nil {
			return err
		}
	}
	if err := m.machine.Deadlock(); err != nil {
		return w.noteStall(m, err)
	}
	return w.mark(m, commands.Resume{})
}

// mark records a note of the runner's own.
func (w *runner) mark(m *memory, c commands.Command) error {
	events, err := commands.Decide(m.state, c, w.x.rt.now())
	if err != nil {
		return err
	}
	for _, event := range events {
		e := w.entry(m, event, history.Code)
		if _, told := c.(commands.Tell); told {
			e.Told = m.state.Input
		}
		w.push(m, e)
		if m.machine != nil {
			if err := m.machine.Observe(&e, m.state.Bytes); err != nil {
				return w.observed(m, err)
			}
		}
	}
	return nil
}

// Back-off of a stalled execution.
const (
	firstRetry = time.Second
	lastRetry  = 5 * time.Minute
)

// observed takes what the machine says. An error stalls the execution: the machine goes, the inputs stay.
func (w *runner) observed(m *memory, err error) error {
	if err == nil {
		return nil
	}
	if m.machine != nil {
		m.machine.Stop()
		m.machine = nil
	}
	if !m.state.Open() || !w.owns {
		m.stall = err // which the owner records
		return nil
	}
	if done, failed := w.unfit(m, err); done || failed != nil {
		return failed
	}
	m.stall = err
	if p := (*poisoned)(nil); errors.As(err, &p) {
		return w.noteStall(m, err)
	}
	if err := w.noteStall(m, err); err != nil {
		return err
	}
	now := w.x.rt.now() // as long again as it has been stalled, which doubles the delay and needs no counting
	m.retryAt = now.Add(min(lastRetry, max(firstRetry, now.Sub(m.state.Stall.Since))))
	return nil
}

func (w *runner) noteStall(m *memory, err error) error {
	reason, detail := w.x.rt.reasonOf(err)
	var payload history.Payload
	if len(detail) > 0 {
		payload, _ = history.Encode(detail) // strings always encode
	}
	before := len(m.pending)
	if err := w.mark(m, commands.Stall{Reason: reason, Build: w.x.rt.build, Detail: payload}); err != nil {
		return err
	}
	if len(m.pending) > before {
		w.x.rt.logger.Error("an execution has stalled; it goes on by itself when code arrives that fits",
			"id", w.x.id.Workflow, "workflow", m.state.Run.Type, "reason", reason)
	}
	return nil
}

// unread are the signals that the code has not received, if that is known.
func (m *memory) unread() []uint64 {
	if m.machine == nil {
		return nil
	}
	return m.machine.Unread()
}

// weight estimates the bytes that m takes.
func (m *memory) weight() int {
	n := 1 << 10
	if m.machine != nil {
		n += m.machine.Weight()
	}
	if m.state != nil {
		n += 300*len(m.state.Activities) + 100*len(m.state.Timers)
	}
	return n
}
