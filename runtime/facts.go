package runtime

import (
	"github.com/clewflow/clew/commands"
)

// informed adds what only those know who run the code and hold the attempts.
func (w *runner) informed(m *memory, command commands.Command) commands.Command {
	newest := func(a *commands.Attempt) {
		a.Newest = w.x.rt.queue.Newest(w.x.key(a.Step))
	}
	switch c := command.(type) {
	case commands.ScheduleActivity:
		return w.x.rt.ruled(c)
	case commands.Signal:
		c.Unread = m.state.Run.Signals
		if m.machine != nil {
			c.Unread = m.machine.UnreadCount()
		}
		c.Most = w.x.rt.config.Entries
		return c
	case commands.Terminate:
		c.Unread = m.unread()
		return c
	case commands.FollowParent:
		c.Unread = m.unread()
		return c
	case commands.Update:
		c.Most = w.x.rt.config.Entries
		return c
	case commands.ContinueAsNew:
		next := derive(m.state.Run.Seed, m.state.Run.ID, 0)
		c.ID, c.Run, c.Seed = w.x.id, next.id, next.seed
		c.Version, c.Route, _ = w.x.rt.route(m.state.Run.Type, w.x.id.Workflow, 0, "")
		if c.Version == 0 {
			c.Version = m.state.Run.Version
		}
		return c
	case commands.Start:
		if m.machine == nil {
			return command // as it is: nothing is known, and most starts begin a history
		}
		c.Unread = m.unread()
		return c
	case commands.Wake:
		if c.Overdue == nil { // once for all that is due: each is looked at again when it is decided
			c.Overdue = w.x.rt.queue.Facts(w.x.id)
		}
		c.Dice, c.Unread = luck(m.state.Hash), m.unread()
		return c
	case commands.HandOver:
		if !w.owns {
			c.Attempts = w.x.rt.handed(w.x.id)
		}
		return c
	case commands.CompleteActivity:
		newest(&c.Attempt)
		return c
	case commands.GiveOutcome:
		c.Newest = w.x.rt.queue.Newest(w.x.key(c.Step))
		return c
	case commands.ChangeActivity:
		a := m.state.Activities[c.Step]
		c.InHand = a != nil && w.x.rt.queue.Newest(w.x.key(c.Step)) > a.Serial
		return c
	case commands.ApplyPolicies:
		c.Policies, c.Dice = w.x.rt.laws.known.Load(), luck(m.state.Hash)
		return c
	case commands.FailActivity:
		c.Dice = luck(m.state.Hash)
		newest(&c.Attempt)
		return c
	}
	return command
}
