package replay

import (
	"fmt"
	"strings"

	"github.com/clewflow/clew/commands"
	"github.com/clewflow/clew/history"
)

// Mismatch says where code and history part. It marshals to JSON.
type Mismatch struct {
	Workflow string `json:"workflow"`
	Seq      uint64 `json:"seq"`      // of the entry
	Why      string `json:"why"`      // in a sentence
	Recorded string `json:"recorded"` // what the entry holds; empty: it asks for nothing
	Asked    string `json:"asked"`    // what the code asks for instead; empty: nothing
	Place    string `json:"place"`    // where in the code it asks; empty: not known
	Agreed   uint64 `json:"agreed"`   // the last entry at which both agreed
}

func (m *Mismatch) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "code and history of workflow %s part at entry %d: %s", m.Workflow, m.Seq, m.Why)
	if m.Recorded != "" {
		fmt.Fprintf(&b, "\n  recorded  %s", m.Recorded)
	}
	if m.Asked != "" {
		fmt.Fprintf(&b, "\n  asked     %s", m.Asked)
	}
	if m.Place != "" {
		fmt.Fprintf(&b, "\n  in code   %s", m.Place)
	}
	fmt.Fprintf(&b, "\n  agreed up to entry %d", m.Agreed)
	fmt.Fprintf(&b, "\n  put the changed code behind workflow.Patched(ctx, \"…\"), or give the runs that are open the code they began with")
	return b.String()
}

func (m *Machine) mismatch(e *history.Entry, recorded history.Event, a ask, why string) *Mismatch {
	mm := &Mismatch{Workflow: m.run.Type, Seq: e.Seq, Why: why, Place: a.place, Agreed: m.agreed}
	if recorded != nil {
		mm.Recorded = describeEvent(recorded)
	}
	if a.command != nil {
		mm.Asked = describeCommand(a.command)
	}
	return mm
}

// match holds a recorded decision against what the code asked first.
func (m *Machine) match(e *history.Entry) error {
	if k, ok := e.Event.(*history.Kept); ok {
		m.marks = without(m.marks, k)
		return nil
	}
	m.remaining = max(0, m.remaining-1)
	m.prune()
	if len(m.asked) == 0 {
		return m.mismatch(e, e.Event, ask{}, "the code does not ask for what is recorded")
	}
	head := m.asked[0]
	if why := m.differ(e.Event, head.command); why != "" {
		return m.mismatch(e, e.Event, head, why)
	}
	m.pop()
	return nil
}

func without(marks []commands.Keep, k *history.Kept) []commands.Keep {
	for i, c := range marks {
		if c.Gate == k.Gate && c.Name == k.Name && c.Call == k.Call {
			return append(marks[:i:i], marks[i+1:]...)
		}
	}
	return marks
}

const (
	anotherKind  = "the code asks for another kind of thing"
	anotherStep  = "the code asks for it in another order"
	anotherName  = "the code asks for another name"
	anotherInput = "the code asks with another input"
	anotherOrder = "the code answers updates in another order"
)

// differ says how a recorded decision and a command differ; empty: they do not.
func (m *Machine) differ(recorded history.Event, asked commands.Command) string {
	switch c := asked.(type) {
	case commands.ScheduleActivity:
		e, ok := recorded.(*history.ActivityScheduled)
		return first(!ok || e.Local != c.Local, anotherKind, func() string { return m.differActivity(e, c) })
	case commands.CancelActivity:
		e, ok := recorded.(*history.ActivityCancelRequested)
		return first(!ok, anotherKind, func() string { return first(e.Step != c.Step, anotherStep, nil) })
	case commands.StartTimer:
		e, ok := recorded.(*history.TimerStarted)
		return first(!ok, anotherKind, func() string {
			return first(e.Step != c.Step, anotherStep, func() string {
				return m.lenient(e.After != c.After, fmt.Sprintf("the code asks for a timer of %s, recorded is one of %s", c.After, e.After))
			})
		})
	case commands.CancelTimer:
		e, ok := recorded.(*history.TimerCancelled)
		return first(!ok, anotherKind, func() string { return first(e.Step != c.Step, anotherStep, nil) })
	case commands.AskChild:
		e, ok := recorded.(*history.ChildAsked)
		return first(!ok, anotherKind, func() string { return m.differChild(e, c) })
	case commands.CancelChild:
		e, ok := recorded.(*history.ChildCancelRequested)
		return first(!ok, anotherKind, func() string { return first(e.Step != c.Step, anotherStep, nil) })
	case commands.Send:
		e, ok := recorded.(*history.SendAsked)
		return first(!ok || e.Cancel != c.Cancel, anotherKind, func() string { return m.differSend(e, c) })
	}
	return m.differOutcome(recorded, asked)
}

