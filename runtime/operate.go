package runtime

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/clewflow/clew/activity"
	"github.com/clewflow/clew/commands"
	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/replay"
	"github.com/clewflow/clew/system"
	"github.com/clewflow/clew/workflow"
)

// TryAgain has an execution tried at once whose code could not go on; else it is tried after a while that grows up to five minutes. Of one
// that has not stalled nothing follows. Options: [RequestID], [Reason], [Operator], [OfRun]. Errors: ErrNotFound, ErrNotRunning,
// ErrUnavailable.
func (r *Runtime) TryAgain(ctx context.Context, id string, opts ...CallOption) error {
	return r.request(ctx, id, opts, func(s callSettings) commands.Command { return commands.TryAgain{Reason: s.reason} })
}

// Move puts an open execution on another version of its workflow, for the run that it is in and those that continue it. Code that does not
// fit what is recorded is refused, and nothing has happened then. Options: as of TryAgain. Errors: its own, ErrUnknownType if there is no
// such version here, ErrRefused if the code does not fit.
func (r *Runtime) Move(ctx context.Context, id string, version int, opts ...CallOption) error {
	return r.request(ctx, id, opts, func(s callSettings) commands.Command { return commands.Move{Version: version, Reason: s.reason} })
}

// fits refuses a version of the code that does not fit the run.
func (w *runner) fits(m *memory, version int) (refused, err error) {
	r := w.x.rt
	if r.code(m.state.Run.Type, version) == nil {
		r.routes.mu.RLock()
		defer r.routes.mu.RUnlock()
		return r.unknown(m.state.Run.Type, version), nil
	}
	if len(m.pending) > 0 && m.state.Run.Began >= m.pending[0].Seq {
		return fmt.Errorf("%w: the run has just begun; try again", ErrUnavailable), nil
	}
	run, err := w.lastRun(m)
	if err != nil {
		return nil, err
	}
	config, refused := w.machineConfig(m.state.Run.Type, version)
	if refused != nil {
		return refused, nil
	}
	if config.Carried, err = w.carriedBy(run); err != nil {
		return nil, err
	}
	w.x.turn.Store(r.tick.Load())
	machine, refused := replay.Remember(config, told(m.state, run, w.isHalted(m.state)))
	w.x.turn.Store(0)
	if w.givenUp() {
		return nil, errGivenUp
	}
	if machine != nil {
		machine.Stop()
	}
	if refused != nil {
		refused = fmt.Errorf("%w: version %d does not fit the run: %w", ErrRefused, version, refused)
	}
	return refused, nil
}

// ChangeAttributes changes what an open execution can be found by; its code is told nothing. Options: as of TryAgain. Errors: its own,
// ErrInvalid for what cannot be an attribute, or is one too many.
func (r *Runtime) ChangeAttributes(ctx context.Context, id string, settings []workflow.Setting, opts ...CallOption) error {
	var s workflow.Settings
	for _, setting := range settings {
		setting.Set(&s)
	}
	if s.Err != nil {
		return s.Err
	}
	return r.changeAttributes(ctx, id, s.Attributes, opts)
}

func (r *Runtime) changeAttributes(ctx context.Context, id string, attributes map[string]json.RawMessage, opts []CallOption) error {
	if len(attributes) == 0 {
		return &commands.Invalid{Field: "the attributes", Value: "none", Want: "at least one that changes"}
	}
	return r.request(ctx, id, opts, func(s callSettings) commands.Command {
		return commands.ChangeAttributes{Attributes: history.Attributes(attributes).Payload(), Reason: s.reason}
	})
}

