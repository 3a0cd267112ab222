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
	}
	if e.Event == nil {
		return
	}
	if e.Event.Role() == history.Input {
		r.input = e.Seq
	}
	r.progress(e)
	r.stand(e.Event)
	r.count(e.Event)
	r.settle(e.Event)
	r.end(e.Event, e.At)
}

// stand folds what concerns the run itself.
func (r *run) stand(event history.Event) {
	switch event := event.(type) {
	case *history.Begun:
		r.delayed = false
	case *history.Stalled:
		r.stall = event.Reason
		if r.Status != query.Paused {
			r.Status = query.Stalled
		}
	case *history.Paused:
		r.Status, r.pause = query.Paused, event.Reason
	case *history.Unpaused:
		r.Status, r.pause = query.Running, ""
		if r.stall != "" {
			r.Status = query.Stalled
		}
	case *history.Resumed:
		r.lift()
	case *history.AttributesSet:
		r.attributes, r.reset = r.attributes.With(event.Attributes), true
	case *history.Signaled:
		r.Signals++
	}
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
	case *history.UpdateAccepted:
		r.updates++
	}
}

// settle folds how that ended.
func (r *run) settle(event history.Event) {
	switch event := event.(type) {
	case *history.ActivityCompleted:
		r.settled(&r.Activities, event.Step)
	case *history.ActivityFailed:
		r.settled(&r.Activities, event.Step)
	case *history.ActivityTimedOut:
		r.settled(&r.Activities, event.Step)
	case *history.ActivityCancelled:
		r.settled(&r.Activities, event.Step)
	case *history.ActivityCancelRequested:
		if !r.waitsFor(event.Step) {
			r.settled(&r.Activities, event.Step)
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
	case *history.UpdateCompleted, *history.UpdateFailed:
		less(&r.updates)
	}
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
		r.close(query.Completed, at)
	case *history.Failed:
		r.close(query.Failed, at)
		r.Failure = code(event.Failure)
	case *history.Cancelled:
		r.close(query.Cancelled, at)
		r.Failure = code(event.Failure)
	case *history.Terminated:
		r.close(query.Terminated, at)
	case *history.TimedOut:
		r.close(query.TimedOut, at)
	case *history.Continued:
		r.close(query.Continued, at)
	}
}

func (r *run) close(status query.Status, at time.Time) {
	r.Status, r.Closed = status, at
	r.Activities, r.Timers, r.Children, r.sends, r.updates = 0, 0, 0, 0, 0
	r.waits, r.stall, r.pause, r.delayed, r.wake = nil, "", "", false, time.Time{}
	r.told = r.Seq
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
