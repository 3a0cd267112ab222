package replay

import (
	"fmt"
	"strings"
	"time"

	"github.com/clewflow/clew/commands"
	"github.com/clewflow/clew/history"
)

// A wish is what the code asks for, recorded or just asked, in a form in which both can be held against each other.
type wish struct {
	kind  kind
	name  string // of an activity, a type, a signal
	step  history.Step
	id    string // of a child, of whom something is sent, of an update
	after time.Duration
	value history.Payload
	said  string // is shown and never compared
}

// kind is what sort of thing is asked for, in words.
type kind string

const (
	anActivity      kind = "activity"
	aLocalStep      kind = "local step"
	cancelsActivity kind = "cancel activity"
	aTimer          kind = "timer"
	stopsTimer      kind = "stop timer"
	aChild          kind = "child"
	cancelsChild    kind = "cancel child"
	aSignal         kind = "signal"
	asksToEnd       kind = "ask"
	aLookup         kind = "lookup"
	aCount          kind = "count"
	attributes      kind = "attributes"
	aView           kind = "view"
	answers         kind = "answer update"
	refuses         kind = "refuse update"
	continues       kind = "continue as new"
	completes       kind = "complete"
	fails           kind = "fail"
	endsCancelled   kind = "end as cancelled"
)

// ends reports whether the run is over with it.
func (k kind) ends() bool {
	return k == continues || k == completes || k == fails || k == endsCancelled
}

// recorded is the wish that a decision records.
func recorded(e history.Event) wish {
	switch e := e.(type) {
	case *history.ActivityScheduled:
		return activityWish(e.Local, e.Name, e.Step, e.Input)
	case *history.ActivityCancelRequested:
		return wish{kind: cancelsActivity, step: e.Step}
	case *history.TimerStarted:
		return wish{kind: aTimer, step: e.Step, after: e.After}
	case *history.TimerCancelled:
		return wish{kind: stopsTimer, step: e.Step}
	case *history.ChildAsked:
		return wish{kind: aChild, name: e.Type, step: e.Step, id: e.ID, value: e.Input}
	case *history.ChildCancelRequested:
		return wish{kind: cancelsChild, step: e.Step}
	case *history.SendAsked:
		return sendWish(e.Cancel, e.Name, e.Step, e.ID, e.Value)
	case *history.FindAsked:
		return findWish(e.Count, e.Step, e.Query)
	case *history.AttributesSet:
		return wish{kind: attributes, value: e.Attributes}
	case *history.Published:
		return wish{kind: aView, value: e.View}
	case *history.UpdateCompleted:
		return wish{kind: answers, id: e.Update, value: e.Result}
	case *history.UpdateFailed:
		return wish{kind: refuses, id: e.Update, said: history.ReadFailure(e.Failure).Message}
	case *history.Continued:
		return wish{kind: continues}
	case *history.Completed:
		return wish{kind: completes, value: e.Result}
	case *history.Failed:
		return wish{kind: fails, said: history.ReadFailure(e.Failure).Message}
	case *history.Cancelled:
		return wish{kind: endsCancelled}
	}
	return wish{kind: kind(e.Kind())}
}

// asked is the wish that a command of the code's is.
func asked(c commands.Command) wish {
	switch c := c.(type) {
	case commands.ScheduleActivity:
		return activityWish(c.Local, c.Name, c.Step, c.Input)
	case commands.CancelActivity:
		return wish{kind: cancelsActivity, step: c.Step}
	case commands.StartTimer:
		return wish{kind: aTimer, step: c.Step, after: c.After}
	case commands.CancelTimer:
		return wish{kind: stopsTimer, step: c.Step}
	case commands.AskChild:
		return wish{kind: aChild, name: c.Type, step: c.Step, id: c.ID, value: c.Input}
	case commands.CancelChild:
		return wish{kind: cancelsChild, step: c.Step}
	case commands.Send:
		return sendWish(c.Cancel, c.Name, c.Step, c.ID, c.Value)
	case commands.Find:
		return findWish(c.Count, c.Step, c.Query)
	case commands.SetAttributes:
		return wish{kind: attributes, value: c.Attributes}
	case commands.Publish:
		return wish{kind: aView, value: c.View}
	case commands.CompleteUpdate:
		return wish{kind: answers, id: c.Update, value: c.Result}
	case commands.FailUpdate:
		return wish{kind: refuses, id: c.Update, said: history.ReadFailure(c.Failure).Message}
	case commands.ContinueAsNew:
		return wish{kind: continues, said: abridged(c.Input, longest)}
	case commands.Complete:
		return wish{kind: completes, value: c.Result}
	case commands.Fail:
		if c.Cancelled {
			return wish{kind: endsCancelled}
		}
		return wish{kind: fails, said: history.ReadFailure(c.Failure).Message}
	}
	return wish{kind: kind(fmt.Sprintf("%T", c))}
}

