package replay

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	goruntime "runtime"
	"time"

	"github.com/clewflow/clew/activity"
	"github.com/clewflow/clew/commands"
	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/internal/coro"
	"github.com/clewflow/clew/workflow"
)

// The methods below make a Machine a workflow.Driver.

var errFenced = errors.New("replay: this run of the code was given up because it did not yield")

func (m *Machine) check(what string) {
	m.admit()
	if m.querying.Load() {
		panic(fmt.Sprintf("%s in a query: queries must not change anything", what))
	}
}

// admit refuses calls of code that was given up, and ends goroutines that the code started with go: they would change the
// run behind its history. The first of a run is noticed while no coroutine runs; to look at each call would cost too much.
func (m *Machine) admit() {
	if m.fenced.Load() {
		panic(errFenced)
	}
	if m.inTurn.Load() && (!m.stray.Load() || m.atHome()) || m.unwinding.Load() && m.atHome() {
		return
	}
	if m.stray.CompareAndSwap(false, true) && m.config.Stray != nil {
		m.config.Stray()
	}
	goruntime.Goexit()
}

// atHome reports whether the calling goroutine is that of the coroutine that runs, or a query runs.
func (m *Machine) atHome() bool {
	c := m.group.Current()
	return m.querying.Load() || c != nil && c.Goroutine() == coro.Here()
}

// Change refuses what a query must not do.
func (m *Machine) Change(what string) { m.check(what) }

// Coroutines is the group in which the code runs.
func (m *Machine) Coroutines() *coro.Group { return &m.group }

// Ask puts a command into the queue.
func (m *Machine) Ask(c commands.Command) { m.ask(c) }

func (m *Machine) ask(c commands.Command) {
	m.check("asking for something")
	if m.finished || m.closed {
		return
	}
	a := ask{command: c, at: m.told}
	if m.config.places {
		a.place = place()
	}
	switch c := c.(type) {
	case commands.ScheduleActivity:
		o := m.open[c.Step]
		o.activity, o.input, o.waits = c.Name, c.Input.Sum, c.Policy.OnCancel == history.WaitCancelled
	case commands.AskChild:
		o := m.open[c.Step]
		o.activity, o.input, o.child, o.waits = c.Type, c.Input.Sum, c.ID, c.OnCancel == history.WaitCancelled
	case commands.Send:
		o := m.open[c.Step]
		o.activity, o.child = c.Name, c.ID
	case commands.Find:
		m.open[c.Step].input = c.Query.Sum
	}
	m.asks(c)
	if m.counts(c) {
		m.counted++
	}
	m.asked = append(m.asked, a)
}

// NextStep numbers the next thing asked for.
func (m *Machine) NextStep(p *workflow.Pending) history.Step {
	m.check("asking for something")
	m.step++
	if !m.finished && !m.closed {
		m.open[m.step] = &open{p: p}
	}
	return m.step
}

// Inbox holds the signals of a name.
func (m *Machine) Inbox(name string) *workflow.Inbox {
	m.admit()
	return m.inbox(name)
}

func (m *Machine) inbox(name string) *workflow.Inbox {
	b := m.inboxes[name]
	if b == nil {
		b = workflow.NewInbox(name)
		m.inboxes[name] = b
	}
	return b
}

func keptName(gate bool, name string, call int) string {
	switch {
	case gate:
		return "gate " + name
	case call > 0:
		return fmt.Sprintf("call %d of %s", call, name)
	}
	return "value " + name
}

// Keep answers a gate or a kept value. A gate without a marker is old when the code comes to it while it is told what it
// was told before, or when decisions remain in the history that it has not asked for yet. The first answer stands for the
// whole run.
func (m *Machine) Keep(gate bool, name string, make_ func() history.Payload) (history.Payload, bool) {
	m.check("keeping a value")
	key := keptName(gate, name, 0)
	if a, ok := m.answers[key]; ok {
		return a.value, a.old
	}
	if m.answers == nil {
		m.answers = map[string]answer{}
	}
	a := answer{}
	if kept, ok := m.kept[key]; ok {
		a.value = kept
	} else if gate && (!m.live || m.remaining > m.counted) {
		a.old = true
	} else {
		a.value = m.evaluate(gate, name, make_)
		m.mark(commands.Keep{Gate: gate, Name: name, Value: a.value})
	}
	m.answers[key] = a
	return a.value, a.old
}

