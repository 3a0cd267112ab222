package sim

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/runtime"
)

// atRest looks, when nothing is about to happen but by the passing of time, for what nobody will think of.
func (j *judge) atRest() {
	if j.w.nodes > 0 {
		j.nodesAtRest()
		return
	}
	l := j.w.alive()
	if l == nil || !j.w.isUp(l) {
		return
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	idle, calm := j.w.hands == 0 || l.rt.Stats().InHand < j.w.hands, j.w.isWell() && l.errands.Load() == 0
	var rest []history.ID
	busy := false
	for _, id := range j.ids() {
		a := l.rt.Agenda(id.Workflow)
		switch s := j.all[id]; {
		case a.Working || !a.Again.IsZero():
			calm, busy = false, true // it is taken up again, which finds everything
		case isOpen(&s.state):
			rest = append(rest, id)
			j.asleep(l, id, &s.state, a)
			j.undone(id, &s.state, a, idle)
		}
	}
	for _, id := range rest {
		if calm && !j.all[id].state.Run.Queued { // what it has taken over is said when it begins
			j.unsaid(id, &j.all[id].state)
		}
	}
	if !busy { // who is yet to hear that something is recorded may hold a limit by what was before
		j.unused(l, rest)
		if calm {
			j.crowdsOut(l, rest)
		}
		if calm && !j.w.crowded {
			j.unbegun(rest)
		}
	}
	for _, one := range l.hands.inHand() {
		a := l.rt.Agenda(one.info.Execution)
		if !j.isOpenStep(one.info) && one.ctx.Err() == nil && !a.Working && a.Again.IsZero() {
			j.w.wrong("attempt %d of step %d of %s is settled, and nobody tells whoever makes it", one.info.Number, one.info.Step, one.info.Execution)
		}
	}
}

// asleep looks whether an execution is woken when it is to be.
func (j *judge) asleep(l *life, id history.ID, s *history.State, a runtime.Agenda) {
	wake, now := s.Wake(), time.Now().Add(l.offset)
	asleep := !wake.IsZero() && (a.Wake.IsZero() || a.Wake.After(wake)) && (a.Look.IsZero() || a.Look.After(wake))
	soon := s.Stall != nil && !a.Wake.IsZero() && a.Wake.Before(now.Add(6*time.Minute)) // the code is tried again
	if !a.Wake.IsZero() && !a.Wake.After(now.Add(time.Second)) {
		soon = soon || !wake.IsZero() && !wake.After(now.Add(time.Second)) // it was woken, that could not be recorded, and it is woken again, at most a second late
	}
	switch {
	case asleep && !soon:
		j.w.wrong("%s is to be woken at %s, and the runtime will at %s and look at %s", id.Workflow, wake, a.Wake, a.Look)
	case s.Due() && !soon && !j.mayRest(s):
		tail, _, _ := j.w.disk.Open().Tail(context.Background(), id)
		j.w.wrong("%s is due from entry %d on, and nobody works on it: %+v, stall %+v, tail %+v", id.Workflow, s.Told+1, a, s.Stall, tail)
	}
}

// undone looks whether what is to be done for an execution will be, and is done when there are hands.
func (j *judge) undone(id history.ID, s *history.State, a runtime.Agenda, idle bool) {
	for _, step := range slices.Sorted(maps.Keys(s.Activities)) {
		open := s.Activities[step]
		if !slices.Contains(a.Steps, step) && !open.Pending && s.Stall == nil && !s.Suspended() && !j.mayRest(s) {
			j.w.wrong("%s: nobody will make activity %s (step %d)", id.Workflow, open.Name, step)
		}
	}
	j.idle(id, a, idle)
}

// idle looks whether what can be done for an execution is done when there are hands.
func (j *judge) idle(id history.ID, a runtime.Agenda, idle bool) {
	if idle && len(a.Ready) > 0 {
		j.w.wrong("%s: steps %v could be made, and nobody does", id.Workflow, a.Ready)
	}
}

// unsaid looks whether what executions have to say to each other is said.
func (j *judge) unsaid(id history.ID, s *history.State) {
	if len(s.Sends) > 0 {
		j.w.wrong("%s: nobody delivers its messages %v", id.Workflow, slices.Sorted(maps.Keys(s.Sends)))
	}
	if len(s.Finds) > 0 {
		j.w.wrong("%s: nobody answers its lookups %v", id.Workflow, slices.Sorted(maps.Keys(s.Finds)))
	}
	if j.isLeft(s) {
		j.w.wrong("%s was to end with its parent %s, and does not", id.Workflow, s.Run.Parent.ID)
	}
	for _, step := range slices.Sorted(maps.Keys(s.Children)) {
		j.child(id, s.Children[step])
	}
}

// child looks whether the parent knows how its child stands.
func (j *judge) child(id history.ID, c *history.Child) {
	switch s := j.of(idOf(c.ID)); {
	case c.Chain == "":
		j.w.wrong("%s: nobody starts its child %s", id.Workflow, c.ID)
	case !isOpen(&s.state) || s.state.Run.Chain != c.Chain:
		j.w.wrong("%s: nobody tells it how its child %s has ended", id.Workflow, c.ID)
	case c.CancelRequested && !c.CancelDelivered:
		j.w.wrong("%s: nobody tells its child %s that it is to end", id.Workflow, c.ID)
	}
}

func (w *World) isUp(l *life) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return l.up && l.ctx.Err() == nil
}
