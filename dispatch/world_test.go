package dispatch

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/clewflow/clew/history"
)

var (
	epoch = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	errA  = errors.New("a")
	errB  = errors.New("b")
)

func after(d time.Duration) time.Time { return epoch.Add(d) }

func key(workflow string, step history.Step) Key {
	return Key{ID: history.ID{Namespace: "ns", Workflow: workflow}, Step: step}
}

// attempt is the first attempt of step 1, without limits.
func attempt(workflow string) Attempt {
	return Attempt{Key: key(workflow, 1), Run: "run", Activity: "act", Number: 1, Scheduled: epoch, Policy: &history.Policy{}}
}

func text(s string) history.Payload { return history.JSON(fmt.Appendf(nil, "%q", s)) }

// taken is a hand and how its context ended, nil as long as it has not.
type taken struct {
	*Hand
	cause *error
}

// take takes what is next; the hand is nil if nothing is.
func take(q *Queue, now time.Time) (h taken, next time.Time) {
	h.cause = new(error)
	h.Hand, next = q.Take(now, func(cause error) {
		if *h.cause == nil { // as of a context, the first counts
			*h.cause = cause
		}
	})
	return h, next
}

// mustTake takes what is next, which is an attempt of a workflow.
func mustTake(t *testing.T, q *Queue, workflow string, now time.Time) taken {
	t.Helper()
	h, _ := take(q, now)
	require.NotNil(t, h.Hand, "%s is to be taken", workflow)
	require.Equal(t, workflow, h.ID.Workflow)
	require.Equal(t, now, h.Started)
	return h
}

// nothing takes nothing, and says when the next attempt is due.
func nothing(t *testing.T, q *Queue, now time.Time) (next time.Time) {
	t.Helper()
	h, next := take(q, now)
	if h.Hand != nil {
		require.Fail(t, "there is something to take", "%v", h.Key)
	}
	return next
}

func told(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
