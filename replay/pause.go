package replay

import (
	"slices"
	"time"

	"github.com/clewflow/clew/history"
)

// unpaused has the code see, from here on, how deadlines stand that were held.
func (m *Machine) unpaused(e *history.Entry, v *history.Unpaused) {
	if v.Held <= 0 {
		return
	}
	if e.Adopted == nil {
		m.deadline, m.own.Deadline = v.Deadline, history.Nearest(v.RunDeadline, v.Deadline)
		m.run.Deadline = m.own.Deadline
	} else if p := m.toldBy(e); p != nil {
		p.Deadline = history.Nearest(v.RunDeadline, v.Deadline)
		m.moved, m.movedTo = p, v.Deadline
		m.run.Deadline = p.Deadline
	}
}

// limit has the code see from here on how long the run may take, which is until a time if that is not zero. What it was in an earlier run
// that is adopted is known from the beginning, unless the deadline of the execution has moved before.
func (m *Machine) limit(e *history.Entry, until time.Time) {
	if until.IsZero() {
		return
	}
	if e.Adopted == nil {
		m.own.Deadline = history.Nearest(until, m.deadline)
		m.run.Deadline = m.own.Deadline
	} else if p := m.toldBy(e); p != nil && p == m.moved {
		p.Deadline = history.Nearest(until, m.movedTo)
		m.run.Deadline = p.Deadline
	}
}

// toldBy is the earlier run that has told first what an adopted entry repeats; nil if the code is told that anew.
func (m *Machine) toldBy(e *history.Entry) *history.Past {
	if m.adopts == nil {
		return nil
	}
	return m.adopts.Told(int(e.Seq - m.first - 1))
}

// own is an adoption whose earlier runs may be changed as they go on.
func own(a *history.Adoption) *history.Adoption {
	if a == nil {
		return nil
	}
	mine := *a
	mine.Past = slices.Clone(a.Past)
	return &mine
}
