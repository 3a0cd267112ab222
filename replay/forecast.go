package replay

import (
	"github.com/clewflow/clew/commands"
	"github.com/clewflow/clew/history"
)

// A forecast is what the code asks from a mismatch on, as if all it asks were answered: with what is recorded for the same
// thing, else at once, with an empty result. It is a guess, made to tell an insertion from a removal, and nothing else is
// done with it.
type forecast struct {
	m       *Machine
	rest    []history.Entry // of the run, behind the mismatch
	told    []bool          // which of them the code was told
	used    []bool          // which of them a thing that is asked has been found to be
	steps   map[history.Step]history.Step
	invents []history.Step // asked, and not recorded
	guesses bool           // something was answered that is not recorded
	asks    []wish
}

// How far a forecast looks, in entries and in asks.
const (
	farthest  = 200
	mostAsked = 16
)

// forecast has the code go on, and reports whether it was told what is not recorded. The machine is good for nothing
// afterwards.
func (m *Machine) forecast(rest []history.Entry) (asks []wish, guessed bool) {
	f := &forecast{m: m, rest: rest[:min(len(rest), farthest)], steps: map[history.Step]history.Step{}}
	f.told, f.used = make([]bool, len(f.rest)), make([]bool, len(f.rest))
	for step := range m.open {
		f.steps[step] = step
	}
	for _, a := range m.asked {
		delete(f.steps, stepOf(a.command))
	}
	m.live = false
	for f.take(); len(f.asks) < mostAsked && !m.finished && f.answer(); f.take() {
	}
	return f.asks[:min(len(f.asks), mostAsked)], f.guesses
}

// take takes what the code has asked, and looks for the same in what is recorded.
func (f *forecast) take() {
	for _, a := range f.m.asked {
		if f.m.isDead(a.command) {
			continue
		}
		w := asked(a.command)
		f.asks = append(f.asks, w)
		if step := stepOf(a.command); step > 0 && !f.found(step, w) {
			f.invents = append(f.invents, step)
		}
	}
	f.m.asked = nil
}

func (f *forecast) found(step history.Step, w wish) bool {
	for least := 3; least >= 2; least-- { // rather the very same than one of the same name
		for i, e := range f.rest {
			if e.Event.Role() != history.Decision || f.used[i] {
				continue
			}
			if r := recorded(e.Event); r.fits(w) >= least {
				f.used[i], f.steps[r.step] = true, step
				return true
			}
		}
	}
	return false
}

// answer answers one thing that the code has asked, or tells it the next input that is not about a step. It reports whether
// there was any.
func (f *forecast) answer() bool {
	f.m.inTurn.Store(true) // what is told may end a scope, which asks at once
	defer f.m.inTurn.Store(false)
	if len(f.invents) > 0 {
		step := f.invents[0]
		f.invents, f.guesses = f.invents[1:], true
		if o := f.m.open[step]; o != nil {
			o.p.Begin()
			o.p.Settle(history.Payload{}, nil)
		}
		f.m.over(step)
		return f.run()
	}
	for i, e := range f.rest {
		if f.told[i] || e.Event.Role() != history.Input {
			continue
		}
		event, ok := f.about(e.Event)
		if !ok {
			continue
		}
		f.told[i], f.m.told, f.m.now = true, e.Seq, e.At
		e.Event = event
		f.m.deliver(&e)
		f.m.conclude(event)
		return f.run()
	}
	return false
}

func (f *forecast) run() bool { return f.m.group.Run() == nil }

// about is an input as it is told to the code whose steps have other numbers; ok is false if the code has not asked for it.
func (f *forecast) about(e history.Event) (about history.Event, ok bool) {
	move := func(step *history.Step) { *step, ok = f.steps[*step], f.steps[*step] > 0 }
	switch e := e.(type) {
	case *history.ActivityCompleted:
		c := *e
		move(&c.Step)
		return &c, ok
	case *history.ActivityFailed:
		c := *e
		move(&c.Step)
		return &c, ok
	case *history.ActivityTimedOut:
		c := *e
		move(&c.Step)
		return &c, ok
	case *history.ActivityCancelled:
		c := *e
		move(&c.Step)
		return &c, ok
	case *history.TimerFired:
		c := *e
		move(&c.Step)
		return &c, ok
	case *history.ChildStarted:
		c := *e
		move(&c.Step)
		return &c, ok
	case *history.ChildRefused:
		c := *e
		move(&c.Step)
		return &c, ok
	case *history.ChildClosed:
		c := *e
		move(&c.Step)
		return &c, ok
	case *history.Sent:
		c := *e
		move(&c.Step)
		return &c, ok
	case *history.FindAnswered:
		c := *e
		move(&c.Step)
		return &c, ok
	case *history.Signaled, *history.CancelRequested, *history.UpdateAccepted, *history.Begun:
		return e, true
	}
	return nil, false // a guess need not be told of progress
}

// stepOf is the step that a command begins; 0: it begins none.
func stepOf(c commands.Command) history.Step {
	switch c := c.(type) {
	case commands.ScheduleActivity:
		return c.Step
	case commands.StartTimer:
		return c.Step
	case commands.AskChild:
		return c.Step
	case commands.Send:
		return c.Step
	case commands.Find:
		return c.Step
	}
	return 0
}
