package workflow

import (
	"encoding/json"
	"time"

	"github.com/clewflow/clew/history"
)

// Failure is what a failure workflow is told of the run that has failed.
type Failure struct {
	ID       string          `json:"id"`  // workflow id of the execution
	Run      string          `json:"run"` // id of its run
	Number   uint64          `json:"number"`
	Workflow string          `json:"workflow"` // its type
	Version  int             `json:"version,omitempty"`
	Status   string          `json:"status"`             // failed, timed out or terminated
	Reason   string          `json:"reason"`             // the failure, the limit that has passed, or why it was terminated
	Step     uint64          `json:"step,omitempty"`     // that failed, 0 if the code did by itself
	Activity string          `json:"activity,omitempty"` // what that step was: the name of an activity, or for example "child order"
	Input    json.RawMessage `json:"input,omitempty"`    // of the run
	Started  time.Time       `json:"started"`
	Closed   time.Time       `json:"closed"`
}

// OnFailure has a workflow started once for each run that fails or times out, after that is recorded, by whoever works on the store then.
// Its id is made of that of the execution and the number of the run. A run that was retried and fails again is another one. Failure
// workflows have none of their own. With [AndWhenTerminated] it is started after a termination too.
func OnFailure[Out any](w Type[Failure, Out], opts ...FailureOption) Option {
	return option(func(s *Settings) {
		s.OnFailure = history.OnFailure{Type: w.Name()}
		for _, o := range opts {
			o(&s.OnFailure)
		}
	})
}

// FailureOption says when a failure workflow is started.
type FailureOption func(*history.OnFailure)

// AndWhenTerminated has a failure workflow started also after a run that somebody has terminated.
func AndWhenTerminated() FailureOption { return func(o *history.OnFailure) { o.Terminated = true } }