// CompleteActivity settles an activity by hand: its code is told the result as if the activity had returned it. An attempt that is under way
// is cancelled. The step is its number in the history. Options: as of TryAgain. Errors: its own, ErrSettled if the step is no activity of
// the run that is open, or has its outcome.
func (r *Runtime) CompleteActivity(ctx context.Context, id string, step uint64, result any, opts ...CallOption) error {
	p, err := history.Encode(result)
	if err != nil {
		return &commands.Invalid{Field: "the result", Value: err.Error(), Want: "a value that becomes JSON"}
	}
	return r.request(ctx, id, opts, func(s callSettings) commands.Command {
		return commands.GiveOutcome{Step: history.Step(step), Result: p, Reason: s.reason}
	})
}

// FailActivity settles an activity by hand: its code is told that it failed with err, and no further attempt is made. See
// [Runtime.CompleteActivity].
func (r *Runtime) FailActivity(ctx context.Context, id string, step uint64, err error, opts ...CallOption) error {
	if err == nil {
		return &commands.Invalid{Field: "the error", Value: "nil", Want: "what the activity failed with"}
	}
	failure := activity.Record(err).Payload()
	return r.request(ctx, id, opts, func(s callSettings) commands.Command {
		return commands.GiveOutcome{Step: history.Step(step), Failure: failure, Reason: s.reason}
	})
}

// RetryActivity has the next attempt of an activity made at once, with all its attempts and its limits from now if reset. One that is under
// way is not disturbed: ErrStale. Options and errors: as of CompleteActivity.
func (r *Runtime) RetryActivity(ctx context.Context, id string, step uint64, reset bool, opts ...CallOption) error {
	return r.request(ctx, id, opts, func(s callSettings) commands.Command {
		return commands.ChangeActivity{Step: history.Step(step), Reset: reset, Reason: s.reason}
	})
}

// An Operation is something that operators do to executions, in a form that can be sent and recorded. What its fields mean that are not
// explained here the methods of [Runtime] say that do the same.
type Operation struct {
	Do             string                     `json:"do"` // the name of one; see Operations
	TimersOn       bool                       `json:"timers_on,omitempty"`
	HoldLimits     bool                       `json:"hold_limits,omitempty"`
	ResumeChildren bool                       `json:"resume_children,omitempty"`
	NewestVersion  bool                       `json:"newest_version,omitempty"`
	TerminateFirst bool                       `json:"terminate_first,omitempty"`
	Step           uint64                     `json:"step,omitempty"`
	Entry          uint64                     `json:"entry,omitempty"`
	Field          string                     `json:"field,omitempty"` // of a redaction
	Activity       string                     `json:"activity,omitempty"`
	Nth            int                        `json:"nth,omitempty"` // of the activities of that name
	Version        int                        `json:"version,omitempty"`
	Reset          bool                       `json:"reset,omitempty"`
	Input          json.RawMessage            `json:"input,omitempty"`
	WorkflowInput  json.RawMessage            `json:"workflow_input,omitempty"`
	Result         json.RawMessage            `json:"result,omitempty"`
	Failure        string                     `json:"failure,omitempty"`
	Attributes     map[string]json.RawMessage `json:"attributes,omitempty"`
	Memo           map[string]json.RawMessage `json:"memo,omitempty"`
	Signal         string                     `json:"signal,omitempty"`   // its name; Input is the value
	Name           string                     `json:"name,omitempty"`     // of a hold
	Variable       string                     `json:"variable,omitempty"` // its name; Input is the value
	Batch          *system.Batch              `json:"batch,omitempty"`
}

type operate func(ctx context.Context, r *Runtime, id string, o Operation, opts []CallOption) (run string, err error)

