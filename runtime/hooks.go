package runtime

import (
	"context"
	"time"

	"github.com/clewflow/clew/activity"
	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/lookup"
	"github.com/clewflow/clew/query"
)

// Hooks let tests see, order and replace what a runtime does by itself. The zero Hooks change nothing. They are for clew's own tests
// and its test kit, and promise nothing to others.
type Hooks struct {
	Errands func(Errand)                            // runs what executions want of each other; nil: at once
	Pace    func(context.Context, Pace)             // is called before the runtime does something of its own accord
	Value   func(string) (history.Payload, bool)    // stands in for values by their names, see workflow.Value; false: it does not
	Find    func(query.Query) []query.Row           // what the index is said to answer to workflows; nil: it does
	Local   func(activity.Handler) activity.Handler // put around local steps
	Offset  time.Duration                           // of the clock
	Index   *lookup.Index                           // instead of one beside the store; not closed by Close
}
