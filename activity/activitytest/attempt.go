package activitytest

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/clewflow/clew/activity"
	"github.com/clewflow/clew/commands"
	"github.com/clewflow/clew/dispatch"
	"github.com/clewflow/clew/history"
)

// offer has the next attempt made when its time has come. An absent input is that of the attempts before.
func (l *life) offer() {
	a := l.state.Activities[step]
	l.queue.Offer(dispatch.Attempt{
		Key: l.key, Run: runID, Workflow: "test", Activity: a.Name, Queue: a.Queue, Number: a.Attempt, Serial: a.Serial, Input: l.input,
		Seq: a.Seq, Scheduled: a.Scheduled, Held: a.Held, Policy: a.Policy, LastFailure: a.LastFailure, Checkpoint: a.Checkpoint,
	}, a.RetryAt, time.Now())
}

// take begins the attempt that is to be made now, or says when the next one is.
func (l *life) take(now time.Time) time.Time {
	if !l.open() {
		return time.Time{}
	}
	ctx, cancel := context.WithCancelCause(l.t.Context())
	h, next := l.queue.Take(now, cancel)
	if h == nil {
		cancel(nil)
		return next
	}
	if p := h.Policy; p.Retry.MaxAttempts == 1 || p.ScheduleToStart > 0 {
		if err := l.decide(commands.BeginAttempt{Attempt: h.Facts()}); err != nil {
			h.Release()
			return next
		}
	}
	try := &Try{Number: h.Number, Token: fmt.Sprintf("token %d of %s", h.Number, l.name)}
	l.tries = append(l.tries, try)
	l.making++
	hand := l.hand(ctx, h, try)
	go l.make(activity.WithHand(attemptContext{ctx, h.Deadline()}, hand), h, try)
	return next
}

// attemptContext knows its deadline. It ends when the limit is decided to have passed, not by a timer of its own.
type attemptContext struct {
	context.Context
	deadline time.Time
}

func (c attemptContext) Deadline() (time.Time, bool) { return c.deadline, !c.deadline.IsZero() }

func (l *life) hand(ctx context.Context, h *dispatch.Hand, try *Try) *activity.Hand {
	var last error
	if !h.LastFailure.Absent() {
		last = activity.Recall(history.ReadFailure(h.LastFailure))
	}
	try.Info = activity.Attempt{
		Namespace: h.ID.Namespace, Execution: h.ID.Workflow, Run: h.Run, Workflow: h.Workflow, Step: uint64(h.Step), Activity: h.Activity,
		Queue: h.Queue, Number: h.Number, Serial: uint64(h.Serial), Scheduled: h.Scheduled, Started: h.Started, Deadline: h.Deadline(), LastFailure: last,
		IdempotencyKey: fmt.Sprintf("%s/%d", h.Run, h.Step), Headers: l.headers,
	}
	return &activity.Hand{
		Attempt: try.Info,
		Beat: func(checkpoint history.Payload) error {
			l.mu.Lock()
			defer l.mu.Unlock()
			now := time.Now()
			try.Beats = append(try.Beats, Beat{now.Sub(h.Started), checkpoint})
			if h.Beat(checkpoint, now) {
				_ = l.decide(commands.Beat{Attempt: h.Facts()}) // one that comes too late is told so by its context
			}
			return context.Cause(ctx)
		},
		Checkpoint: h.Checkpoint,
		Token:      func() string { return try.Token },
		Files:      l.files.kept,
	}
}

// make makes one attempt, on a goroutine of its own.
func (l *life) make(ctx context.Context, h *dispatch.Hand, try *Try) {
	var result history.Payload
	err, returned := error(nil), false
	defer func() {
		cause := context.Cause(ctx)
		l.mu.Lock()
		defer l.mu.Unlock()
		l.exited = l.exited || !returned
		try.Err, try.Cause, try.Took = err, cause, time.Since(h.Started)
		_ = l.decide(ended(h, result, err)) // if its outcome stands already, nothing follows
		h.Release()
		l.making--
		l.tell()
	}()
	result, err = call(ctx, l.body, h.Input)
	returned = true
}

// call calls a body. A panic is a failure.
func call(ctx context.Context, body activity.Handler, input history.Payload) (result history.Payload, err error) {
	defer func() {
		if v := recover(); v != nil {
			result, err = history.Payload{}, &activity.PanicError{Message: fmt.Sprint(v), Stack: string(debug.Stack())}
		}
	}()
	return body(ctx, input)
}

// ended is the command that says how an attempt ended.
func ended(h *dispatch.Hand, result history.Payload, err error) commands.Command {
	switch {
	case err == nil:
		return commands.CompleteActivity{Attempt: h.Facts(), Result: result}
	case errors.Is(err, activity.Pending):
		return commands.LeavePending{Attempt: h.Facts()}
	}
	v := activity.Judge(err)
	return commands.FailActivity{
		Attempt: h.Facts(), Failure: activity.Record(err).Payload(), Codes: v.Codes, Final: v.Final, RetryAfter: v.RetryAfter, Dice: middle,
	}
}

// tell wakes the goroutine of the test.
func (l *life) tell() {
	select {
	case l.news <- struct{}{}:
	default:
	}
}
