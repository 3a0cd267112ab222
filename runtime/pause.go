package runtime

import (
	"context"

	"github.com/clewflow/clew/commands"
	"github.com/clewflow/clew/history"
)

// Pause lets an execution rest: attempts in hand go on and their outcomes are recorded, no others are begun, and its code is told nothing
// until [Runtime.Unpause]. Signals are accepted and kept, queries are answered as of before the pause, updates are refused with
// ErrPaused. Timers that come due wait, unless [TimersOn]; time-outs and deadlines go on, unless [HoldLimits]. It may be cancelled, which its
// code is told afterwards, and terminated at once. Pausing what is paused changes nothing. Options: [RequestID], [Reason], [OfRun]. Errors:
// ErrNotFound, ErrNotRunning, ErrUnavailable.
func (r *Runtime) Pause(ctx context.Context, id string, opts ...CallOption) error {
	return r.request(ctx, id, opts, func(s callSettings) commands.Command {
		return commands.Pause{Reason: s.reason, TimersOn: s.timersOn, HoldLimits: s.holdLimits}
	})
}

// TimersOn lets timers fire while an execution is paused; its code is told of that afterwards.
func TimersOn() CallOption { return callOption(func(s *callSettings) { s.timersOn = true }) }

// HoldLimits lets no limit of time of what waits pass while an execution is paused: neither schedule-to-start and schedule-to-close of its
// activities, nor its run and execution time-out. When it goes on, what was left of each when the pause began is left. Start-to-close and
// heartbeat of an attempt in hand go on, so that a worker that died is seen. The Deadline of the context of an attempt in hand stays what
// it was, though the attempt has more time; that of an attempt which begins afterwards is right.
func HoldLimits() CallOption { return callOption(func(s *callSettings) { s.holdLimits = true }) }

// Unpause lets an execution go on that is paused: its code is told in order what has happened meanwhile, each thing with the time at which
// it happened. Of one that is not paused nothing follows. Errors: as of Pause.
func (r *Runtime) Unpause(ctx context.Context, id string, opts ...CallOption) error {
	return r.request(ctx, id, opts, func(s callSettings) commands.Command { return commands.Unpause{Reason: s.reason} })
}

// told is what the code of a run is told: all, unless it is paused or halted.
func told(s *history.State, run []history.Entry, halted bool) []history.Entry {
	if !halted {
		return run
	}
	for i, e := range run {
		if e.Seq > s.Told && e.Event.Role() == history.Input {
			return run[:i]
		}
	}
	return run
}

// turnsPause reports whether code that was told everything so far is of no use behind an event: it is told less from then on, or more, or is
// other code.
func turnsPause(e history.Event) bool {
	switch e.(type) {
	case *history.Paused, *history.Unpaused, *history.Moved, *history.TriedAgain:
		return true
	}
	return false
}

func because(reason string) string {
	if reason == "" {
		return ""
	}
	return ", because " + reason
}
