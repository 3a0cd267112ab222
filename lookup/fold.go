package lookup

import (
	"slices"
	"time"

	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/query"
)

// evolve folds the next entry of an open run, as [history.State.Evolve] does, but keeps counts and not what is counted. Where
// attributes change, the run's are loaded.
func (r *run) evolve(e history.Entry) {
	r.Seq = e.Seq
	if e.Build != "" {
		r.Build = e.Build
	}
	if e.Told > 0 {
		r.told = e.Told
		r.lift()
		defer r.read(e.Unread)
	}
	if e.Event == nil || !e.Changes() {
		return
	}
	if e.Event.Role() == history.Input {
		r.input = e.Seq
	}
	r.progress(e)
	if begun, ok := e.Event.(*history.Begun); ok {
		r.begun(begun, e.Adopted != nil)
	}
	r.stand(e.Event)
	r.count(e.Event)
	r.settle(e.Event)
	r.strange(e)
	r.end(e.Event, e.At)
}

// stand folds what concerns the run itself.
func (r *run) stand(event history.Event) {
	switch event := event.(type) {
	case *history.Postponed:
		r.delayed, r.Deadline = queued, event.Deadline
	case *history.Stalled:
		r.stall = event.Reason
		if r.Status != query.Paused {
			r.Status = query.Stalled
		}
	case *history.Paused:
		r.Status, r.pause = query.Paused, event.Reason
	case *history.Unpaused:
		r.Status, r.pause = query.Running, ""
		if event.Held > 0 {
			r.Deadline = history.Nearest(event.RunDeadline, event.Deadline)
		}
		if r.stall != "" {
			r.Status = query.Stalled
		}
	case *history.Resumed:
		r.lift()
	case *history.AttributesSet:
		r.attributes, r.reset = r.attributes.With(event.Attributes), true
	case *history.AttributesChanged:
		r.attributes, r.reset = r.attributes.With(event.Attributes), true
	case *history.MemoChanged:
		r.memo, r.rememo = object(event.Memo), true
	case *history.Moved:
		if !r.moved {
			r.from = r.Version
		}
		r.Version, r.moved = event.Version, true
	case *history.Signaled:
		r.Signals++
		r.Unread++
	}
}

func changesAttributes(event history.Event) bool {
	switch event.(type) {
	case *history.AttributesSet, *history.AttributesChanged:
		return true
	}
	return false
}

func (r *run) lift() {
	r.stall = ""
	if r.Status == query.Stalled {
		r.Status = query.Running
	}
}

// count folds what is asked for.
func (r *run) count(event history.Event) {
	switch event := event.(type) {
	case *history.ActivityScheduled:
		r.Activities++
		if event.Policy != nil && event.Policy.OnCancel == history.WaitCancelled {
			r.wait(event.Step)
		}
	case *history.ChildAsked:
		r.Children++
		if event.OnCancel == history.WaitCancelled {
			r.wait(event.Step)
		}
	case *history.TimerStarted:
		r.Timers++
	case *history.SendAsked:
		r.sends++
	case *history.FindAsked:
		r.finds++
	case *history.UpdateAccepted:
		r.updates++
	}
}

// settle folds how that ended.
func (r *run) settle(event history.Event) {
	switch event := event.(type) {
	case *history.ActivityCompleted:
		r.made(event.Step)
	case *history.ActivityFailed:
		r.made(event.Step)
	case *history.ActivityTimedOut:
		r.made(event.Step)
	case *history.ActivityCancelled:
		r.made(event.Step)
	case *history.ActivityCancelRequested:
		if !r.waitsFor(event.Step) {
			r.made(event.Step)
		}
	case *history.ChildRefused:
		r.settled(&r.Children, event.Step)
	case *history.ChildClosed:
		r.settled(&r.Children, event.Step)
	case *history.ChildCancelDelivered:
		if !r.waitsFor(event.Step) {
			r.settled(&r.Children, event.Step)
		}
	case *history.TimerFired, *history.TimerCancelled:
		less(&r.Timers)
	case *history.Sent:
		less(&r.sends)
	case *history.FindAnswered:
		less(&r.finds)
	case *history.UpdateCompleted, *history.UpdateFailed:
		less(&r.updates)
	}
}

func (r *run) made(step history.Step) {
	r.settled(&r.Activities, step)
	r.usual(step)
}

func (r *run) settled(of *int, step history.Step) {
	less(of)
	if i, found := slices.BinarySearch(r.waits, step); found {
		r.waits = slices.Delete(r.waits, i, i+1)
	}
}

func less(n *int) { *n = max(*n-1, 0) }

func (r *run) wait(step history.Step) {
	if i, found := slices.BinarySearch(r.waits, step); !found {
		r.waits = slices.Insert(r.waits, i, step)
	}
}

func (r *run) waitsFor(step history.Step) bool {
	_, waits := slices.BinarySearch(r.waits, step)
	return waits
}

// end folds what closes the run.
func (r *run) end(event history.Event, at time.Time) {
	switch event := event.(type) {
	case *history.Completed:
		r.close(query.Completed, event.Closing, at)
	case *history.Failed:
		r.close(query.Failed, event.Closing, at)
		r.Failure = code(event.Failure)
	case *history.Cancelled:
		r.close(query.Cancelled, event.Closing, at)
		r.Failure = code(event.Failure)
	case *history.Terminated:
		r.close(query.Terminated, event.Closing, at)
	case *history.TimedOut:
		r.close(query.TimedOut, event.Closing, at)
	case *history.Continued:
		r.close(query.Continued, event.Closing, at)
	}
}

func (r *run) close(status query.Status, c history.Closing, at time.Time) {
	r.Status, r.Closed, r.Unread = status, at, len(c.Unread)
	r.allUsual()
	r.Activities, r.Timers, r.Children, r.sends, r.finds, r.updates = 0, 0, 0, 0, 0, 0
	r.waits, r.stall, r.pause, r.delayed, r.wake = nil, "", "", 0, time.Time{}
	r.told = r.Seq
}

// read folds how many signals the code has not received; of a closed run its last entry says so.
func (r *run) read(unread int) {
	if r.open() {
		r.Unread = unread
	}
}

// progress folds how it comes on: what is told to the code or asked by it is progress, an attempt that came to nothing is none.
func (r *run) progress(e history.Entry) {
	if e.Event.Role() != history.Note {
		r.Progressed, r.Attempts = e.At, 0
		return
	}
	switch e.Event.(type) {
	case *history.AttemptFailed, *history.AttemptLost, *history.AttemptOverdue:
		r.Attempts++
	}
}
