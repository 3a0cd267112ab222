package runtime

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime/debug"

	"github.com/clewflow/clew/commands"
	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/lookup"
	"github.com/clewflow/clew/store"
)

// ErrProjectionStopped: a fold has returned an error or panicked. Its projection goes on when the program is started with a fold that
// does not.
var ErrProjectionStopped = errors.New("clew: the projection has stopped")

// Projection is what the entries of a namespace amount to for a reason of yours: a state S, and a fold that changes it entry by entry, in the
// order of the log. The runtime that has it in its Config keeps it up to date, and writes the state down together with its place in the log,
// so each entry counts once, however often the process dies. S must come back from JSON as it was.
//
// To change what a fold does or what S is, raise the version: then the projection is built anew, from the beginning of the log.
type Projection[S any] struct {
	name    string
	version int
	fold    func(*S, Recorded) error
}

// Recorded is an entry as a fold sees it: with payloads open. Those that were redacted, or whose key was destroyed, are redacted.
type Recorded struct {
	Position uint64 // in the log
	Workflow string // id of the execution
	Run      string // id of the run to which the entry belongs
	Type     string // of its workflow
	history.Entry
}

// NewProjection makes a projection. The name is that of its file; the version counts from 1. The fold must depend on what it is given and on
// nothing else, must not change the entry, and must not wait for anything: one goroutine does the folds of all projections.
func NewProjection[S any](name string, version int, fold func(*S, Recorded) error) *Projection[S] {
	return &Projection[S]{name, version, fold}
}

// Projected is a [Projection] of any state.
type Projected interface{ begin() (*projection, error) }

// ProjectionStatus is how a projection comes on.
type ProjectionStatus struct {
	Name     string
	Version  int
	Position uint64 // up to where the log is folded
	Stopped  error  // what the fold said at the next entry; nil: it goes on
	Waits    error  // why the next entry cannot be read for now; nil: it can
}

// Read returns the state, and the position in the log that it reflects: all that was acknowledged before the call, for which it waits as long
// as ctx allows. The state is a copy. Errors: ErrInvalid if rt does not have the projection, [ErrProjectionStopped], [lookup.ErrBehind], ErrClosed.
func (p *Projection[S]) Read(ctx context.Context, rt *Runtime) (state S, position uint64, err error) {
	head, err := rt.log.Head(ctx)
	if err != nil {
		return state, 0, err
	}
	return p.at(ctx, rt, head)
}

// ReadStale is Read that waits for nothing.
func (p *Projection[S]) ReadStale(rt *Runtime) (state S, position uint64, err error) {
	return p.at(context.Background(), rt, store.Position{})
}

func (p *Projection[S]) at(ctx context.Context, rt *Runtime, want store.Position) (state S, position uint64, err error) {
	one := rt.projections.byName[p.name]
	if one == nil || one.version != p.version {
		return state, 0, &commands.Invalid{Field: "the projection", Value: p.name, Want: "one of Config.Projections"}
	}
	text, reached, err := one.read(ctx, rt.opened, want)
	if err != nil {
		return state, 0, err
	}
	if err := json.Unmarshal(text, &state); err != nil {
		return state, 0, fmt.Errorf("runtime: the state of the projection %s does not come back from JSON: %w", p.name, err)
	}
	return state, reached.Commit, nil
}

func (p *Projection[S]) begin() (*projection, error) {
	if err := commands.CheckName("the name of a projection", p.name); err != nil {
		return nil, err
	}
	if p.version < 1 {
		return nil, &commands.Invalid{Field: "the version of the projection " + p.name, Value: fmt.Sprint(p.version), Want: "1 or more"}
	}
	if p.fold == nil {
		return nil, &commands.Invalid{Field: "the fold of the projection " + p.name, Value: "nil", Want: "a function"}
	}
	return &projection{name: p.name, version: p.version, state: &folded[S]{fold: p.fold}, runs: map[string]projectedRun{}, turn: make(chan struct{}, 1), moved: make(chan struct{})}, nil
}

// projectedState is the state of a projection, whatever its type.
type projectedState interface {
	apply(Recorded) error
	json.Marshaler
	json.Unmarshaler
	clear()
}

type folded[S any] struct {
	fold  func(*S, Recorded) error
	state S
}

// apply turns a panic of the fold into an error.
func (f *folded[S]) apply(e Recorded) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	return f.fold(&f.state, e)
}

func (f *folded[S]) MarshalJSON() ([]byte, error)    { return json.Marshal(f.state) }
func (f *folded[S]) UnmarshalJSON(text []byte) error { return json.Unmarshal(text, &f.state) }
func (f *folded[S]) clear()                          { var none S; f.state = none }

// behind says how far a projection was when the time was over.
func behind(name string, position, want store.Position) error {
	return fmt.Errorf("%w: the projection %s is at position %s and was to be at %s; ask again later, or with ReadStale for what it has", lookup.ErrBehind, name, position, want)
}
