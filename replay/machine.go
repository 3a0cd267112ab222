package replay

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/clewflow/clew/activity"
	"github.com/clewflow/clew/commands"
	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/internal/coro"
	"github.com/clewflow/clew/workflow"
)

// Config is what a machine needs beside the history.
type Config struct {
	Code       workflow.Code
	Level      Level
	MaxPayload int                                       // bytes; 0: no limit
	Logger     *slog.Logger                              // of the code; nil: none
	Pool       *coro.Pool                                // of what coroutines run on; nil: none
	Carried    []Carried                                 // what the runs before have left to this one, in order
	Stray      func()                                    // called, from anywhere, when a goroutine that is no coroutine of the code's has been caught
	Ignore     []Field                                   // of values that the code asks with, which may differ at level Strict
	Forecast   bool                                      // after a mismatch, ask the code on with made-up results to tell what was changed: for tests
	Value      func(name string) (history.Payload, bool) // stands in for what a kept value would be; nil, or false: it is evaluated
	Watch      func(workflow.Sight)                      // told what the code comes by; nil: nobody watches. It makes the code slow
	places     bool                                      // remember where in the code things are asked and waited for, and what agreed; costly
}

// Carried is a signal or an update that was accepted in an earlier run and not received or answered there.
type Carried struct {
	Seq   uint64
	Event history.Event // *history.Signaled or *history.UpdateAccepted
}

// Machine is one run of workflow code. It is not for use by several goroutines at once, but for [Machine.Fence].
type Machine struct {
	config    Config
	group     coro.Group
	run       workflow.Run
	own       workflow.Run // the same, where nothing is adopted
	deadline  time.Time    // of the execution
	adopts    *history.Adoption
	moved     *history.Past   // the adopted run whose deadlines have moved last
	movedTo   time.Time       // that of its execution
	input     history.Payload // of the run
	now       time.Time
	ctx       workflow.Context // the root
	cancel    func(error)      // ends the root scope
	fenced    atomic.Bool
	inTurn    atomic.Bool // coroutines, or a query, run
	unwinding atomic.Bool // deferred calls of coroutines run
	stray     atomic.Bool // a goroutine that is none of them was caught
	live      bool        // the code is told what it was not told before

	asked     []ask // in the order asked, not yet recorded
	counted   int   // those of them that have an entry in the history as known
	remaining int   // decisions in the history as known that were not yet reached
	marks     []commands.Keep
	step      history.Step
	open      map[history.Step]*open
	ending    map[history.Step]*workflow.Pending // children that are being asked to end
	answers   map[string]answer                  // of gates and kept values, the first for each name
	kept      map[string]history.Payload         // recorded anywhere in the run
	cancels   map[history.Step]bool              // recorded anywhere in the run
	last      map[string]history.Payload         // of values that may change, by name
	locals    map[history.Step]activity.Handler
	attrs     map[string]bool // names that the run has
	inboxes   map[string]*workflow.Inbox
	updates   map[string]workflow.UpdateHandler
	updating  map[string]*updating // accepted and not answered, by id
	queries   map[string]func(history.Payload) (history.Payload, error)

	first     uint64 // Seq of Started
	told      uint64 // the input being told
	agreed    uint64 // the last entry at which code and history agreed
	agreement []agreed
	returned  bool // the code has returned; what comes now is the next run's
	late      *history.CancelRequested
	finished  bool                          // the code has asked for the end
	closed    bool                          // the history has ended
	cancelled bool                          // the code was told that it is to end
	next      history.Payload               // input of the run that continues this one
	stacks    map[*coro.Coroutine][]uintptr // where they wait, or waited last; nil without places
	querying  atomic.Bool
	logger    *slog.Logger
	warned    []string
}

// open is a thing that the code asked for and whose outcome is not in the history yet.
type open struct {
	p        *workflow.Pending
	activity string // the name of it, the type of a child, the name of a signal that is sent
	input    history.Sum
	child    string // workflow id, also of whom something is sent
	waits    bool   // its end is waited for after it was asked to end
}

type answer struct {
	value history.Payload
	old   bool
}

// Remember makes a machine that knows a run: the entries from its Started on. What the code asks beyond them is then to be
// had from [Machine.Asks]. With an error there may be a machine too, which is only good for being stopped.
func Remember(c Config, run []history.Entry) (*Machine, error) {
	m, err := remember(c, run)
	if mismatch := (*Mismatch)(nil); errors.As(err, &mismatch) && !c.places {
		m.Stop() // once more, to find the place in the code
		c.places = true
		return remember(c, run)
	}
	return m, err
}

