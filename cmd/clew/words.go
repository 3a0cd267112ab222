package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/clewflow/clew/commands"
	"github.com/clewflow/clew/history"
)

// A teller says in words what entries of a history say. It remembers the names of activities, which only the entry that
// schedules one holds.
type teller struct {
	names map[history.Step]string
	local map[history.Step]bool // those that are local steps
	full  bool                  // payloads are written in full
}

// tell says what happened in an entry. Entries are told in their order.
func (t *teller) tell(e history.Entry) string {
	text := t.event(e)
	switch {
	case e.By == history.Code, e.By == history.Worker, e.By == history.Clock:
	case e.By == history.Client:
		if _, started := e.Event.(*history.Started); !started {
			text += " (by client)"
		}
	default:
		text += " (by " + plain(string(e.By)) + ")"
	}
	if e.Adopted != nil {
		text += fmt.Sprintf(" (adopted: entry %d", e.Adopted.Seq)
		if !e.Adopted.Was.IsZero() && e.Event.Role() != history.Note {
			text += ", of " + e.Adopted.Was.UTC().Format(time.RFC3339)
		}
		text += ")"
	}
	return text
}

func (t *teller) event(e history.Entry) string {
	switch v := e.Event.(type) {
	case *history.Started:
		clear(t.names) // steps are numbered anew
		clear(t.local)
		return t.started(v, e)
	case *history.Begun:
		if !v.RunDeadline.IsZero() {
			return fmt.Sprintf("begun, run deadline in %s", span(v.RunDeadline.Sub(e.At)))
		}
		return "begun"
	case *history.Postponed:
		return "its time has come; it waits for a slot"
	case *history.CancelRequested:
		return "cancellation requested" + because(v.Reason)
	case *history.Completed:
		return "completed" + t.payload(v.Result) + closing(v.Closing)
	case *history.Failed:
		return "failed" + t.failure(v.Failure) + closing(v.Closing)
	case *history.Cancelled:
		return "cancelled" + t.failure(v.Failure) + closing(v.Closing)
	case *history.Terminated:
		return "terminated" + because(v.Reason) + closing(v.Closing)
	case *history.TimedOut:
		text := "timed out: the limit of the " + plain(v.Limit)
		if v.Step > 0 {
			text = fmt.Sprintf("timed out with %s: its limit %s", t.activity(v.Step), plain(v.Limit))
		}
		return text + " has passed" + closing(v.Closing)
	case *history.TimerStarted:
		return fmt.Sprintf("timer of %s started (step %d), due %s", span(v.After), v.Step, second(v.Due))
	case *history.TimerFired:
		return fmt.Sprintf("timer fired (step %d)", v.Step)
	case *history.TimerCancelled:
		return fmt.Sprintf("timer stopped (step %d)", v.Step)
	case *history.Signaled:
		return "signal " + plain(v.Name) + t.payload(v.Value)
	case *history.Kept:
		if v.Gate {
			return "gate " + plain(v.Name) + t.payload(v.Value)
		}
		return "value " + plain(v.Name) + t.payload(v.Value)
	case *history.Stalled:
		return "stalled: " + t.text(v.Reason)
	case *history.TriedAgain:
		return "to be tried again at once" + because(v.Reason)
	case *history.Moved:
		return fmt.Sprintf("moved to version %d", v.Version) + because(v.Reason)
	case *history.Paused:
		if v.LimitsHeld {
			return "paused, limits of time are held" + because(v.Reason)
		}
		return "paused" + because(v.Reason)
	case *history.Unpaused:
		if v.Held > 0 {
			return fmt.Sprintf("goes on after a pause, limits of time were held for %s", span(v.Held)) + because(v.Reason)
		}
		return "goes on after a pause" + because(v.Reason)
	case *history.Resumed:
		return "goes on after a stall"
	case *history.Told:
		return fmt.Sprintf("the code was told everything up to entry %d, and asked nothing", e.Told)
	case nil:
		return "an entry that this release cannot read"
	}
	return t.attempt(e)
}

