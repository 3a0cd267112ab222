package runtime

import (
	"context"

	"github.com/clewflow/clew/commands"
	"github.com/clewflow/clew/history"
)

// Pause holds an execution: attempts in hand go on and their outcomes are recorded, no others are begun, and its code is told nothing
// until [Runtime.Unpause]. Signals are accepted and kept, queries are answered as of before the pause, updates are refused with
// ErrPaused. Timers that come due wait, unless [TimersOn]; time-outs and deadlines go on. It may be cancelled, which its code is told
// afterwards, and terminated at once. Pausing what is paused changes nothing. Options: [RequestID], [Reason], [OfRun]. Errors:
// ErrNotFound, ErrNotRunning, ErrUnavailable.
func (r *Runtime) Pause(ctx context.Context, id string, opts ...CallOption) error {
	return r.request(ctx, id, opts, func(s callSettings) commands.Command { return commands.Pause{Reason: s.reason, TimersOn: s.timersOn} })
}

// TimersOn lets timers fire while an execution is paused; its code is told of that afterwards.
func TimersOn() CallOption { return callOption(func(s *callSettings) { s.timersOn = true }) }

// Unpause lets an execution go on that is paused: its code is told in order what has happened meanwhile, each thing with the time at which
// it happened. Of one that is not paused nothing follows. Errors: as of Pause.
func (r *Runtime) Unpause(ctx context.Context, id string, opts ...CallOption) error {
	return r.request(ctx, id, opts, func(s callSettings) commands.Command { return commands.Unpause{Reason: s.reason} })
}

// told is what the code of a run is told: all, unless it is held.
func told(s *history.State, run []history.Entry) []history.Entry {
	if s.Pause == nil {
		return run
	}
	for i, e := range run {
		if e.Seq > s.Told && e.Event.Role() == history.Input {
			return run[:i]
		}
	}
	return run
}

// turnsPause reports whether code that was told everything so far is of no use behind an event: it is told less from then on, or more.
func turnsPause(e history.Event) bool {
	switch e.(type) {
	case *history.Paused, *history.Unpaused:
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
