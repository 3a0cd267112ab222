package runtime

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/clewflow/clew/commands"
	"github.com/clewflow/clew/system"
	"github.com/clewflow/clew/workflow"
)

// A Coming is a run that is to begin when no further start of its key comes for a while.
type Coming[Out any] struct {
	ID     string    // workflow id that it will have
	Starts int       // that it is made of so far
	Begins time.Time // unless another start comes
	key    string
	rt     *Runtime
}

// Debounce starts w when no further start with the key has come for window: those that come before become one with it, and the input of the
// last counts, as do its options. A stream of them puts the run off by ten windows at the most, unless [PutOffAtMost] says otherwise. It
// returns when the start is durable and taken; what has been taken is started, whoever dies. Keys are of the namespace, and those who wait
// for them are executions of [system.Debounces], which can be found and operated as any other: cancelled, nothing begins.
// Options: those of package workflow for a start, and [RequestID]. Errors: as of [Start], and ErrRefused if starts of another workflow wait
// with the key.
func Debounce[In, Out any](ctx context.Context, rt *Runtime, key string, w workflow.Type[In, Out], in In, window time.Duration, opts ...workflow.Option) (Coming[Out], error) {
	if d, ok := any(&in).(interface{ Defaults() }); ok {
		d.Defaults()
	}
	input, err := rt.encode("the input", in)
	if err != nil {
		return Coming[Out]{}, err
	}
	p := system.Put{Debounce: system.Debounce{Window: window}, Input: input.Data, Encoding: input.Encoding}
	return debounce[Out](ctx, rt, key, w, p, withInput(in, opts))
}

// DebounceAll is [Debounce] of a workflow that takes the inputs of all starts, in the order in which they came. With
// [system.MostInputs] of them, or 1 MiB, it begins at once.
func DebounceAll[In, Out any](ctx context.Context, rt *Runtime, key string, w workflow.Type[[]In, Out], in In, window time.Duration, opts ...workflow.Option) (Coming[Out], error) {
	input, err := json.Marshal(in)
	if err != nil {
		return Coming[Out]{}, &commands.Invalid{Field: "the input", Value: err.Error(), Want: "a value that becomes JSON"}
	}
	p := system.Put{Debounce: system.Debounce{Window: window, Collect: true}, Input: input}
	return debounce[Out](ctx, rt, key, w, p, opts)
}

// PutOffAtMost says how long after the first start the run of a [Debounce] begins at the latest. Default: ten windows.
func PutOffAtMost(d time.Duration) workflow.Option {
	return startOption(func(s *workflow.Settings) { s.PutOff = d })
}

func debounce[Out any](ctx context.Context, rt *Runtime, key string, w workflow.Definition, p system.Put, opts []workflow.Option) (c Coming[Out], err error) {
	request, err := rt.debounced(key, w, &p, opts)
	if err != nil {
		return c, err
	}
	for again := 0; ; again++ {
		of := request
		if of != "" && again > 0 {
			of = fmt.Sprintf("%s~%d", request, again)
		}
		var taken system.Coming
		h, err := UpdateWithStart(ctx, rt, system.DebounceID(key), system.Debounces, system.Burst{}, system.PutStart, p, RequestID(of))
		if err == nil {
			taken, err = h.Result(ctx)
		}
		if errors.Is(err, ErrRunClosed) { // it has ended before it took this one
			continue
		}
		return Coming[Out]{taken.ID, taken.Starts, taken.Begins, key, rt}, err
	}
}

// debounced completes p with what the options ask for, and checks what a start of w checks.
func (r *Runtime) debounced(key string, w workflow.Definition, p *system.Put, opts []workflow.Option) (request string, err error) {
	if err := commands.CheckID("the key", key); err != nil {
		return "", err
	}
	if most := commands.MaxName - 32; len(key) > most { // ids are made of it
		return "", &commands.Invalid{Field: "the key", Value: fmt.Sprintf("%d bytes", len(key)), Want: fmt.Sprintf("at most %d", most)}
	}
	b, _ := workflow.BodyOf(w)
	if known := r.inputs[b.Name]; known != "" && known != b.In {
		return "", &commands.Invalid{Field: "the input of workflow " + b.Name, Value: b.In, Want: known + ", as it is bound here"}
	}
	if p.Window <= 0 {
		return "", &commands.Invalid{Field: "the window", Value: p.Window.String(), Want: "more than 0"}
	}
	s := b.Settings
	if known, ok := r.settings[b.Name]; ok {
		s = known
	}
	s.Version, s.LimitKey, s.WhenFull = 0, "", "" // those of the definition are read where the run begins
	s = s.With(opts...)
	if s.IfRunning != commands.Refuse || s.IfClosed != commands.Allow || s.After != 0 || !s.At.IsZero() || s.Label != "" || s.Signal != nil {
		return "", &commands.Invalid{Field: "an option of a debounced start", Value: "one of when and whether it starts, or with which signal", Want: "none of those"}
	}
	if p.Most = s.PutOff; p.Most != 0 && p.Most < p.Window {
		return "", &commands.Invalid{Field: "PutOffAtMost", Value: p.Most.String(), Want: fmt.Sprintf("the window, %s, or more", p.Window)}
	}
	if _, err := r.startOf(key, b.Name, s); err != nil {
		return "", err
	}
	p.Workflow = b.Name
	p.Run = system.Wanted{
		Version: s.Version, RunTimeout: s.RunTimeout, ExecutionTimeout: s.ExecutionTimeout, CorrelationID: s.CorrelationID, Memo: s.Memo,
		Attributes: s.Attributes, Headers: s.Headers, LimitKey: s.LimitKey, WhenFull: s.WhenFull,
	}
	return s.RequestID, nil
}

// Begun waits until the run has begun. Errors: why it could not be begun; ErrNotFound if it was given up, because who waited for the starts
// was ended by an operator.
func (c Coming[Out]) Begun(ctx context.Context) (h Handle[Out], err error) {
	_, err = Update(ctx, c.rt, system.DebounceID(c.key), system.Begun, c.ID)
	if err != nil && !errors.Is(err, ErrNotFound) && !errors.Is(err, ErrNotRunning) && !errors.Is(err, ErrRunClosed) {
		return h, err
	}
	d, err := c.rt.Describe(ctx, c.ID)
	if errors.Is(err, ErrNotFound) {
		err = fmt.Errorf("%w, so it was not begun: the history of %s says why", err, system.DebounceID(c.key))
	}
	return Handle[Out]{ID: c.ID, Run: d.Run, rt: c.rt}, err
}

// Result waits until the run has begun and ended; see [Handle.Result].
func (c Coming[Out]) Result(ctx context.Context) (out Out, err error) {
	h, err := c.Begun(ctx)
	if err != nil {
		return out, err
	}
	return h.Result(ctx)
}