func activityWish(local bool, name string, step history.Step, input history.Payload) wish {
	if local {
		return wish{kind: aLocalStep, name: name, step: step, value: input}
	}
	return wish{kind: anActivity, name: name, step: step, value: input}
}

func sendWish(cancel bool, name string, step history.Step, to string, value history.Payload) wish {
	if cancel {
		return wish{kind: asksToEnd, step: step, id: to, value: value}
	}
	return wish{kind: aSignal, name: name, step: step, id: to, value: value}
}

func findWish(count bool, step history.Step, q history.Payload) wish {
	if count {
		return wish{kind: aCount, step: step, value: q}
	}
	return wish{kind: aLookup, step: step, value: q}
}

// How much of a value is shown, in bytes.
const (
	longest = 120
	short   = 40
)

// String tells all of a wish.
func (w wish) String() string {
	switch w.kind {
	case anActivity:
		return fmt.Sprintf("%s, step %d, input %s", w.called(), w.step, abridged(w.value, longest))
	case aLocalStep, aTimer, asksToEnd:
		return fmt.Sprintf("%s, step %d", w.called(), w.step)
	case aLookup, aCount:
		return fmt.Sprintf("%s, step %d, query %s", w.called(), w.step, abridged(w.value, longest))
	case aChild:
		return fmt.Sprintf("child %s (%s), step %d, input %s", w.id, w.name, w.step, abridged(w.value, longest))
	case aSignal:
		return fmt.Sprintf("%s to %s, step %d, value %s", w.called(), w.id, w.step, abridged(w.value, longest))
	}
	return w.brief(longest)
}

// brief tells of a wish in few words, with most bytes of its value.
func (w wish) brief(most int) string {
	switch w.kind {
	case anActivity, attributes, aView, aLookup, aCount:
		return w.called() + " " + abridged(w.value, most)
	case aChild:
		return fmt.Sprintf("child %s (%s) %s", w.id, w.name, abridged(w.value, most))
	case aSignal:
		return fmt.Sprintf("%s to %s %s", w.called(), w.id, abridged(w.value, most))
	case answers, completes:
		return w.called() + " with " + abridged(w.value, most)
	case refuses, fails, continues:
		if w.said != "" {
			return w.called() + " with " + w.said
		}
	}
	return w.called()
}

// called is what a wish is called in a sentence.
func (w wish) called() string {
	switch w.kind {
	case anActivity, aLocalStep, aSignal, aChild:
		return string(w.kind) + " " + w.name
	case aTimer:
		return fmt.Sprintf("timer of %s", w.after)
	case cancelsActivity, stopsTimer, cancelsChild:
		return fmt.Sprintf("%s of step %d", w.kind, w.step)
	case asksToEnd:
		return fmt.Sprintf("ask %s to end", w.id)
	case answers, refuses:
		return fmt.Sprintf("%s %s", w.kind, w.id)
	}
	return string(w.kind)
}

// fits says how well two wishes fit each other: 0 not at all, 2 if they are for the same thing, 3 if all else is the same too.
func (w wish) fits(v wish) int {
	same := w.kind == v.kind && w.name == v.name
	switch w.kind {
	case cancelsActivity, stopsTimer, cancelsChild:
		same = same && w.step == v.step
	case answers, refuses:
		same = same && w.id == v.id
	}
	switch {
	case !same:
		return 0
	case w.after == v.after && w.value.Sum == v.value.Sum && w.id == v.id:
		return 3
	}
	return 2
}

func abridged(p history.Payload, most int) string {
	switch {
	case p.Absent():
		return "none"
	case p.Redacted():
		return "redacted"
	case p.Closed():
		return "closed (" + p.Encoding + ")"
	case len(p.Data) > most:
		return fmt.Sprintf("%s… (%d bytes)", strings.ToValidUTF8(string(p.Data[:most]), ""), len(p.Data))
	}
	return string(p.Data)
}
