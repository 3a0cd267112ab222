package replay

import (
	"fmt"

	"github.com/clewflow/clew/commands"
	"github.com/clewflow/clew/history"
)

// match holds a recorded decision against what the code asked first.
func (m *Machine) match(e *history.Entry) error {
	if k, ok := e.Event.(*history.Kept); ok {
		m.marks = without(m.marks, k)
		return nil
	}
	m.remaining = max(0, m.remaining-1)
	m.prune()
	r := recorded(e.Event)
	if len(m.asked) == 0 {
		return m.part(e.Seq, &r, nil, Removed, "the code does not ask for what is recorded")
	}
	head := m.asked[0]
	if c, ok := head.command.(commands.ContinueAsNew); ok {
		m.next = c.Input // held against the next Started, which has it
	}
	a := asked(head.command)
	if change, why := m.differ(r, a); why != "" {
		return m.part(e.Seq, &r, &head, change, why)
	}
	if m.config.places {
		m.agreement = append(m.agreement, agreed{e.Seq, r, a})
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

// differ says how a recorded wish and the code's differ; empty: they do not.
func (m *Machine) differ(r, a wish) (Change, string) {
	switch {
	case r.kind != a.kind || r.name != a.name:
		return Replaced, fmt.Sprintf("the code now %s, where the history %s", a.phrase(), r.phrase())
	case r.step != a.step:
		return Moved, fmt.Sprintf("the code asks for %s as step %d, recorded is step %d", a.called(), a.step, r.step)
	case r.id != a.id:
		if change, why := m.differID(r, a); why != "" {
			return change, why
		}
	case r.after != a.after:
		return m.lenient(fmt.Sprintf("the code asks for a timer of %s, recorded is one of %s (step %d)", a.after, r.after, r.step), none)
	}
	if r.value.Sum == a.value.Sum {
		return "", ""
	}
	return m.differValue(r, a)
}

// differID says what another id means: that of another open step of the same name, that the order has changed.
func (m *Machine) differID(r, a wish) (Change, string) {
	var why string
	switch r.kind {
	case aChild:
		why = fmt.Sprintf("the code asks for a child %s with the id %s, recorded is %s (step %d)", a.name, a.id, r.id, r.step)
	case aSignal, asksToEnd:
		why = fmt.Sprintf("the code sends to %s, recorded is %s (step %d)", a.id, r.id, r.step)
	default:
		return Moved, fmt.Sprintf("the code answers update %s first, recorded is update %s", a.id, r.id)
	}
	if other := m.other(a, func(o *open) bool { return o.child == r.id }); other > 0 {
		return Moved, fmt.Sprintf("%s: it is the id of step %d, so the order has changed", why, other)
	}
	return m.lenient(why, none)
}

// other is the first open step of the same name but a's that is the one; 0: none is. The first, so that a mismatch always
// reads the same: it is recorded once for each way it reads.
func (m *Machine) other(a wish, is func(*open) bool) (first history.Step) {
	for step, o := range m.open {
		if step != a.step && o.activity == a.name && is(o) && (first == 0 || step < first) {
			first = step
		}
	}
	return first
}

// differValue says what another value means: that of another open step of the same name, that the order has changed.
func (m *Machine) differValue(r, a wish) (Change, string) {
	var why string
	subject := m.run.Type
	switch r.kind {
	case anActivity, aLocalStep, aChild:
		subject = a.name
		if other := m.other(a, func(o *open) bool { return o.input == r.value.Sum }); other > 0 {
			return Moved, fmt.Sprintf("%s (step %d) is called with the input of step %d, so the order has changed", a.called(), a.step, other)
		}
		why = fmt.Sprintf("%s (step %d) is called with another input", a.called(), a.step)
	case aSignal:
		subject = a.name
		why = fmt.Sprintf("%s (step %d) is sent with another value", a.called(), a.step)
	case aLookup, aCount:
		if other := m.other(a, func(o *open) bool { return o.input == r.value.Sum }); other > 0 {
			return Moved, fmt.Sprintf("the %s of step %d asks what step %d is recorded to ask, so the order has changed", a.kind, other, a.step)
		}
		why = fmt.Sprintf("the %s of step %d asks for something else", a.kind, a.step)
	case attributes:
		why = "the code sets other attributes"
	case aView:
		why = "the code publishes another view"
	case answers:
		why = "the code gives another answer to update " + a.id
	default:
		why = "the code returns another result"
	}
	if m.ignores(subject, r.value, a.value) {
		return "", ""
	}
	return m.lenient(why, func() string { return where(r.value, a.value) })
}

// lenient lets a difference pass with a warning, unless the level is Strict. Values are told in no warning: that may be
// logged.
func (m *Machine) lenient(why string, detail func() string) (Change, string) {
	if m.config.Level == Strict {
		return Changed, why + detail()
	}
	m.warned = append(m.warned, why)
	return "", ""
}

func none() string { return "" }