// attempt says what happened to an activity.
func (t *teller) attempt(e history.Entry) string {
	switch v := e.Event.(type) {
	case *history.ActivityScheduled:
		t.names[v.Step] = v.Name
		t.local[v.Step] = v.Local
		text := fmt.Sprintf("activity %s scheduled (step %d)", plain(v.Name), v.Step)
		if v.Local {
			text = fmt.Sprintf("local step %s asked for (step %d)", plain(v.Name), v.Step)
		}
		if v.Queue != "" {
			text += " on queue " + plain(v.Queue)
		}
		return text + turnOf(v.Policy) + t.payload(v.Input)
	case *history.AttemptStarted:
		if v.Pending {
			return t.try(v.Try) + " goes on outside, to be completed by its token" + t.checkpoint(v.Checkpoint)
		}
		return t.try(v.Try) + " started"
	case *history.Heartbeat:
		return "heartbeat of " + t.try(v.Try) + t.checkpoint(v.Checkpoint)
	case *history.AttemptFailed:
		text := t.try(v.Try) + " failed"
		if v.Limit != "" {
			text = t.try(v.Try) + " passed its limit " + plain(v.Limit)
		}
		return text + t.failure(v.Failure) + t.checkpoint(v.Checkpoint) + "; next in " + span(v.RetryAt.Sub(e.At))
	case *history.AttemptLost:
		return t.try(v.Try) + " was lost with its process; next at once"
	case *history.AttemptOverdue:
		return t.try(v.Try) + " has passed its limit " + plain(v.Limit) + " and may go on"
	case *history.ActivityCompleted:
		return fmt.Sprintf("%s completed%s%s", t.settled(v.Try), t.payload(v.Result), because(v.Reason))
	case *history.ActivityFailed:
		return fmt.Sprintf("%s failed%s%s%s%s", t.settled(v.Try), t.failure(v.Failure), t.checkpoint(v.Checkpoint), noMore(v), because(v.Reason))
	case *history.ActivityTimedOut:
		return fmt.Sprintf("%s timed out: its limit %s has passed%s%s", t.settled(v.Try), plain(v.Limit), t.failureBefore(v.Failure), t.checkpoint(v.Checkpoint))
	case *history.ActivityCancelRequested:
		return t.activity(v.Step) + " is to be cancelled"
	case *history.ActivityCancelled:
		return t.settled(v.Try) + " was cancelled" + t.failure(v.Failure) + t.checkpoint(v.Checkpoint)
	case *history.ActivityChanged:
		text := t.activity(v.Step) + " is to be tried at once"
		if v.Reset {
			text += " with all its attempts"
		}
		if !v.Input.Absent() {
			text += " with another input" + t.payload(v.Input)
		}
		return text + because(v.Reason)
	case *history.PolicyApplied:
		text := fmt.Sprintf("%s is under version %d of the policies: %s", t.activity(v.Step), v.Version, strings.Join(history.PolicyChanges(v.Before, v.After), ", "))
		if !v.RetryAt.IsZero() {
			text += "; next in " + span(v.RetryAt.Sub(e.At))
		}
		return text + because(v.Reason)
	case *history.ParentChanged:
		return "run " + plain(v.Run) + " of its parent waits for it now"
	case *history.AttributesChanged:
		return "attributes changed" + t.payload(v.Attributes) + because(v.Reason)
	case *history.MemoChanged:
		return "memo changed" + t.payload(v.Memo) + because(v.Reason)
	case *history.ActivityProgressed:
		return "progress of " + t.try(v.Try) + t.checkpoint(v.Checkpoint)
	}
	return t.relation(e)
}

// unknown says of an event that has no words here what is recorded.
func (t *teller) unknown(e history.Entry) string {
	var written struct{ Event, Payloads json.RawMessage }
	text := strings.ReplaceAll(e.Event.Kind(), "-", " ")
	if json.Unmarshal(history.AppendEntry(nil, e), &written) == nil {
		text += ": " + t.text(string(written.Event)+" "+string(written.Payloads))
	}
	return text
}

func (t *teller) started(v *history.Started, e history.Entry) string {
	text := "workflow " + plain(v.Type) + " started"
	if v.Version > 0 {
		text += fmt.Sprintf(", version %d,", v.Version)
	}
	text += " by " + plain(strings.TrimSuffix(v.Origin.Kind+" "+v.Origin.ID, " "))
	if v.Chain != v.Run || v.Adopts != nil {
		text += fmt.Sprintf(", run %d", v.Number)
	}
	if a := v.Adopts; a != nil {
		text += fmt.Sprintf(", going on from entry %d of run %s", a.Cut, plain(a.Run))
	}
	if v.Key != "" {
		text += ", key " + plain(v.Key)
	}
	if v.Queued {
		text += ", waits for a slot"
	}
	if v.Replaces.ID != "" {
		text += ", replaces " + plain(v.Replaces.ID)
	}
	if v.Route != "" {
		text += ", routed by " + plain(v.Route)
	}
	for _, limit := range []struct {
		what string
		at   time.Time
	}{{"to begin", v.BeginAt}, {"run deadline", v.RunDeadline}, {"deadline", v.Deadline}} {
		if !limit.at.IsZero() {
			text += fmt.Sprintf(", %s in %s", limit.what, span(limit.at.Sub(e.At)))
		}
	}
	return text + t.payload(v.Input) + because(v.Reason)
}

