package workflow

import (
	"encoding/json"
	"log/slog"
	"math/rand/v2"
	"reflect"
	"time"

	"github.com/clewflow/clew/activity"
	"github.com/clewflow/clew/commands"
	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/internal/coro"
)

// Driver runs workflow code. Authors never see one; package replay has it.
type Driver interface {
	// Coroutines is the group in which the code runs.
	Coroutines() *coro.Group
	// Ask puts a command of the code's into the queue of what it asks.
	Ask(commands.Command)
	// NextStep numbers the next thing the code asks for; p is settled with its outcome.
	NextStep(p *Pending) history.Step
	// Change is called before the code changes what a query must not: what says what it is about to do.
	Change(what string)
	// Inbox holds the signals of a name.
	Inbox(name string) *Inbox
	// Keep returns what is kept under a name. If nothing is, the code has either passed here before it knew of the name,
	// then old is true; or make's value is kept from now on.
	Keep(gate bool, name string, make func() history.Payload) (kept history.Payload, old bool)
	// KeepLatest is Keep for a value that may change: call counts the calls with the name, and same says whether a value
	// equals the last one.
	KeepLatest(name string, call int, make func() history.Payload) (kept history.Payload)
	// Accept sets what answers an update. Those that were accepted before are begun now.
	Accept(update string, h UpdateHandler)
	// Unanswered is the number of updates that were accepted and are not answered.
	Unanswered() int
	// Returned is called when the code has returned. From then on no other coroutine runs.
	Returned()
	// Local gives the activity of a step its function.
	Local(step history.Step, h activity.Handler)
	// SetAttributes has the number of attributes counted that the run has with the changes.
	SetAttributes(changes map[string]json.RawMessage) error
	// Handle sets what answers a query.
	Handle(query string, answer func(history.Payload) (history.Payload, error))
	// Fits says whether a payload is small enough.
	Fits(history.Payload) error
	// Now is the time of the input being told.
	Now() time.Time
	// Run says which run this is.
	Run() Run
	// Logger is silent while the code is told what it was told before.
	Logger() *slog.Logger
	// Watch is told what the code comes by; nil: nobody watches.
	Watch() Watch
}

// Run says which run of which execution this is, and what it began with.
type Run struct {
	Namespace     string
	ID            string // workflow id
	Run           string // run id
	Number        uint64 // of the run in the execution, from 1
	Type          string
	Version       int
	Origin        history.Origin // what began it
	CorrelationID string
	Started       time.Time
	Deadline      time.Time // of the run or the execution, whichever is nearer; zero: none
	Chain         string    // id of the first run that this one continues
	Parent        string    // workflow id of the parent; empty: none
	Root          string    // workflow id of the topmost parent; empty: none
	Headers       map[string]string
	Entries       int    // of the run's history, up to the input being told
	Bytes         int    // the same
	Open          int    // things asked for that have no outcome yet
	Budget        Budget // beyond which a run had better continue as new
	Seed          uint64 // of Rand
}

// Budget is how much a run is to hold before it had better continue as new.
type Budget = history.Budget

// UpdateHandler answers an update.
type UpdateHandler struct {
	Validate func(history.Payload) error                             // between turns; must not ask or change anything
	Answer   func(Context, history.Payload) (history.Payload, error) // in a coroutine
}

// Pending is something the code asked for that has no outcome yet.
type Pending struct {
	bell      coro.Bell
	done      bool
	waits     bool // its end is waited for even after cancellation
	ending    bool // it was asked to end, with its scope
	result    history.Payload
	value     any // of BeginFunc, instead of result
	err       error
	hook      hook
	onSettled func()
	begun     *Pending // of a child: settled when it has started
	told      *Pending // of a child: settled when it has been asked to end
	progress  *Inbox   // of an activity that is watched
}

// Begin says that what was asked for has begun.
func (p *Pending) Begin() {
	if p.begun != nil {
		p.begun.Settle(history.Payload{}, nil)
	}
}

// Told says that what was asked to end has been told so, or has ended.
func (p *Pending) Told() {
	if p.told != nil {
		p.told.Settle(history.Payload{}, nil)
	}
}

// Rings reports whether a bell is one of p's.
func (p *Pending) Rings(b *coro.Bell) bool {
	return b == &p.bell || p.begun != nil && b == &p.begun.bell || p.told != nil && b == &p.told.bell || p.progress != nil && b == &p.progress.bell
}

