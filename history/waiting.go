package history

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"
)

// A Reason says why an execution is open, and when somebody looks at it again without being asked.
type Reason struct {
	Step  Step
	Why   string    // "timer", "attempt 3 of order.charge", "a signal", …
	Since time.Time // zero where it is not known
	Until time.Time // zero: until somebody sends something
}

func (r Reason) String() string {
	if r.Until.IsZero() {
		return r.Why
	}
	return fmt.Sprintf("%s until %s", r.Why, r.Until.Format(time.RFC3339))
}

// Waiting names everything an open execution waits for, in the order of its steps; nil if it is closed. An open execution
// always waits for something. Its cost follows the number of open things.
func (s *State) Waiting() []Reason {
	if !s.Open() {
		return nil
	}
	var all []Reason
	if s.Pause != nil {
		why := "somebody to unpause it; it was paused by " + string(s.Pause.By)
		if s.Pause.Reason != "" {
			why += " because " + s.Pause.Reason
		}
		if s.Pause.LimitsHeld {
			why += "; limits of time are held"
		}
		all = append(all, Reason{Why: why, Since: s.Pause.Since})
	}
	if s.Stall != nil {
		all = append(all, Reason{Why: "stalled: " + s.Stall.Reason, Since: s.Stall.Since})
	}
	if !s.Run.BeginAt.IsZero() {
		all = append(all, Reason{Why: "its beginning", Since: s.Run.Started, Until: s.Run.BeginAt})
	}
	if s.Run.Queued {
		all = append(all, Reason{Why: s.Run.SlotWanted(), Since: s.Run.Started})
	}
	if s.Due() {
		all = append(all, Reason{Why: s.toTell(), Since: s.At})
	}
	var steps []Reason
	for step, due := range s.Timers {
		steps = append(steps, Reason{Step: step, Why: "timer", Until: due})
	}
	for _, a := range s.Activities {
		steps = append(steps, a.waiting(s.Pause))
	}
	for _, c := range s.Children {
		steps = append(steps, c.waiting())
	}
	for _, n := range s.Sends {
		steps = append(steps, n.waiting())
	}
	for _, f := range s.Finds {
		steps = append(steps, f.waiting())
	}
	slices.SortFunc(steps, func(a, b Reason) int { return cmp.Compare(a.Step, b.Step) })
	all = append(all, steps...)
	for _, u := range slices.SortedFunc(maps.Values(s.Updates), func(a, b *Update) int { return cmp.Compare(a.Seq, b.Seq) }) {
		all = append(all, Reason{Why: "the code's answer to update " + u.ID, Since: u.Accepted})
	}
	if len(all) == 0 {
		all = append(all, Reason{Why: "a signal", Since: s.At})
	}
	return all
}

func (a *Activity) waiting(p *Pause) Reason {
	r := Reason{Step: a.Step, Why: fmt.Sprintf("attempt %d of activity %s", a.Attempt, a.Name), Since: a.Scheduled}
	r.Until, _ = a.Due(p)
	switch {
	case a.Pending:
		r.Why = fmt.Sprintf("somebody outside who completes attempt %d of activity %s", a.Attempt, a.Name)
		r.Since = a.Started
	case !a.Started.IsZero():
		r.Since = a.Started
	case !a.RetryAt.IsZero():
		r.Why += ", which is put off"
		r.Until = a.RetryAt
	}
	return r
}

func (c *Child) waiting() Reason {
	r := Reason{Step: c.Step, Why: fmt.Sprintf("the end of child %s (%s)", c.ID, c.Type), Since: c.Asked}
	switch {
	case c.Chain == "":
		r.Why = fmt.Sprintf("the start of child %s (%s)", c.ID, c.Type)
	case c.CancelRequested && !c.CancelDelivered:
		r.Why = fmt.Sprintf("child %s (%s) being asked to end", c.ID, c.Type)
	}
	return r
}

func (n *Send) waiting() Reason {
	what := "signal " + n.Name
	if n.Cancel {
		what = "the wish that it end"
	}
	return Reason{Step: n.Step, Why: fmt.Sprintf("execution %s being sent %s", n.ID, what), Since: n.Asked}
}

// toTell names what the code is to be told. Which inputs there are between what it was told and the last is not kept.
func (s *State) toTell() string {
	if s.Input > s.Told+1 {
		return fmt.Sprintf("the code being told up to entry %d", s.Input)
	}
	return fmt.Sprintf("the code being told of entry %d", s.Told+1)
}
