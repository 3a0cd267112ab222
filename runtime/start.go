package runtime

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/clewflow/clew/commands"
	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/vault"
	"github.com/clewflow/clew/workflow"
)

// Option is an option of a start and of calls.
type Option interface {
	workflow.Option
	CallOption
}

// CallOption is an option of calls.
type CallOption interface{ setCall(*callSettings) }

type callSettings struct {
	request, reason, run string
	timersOn, holdLimits bool
	pending              bool // policies hold for what is scheduled too
	operator             string
	exact                bool // the run, and none that continues it
	resume, newest       bool
	terminate            bool
	input, runInput      *any
	result               *any
	masters              []vault.Master // of the keys in an archive
	quiet                bool           // that payloads are shown is not recorded
}

func callSettingsOf(opts []CallOption) (s callSettings) {
	for _, o := range opts {
		o.setCall(&s)
	}
	return s
}

type (
	startOption  func(*workflow.Settings)
	callOption   func(*callSettings)
	commonOption struct {
		startOption
		callOption
	}
)

func (o startOption) Set(s *workflow.Settings) { o(s) }

// SetChild says that the option is none of a child's.
func (o startOption) SetChild(s *workflow.Settings) {
	s.Err = errors.Join(s.Err, &commands.Invalid{Field: "an option of a child", Value: "an option of package runtime", Want: "those of package workflow"})
}

func (o callOption) setCall(s *callSettings) { o(s) }

// What a start does when a run of the id is open.
const (
	Refuse            = commands.Refuse
	UseExisting       = commands.UseExisting
	TerminateExisting = commands.TerminateExisting
)

// IfRunning says what a start does when a run of the id is open: Refuse (default), UseExisting or TerminateExisting.
func IfRunning(p commands.IfRunning) workflow.Option {
	return startOption(func(s *workflow.Settings) { s.IfRunning = p })
}

// What a start does when the id was used before.
const (
	Allow               = commands.Allow
	AllowIfNotCompleted = commands.AllowIfNotCompleted
	Reject              = commands.Reject
)

// IfClosed says what a start does when the id was used before: Allow (default), AllowIfNotCompleted or Reject.
func IfClosed(p commands.IfClosed) workflow.Option {
	return startOption(func(s *workflow.Settings) { s.IfClosed = p })
}

// After delays the first turn. The run exists meanwhile, is found, and can be cancelled.
func After(d time.Duration) workflow.Option {
	return startOption(func(s *workflow.Settings) { s.After = d })
}

// At delays the first turn until t. A time that has passed begins at once.
func At(t time.Time) workflow.Option { return startOption(func(s *workflow.Settings) { s.At = t }) }

// Unchecked starts a type that is not known here. The run is kept and stalls until code arrives: of the version that it is
// given with workflow.Version, else of code that has none.
func Unchecked() workflow.Option {
	return startOption(func(s *workflow.Settings) { s.Unchecked = true })
}

// RequestID names the request. Repeating it gives the first answer, also after a crash. Without it each call is a request
// of its own.
func RequestID(id string) Option {
	return commonOption{func(s *workflow.Settings) { s.RequestID = id }, func(s *callSettings) { s.request = id }}
}

// AndSignal sends a message with the start: both are recorded at once. With IfRunning(UseExisting) an open run gets the
// message alone.
func AndSignal(m workflow.Message) workflow.Option {
	return startOption(func(s *workflow.Settings) { s.Signal = &m })
}

// Label is for [Route]s: starts with it can be sent to a version of their own.
func Label(name string) workflow.Option {
	return startOption(func(s *workflow.Settings) { s.Label = name })
}

// OfRun means one run of an execution by its id, or a chain by that of its first run, instead of the last one. A call to a run
// that has ended and was followed by another chain is refused with ErrNotRunning; only [Result] finds it.
func OfRun(run string) CallOption { return callOption(func(s *callSettings) { s.run = run }) }

// Reason is recorded with a cancellation, termination, pause or its end.
func Reason(text string) CallOption { return callOption(func(s *callSettings) { s.reason = text }) }

// Operator is recorded as who has asked, as "operator:" and the name, instead of "client".
func Operator(name string) CallOption {
	return callOption(func(s *callSettings) { s.operator = name })
}

