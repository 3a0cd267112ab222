package commands

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"

	"github.com/clewflow/clew/history"
)

// FailureID is the workflow id of what is started because a run has failed: the same however often it is.
func FailureID(id string, run uint64) string {
	suffix := fmt.Sprintf("~failure.%d", run)
	if len(id)+len(suffix) <= MaxName {
		return id + suffix
	}
	sum := sha256.Sum256([]byte(id))
	return "~" + base64.RawURLEncoding.EncodeToString(sum[:18]) + suffix
}

// FailedStep is the step at which a closed run failed, and what that was; 0 if the run did not fail at a step. The entries are those of the
// run, with their payloads open.
func FailedStep(entries []history.Entry) (step history.Step, name string) {
	last := entries[len(entries)-1]
	if v, ok := last.Event.(*history.TimedOut); ok {
		step = v.Step
	}
	if step == 0 {
		at := failedAt(entries, last.Seq)
		for _, e := range entries {
			if o, ok := outcomeAt(e.Event); ok && o.failed && e.Seq == at {
				step = o.step
			}
		}
	}
	for _, e := range entries {
		if asked, what := askedFor(e.Event); asked == step && step > 0 {
			return step, what
		}
	}
	return step, ""
}