// differOutcome is differ for what has no step: what is told of the run, and how it ends.
func (m *Machine) differOutcome(recorded history.Event, asked commands.Command) string {
	switch c := asked.(type) {
	case commands.SetAttributes:
		e, ok := recorded.(*history.AttributesSet)
		return first(!ok, anotherKind, func() string {
			return m.lenient(e.Attributes.Sum != c.Attributes.Sum, "the code sets other attributes")
		})
	case commands.Publish:
		e, ok := recorded.(*history.Published)
		return first(!ok, anotherKind, func() string { return m.lenient(e.View.Sum != c.View.Sum, "the code publishes another view") })
	case commands.CompleteUpdate:
		e, ok := recorded.(*history.UpdateCompleted)
		return first(!ok, anotherKind, func() string {
			return first(e.Update != c.Update, anotherOrder, func() string {
				return m.lenient(e.Result.Sum != c.Result.Sum, "the code gives another answer to update "+c.Update)
			})
		})
	case commands.FailUpdate:
		e, ok := recorded.(*history.UpdateFailed)
		return first(!ok, anotherKind, func() string { return first(e.Update != c.Update, anotherOrder, nil) })
	case commands.Complete:
		e, ok := recorded.(*history.Completed)
		return first(!ok, anotherKind, func() string {
			return m.lenient(e.Result.Sum != c.Result.Sum, "the code returns another result")
		})
	case commands.Fail:
		_, failed := recorded.(*history.Failed)
		_, cancelled := recorded.(*history.Cancelled)
		return first(!failed && !cancelled || cancelled != c.Cancelled, anotherKind, nil)
	case commands.ContinueAsNew:
		_, ok := recorded.(*history.Continued)
		m.next = c.Input // held against the next Started, which has it
		return first(!ok, anotherKind, nil)
	}
	return fmt.Sprintf("the code asks for %T, which is never recorded", asked)
}

func (m *Machine) differChild(e *history.ChildAsked, c commands.AskChild) string {
	switch {
	case e.Step != c.Step:
		return anotherStep
	case e.Type != c.Type:
		return anotherName
	case e.ID != c.ID:
		if why := m.differID(c.Step, c.Type, e.ID, fmt.Sprintf("the code asks for a child with the id %s, recorded is %s", c.ID, e.ID)); why != "" {
			return why
		}
	}
	if e.Input.Sum == c.Input.Sum {
		return ""
	}
	return m.differInput(c.Step, c.Type, e.Input)
}

// differID says what another id means: that of another open step of the same name, that the order has changed.
func (m *Machine) differID(step history.Step, name, recorded, why string) string {
	for other, o := range m.open {
		if other != step && o.activity == name && o.child == recorded {
			return fmt.Sprintf("%s: it is the id of step %d, so the order has changed", why, other)
		}
	}
	return m.lenient(true, why)
}

func (m *Machine) differSend(e *history.SendAsked, c commands.Send) string {
	switch {
	case e.Step != c.Step:
		return anotherStep
	case e.Name != c.Name:
		return anotherName
	case e.ID != c.ID:
		if why := m.differID(c.Step, c.Name, e.ID, fmt.Sprintf("the code sends to %s, recorded is %s", c.ID, e.ID)); why != "" {
			return why
		}
	}
	return m.lenient(e.Value.Sum != c.Value.Sum, "the code sends another value with "+c.Name)
}

func first(differs bool, why string, next func() string) string {
	if differs {
		return why
	}
	if next == nil {
		return ""
	}
	return next()
}

// lenient lets a difference pass with a warning, unless the level is Strict.
func (m *Machine) lenient(differs bool, why string) string {
	if differs && m.config.Level == Strict {
		return why
	}
	if differs {
		m.warned = append(m.warned, why)
	}
	return ""
}

func (m *Machine) differActivity(e *history.ActivityScheduled, c commands.ScheduleActivity) string {
	switch {
	case e.Step != c.Step:
		return anotherStep
	case e.Name != c.Name:
		return anotherName
	case e.Input.Sum == c.Input.Sum:
		return ""
	}
	return m.differInput(c.Step, c.Name, e.Input)
}