// Start starts an execution and returns when that is durable. An empty id makes one. If *In has a method Defaults(), it is
// called first to fill in what is unset, and what is recorded is the result: later defaults do not change running
// executions. Errors: ErrInvalid,
// ErrAlreadyRunning, ErrAlreadyExists, ErrUnknownType, ErrTooLarge, ErrFull, ErrUnavailable.
func Start[In, Out any](ctx context.Context, rt *Runtime, id string, w workflow.Type[In, Out], in In, opts ...workflow.Option) (Handle[Out], error) {
	if d, ok := any(&in).(interface{ Defaults() }); ok {
		d.Defaults()
	}
	input, err := rt.encode("the input", in)
	if err != nil {
		return Handle[Out]{}, err
	}
	if id == "" {
		id = rt.newID()
	}
	run, err := rt.start(ctx, id, w, input, withInput(in, opts))
	return Handle[Out]{ID: id, Run: run, rt: rt}, err
}

// withInput adds the fields of the input by which the run is to be found.
func withInput(in any, opts []workflow.Option) []workflow.Option {
	var all []workflow.Option
	for _, field := range workflow.InputSettings(in) {
		all = append(all, field)
	}
	return append(all, opts...)
}

func (r *Runtime) start(ctx context.Context, id string, w workflow.Definition, input history.Payload, opts []workflow.Option) (run string, err error) {
	c, err := r.startCall(ctx, id, w, input, opts)
	if err != nil {
		return "", err
	}
	a, err := r.do(ctx, r.id(id), c)
	return a.chain, err
}

// startCall is the call that starts an execution.
func (r *Runtime) startCall(ctx context.Context, id string, w workflow.Definition, input history.Payload, opts []workflow.Option) (*call, error) {
	if err := commands.CheckID("workflow id", id); err != nil {
		return nil, err
	}
	b, _ := workflow.BodyOf(w)
	s := b.Settings
	if known, ok := r.settings[b.Name]; ok {
		s = known
	}
	defined := s
	s.Version = 0 // that of the newest definition pins nothing
	s = s.With(opts...)
	if known := r.inputs[b.Name]; known != "" && known != b.In {
		return nil, &commands.Invalid{Field: "the input of workflow " + b.Name, Value: b.In, Want: known + ", as it is bound here"}
	}
	if err := r.startingWith(ctx, id, b.Name, &s); err != nil {
		return nil, err
	}
	c, err := r.startOf(id, b.Name, s)
	if err != nil {
		return nil, err
	}
	c.Input = input
	r.bounds(&c, defined)
	if c.Slot.Key, err = s.KeyOfInput(input); err != nil {
		return nil, err
	}
	if err := r.slotFor(ctx, b.Name, s.WhenFull); err != nil {
		return nil, err
	}
	one := &call{command: c, full: s.WhenFull, by: history.Client, request: s.RequestID, named: s.RequestID != ""}
	if s.Signal != nil {
		if err := r.checkMessage(*s.Signal); err != nil {
			return nil, err
		}
		one.then = commands.Signal{Name: s.Signal.Name, Value: s.Signal.Value}
	}
	return one, nil
}

// startingWith shows a start to the interceptors.
func (r *Runtime) startingWith(ctx context.Context, id, name string, s *workflow.Settings) error {
	if len(r.config.Interceptors) == 0 {
		return nil
	}
	if s.Headers == nil {
		s.Headers = map[string]string{}
	}
	if err := r.starting(ctx, &Starting{ID: id, Workflow: name, Headers: s.Headers}); err != nil {
		return err
	}
	if s.Signal != nil {
		return r.messaging(ctx, Messaging{ID: id, Name: s.Signal.Name})
	}
	return nil
}