// Progress puts a checkpoint to where it is received.
func (p *Pending) Progress(seq uint64, checkpoint history.Payload) {
	if p.progress != nil && !p.done {
		p.progress.Put(seq, checkpoint)
	}
}

// Settle gives p its outcome. The first one stands.
func (p *Pending) Settle(result history.Payload, err error) {
	if p.done {
		return
	}
	p.done, p.result, p.err = true, result, err
	p.bell.Outside = false // nothing rings it again
	if p.begun != nil {
		p.begun.Settle(history.Payload{}, err)
	}
	if p.progress != nil {
		p.progress.close()
	}
	p.hook.unlink()
	p.bell.Ring()
	if p.onSettled != nil {
		p.onSettled()
	}
}

// Inbox holds the signals of a name that were not received yet.
type Inbox struct {
	bell   coro.Bell
	unread []signal
	closed bool
}

type signal struct {
	seq   uint64
	value history.Payload
}

// close says that nothing more comes.
func (b *Inbox) close() {
	b.closed, b.bell.Outside = true, false
	b.bell.Ring()
}

// Put adds a signal.
func (b *Inbox) Put(seq uint64, value history.Payload) {
	b.unread = append(b.unread, signal{seq, value})
	b.bell.Ring()
}

// Unread are the Seqs of the signals that were not received, in order.
func (b *Inbox) Unread() []uint64 {
	seqs := make([]uint64, len(b.unread))
	for i, s := range b.unread {
		seqs[i] = s.seq
	}
	return seqs
}

// Each shows the signals that were not received, in order.
func (b *Inbox) Each(show func(seq uint64, value history.Payload)) {
	for _, s := range b.unread {
		show(s.seq, s.value)
	}
}

// Len is the number of signals that were not received.
func (b *Inbox) Len() int { return len(b.unread) }

// NewInbox makes the inbox of a signal.
func NewInbox(name string) *Inbox {
	return &Inbox{bell: coro.Bell{Outside: true, About: func() string { return "signal " + name }}}
}

// run is what all Contexts of a run share.
type run struct {
	driver   Driver
	group    *coro.Group
	spins    int // selections that neither waited nor took nor asked anything, in a row
	count    int // coroutines begun
	rand     *rand.Rand
	uuids    *rand.ChaCha8
	uuidSeed uint64

	children  []child        // that are to be looked after before the run ends
	latest    map[string]int // calls of [Latest], by name
	continues bool           // ContinueAsNew was called
	takes     reflect.Type   // the input
	root      *scope
	watch     Watch // nil: nobody does
}

// NewContext makes the Context in which a run begins, and what cancels it. It is for package replay.
func NewContext(d Driver) (ctx Context, cancel func(error)) {
	root := &scope{}
	return Context{&run{driver: d, group: d.Coroutines(), root: root, watch: d.Watch()}, root}, root.end
}

// Begin runs the handler as a coroutine in the run's own scope, and tells how it ended.
func (h UpdateHandler) Begin(ctx Context, name string, input history.Payload, ended func(history.Payload, error)) *coro.Coroutine {
	return ctx.run.group.Go("update "+name, func() {
		ended(h.Answer(Context{ctx.run, ctx.run.root}, input))
	})
}

func (r *run) ask(c commands.Command) {
	r.spins = 0
	r.driver.Ask(c)
}

// wait blocks the coroutine until one of the bells rings or the scope ends.
func (c Context) wait(bells ...*coro.Bell) {
	c.run.driver.Change("waiting")
	c.run.spins = 0
	c.run.group.Wait(append(bells, &c.scope.bell)...)
}

// Bodied is a definition and, if there is one here, its code.
type Bodied struct {
	Name     string
	In       string       // the Go type of the input
	Fields   *InputFields // of the input; nil: none
	Code     Code         // nil: declared only
	Settings Settings
}

// BodyOf returns the body of a Type or a Binding of this package; ok is false for anything else.
func BodyOf(d Definition) (b Bodied, ok bool) {
	if d, ok := d.(interface{ body() Bodied }); ok {
		return d.body(), true
	}
	return Bodied{}, false
}

func (t Type[In, Out]) body() Bodied {
	if t.def == nil {
		return Bodied{}
	}
	return Bodied{t.def.name, t.def.in, t.def.fields, t.def.code, t.def.settings}
}

func (b Binding) body() Bodied {
	return Bodied{b.def.name, b.def.in, b.def.fields, b.code, b.def.settings}
}