// differInput says what another input means: that of another open step of the same name, that the order has changed.
func (m *Machine) differInput(step history.Step, name string, recorded history.Payload) string {
	for other, o := range m.open {
		if other != step && o.activity == name && o.input == recorded.Sum {
			return fmt.Sprintf("%s: it is the input of step %d, so the order has changed", anotherInput, other)
		}
	}
	return m.lenient(true, anotherInput+" for "+name)
}

func describeEvent(e history.Event) string {
	switch e := e.(type) {
	case *history.ActivityScheduled:
		if e.Local {
			return fmt.Sprintf("local step %s, step %d", e.Name, e.Step)
		}
		return fmt.Sprintf("activity %s, step %d, input %s", e.Name, e.Step, abridged(e.Input))
	case *history.ActivityCancelRequested:
		return fmt.Sprintf("cancel activity of step %d", e.Step)
	case *history.TimerStarted:
		return fmt.Sprintf("timer of %s, step %d", e.After, e.Step)
	case *history.TimerCancelled:
		return fmt.Sprintf("stop timer of step %d", e.Step)
	case *history.ChildAsked:
		return fmt.Sprintf("child %s (%s), step %d, input %s", e.ID, e.Type, e.Step, abridged(e.Input))
	case *history.ChildCancelRequested:
		return fmt.Sprintf("cancel child of step %d", e.Step)
	case *history.SendAsked:
		return describeSend(e.Cancel, e.Name, e.ID, e.Step, e.Value)
	case *history.AttributesSet:
		return "attributes " + abridged(e.Attributes)
	case *history.Published:
		return "view " + abridged(e.View)
	case *history.UpdateCompleted:
		return fmt.Sprintf("answer update %s with %s", e.Update, abridged(e.Result))
	case *history.UpdateFailed:
		return fmt.Sprintf("refuse update %s with %s", e.Update, history.ReadFailure(e.Failure).Message)
	case *history.Continued:
		return "continue as new"
	case *history.Completed:
		return "complete with " + abridged(e.Result)
	case *history.Failed:
		return "fail with " + history.ReadFailure(e.Failure).Message
	case *history.Cancelled:
		return "end as cancelled"
	}
	return e.Kind()
}

func describeCommand(c commands.Command) string {
	switch c := c.(type) {
	case commands.ScheduleActivity:
		if c.Local {
			return fmt.Sprintf("local step %s, step %d", c.Name, c.Step)
		}
		return fmt.Sprintf("activity %s, step %d, input %s", c.Name, c.Step, abridged(c.Input))
	case commands.CancelActivity:
		return fmt.Sprintf("cancel activity of step %d", c.Step)
	case commands.StartTimer:
		return fmt.Sprintf("timer of %s, step %d", c.After, c.Step)
	case commands.CancelTimer:
		return fmt.Sprintf("stop timer of step %d", c.Step)
	case commands.AskChild:
		return fmt.Sprintf("child %s (%s), step %d, input %s", c.ID, c.Type, c.Step, abridged(c.Input))
	case commands.CancelChild:
		return fmt.Sprintf("cancel child of step %d", c.Step)
	case commands.Send:
		return describeSend(c.Cancel, c.Name, c.ID, c.Step, c.Value)
	case commands.SetAttributes:
		return "attributes " + abridged(c.Attributes)
	case commands.Publish:
		return "view " + abridged(c.View)
	case commands.CompleteUpdate:
		return fmt.Sprintf("answer update %s with %s", c.Update, abridged(c.Result))
	case commands.FailUpdate:
		return fmt.Sprintf("refuse update %s with %s", c.Update, history.ReadFailure(c.Failure).Message)
	case commands.ContinueAsNew:
		return "continue as new with " + abridged(c.Input)
	case commands.Complete:
		return "complete with " + abridged(c.Result)
	case commands.Fail:
		if c.Cancelled {
			return "end as cancelled"
		}
		return "fail with " + history.ReadFailure(c.Failure).Message
	}
	return fmt.Sprintf("%T", c)
}

func describeSend(cancel bool, name, id string, step history.Step, value history.Payload) string {
	if cancel {
		return fmt.Sprintf("ask %s to end, step %d", id, step)
	}
	return fmt.Sprintf("signal %s to %s, step %d, value %s", name, id, step, abridged(value))
}

func abridged(p history.Payload) string {
	const most = 120
	switch {
	case p.Absent():
		return "none"
	case p.Redacted():
		return "redacted"
	case len(p.Data) > most:
		return fmt.Sprintf("%s… (%d bytes)", p.Data[:most], len(p.Data))
	}
	return string(p.Data)
}
