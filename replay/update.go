package replay

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"github.com/clewflow/clew/activity"
	"github.com/clewflow/clew/commands"
	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/workflow"
)

// updating is an update that was accepted and is not answered.
type updating struct {
	id, name string
	seq      uint64
	input    history.Payload
	begun    bool // its handler runs
	asked    bool // and has asked for something
	done     bool // its answer was asked for
}

// Validate asks the code whether it accepts an update. What it refuses leaves no trace.
func (m *Machine) Validate(name string, input history.Payload) error {
	h, ok := m.updates[name]
	if !ok {
		return unknown("update", name, slices.Collect(maps.Keys(m.updates)))
	}
	return m.between("the validator of update "+name, func() error { return h.Validate(input) })
}

// Accept sets what answers an update, and begins those that wait for it.
func (m *Machine) Accept(name string, h workflow.UpdateHandler) {
	m.check("setting an update handler")
	if m.updates == nil {
		m.updates = map[string]workflow.UpdateHandler{}
	}
	m.updates[name] = h
	for _, u := range m.inOrder() {
		if u.name == name && !u.begun {
			m.answer(u, h)
		}
	}
}

// Unanswered is the number of updates that were accepted and are not answered.
func (m *Machine) Unanswered() int {
	n := 0
	for _, u := range m.updating {
		if !u.done {
			n++
		}
	}
	return n
}

// accept begins to answer an update, if there is a handler.
func (m *Machine) accept(seq uint64, e *history.UpdateAccepted) {
	u := &updating{id: e.Update, name: e.Name, seq: seq, input: e.Input}
	if m.updating == nil {
		m.updating = map[string]*updating{}
	}
	m.updating[u.id] = u
	if h, ok := m.updates[u.name]; ok {
		m.answer(u, h)
	}
}

func (m *Machine) answer(u *updating, h workflow.UpdateHandler) {
	u.begun = true
	c := h.Begin(m.ctx, u.name, u.input, func(result history.Payload, err error) {
		u.done = true
		if err != nil {
			m.ask(commands.FailUpdate{Update: u.id, Failure: activity.Record(err).Payload()})
			return
		}
		m.ask(commands.CompleteUpdate{Update: u.id, Result: result})
	})
	c.Tag = u
}

// asks notes that the handler of an update, or a coroutine that it began, has asked for something.
func (m *Machine) asks(c commands.Command) {
	if len(m.updating) == 0 {
		return
	}
	switch c.(type) {
	case commands.CompleteUpdate, commands.FailUpdate:
		return
	}
	if by := m.group.Current(); by != nil {
		if u, ok := by.Tag.(*updating); ok {
			u.asked = true
		}
	}
}

// unbegun are the updates that can be answered by the next run: nothing was asked for them.
func (m *Machine) unbegun() (all []history.CarriedUpdate) {
	for _, u := range m.inOrder() {
		if !u.asked && !u.done {
			all = append(all, history.CarriedUpdate{Update: u.id, Seq: u.seq})
		}
	}
	return all
}

func (m *Machine) inOrder() []*updating {
	return slices.SortedFunc(maps.Values(m.updating), func(a, b *updating) int { return cmp.Compare(a.seq, b.seq) })
}

// Carry is what this run leaves to the one that continues it, in order.
func (m *Machine) Carry() (all []Carried) {
	for name, box := range m.inboxes {
		box.Each(func(seq uint64, value history.Payload) {
			all = append(all, Carried{seq, &history.Signaled{Name: name, Value: value}})
		})
	}
	for _, u := range m.unbegun() {
		of := m.updating[u.Update]
		all = append(all, Carried{u.Seq, &history.UpdateAccepted{Update: of.id, Name: of.name, Input: of.input}})
	}
	slices.SortFunc(all, func(a, b Carried) int { return cmp.Compare(a.Seq, b.Seq) })
	return all
}

// receive takes what the runs before have left.
func (m *Machine) receive() {
	for _, c := range m.config.Carried {
		switch e := c.Event.(type) {
		case *history.Signaled:
			m.inbox(e.Name).Put(c.Seq, e.Value)
		case *history.UpdateAccepted:
			m.accept(c.Seq, e)
		}
	}
}

// CarriedBy picks what a run takes over from the entries before it.
func CarriedBy(started *history.Started, entry func(seq uint64) (history.Event, error)) (all []Carried, err error) {
	take := func(seq uint64) error {
		e, err := entry(seq)
		if err != nil {
			return fmt.Errorf("replay: entry %d, which run %d carries on: %w", seq, started.Number, err)
		}
		all = append(all, Carried{seq, e})
		return nil
	}
	for _, r := range started.Carried {
		for seq := r.From; seq <= r.To; seq++ {
			if err := take(seq); err != nil {
				return nil, err
			}
		}
	}
	for _, u := range started.Updates {
		if err := take(u.Seq); err != nil {
			return nil, err
		}
	}
	slices.SortFunc(all, func(a, b Carried) int { return cmp.Compare(a.Seq, b.Seq) })
	return all, nil
}
