package replay

import (
	"strconv"

	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/workflow"
)

// found is what the code gets of a lookup: the rows, or how many there are.
func found(e *history.FindAnswered) history.Payload {
	if e.Rows.Absent() {
		return history.JSON(strconv.AppendUint(nil, e.Found, 10))
	}
	return e.Rows
}

func findError(e *history.FindAnswered) error {
	if e.Refused == "" {
		return nil
	}
	return workflow.Refused("the lookup has no answer", e.Refused, e.Message)
}
