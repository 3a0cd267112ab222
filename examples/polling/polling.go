// Package polling follows a job of somebody else's: it asks as often as that service allows, until the job is done, has
// been withdrawn, or has taken too long.
package polling

import (
	"time"

	"github.com/clewflow/clew/activity"
	"github.com/clewflow/clew/workflow"
)

// Job is where to ask.
type Job struct{ URL string }

// Done is how the job ended.
type Done struct{ Status string }

// Poll is asked again by its policy until the job is done, so that a poll costs one entry. [Client] has the body.
var Poll = activity.Declare[Job, Done]("polling.poll",
	activity.StartToClose(10*time.Second), activity.Retry{Backoff: activity.Fixed, Initial: 30 * time.Second, Jitter: activity.NoJitter})

// Withdraw says that nobody wants to know any more.
var Withdraw = workflow.NewSignal[workflow.None]("withdraw")

// Follow is the life of a job, as seen from here.
var Follow = workflow.Define("polling", follow)

const patience = 6 * time.Hour

func follow(ctx workflow.Context, j Job) (Done, error) {
	poll := workflow.Begin(ctx, Poll, j) // cancelled when the workflow ends
	switch got, err := workflow.SelectWithin(ctx, patience, poll, Withdraw); got {
	case poll:
		return poll.Get(ctx)
	case Withdraw:
		Withdraw.TryReceive(ctx)
		return Done{"withdrawn"}, nil
	case workflow.Timeout:
		return Done{"given up"}, nil
	default: // cancelled
		return Done{}, err
	}
}
