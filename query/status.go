package query

import "github.com/clewflow/clew/history"

// Status is how a run stands; in a [Query] a set of which any will do.
type Status = history.Status

// How a run can stand, and the two groups.
const (
	Running    = history.StatusRunning
	Paused     = history.StatusPaused
	Stalled    = history.StatusStalled
	Completed  = history.StatusCompleted
	Failed     = history.StatusFailed
	Cancelled  = history.StatusCancelled
	Terminated = history.StatusTerminated
	TimedOut   = history.StatusTimedOut
	Continued  = history.StatusContinued

	Open   = history.StatusOpen
	Closed = history.StatusClosed
)
