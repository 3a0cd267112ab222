package activitytest

import (
	"fmt"
	"testing"
	"time"

	"github.com/clewflow/clew/activity"
	"github.com/clewflow/clew/history"
)

// Try is an attempt that was made.
type Try struct {
	Info    activity.Attempt // as the body saw it
	Number  int              // from 1
	Token   string           // what activity.Token returned
	Outcome Outcome
	Limit   string        // that it passed: "start-to-close", "heartbeat", "schedule-to-close"; empty: none
	Final   string        // why a failed one was the last: "non-retryable", "attempts", "time", "crashed the worker"
	Err     error         // what the body returned; of a panic an *activity.PanicError
	Cause   error         // why its context had ended when the body returned; nil: it had not
	Took    time.Duration // from its start until the body returned
	Retry   time.Duration // from its end until the next attempt; zero if there is none
	Beats   []Beat        // its heartbeats, in order
}

// Beat is a heartbeat.
type Beat struct {
	After time.Duration // since the start of the attempt

	checkpoint history.Payload
}

// Outcome is what became of an attempt. It is set once: what comes later changes nothing.
type Outcome string

// What becomes of an attempt.
const (
	Completed Outcome = "completed"
	Failed    Outcome = "failed" // also by a panic
	TimedOut  Outcome = "timed out"
	Cancelled Outcome = "cancelled" // also because its run was closed
	Lost      Outcome = "lost"
	Pending   Outcome = "pending" // it goes on outside, to be completed by its token
)

func (t *Try) String() string {
	s := fmt.Sprintf("attempt %d %s after %s", t.Number, t.Outcome, t.Took)
	if t.Limit != "" {
		s += ": " + t.Limit
	}
	if t.Err != nil {
		s += fmt.Sprintf(": %v", t.Err)
	}
	if t.Retry > 0 {
		s += fmt.Sprintf("; the next after %s", t.Retry)
	}
	return s
}

// Checkpoints are those that the attempt has sent with its heartbeats, in order. Heartbeats without one are left out. One that a
// C cannot hold fails the test, because then activity.Checkpoint would not return it either.
func Checkpoints[C any](t testing.TB, try *Try) (all []C) {
	t.Helper()
	for _, b := range try.Beats {
		if b.checkpoint.Absent() {
			continue
		}
		var c C
		if err := b.checkpoint.Decode(&c); err != nil {
			t.Fatalf("a checkpoint of attempt %d is no %T: %s: %v", try.Number, c, b.checkpoint.Data, err)
		}
		all = append(all, c)
	}
	return all
}
