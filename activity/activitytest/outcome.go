package activitytest

import (
	"fmt"
	"time"

	"github.com/clewflow/clew/activity"
	"github.com/clewflow/clew/commands"
	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/replay"
)

// follow does what an event says is to be done, as a runtime does, and notes what became of the attempt.
func (l *life) follow(e history.Event) {
	switch v := e.(type) {
	case *history.AttemptFailed:
		l.again(v)
	case *history.AttemptLost:
		if l.once {
			l.settle(errLost, errLost)
			return
		}
		l.offer()
	case *history.AttemptStarted:
		if v.Pending {
			l.close(Pending, "")
			l.settle(activity.Pending, errSettled)
		}
	case *history.AttemptOverdue:
		l.queue.Unlimit(l.key)
	case *history.ActivityCancelRequested:
		l.cancel()
	case *history.ActivityCompleted:
		l.close(Completed, "")
		l.result = v.Result
		l.settle(nil, errSettled)
	case *history.ActivityFailed:
		l.close(Failed, "").Final = v.Final
		l.settle(replay.ActivityError(l.name, e), errSettled)
	case *history.ActivityTimedOut:
		l.close(TimedOut, v.Limit)
		l.settle(replay.ActivityError(l.name, e), timedOut(v.Limit))
	case *history.ActivityCancelled:
		l.close(Cancelled, "")
		l.settle(replay.ActivityError(l.name, e), activity.ErrCancelled)
	case *history.Terminated:
		l.close(Cancelled, "")
		l.settle(errRunClosed, errRunClosed)
	case *history.TimedOut:
		l.close(TimedOut, v.Limit)
		l.settle(fmt.Errorf("%w: %s; the policy has the run closed", activity.ErrTimeout, v.Limit), errRunClosed)
	}
}

func timedOut(limit string) error { return fmt.Errorf("%w: %s", activity.ErrTimeout, limit) }

// again has another attempt made after one that failed.
func (l *life) again(e *history.AttemptFailed) {
	outcome, last := Failed, history.Event(&history.ActivityFailed{Try: e.Try, Failure: e.Failure})
	if e.Limit != "" {
		outcome, last = TimedOut, &history.ActivityTimedOut{Try: e.Try, Limit: e.Limit}
		l.queue.Settle(l.key, timedOut(e.Limit))
	}
	l.close(outcome, e.Limit).Retry = e.RetryAt.Sub(l.state.At)
	if l.once { // what a workflow would get if it were the last
		l.settle(replay.ActivityError(l.name, last), errSettled)
		return
	}
	l.offer()
}

// cancel ends what is in hand because its scope has ended.
func (l *life) cancel() {
	inHand := l.queue.Cancel(l.key, activity.ErrCancelled)
	switch {
	case l.state.Activities[step] == nil: // nobody waits for how it ends
		l.close(Cancelled, "")
		l.settle(activity.ErrCancelled, activity.ErrCancelled)
	case !inHand:
		_ = l.decide(commands.SettleCancelled{Attempt: commands.Attempt{Run: runID, Step: step}})
	}
}

// close notes what became of the last attempt. The first outcome stands.
func (l *life) close(o Outcome, limit string) *Try {
	if len(l.tries) == 0 {
		return new(Try) // the activity ended before an attempt was made, and nobody will look at this
	}
	try := l.tries[len(l.tries)-1]
	if try.Outcome == "" {
		try.Outcome, try.Limit = o, limit
	}
	return try
}

// settle ends the activity: err is for the workflow, cause for the attempt in hand.
func (l *life) settle(err, cause error) {
	l.queue.SettleAll(l.key.ID, cause)
	if l.settled.IsZero() {
		l.settled, l.err = time.Now(), err
	}
	l.tell()
}