func remember(c Config, run []history.Entry) (*Machine, error) {
	m := New(c)
	return m, m.recall(run, len(run))
}

// recall shows the machine the first entries of a run, of which it foresees all.
func (m *Machine) recall(run []history.Entry, n int) error {
	var told uint64
	for _, e := range run {
		m.foresee(e.Event)
		told = max(told, e.Told)
	}
	bytes := 0
	for i := range n {
		e := &run[i]
		m.live = e.Seq > told
		if err := m.Observe(e, bytes); err != nil {
			if mismatch := (*Mismatch)(nil); m.config.places && errors.As(err, &mismatch) {
				m.explain(mismatch, run[i:])
			}
			return err
		}
		bytes += e.Length()
	}
	m.live = true
	return nil
}

// New makes a machine for a run that is about to start: the first entry it is shown is the Started.
func New(c Config) *Machine {
	m := &Machine{
		config: c, group: coro.Group{Pool: c.Pool}, live: true,
		open: map[history.Step]*open{}, inboxes: map[string]*workflow.Inbox{},
	}
	if c.places {
		m.stacks = map[*coro.Coroutine][]uintptr{}
		m.group.Parks = m.parks
	}
	return m
}

// foresee takes note of what must be known before the first input is told.
func (m *Machine) foresee(e history.Event) {
	switch e := e.(type) {
	case *history.Kept:
		if m.kept == nil {
			m.kept = map[string]history.Payload{}
		}
		m.kept[keptName(e.Gate, e.Name, e.Call)] = e.Value
		return
	case *history.ChildCancelRequested:
		m.foreseeCancel(e.Step)
	case *history.TimerCancelled:
		m.foreseeCancel(e.Step)
	case *history.ActivityCancelRequested:
		m.foreseeCancel(e.Step)
	}
	if e.Role() == history.Decision {
		m.remaining++
	}
}

func (m *Machine) foreseeCancel(step history.Step) {
	if m.cancels == nil {
		m.cancels = map[history.Step]bool{}
	}
	m.cancels[step] = true
}

// Observe shows the machine the next entry of the run. bytes is the size of the run's entries before it. The error is a
// *[Mismatch] or a *[Stalled]; the machine is then good for nothing but being stopped.
func (m *Machine) Observe(e *history.Entry, bytes int) error {
	switch e.Event.Role() {
	case history.Input:
		if err := m.tell(e, bytes); err != nil {
			return err
		}
	case history.Decision:
		if err := m.match(e); err != nil {
			return err
		}
	}
	if e.Changes() {
		m.conclude(e.Event)
	}
	if v, ok := e.Event.(*history.Unpaused); ok {
		m.unpaused(e, v)
	}
	if e.Told > 0 {
		m.prune()
		if len(m.asked) > 0 && m.asked[0].at <= e.Told && !m.closed {
			return m.part(e.Seq, nil, &m.asked[0], Added, "the code asks more than is recorded")
		}
	}
	m.agreed = e.Seq
	return nil
}

// tell tells the code of an input and runs it until it waits.
func (m *Machine) tell(e *history.Entry, bytes int) error {
	m.told, m.now = e.Seq, e.Time()
	m.run.Entries, m.run.Bytes = int(e.Seq-m.began(e))+1, bytes
	m.reenact(e.Seq)
	m.inTurn.Store(true)
	m.deliver(e)
	p := m.group.Run()
	m.inTurn.Store(false)
	if p != nil {
		return stalledBy(p)
	}
	return nil
}

func (m *Machine) began(e *history.Entry) uint64 {
	if s, ok := e.Event.(*history.Started); ok {
		m.begin(s, e)
	}
	return m.first
}

func (m *Machine) begin(s *history.Started, e *history.Entry) {
	m.first = e.Seq
	m.input = s.Input
	for name := range history.Attributes(nil).With(s.Attributes) {
		m.attribute(name)
	}
	m.run = workflow.Run{
		Namespace: s.ID.Namespace, ID: s.ID.Workflow, Run: s.Run, Number: s.Number, Type: s.Type, Version: s.Version,
		Origin: s.Origin, CorrelationID: s.CorrelationID, Started: e.At, Deadline: history.Nearest(s.RunDeadline, s.Deadline), Seed: s.Seed,
		Chain: s.Chain, Parent: s.Parent.ID, Root: s.Root, Budget: budgetOf(s.Budget),
	}
	m.own, m.adopts, m.deadline = m.run, own(s.Adopts), s.Deadline
	if err := s.Headers.Decode(&m.run.Headers); err != nil {
		m.run.Headers = nil // they are not what the code depends on
	}
}