// activity names an activity by its step.
func (t *teller) activity(step history.Step) string {
	if name := t.names[step]; name != "" && t.local[step] {
		return fmt.Sprintf("local step %s (step %d)", plain(name), step)
	}
	if name := t.names[step]; name != "" {
		return fmt.Sprintf("activity %s (step %d)", plain(name), step)
	}
	return fmt.Sprintf("the activity of step %d", step)
}

func (t *teller) try(v history.Try) string {
	return fmt.Sprintf("attempt %d of %s", v.Attempt, t.activity(v.Step))
}

// settled names an activity, with the number of its attempts if there were several.
func (t *teller) settled(v history.Try) string {
	if v.Attempt > 1 {
		return fmt.Sprintf("%s, attempt %d,", t.activity(v.Step), v.Attempt)
	}
	return t.activity(v.Step)
}

func (t *teller) text(s string) string {
	if t.full {
		return plain(s)
	}
	return abridged(s)
}

func (t *teller) payload(p history.Payload) string {
	switch {
	case p.Absent():
		return ""
	case p.Redacted():
		return ": (redacted)"
	}
	if p.Closed() {
		return ": closed (" + p.Encoding + ")"
	}
	return ": " + t.text(string(p.Data))
}

func (t *teller) checkpoint(p history.Payload) string {
	if p.Absent() {
		return ""
	}
	return ", checkpoint" + t.payload(p)
}

func (t *teller) failure(p history.Payload) string {
	if p.Absent() {
		return ""
	}
	return ": " + t.text(messageOf(p))
}

func (t *teller) failureBefore(p history.Payload) string {
	if p.Absent() {
		return ""
	}
	return "; the attempt before failed" + t.failure(p)
}

// messageOf is the message of a failure. That of an activity is the message of what the activity returned, because the
// history tells the rest.
func messageOf(p history.Payload) string {
	f := history.ReadFailure(p)
	if f.Code != "" && !strings.Contains(f.Message, f.Code) {
		return f.Message + " [" + f.Code + "]"
	}
	return f.Message
}

func because(reason string) string {
	if reason == "" {
		return ""
	}
	return ": " + abridged(reason)
}

func closing(c history.Closing) string {
	text := ""
	if n := len(c.Unread); n > 0 {
		text += "; " + count(n, "signal was", "signals were") + " not received"
	}
	if c.Abandoned > 0 {
		text += "; " + count(c.Abandoned, "activity was", "activities were") + " given up"
	}
	return text
}

// noMore says why no attempt follows.
func noMore(v *history.ActivityFailed) string {
	why := map[string]string{
		commands.FinalNonRetryable: "it is not to be retried",
		commands.FinalAttempts:     "that was the last attempt allowed",
		commands.FinalTime:         "the time for all attempts is over before the next",
		commands.FinalCrashed:      "it went down with its process several times in a row",
		commands.FinalFull:         "its limit was full, and it does not wait",
		commands.FinalOperator:     "an operator has let it fail",
	}[v.Final]
	if why == "" {
		why = plain(v.Final)
	}
	return "; " + why
}

// turnOf says when an activity has its turn among others, and under which policies it was scheduled.
func turnOf(p *history.Policy) (text string) {
	if p == nil {
		return ""
	}
	a := &p.Admission
	if a.Key != "" {
		text += " for " + plain(a.Key)
	}
	if len(a.Limits) > 0 {
		text += ", limited by " + plain(strings.Join(a.Limits, ", "))
	}
	if a.Rank() != history.MiddlePriority {
		text += fmt.Sprintf(", priority %d", a.Rank())
	}
	if a.WhenFull == history.Refused {
		text += ", not to wait for its limits"
	}
	if p.Version > 0 {
		text += fmt.Sprintf(", under version %d of the policies", p.Version)
	}
	return text
}