// KeepLatest answers a value that may change. While the code is told what it was told before, a call without a marker gives
// what the call before gave.
func (m *Machine) KeepLatest(name string, call int, make_ func() history.Payload) history.Payload {
	m.check("keeping a value")
	last, some := m.last[name]
	kept, marked := m.kept[keptName(false, name, call)]
	switch {
	case marked:
		last = kept
	case some && !m.live:
		return last
	default:
		value := m.evaluate(false, name, make_)
		if some && value.Sum == last.Sum {
			return last
		}
		last = value
		m.mark(commands.Keep{Name: name, Call: call, Value: value})
	}
	if m.last == nil {
		m.last = map[string]history.Payload{}
	}
	m.last[name] = last
	return last
}

// evaluate makes a value, unless something stands in for it.
func (m *Machine) evaluate(gate bool, name string, make_ func() history.Payload) history.Payload {
	if m.config.Value != nil && !gate {
		if p, ok := m.config.Value(name); ok {
			return p
		}
	}
	return make_()
}

func (m *Machine) mark(k commands.Keep) {
	if !m.finished && !m.closed {
		m.marks = append(m.marks, k)
	}
}

// Local gives the activity of a step its function.
func (m *Machine) Local(step history.Step, h activity.Handler) {
	m.check("asking for something")
	if m.open[step] == nil {
		return
	}
	if m.locals == nil {
		m.locals = map[history.Step]activity.Handler{}
	}
	m.locals[step] = h
}

// LocalOf is the function of a local step that is not settled; nil if there is none.
func (m *Machine) LocalOf(step history.Step) activity.Handler { return m.locals[step] }

// SetAttributes counts the attributes that the run has with the changes.
func (m *Machine) SetAttributes(changes map[string]json.RawMessage) error {
	m.check("setting attributes")
	all := len(m.attrs)
	for name, value := range changes {
		if set := string(value) != "null"; set && !m.attrs[name] {
			all++
		} else if !set && m.attrs[name] {
			all--
		}
	}
	if err := commands.CheckAttributes(changes, all); err != nil {
		return err
	}
	for name, value := range changes {
		if string(value) == "null" {
			delete(m.attrs, name)
			continue
		}
		m.attribute(name)
	}
	return nil
}

func (m *Machine) attribute(name string) {
	if m.attrs == nil {
		m.attrs = map[string]bool{}
	}
	m.attrs[name] = true
}

// Handle sets what answers a query.
func (m *Machine) Handle(query string, answer func(history.Payload) (history.Payload, error)) {
	m.check("setting a query handler")
	if m.queries == nil {
		m.queries = map[string]func(history.Payload) (history.Payload, error){}
	}
	m.queries[query] = answer
}

// Returned keeps what else there is of the code from running: what it received would be received by nobody, and what it asked
// for would be over at once.
func (m *Machine) Returned() {
	m.check("returning")
	m.returned = true
	m.group.Alone()
}

// Late is the wish that the run end which came after the code had returned, so that it was not told; nil if there is none.
func (m *Machine) Late() *history.CancelRequested { return m.late }

// Fits says whether a payload is small enough.
func (m *Machine) Fits(p history.Payload) error {
	if m.config.MaxPayload > 0 && p.Size() > m.config.MaxPayload {
		return fmt.Errorf("%w: %d bytes, the limit is %d", commands.ErrTooLarge, p.Size(), m.config.MaxPayload)
	}
	return nil
}

// Now is the time of the input being told.
func (m *Machine) Now() time.Time {
	m.admit()
	return m.now
}

// Run says which run this is.
func (m *Machine) Run() workflow.Run {
	m.admit()
	m.run.Open = len(m.open)
	return m.run
}

// Logger is silent while the code is told what it was told before.
func (m *Machine) Logger() *slog.Logger {
	m.admit()
	if m.logger == nil {
		m.logger = newLogger(m)
	}
	return m.logger
}

// Watch finds the place of what the code comes by, for whoever watches.
func (m *Machine) Watch() workflow.Watch {
	if m.config.Watch == nil {
		return nil
	}
	return func(s workflow.Sight) string {
		if s.Place == "" {
			s.Place = place()
		}
		m.config.Watch(s)
		return s.Place
	}
}

// Warnings are the differences that the level let pass.
func (m *Machine) Warnings() []string { return m.warned }
