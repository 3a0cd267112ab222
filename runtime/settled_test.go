package runtime

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clewflow/clew/dispatch"
	"github.com/clewflow/clew/history"
)

// TestSettledLocalStepIsNotMade: when a step is settled after its attempt was taken and before that begins, its function may be
// gone, or be that of the run that continues the step's. Neither is called, and nothing is said to be missing.
func TestSettledLocalStepIsNotMade(t *testing.T) {
	r := new(Runtime)
	k := dispatch.Key{ID: history.ID{Namespace: "ns", Workflow: "w"}, Step: 1}
	ctx, settle := context.WithCancelCause(t.Context())
	settle(errRunClosed)
	for _, there := range []bool{false, true} {
		called := false
		if there {
			r.locals.set(k, func(context.Context, history.Payload) (history.Payload, error) {
				called = true
				return history.Payload{}, nil
			})
		}
		_, err := r.call(ctx, &dispatch.Hand{Attempt: dispatch.Attempt{Key: k, Local: true}})
		require.ErrorIs(t, err, errRunClosed)
		assert.False(t, called)
	}
}