// startOf is the start of a workflow with settings, without its input.
func (r *Runtime) startOf(id, name string, s workflow.Settings) (c commands.Start, err error) {
	version, route, err := r.route(name, id, s.Version, s.Label)
	if err != nil && !s.Unchecked {
		return c, err
	}
	if s.CorrelationID != "" {
		err = commands.CheckID("CorrelationID", s.CorrelationID)
	} else {
		err = nil
	}
	if err = errors.Join(s.Err, checkRequest(s.RequestID), err); err != nil {
		return c, err
	}
	c = commands.Start{
		ID: r.id(id), Run: r.newID(), Type: name, Version: version, Route: route, Pinned: s.Version > 0, Seed: r.dice.seed(),
		Origin: history.Origin{Kind: "client"}, After: s.After, At: s.At, RunTimeout: s.RunTimeout, ExecutionTimeout: s.ExecutionTimeout,
		CorrelationID: s.CorrelationID, IfRunning: s.IfRunning, IfClosed: s.IfClosed, Budget: r.config.Budget, OnFailure: s.OnFailure,
	}
	if c.Memo, err = s.MemoPayload(); err != nil {
		return c, err
	}
	if c.Attributes, err = s.AttributesPayload(); err != nil {
		return c, err
	}
	c.Headers, err = s.HeadersPayload()
	return c, err
}

func checkRequest(id string) error {
	if id == "" {
		return nil
	}
	return commands.CheckID("RequestID", id)
}

func (r *Runtime) id(workflowID string) history.ID {
	return history.ID{Namespace: r.config.Namespace, Workflow: workflowID}
}

// request puts a client's command to an execution.
func (r *Runtime) request(ctx context.Context, id string, opts []CallOption, command func(callSettings) commands.Command) error {
	s := callSettingsOf(opts)
	_, err := r.put(ctx, id, s, &call{command: command(s)})
	return err
}

// actor is who makes a call.
func (s callSettings) actor() (history.Actor, error) {
	if s.operator == "" {
		return history.Client, nil
	}
	return history.Operator + ":" + history.Actor(s.operator), commands.CheckID("the operator", s.operator)
}

// put puts a client's call to an execution, with what its options say of who makes it.
func (r *Runtime) put(ctx context.Context, id string, s callSettings, c *call) (answer, error) {
	if err := commands.CheckID("workflow id", id); err != nil {
		return answer{}, err
	}
	if err := checkRequest(s.request); err != nil {
		return answer{}, err
	}
	var err error
	if c.by, err = s.actor(); err != nil {
		return answer{}, err
	}
	if c.named = s.request != ""; !c.named {
		s.request = r.newID()
	}
	c.request, c.of, c.exact = s.request, s.run, s.exact
	a, err := r.do(ctx, r.id(id), c)
	if errors.Is(err, ErrNotFound) {
		err = fmt.Errorf("%w: %s", err, id)
	}
	return a, err
}

// Signal sends a message to an execution and returns when it is durable. Errors: ErrInvalid, ErrNotFound, ErrNotRunning,
// ErrTooManySignals, ErrTooLarge, ErrUnavailable.
func (r *Runtime) Signal(ctx context.Context, id string, m workflow.Message, opts ...CallOption) error {
	if err := r.checkMessage(m); err != nil {
		return err
	}
	if err := r.messaging(ctx, Messaging{ID: id, Name: m.Name}); err != nil {
		return err
	}
	return r.request(ctx, id, opts, func(callSettings) commands.Command { return commands.Signal{Name: m.Name, Value: m.Value} })
}

func (r *Runtime) checkMessage(m workflow.Message) error {
	if m.Err != nil {
		return m.Err
	}
	if m.Value.Size() > r.config.Payload {
		return fmt.Errorf("signal %s: %w: %d bytes, the limit is %d", m.Name, ErrTooLarge, m.Value.Size(), r.config.Payload)
	}
	return nil
}

// Cancel tells the code of an execution that it is to end. The code may clean up, or go on. Errors: ErrNotFound,
// ErrNotRunning.
func (r *Runtime) Cancel(ctx context.Context, id string, opts ...CallOption) error {
	return r.request(ctx, id, opts, func(s callSettings) commands.Command { return commands.RequestCancel{Reason: s.reason} })
}

// Terminate closes an execution at once; its code is not asked, its activities are cancelled. Errors: ErrNotFound,
// ErrNotRunning.
func (r *Runtime) Terminate(ctx context.Context, id string, opts ...CallOption) error {
	return r.request(ctx, id, opts, func(s callSettings) commands.Command { return commands.Terminate{Reason: s.reason} })
}
