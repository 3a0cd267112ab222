package history

// newEvent makes an empty event of a kind; nil if there is no such kind. The kinds are promises: each that was ever
// released stays here for ever.
func newEvent(kind string) Event {
	switch kind {
	case "started":
		return new(Started)
	case "begun":
		return new(Begun)
	case "cancel-requested":
		return new(CancelRequested)
	case "completed":
		return new(Completed)
	case "failed":
		return new(Failed)
	case "cancelled":
		return new(Cancelled)
	case "terminated":
		return new(Terminated)
	case "timed-out":
		return new(TimedOut)
	case "activity-scheduled":
		return &ActivityScheduled{Policy: &StandardPolicy}
	case "attempt-started":
		return new(AttemptStarted)
	case "heartbeat":
		return new(Heartbeat)
	case "attempt-failed":
		return new(AttemptFailed)
	case "attempt-lost":
		return new(AttemptLost)
	case "attempt-overdue":
		return new(AttemptOverdue)
	case "activity-completed":
		return new(ActivityCompleted)
	case "activity-failed":
		return new(ActivityFailed)
	case "activity-timed-out":
		return new(ActivityTimedOut)
	case "activity-cancel-requested":
		return new(ActivityCancelRequested)
	case "activity-cancelled":
		return new(ActivityCancelled)
	case "timer-started":
		return new(TimerStarted)
	case "timer-fired":
		return new(TimerFired)
	case "timer-cancelled":
		return new(TimerCancelled)
	case "signaled":
		return new(Signaled)
	case "kept":
		return new(Kept)
	case "stalled":
		return new(Stalled)
	case "resumed":
		return new(Resumed)
	case "told":
		return new(Told)
	}
	return nil
}
