package runtime

import (
	"context"
	"fmt"

	"github.com/clewflow/clew/commands"
)

// An Operation is something that operators do to executions, by its name.
type Operation string

// What operators do.
const (
	PauseIt     Operation = "pause"
	UnpauseIt   Operation = "unpause"
	CancelIt    Operation = "cancel"
	TerminateIt Operation = "terminate"
)

// Operate does an operation by its name, for tools that are told which: it is [Runtime.Pause], [Runtime.Unpause], [Runtime.Cancel] or
// [Runtime.Terminate]. Errors: ErrInvalid for another name, else theirs.
func (r *Runtime) Operate(ctx context.Context, what Operation, id string, opts ...CallOption) error {
	switch what {
	case PauseIt:
		return r.Pause(ctx, id, opts...)
	case UnpauseIt:
		return r.Unpause(ctx, id, opts...)
	case CancelIt:
		return r.Cancel(ctx, id, opts...)
	case TerminateIt:
		return r.Terminate(ctx, id, opts...)
	}
	return &commands.Invalid{Field: "what is to be done", Value: fmt.Sprintf("%q", string(what)), Want: "pause, unpause, cancel or terminate"}
}
