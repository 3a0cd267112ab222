package sim

import (
	"fmt"
	"strings"

	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/runtime"
	"github.com/clewflow/clew/workflow"
)

// In a crowded world what clients start is of a workflow of which no more than this may be open and begun at once, whatever they change. The
// children are of another one, which refuses those for which there is no room: who waits for a slot while it has one could wait for itself.
const (
	mostOpen      = 2
	mostOpenOfKey = 1
	mostChildren  = 2
)

var (
	crowd  = workflow.Declare[Program, Program]("crowd", workflow.ExecutionTimeout(30*24*60*60e9), workflow.RunLimit{AtOnce: mostOpen, KeyAtOnce: mostOpenOfKey}, ofProgram)
	helper = workflow.Declare[Program, Program]("helper", workflow.ExecutionTimeout(30*24*60*60e9), workflow.RunLimit{AtOnce: mostChildren}, workflow.WhenFull(workflow.RefuseWhenFull))

	ofProgram = workflow.KeyOf(func(p Program) string { return []string{"", "a", "b"}[len(p.Of)%3] })
)

// started is the workflow that clients start.
func (w *World) started() workflow.Type[Program, Program] {
	if w.crowded {
		return crowd
	}
	return program
}

// whenFull is what becomes of a start for which there is no room.
func (c *client) whenFull() workflow.Option {
	all := []workflow.Full{workflow.WaitWhenFull, workflow.WaitWhenFull, workflow.RefuseWhenFull, workflow.ReplaceOldest, workflow.ReplaceNewest}
	return workflow.WhenFull(all[c.w.hash(uint64(c.asked), c.name, "when full")%uint64(len(all))])
}

// child is the workflow of children.
func (i *interpreter) child() workflow.Type[Program, Program] {
	if i.crowded {
		return helper
	}
	return program
}

// isCounted reports whether a run counts for the limits of open runs.
func isCounted(s *history.State) bool {
	return isOpen(s) && !s.Run.Queued && s.Run.BeginAt.IsZero()
}

// openRuns is how many runs of a workflow are open and have begun, in all and of a key. The caller holds j.mu.
func (j *judge) openRuns(of, key string) (all, ofKey int) {
	for _, s := range j.all {
		if s.state.Run.Type != of || !isCounted(&s.state) {
			continue
		}
		all++
		if s.state.Run.Key == key {
			ofKey++
		}
	}
	return all, ofKey
}

// lookAtCrowd looks whether a run that begins has a slot.
func (j *judge) lookAtCrowd(at func() string, s *stream, e history.Entry) {
	run := &s.state.Run
	if !j.w.crowded || e.Adopted != nil && e.Event.Kind() != "started" {
		return
	}
	switch v := e.Event.(type) {
	case *history.Started:
		if v.Queued && v.Replaces.ID != "" {
			j.w.sometimes("a run replaces another")
		}
	case *history.Begun:
		j.w.sometimes("a run that has waited for its slot begins")
	default:
		return
	}
	if !isCounted(&s.state) {
		return
	}
	all, ofKey := j.openRuns(run.Type, run.Key)
	switch {
	case run.Type == helper.Name() && all > mostChildren:
		j.w.wrong("%s: with it %d runs of %s are open, the limit is %d", at(), all, run.Type, mostChildren)
	case run.Type == crowd.Name() && (all > mostOpen || run.Key != "" && ofKey > mostOpenOfKey):
		j.w.wrong("%s: with it %d runs of %s are open, the limit is %d, and %d of key %q, the limit is %d", at(), all, run.Type, mostOpen, ofKey, run.Key, mostOpenOfKey)
	}
}

// crowdsOut looks whether a run waits though there is a slot. The caller holds j.mu.
func (j *judge) crowdsOut(l *life, rest []history.ID) {
	limit := history.Limit{AtOnce: mostOpen}
	if rule := l.rt.Policies().Rules[runtime.OfWorkflow(crowd.Name())].All; rule != (history.Limit{}) {
		limit = rule
	}
	for _, id := range rest {
		run := &j.all[id].state.Run
		if !run.Queued || limit.None {
			continue
		}
		why := l.rt.Agenda(id.Workflow).Slot
		all, ofKey := j.openRuns(run.Type, run.Key)
		if all < limit.AtOnce && (run.Key == "" || ofKey < mostOpenOfKey) && !strings.Contains(why, "counted") {
			j.w.wrong("%s waits for %s (it says %q), and %d of %d are in use, of its key %d", id.Workflow, run.SlotWanted(), why, all, limit.AtOnce, ofKey)
		}
	}
}

// changeRoom is what an operator does: he narrows the limit of what clients start, takes that back, stops it or lets it go on.
func (c *client) changeRoom() {
	rules := []runtime.Rule{{}, {}, {All: history.Limit{AtOnce: 1}}, {All: history.Limit{None: true}}}
	rule := rules[c.w.hash(uint64(c.asked), c.name, "how many")%uint64(len(rules))]
	c.asked++
	_ = c.once(crowd.Name(), "limit", func(rt *runtime.Runtime) error {
		_, err := rt.SetPolicy(c.w.ctx, runtime.OfWorkflow(crowd.Name()), rule)
		return err
	})
}

// makeRoom takes back what operators have laid down, when all is well.
func (c *client) makeRoom() {
	c.asked++
	c.insist(crowd.Name(), fmt.Sprintf("%s-%d", c.name, c.asked), "lift the limit of", func(rt *runtime.Runtime) error {
		_, err := rt.SetPolicy(c.w.ctx, runtime.OfWorkflow(crowd.Name()), runtime.Rule{})
		return err
	})
}