// budgetOf is a budget with the standard one for what it leaves open.
func budgetOf(b history.Budget) history.Budget {
	std := history.StandardBudget
	return history.Budget{
		Entries: cmp.Or(b.Entries, std.Entries), Bytes: cmp.Or(b.Bytes, std.Bytes), Open: cmp.Or(b.Open, std.Open),
	}
}

// start begins the code.
func (m *Machine) start() {
	ctx, cancel := workflow.NewContext(m)
	m.ctx, m.cancel = ctx, cancel
	m.receive()
	if m.cancelled {
		cancel(workflow.ErrCancelled)
	}
	m.group.Go("main", func() {
		result, err := m.config.Code(ctx, m.input)
		m.input = history.Payload{}
		m.ask(workflow.Ended(result, err, m.cancelled))
		m.finished = true
	})
}

// conclude takes note of what an entry ends.
func (m *Machine) conclude(e history.Event) {
	switch e := e.(type) {
	case *history.TimerFired:
		m.over(e.Step)
	case *history.TimerCancelled:
		m.over(e.Step)
	case *history.ActivityCompleted:
		m.over(e.Step)
	case *history.ActivityFailed:
		m.over(e.Step)
	case *history.ActivityTimedOut:
		m.over(e.Step)
	case *history.ActivityCancelled:
		m.over(e.Step)
	case *history.ActivityCancelRequested:
		m.givenUp(e.Step)
	case *history.ChildRefused:
		m.over(e.Step)
	case *history.ChildClosed:
		m.over(e.Step)
	case *history.ChildCancelRequested:
		if o := m.open[e.Step]; o != nil {
			if m.ending == nil {
				m.ending = map[history.Step]*workflow.Pending{}
			}
			m.ending[e.Step] = o.p
		}
		m.givenUp(e.Step)
	case *history.Sent:
		m.over(e.Step)
	case *history.FindAnswered:
		m.over(e.Step)
	case *history.Moved:
		m.own.Version, m.run.Version = e.Version, e.Version
	case *history.UpdateCompleted:
		delete(m.updating, e.Update)
	case *history.UpdateFailed:
		delete(m.updating, e.Update)
	case *history.Completed, *history.Failed, *history.Cancelled, *history.Continued, *history.Terminated, *history.TimedOut:
		m.closed = true
		m.asked = nil
	}
}

func (m *Machine) over(step history.Step) {
	delete(m.open, step)
	if m.locals != nil {
		delete(m.locals, step)
	}
}

// givenUp ends something that was asked to end, unless its end is waited for.
func (m *Machine) givenUp(step history.Step) {
	if o := m.open[step]; o != nil && !o.waits {
		m.over(step)
	}
}

// Closed reports whether the machine was shown the end of the run.
func (m *Machine) Closed() bool { return m.closed }

// Weight estimates the bytes of memory that the machine takes.
func (m *Machine) Weight() int {
	return 8<<10 + 512*len(m.open) + 256*m.UnreadCount() + 1024*len(m.updating)
}

// Stop unwinds the code. It can be called again.
func (m *Machine) Stop() {
	m.closed, m.live = true, false // what is unwound is not the run's end
	m.unwinding.Store(true)
	m.group.Stop()
	m.unwinding.Store(false)
}

// Fence makes every further call of the code's into the machine panic. It may be called from any goroutine, while the code
// runs: it is for code that does not come back.
func (m *Machine) Fence() { m.fenced.Store(true) }

// Query has the code answer a question about its state. The error is for whoever asks; the run is not affected.
func (m *Machine) Query(name string, arg history.Payload) (answer history.Payload, err error) {
	handle := m.queries[name]
	if handle == nil {
		return answer, unknown("query", name, slices.Collect(maps.Keys(m.queries)))
	}
	err = m.between("query "+name, func() (err error) {
		answer, err = handle(arg)
		return err
	})
	return answer, err
}

// unknown says that the code answers nothing of a name.
func unknown(what, name string, known []string) error {
	slices.Sort(known)
	want := "one of those that the workflow answers: " + strings.Join(known, ", ")
	if len(known) == 0 {
		want = "one that the workflow answers; it answers none now"
	}
	return &commands.Invalid{Field: what, Value: name, Want: want}
}

// between calls a function of the code's between two turns, in which it can neither ask nor change anything. A panic is an
// error.
func (m *Machine) between(what string, fn func() error) (err error) {
	m.querying.Store(true)
	m.inTurn.Store(true)
	defer func() {
		m.querying.Store(false)
		m.inTurn.Store(false)
		if r := recover(); r != nil {
			err = fmt.Errorf("clew: %s panicked: %v", what, r)
		}
	}()
	return fn()
}
