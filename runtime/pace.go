package runtime

import (
	"context"

	"github.com/clewflow/clew/history"
)

// Pace is something that a runtime is about to do of its own accord. A test in which several such things are about to be done can
// put them in order.
type Pace struct {
	What string     // in a word or two
	Of   history.ID // for whom; zero: whoever is next
}

func (r *Runtime) pace(ctx context.Context, what string, id history.ID) {
	if r.config.Hooks.Pace != nil {
		r.config.Hooks.Pace(ctx, Pace{what, id})
	}
}

// look is called by a loop before it looks at everything. What it was told to look at before now it need not be told again.
func (r *Runtime) look(ctx context.Context, what string, told ...<-chan struct{}) {
	r.pace(ctx, what, history.ID{})
	for _, c := range told {
		select {
		case <-c:
		default:
		}
	}
}
