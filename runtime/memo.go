package runtime

import (
	"context"
	"encoding/json"

	"github.com/clewflow/clew/commands"
	"github.com/clewflow/clew/history"
)

// ChangeMemo changes members of the note that is kept with an open execution; a nil takes one away, and what is not named stays. Its code is
// told nothing. Runs that continue it have the memo as it is then; one that is retried or restarted has it as its own began with it, with
// the changes that it adopts. Options: as of TryAgain. Errors: its own, ErrInvalid for a memo that is too large, or of which what is there
// cannot be read.
func (r *Runtime) ChangeMemo(ctx context.Context, id string, memo map[string]any, opts ...CallOption) error {
	changes := make(map[string]json.RawMessage, len(memo))
	for name, v := range memo {
		data, err := json.Marshal(v)
		if err != nil {
			return &commands.Invalid{Field: "member " + name + " of the memo", Value: err.Error(), Want: "a value that encodes as JSON"}
		}
		changes[name] = data
	}
	return r.changeMemo(ctx, id, changes, opts)
}

func (r *Runtime) changeMemo(ctx context.Context, id string, changes map[string]json.RawMessage, opts []CallOption) error {
	if len(changes) == 0 {
		return &commands.Invalid{Field: "the memo", Value: "nothing", Want: "at least one member that changes"}
	}
	return r.request(ctx, id, opts, func(s callSettings) commands.Command {
		return commands.ChangeMemo{Memo: history.Attributes(changes).Payload(), Reason: s.reason}
	})
}
