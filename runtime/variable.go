package runtime

import (
	"context"

	"github.com/clewflow/clew/workflow"
)

// SetVariable changes a variable of an open execution, and returns its value before, when the code has taken the change. Options:
// [RequestID], [OfRun]. Errors: as of [Update]; ErrInvalid if the workflow declares no such variable.
func SetVariable[T any](ctx context.Context, rt *Runtime, id string, v workflow.Variable[T], value T, opts ...CallOption) (before T, err error) {
	return Update(ctx, rt, id, v.Update(), value, opts...)
}

// Variable is the value of a variable of an execution. Errors: as of [Query].
func Variable[T any](ctx context.Context, rt *Runtime, id string, v workflow.Variable[T], opts ...CallOption) (T, error) {
	return Query(ctx, rt, id, v.Query(), opts...)
}
