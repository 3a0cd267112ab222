package replay

import (
	"slices"

	"github.com/clewflow/clew/commands"
	"github.com/clewflow/clew/history"
)

// An ask is a command of the code's, and the input in answer to which it was asked.
type ask struct {
	command commands.Command
	at      uint64
	place   string
}

// Ask is one thing the code asks for: the command, and the input in answer to which it asks.
type Ask struct {
	Command commands.Command
	Input   uint64
}

// Asks returns what the code has asked for and is not recorded, in the order in which it is to be recorded. Each has
// exactly one event; that of a run which continues as new is followed by the Started of the next.
func (m *Machine) Asks() []Ask {
	m.prune()
	if len(m.marks)+len(m.asked) == 0 || m.closed {
		return nil
	}
	asks := make([]Ask, 0, len(m.marks)+len(m.asked))
	for _, k := range m.marks {
		asks = append(asks, Ask{k, 0})
	}
	for _, a := range m.asked {
		if !m.isDead(a.command) {
			asks = append(asks, Ask{m.withUnread(a.command), a.at})
		}
	}
	for i := range asks { // kept values are of the turn they are recorded in
		if asks[i].Input == 0 {
			asks[i].Input = m.told
			if len(m.asked) > 0 {
				asks[i].Input = m.asked[0].at
			}
		}
	}
	return asks
}

func (m *Machine) withUnread(c commands.Command) commands.Command {
	switch c := c.(type) {
	case commands.Complete:
		c.Unread = m.Unread()
		return c
	case commands.Fail:
		c.Unread = m.Unread()
		return c
	case commands.ContinueAsNew:
		c.Unread, c.Updates = m.Unread(), m.unbegun()
		return c
	}
	return c
}

// Unread are the Seqs of the signals that the code has not received, in order.
func (m *Machine) Unread() []uint64 {
	var all []uint64
	for _, b := range m.inboxes {
		all = append(all, b.Unread()...)
	}
	slices.Sort(all)
	return all
}

// UnreadCount is the number of signals that the code has not received.
func (m *Machine) UnreadCount() int {
	n := 0
	for _, b := range m.inboxes {
		n += b.Len()
	}
	return n
}

// isDead reports whether a command leaves no entry: a cancel whose target is settled.
func (m *Machine) isDead(c commands.Command) bool {
	step, cancels := cancelled(c)
	return cancels && m.open[step] == nil
}

// cancelled is the step that a command is to cancel.
func cancelled(c commands.Command) (step history.Step, ok bool) {
	switch c := c.(type) {
	case commands.CancelTimer:
		return c.Step, true
	case commands.CancelActivity:
		return c.Step, true
	case commands.CancelChild:
		return c.Step, true
	}
	return 0, false
}

// prune takes the commands that leave no entry off the head of the queue.
func (m *Machine) prune() {
	for len(m.asked) > 0 && m.isDead(m.asked[0].command) {
		m.pop()
	}
}

func (m *Machine) pop() ask {
	a := m.asked[0]
	m.asked[0] = ask{}
	if m.asked = m.asked[1:]; len(m.asked) == 0 {
		m.asked = nil
	}
	if m.counts(a.command) {
		m.counted--
	}
	return a
}

// counts reports whether an ask has an entry in the history, as far as it is known and as far as it reaches.
func (m *Machine) counts(c commands.Command) bool {
	step, cancels := cancelled(c)
	return !cancels || m.cancels[step]
}
