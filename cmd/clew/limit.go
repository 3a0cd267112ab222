package main

import (
	"fmt"
	"time"

	"github.com/clewflow/clew/history"
)

// deadlines says when the run and the execution time out.
func (x *explanation) deadlines() {
	run, execution := x.state.Deadlines(x.now)
	for _, d := range []struct {
		what string
		at   time.Time
	}{{"The run", run}, {"The execution", execution}} {
		switch {
		case d.at.IsZero():
		case x.state.Pause.HoldsLimits():
			x.say("%s does not time out meanwhile: its time is held, with %s left.", d.what, left(d.at, x.now))
		default:
			x.say("%s times out at %s (%s).", d.what, second(d.at), seen(d.at, x.now))
		}
	}
}

// limits says which limit of an activity passes next, and what follows; and of one that is held, what is left.
func (x *explanation) limits(a *history.Activity) {
	if pause := x.state.Pause; pause.HoldsLimits() {
		due, limit := a.Due(nil)
		if limit != history.ScheduleToStart {
			due, limit = a.Deadline(), history.ScheduleToClose
		}
		held := x.state.DeadlineAt(a, x.now).Sub(a.Deadline())
		x.say("  Its limit %s is held, with %s left.%s", limit, left(due.Add(held), x.now), most(a))
	}
	due, limit := a.Due(x.state.Pause)
	if due.IsZero() {
		return
	}
	then := "then the code is told that it timed out"
	if limit == history.StartToClose || limit == history.HeartbeatLimit {
		then = map[history.Then]string{
			history.ThenRetry: "then the attempt counts as failed", history.ThenFailRun: "then the run is closed as timed out", history.ThenAlert: "which is noted then",
		}[a.Policy.OnTimeout]
		if then == "" {
			then = "then the code is told that it timed out"
		}
	}
	text := fmt.Sprintf("  Its limit %s passes at %s (%s); %s.", limit, second(due), seen(due, x.now), then)
	if !x.state.Pause.HoldsLimits() {
		text += most(a)
	}
	x.say("%s", text)
}

// left is how much time there is until a limit.
func left(limit, now time.Time) string {
	if !limit.After(now) {
		return "nothing"
	}
	return span(limit.Sub(now))
}

func most(a *history.Activity) string {
	if n := a.Policy.Retry.MaxAttempts; n > 0 {
		return " There are " + count(n, "attempt", "attempts") + " at most."
	}
	return ""
}
