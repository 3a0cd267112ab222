package runtime

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/clewflow/clew/history"
)

// Pace is something that a runtime is about to do of its own accord. A test in which several such things are about to be done can
// put them in order.
type Pace struct {
	What string       // in a word or two
	Of   history.ID   // for whom; zero: whoever is next
	Step history.Step // of whose attempt; 0: of none
}

// TurnPace is the word for handling what has come for an execution.
const TurnPace = "turn"

func (r *Runtime) pace(ctx context.Context, what string, id history.ID) { r.paceStep(ctx, what, id, 0) }

func (r *Runtime) paceStep(ctx context.Context, what string, id history.ID, step history.Step) {
	if r.config.Hooks.Pace != nil {
		r.config.Hooks.Pace(ctx, Pace{what, id, step})
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

// order puts calls that have come together in an order that does not tell who was first, where things are put in order at all.
func (r *Runtime) order(calls []*call) {
	if r.config.Hooks.Pace == nil || len(calls) < 2 {
		return
	}
	names := make(map[*call]string, len(calls))
	for _, c := range calls {
		names[c] = fmt.Sprintf("%T %+v %s %s %s %t %t", c.command, c.command, c.by, c.request, c.of, c.code, c.heard)
	}
	slices.SortStableFunc(calls, func(a, b *call) int { return strings.Compare(names[a], names[b]) })
}