// operations is a function, because a batch operates and is an operation.
func operations() map[string]operate {
	return map[string]operate{
		"pause": func(ctx context.Context, r *Runtime, id string, o Operation, opts []CallOption) (string, error) {
			if o.TimersOn {
				opts = append(opts, TimersOn())
			}
			if o.HoldLimits {
				opts = append(opts, HoldLimits())
			}
			return "", r.Pause(ctx, id, opts...)
		},
		"unpause": func(ctx context.Context, r *Runtime, id string, _ Operation, opts []CallOption) (string, error) {
			return "", r.Unpause(ctx, id, opts...)
		},
		"cancel": func(ctx context.Context, r *Runtime, id string, _ Operation, opts []CallOption) (string, error) {
			return "", r.Cancel(ctx, id, opts...)
		},
		"terminate": func(ctx context.Context, r *Runtime, id string, _ Operation, opts []CallOption) (string, error) {
			return "", r.Terminate(ctx, id, opts...)
		},
		"retry": func(ctx context.Context, r *Runtime, id string, o Operation, opts []CallOption) (string, error) {
			return r.Retry(ctx, id, append(opts, o.options()...)...)
		},
		"restart": func(ctx context.Context, r *Runtime, id string, o Operation, opts []CallOption) (string, error) {
			return r.Restart(ctx, id, append(opts, o.options()...)...)
		},
		"rerun": func(ctx context.Context, r *Runtime, id string, o Operation, opts []CallOption) (string, error) {
			from := Place{Step: history.Step(o.Step), Entry: o.Entry, Activity: o.Activity, Nth: o.Nth}
			if from == (Place{}) {
				return "", &commands.Invalid{Field: "where to go on", Value: "nowhere", Want: "a step, an activity or an entry"}
			}
			return r.Rerun(ctx, id, from, append(opts, o.options()...)...)
		},
		"try-again": func(ctx context.Context, r *Runtime, id string, _ Operation, opts []CallOption) (string, error) {
			return "", r.TryAgain(ctx, id, opts...)
		},
		"move": func(ctx context.Context, r *Runtime, id string, o Operation, opts []CallOption) (string, error) {
			return "", r.Move(ctx, id, o.Version, opts...)
		},
		"set-attributes": func(ctx context.Context, r *Runtime, id string, o Operation, opts []CallOption) (string, error) {
			return "", r.changeAttributes(ctx, id, o.Attributes, opts)
		},
		"set-memo": func(ctx context.Context, r *Runtime, id string, o Operation, opts []CallOption) (string, error) {
			return "", r.changeMemo(ctx, id, o.Memo, opts)
		},
		"signal": func(ctx context.Context, r *Runtime, id string, o Operation, opts []CallOption) (string, error) {
			if err := commands.CheckName("the signal", o.Signal); err != nil {
				return "", err
			}
			return "", r.Signal(ctx, id, workflow.Message{Name: o.Signal, Value: history.JSON(o.Input)}, opts...)
		},
		"complete-activity": func(ctx context.Context, r *Runtime, id string, o Operation, opts []CallOption) (string, error) {
			return "", r.CompleteActivity(ctx, id, o.Step, o.Result, opts...)
		},
		"fail-activity": func(ctx context.Context, r *Runtime, id string, o Operation, opts []CallOption) (string, error) {
			return "", r.FailActivity(ctx, id, o.Step, errors.New(o.Failure), opts...)
		},
		"retry-activity": func(ctx context.Context, r *Runtime, id string, o Operation, opts []CallOption) (string, error) {
			return "", r.RetryActivity(ctx, id, o.Step, o.Reset, opts...)
		},
		"apply-policies": func(ctx context.Context, r *Runtime, id string, o Operation, opts []CallOption) (string, error) {
			of := OfNamespace()
			if o.Activity != "" {
				of = OfActivity(o.Activity)
			}
			return "", r.ApplyPolicies(ctx, id, of, opts...)
		},
		"set-variable": func(ctx context.Context, r *Runtime, id string, o Operation, opts []CallOption) (string, error) {
			if err := commands.CheckName("the variable", o.Variable); err != nil {
				return "", err
			}
			if o.Input == nil {
				return "", &commands.Invalid{Field: "the value of variable " + o.Variable, Value: "none", Want: "JSON"}
			}
			_, err := SetVariable(ctx, r, id, workflow.NewVariable[json.RawMessage](o.Variable), o.Input, opts...)
			return "", err
		},
		"delete": func(ctx context.Context, r *Runtime, id string, _ Operation, opts []CallOption) (string, error) {
			_, err := r.Delete(ctx, id, opts...)
			return "", err
		},
		"redact": func(ctx context.Context, r *Runtime, id string, o Operation, opts []CallOption) (string, error) {
			_, err := r.Redact(ctx, id, Payloads{Entry: o.Entry, Field: o.Field}, opts...)
			return "", err
		},
		"hold": func(ctx context.Context, r *Runtime, id string, o Operation, opts []CallOption) (string, error) {
			return "", r.Hold(ctx, id, o.Name, opts...)
		},
		"release": func(ctx context.Context, r *Runtime, id string, o Operation, opts []CallOption) (string, error) {
			return "", r.Release(ctx, id, o.Name, opts...)
		},
		"batch": func(ctx context.Context, r *Runtime, id string, o Operation, opts []CallOption) (string, error) {
			if o.Batch == nil {
				return "", &commands.Invalid{Field: "the batch", Value: "none", Want: "what is to be done to which executions"}
			}
			b, s := *o.Batch, callSettingsOf(opts)
			b.Reason, b.By = cmp.Or(b.Reason, s.reason), cmp.Or(b.By, s.operator)
			h, err := r.Batch(ctx, id, b, RequestID(s.request), IfRunning(Refuse))
			return h.Run, err
		},
	}
}

