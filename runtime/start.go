package runtime

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/clewflow/clew/commands"
	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/workflow"
)

// Option is an option of a start and of calls.
type Option interface {
	workflow.Option
	CallOption
}

// CallOption is an option of calls.
type CallOption interface{ setCall(*callSettings) }

type callSettings struct{ request, reason string }

type (
	startOption  func(*workflow.Settings)
	callOption   func(*callSettings)
	commonOption struct {
		startOption
		callOption
	}
)

func (o startOption) Set(s *workflow.Settings) { o(s) }
func (o callOption) setCall(s *callSettings)   { o(s) }

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

// Unchecked starts a type that is not known here. The run is kept and stalls until code arrives.
func Unchecked() workflow.Option {
	return startOption(func(s *workflow.Settings) { s.Unchecked = true })
}

// RequestID names the request. Repeating it gives the first answer, also after a crash. Without it each call is a request
// of its own.
func RequestID(id string) Option {
	return commonOption{func(s *workflow.Settings) { s.RequestID = id }, func(s *callSettings) { s.request = id }}
}

// Reason is recorded with a cancellation or termination.
func Reason(text string) CallOption { return callOption(func(s *callSettings) { s.reason = text }) }

// Start starts an execution and returns when that is durable. An empty id makes one. If *In has a method Defaults(), it is
// called first to fill in what is unset, and what is recorded is the result: later defaults do not change running
// executions. Errors: ErrInvalid,
// ErrAlreadyRunning, ErrAlreadyExists, ErrUnknownType, ErrTooLarge, ErrUnavailable.
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
	run, err := rt.start(ctx, id, w, input, opts)
	return Handle[Out]{ID: id, Run: run, rt: rt}, err
}

func (r *Runtime) start(ctx context.Context, id string, w workflow.Definition, input history.Payload, opts []workflow.Option) (run string, err error) {
	if err := commands.CheckID("workflow id", id); err != nil {
		return "", err
	}
	b, _ := workflow.BodyOf(w)
	s := b.Settings
	if known, ok := r.settings[b.Name]; ok {
		s = known
	}
	s = s.With(opts...)
	if !s.Unchecked && r.code(b.Name, s.Version) == nil {
		return "", fmt.Errorf("%w: workflow %q is not among those that are bound here (%s); give it to runtime.Open, or start it Unchecked",
			ErrUnknownType, b.Name, strings.Join(slices.Sorted(maps.Keys(r.codes)), ", "))
	}
	if known := r.inputs[b.Name]; known != "" && known != b.In {
		return "", &commands.Invalid{Field: "the input of workflow " + b.Name, Value: b.In, Want: known + ", as it is bound here"}
	}
	if err := checkRequest(s.RequestID); err != nil {
		return "", err
	}
	memo, err := s.MemoPayload()
	if err != nil {
		return "", err
	}
	if s.CorrelationID != "" {
		if err := commands.CheckID("CorrelationID", s.CorrelationID); err != nil {
			return "", err
		}
	}
	a, err := r.do(ctx, r.id(id), &call{
		command: commands.Start{
			ID: r.id(id), Run: r.newID(), Type: b.Name, Version: s.Version, Input: input, Seed: r.dice.seed(), Origin: history.Origin{Kind: "client"},
			After: s.After, At: s.At, RunTimeout: s.RunTimeout, ExecutionTimeout: s.ExecutionTimeout, CorrelationID: s.CorrelationID, Memo: memo,
			IfRunning: s.IfRunning, IfClosed: s.IfClosed,
		},
		by: history.Client, request: s.RequestID, named: s.RequestID != "",
	})
	return a.run, err
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
	s := callSettings{}
	for _, o := range opts {
		o.setCall(&s)
	}
	if err := commands.CheckID("workflow id", id); err != nil {
		return err
	}
	if err := checkRequest(s.request); err != nil {
		return err
	}
	named := s.request != ""
	if !named {
		s.request = r.newID()
	}
	_, err := r.do(ctx, r.id(id), &call{command: command(s), by: history.Client, request: s.request, named: named})
	if errors.Is(err, ErrNotFound) {
		err = fmt.Errorf("%w: %s", err, id)
	}
	return err
}

// Signal sends a message to an execution and returns when it is durable. Errors: ErrInvalid, ErrNotFound, ErrNotRunning,
// ErrTooManySignals, ErrTooLarge, ErrUnavailable.
func (r *Runtime) Signal(ctx context.Context, id string, m workflow.Message, opts ...CallOption) error {
	if m.Err != nil {
		return m.Err
	}
	if m.Value.Size() > r.config.Payload {
		return fmt.Errorf("signal %s: %w: %d bytes, the limit is %d", m.Name, ErrTooLarge, m.Value.Size(), r.config.Payload)
	}
	return r.request(ctx, id, opts, func(callSettings) commands.Command { return commands.Signal{Name: m.Name, Value: m.Value} })
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
