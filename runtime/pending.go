package runtime

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"time"

	"github.com/clewflow/clew/commands"
	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/system"
)

// ApplyPolicies has the policies in force hold for the activities of an open execution that are scheduled and not settled: all of them, or of
// an activity alone. How they are tried again and their limits of time change from then on, the latter counted from their recorded
// beginnings. What is in hand goes on under its new limits; an attempt that waits is made when the new rule says. What is about to be made is
// made, also if it is one attempt more than the new rule allows. What no rule names stays, and so does what the call itself asked for,
// unless the rule is forced. Each activity that changes gets an entry with what was before and after; where nothing changes none
// follows. Options: [RequestID], [Reason], [Operator], [OfRun]. Errors: ErrInvalid for another subject, ErrNotFound, ErrNotRunning,
// ErrUnavailable.
func (r *Runtime) ApplyPolicies(ctx context.Context, id string, of Subject, opts ...CallOption) error {
	if err := pendingSubjects([]PolicyChange{{Subject: of}}); err != nil {
		return err
	}
	if err := r.readPolicies(ctx); err != nil { // another node may have laid them down
		return err
	}
	return r.request(ctx, id, opts, func(s callSettings) commands.Command { return commands.ApplyPolicies{Subject: of, Reason: s.reason} })
}

// ApplyToPending has what [Runtime.SetPolicy] and SetPolicies lay down for an activity or the namespace hold for what is scheduled already
// too, see [Runtime.ApplyPolicies]. That is done to one open execution after the other by a batch, whose id is [PendingBatch] of the version:
// it goes on after a crash and can be asked how far it has come, like any. Who laid a policy down and did not learn of it asks again: what
// was begun is not begun twice.
func ApplyToPending() CallOption { return callOption(func(s *callSettings) { s.pending = true }) }

// PendingBatch is the workflow id of the batch that applies the policies of a version to what is scheduled, if [ApplyToPending] was asked for.
func PendingBatch(version uint64) string { return fmt.Sprintf("policies-%d", version) }

// PendingQuery finds the runs that have something scheduled.
const PendingQuery = "status = open AND activities > 0"

// pendingRate is how many executions a second are changed.
const pendingRate = 1000

func pendingSubjects(changes []PolicyChange) error {
	for _, c := range changes {
		if of := c.Subject.Of; of != history.OfActivity && of != history.OfNamespace {
			return &commands.Invalid{Field: "apply to pending", Value: c.Subject.String(), Want: "an activity or the namespace: limits, queues and workflows say nothing of what is scheduled"}
		}
	}
	return nil
}

// applyToPending begins the batch.
func (r *Runtime) applyToPending(ctx context.Context, version uint64, changes []PolicyChange, s callSettings) error {
	o := Operation{Do: "apply-policies"}
	if len(changes) == 1 {
		o.Activity = changes[0].Subject.Name
	}
	operation, err := json.Marshal(o)
	if err != nil {
		return err
	}
	b := system.Batch{Query: PendingQuery, Operation: operation, Reason: s.reason, By: s.operator, Rate: pendingRate, Most: math.MaxInt}
	id := PendingBatch(version)
	if _, err := r.Batch(ctx, id, b, RequestID(id), IfRunning(UseExisting)); err != nil {
		return fmt.Errorf("runtime: version %d of the policies is laid down, and not applied to what is scheduled; ask again: %w", version, err)
	}
	return nil
}

// govern has the queue keep what the policy of an activity says now.
func (x *execution) govern(s *history.State, step history.Step, now time.Time) {
	if a := s.Activities[step]; a != nil {
		x.rt.queue.Govern(x.key(step), a.Policy, a.Held, a.RetryAt, now)
	}
}