// options are those of its fields that say how a run is to follow the one that is there.
func (o Operation) options() (opts []CallOption) {
	if o.ResumeChildren {
		opts = append(opts, ResumeChildren())
	}
	if o.NewestVersion {
		opts = append(opts, NewestVersion())
	}
	if o.TerminateFirst {
		opts = append(opts, TerminateFirst())
	}
	if o.Input != nil {
		opts = append(opts, WithInput(o.Input))
	}
	if o.WorkflowInput != nil {
		opts = append(opts, WithWorkflowInput(o.WorkflowInput))
	}
	if o.Result != nil {
		opts = append(opts, WithResult(o.Result))
	}
	return opts
}

// Operations are the names of the operations there are.
func Operations() []string { return slices.Sorted(maps.Keys(operations())) }

// Operate does an operation that is given as data, for tools and for batches, and returns the id of the run that it began, if it begins one.
// Errors: ErrInvalid for a name that is none or a field that is missing, else those of the method that does the same.
func (r *Runtime) Operate(ctx context.Context, id string, o Operation, opts ...CallOption) (run string, err error) {
	do := operations()[o.Do]
	if do == nil {
		return "", &commands.Invalid{Field: "what is to be done", Value: o.Do, Want: "one of " + strings.Join(Operations(), ", ")}
	}
	for _, given := range []json.RawMessage{o.Input, o.WorkflowInput, o.Result} {
		if given != nil && !json.Valid(given) {
			return "", &commands.Invalid{Field: "a value", Value: string(given), Want: "JSON; text is in double quotes"}
		}
	}
	return do(ctx, r, id, o, opts)
}

// OperateJSON is [Runtime.Operate] of an operation that is given as JSON.
func (r *Runtime) OperateJSON(ctx context.Context, id string, operation []byte, opts ...CallOption) (run string, err error) {
	o, err := operationOf(operation)
	if err != nil {
		return "", err
	}
	return r.Operate(ctx, id, o, opts...)
}

// operationOf reads an operation. One of a later release is not taken for less than it says.
func operationOf(written []byte) (o Operation, err error) {
	d := json.NewDecoder(bytes.NewReader(written))
	d.DisallowUnknownFields()
	if err := d.Decode(&o); err != nil {
		return o, &commands.Invalid{Field: "an operation", Value: string(written), Want: "one that this release knows: " + err.Error()}
	}
	if operations()[o.Do] == nil {
		return o, &commands.Invalid{Field: "what is to be done", Value: o.Do, Want: "one of " + strings.Join(Operations(), ", ")}
	}
	return o, nil
}
