package sim

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/clewflow/clew/activity"
	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/runtime"
	"github.com/clewflow/clew/workflow"
)

// Of the activity "work" no more than this may be in hand at once in a world of limits, whatever clients change.
const (
	mostWork   = 2
	mostOfAKey = 1
)

func keyOf(in job) string { return fmt.Sprint("k", in.N%3) }

// work is the activity of that name as this process makes it.
func (l *life) work() workflow.Definition {
	if !l.w.limits {
		return work.Bind(l.do)
	}
	limited := activity.Declare[job, string](work.Name(), activity.Limit{AtOnce: mostWork, KeyAtOnce: mostOfAKey})
	return limited.Bind(l.do)
}

// beginsWithin looks whether an attempt that begins is within the limits of all processes together.
func (j *judge) beginsWithin(l *life, info activity.Attempt, in job) {
	if !j.w.limits || info.Activity != work.Name() {
		return
	}
	all, ofKey := 0, 0
	for _, o := range j.within(l) {
		n, key := o.hands.count(info.Activity, keyOf(in), j.w.nodes > 0)
		all, ofKey = all+n, ofKey+key
		if o != l && n > 0 {
			j.w.sometimes("nodes share a limit")
		}
	}
	if all > mostWork || ofKey > mostOfAKey {
		j.w.wrong("attempt %d of step %d of %s begins beyond its limit: %d of %d are in hand, and %d of %d of its key",
			info.Number, info.Step, info.Execution, all, mostWork, ofKey, mostOfAKey)
	}
	if all == mostWork {
		j.w.sometimes("a limit is full")
	}
}

// within are the processes whose attempts count. One that was held up for too long makes them no more as soon as it goes on, and what it has of a
// limit is others' by then.
func (j *judge) within(l *life) []*life {
	if j.w.nodes == 0 {
		return []*life{l}
	}
	return slices.DeleteFunc(j.w.all(), func(o *life) bool { return !o.isFine(2 * lease) })
}

// unused looks whether somebody waits for limits that nobody uses. The caller holds j.mu.
func (j *judge) unused(l *life, rest []history.ID) {
	if !j.w.limits || l.rt.Stats().InHand > 0 || l.rt.Policies().Rules[runtime.OfActivity(work.Name())].All.None {
		return
	}
	for _, s := range j.all {
		for _, a := range s.state.Activities {
			if a.Pending {
				return
			}
		}
	}
	now := time.Now().Add(l.offset)
	for _, id := range rest {
		s := &j.all[id].state
		for _, step := range slices.Sorted(maps.Keys(s.Activities)) {
			a := s.Activities[step]
			if a.Name == work.Name() && !a.CancelRequested && a.RetryAt.Before(now) && s.Stall == nil && !s.Suspended() && !j.mayRest(s) && !slices.Contains(l.rt.Agenda(id.Workflow).Ready, step) {
				j.w.wrong("%s: step %d waits, and no limit is in use", id.Workflow, step)
			}
		}
	}
}

// count is how many attempts of an activity are in hand, and how many of these of a key; among: several processes.
func (h *hands) count(activity, key string, among bool) (all, ofKey int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for one := range h.all {
		if one.info.Activity != activity || among && one.ctx.Err() != nil { // a node that has lapsed ends them, and then they count no more
			continue
		}
		all++
		if one.key == key {
			ofKey++
		}
	}
	return all, ofKey
}

// changeLimit is what an operator does: he narrows the limit of "work", takes that back, stops it or lets it go on.
func (c *client) changeLimit() {
	of := runtime.OfActivity(work.Name())
	rules := []runtime.Rule{{}, {All: history.Limit{AtOnce: 1}}, {All: history.Limit{None: true}}, {Retry: history.Retry{Initial: 1500e6}}, {Retry: history.Retry{Initial: 3e9, MaxAttempts: 2}, ScheduleToClose: time.Hour, Priority: 2}}
	rule := rules[c.w.hash(uint64(c.asked), c.name, "which limit")%uint64(len(rules))]
	c.asked++
	_ = c.once(work.Name(), "limit", func(rt *runtime.Runtime) error {
		_, err := rt.SetPolicy(c.w.ctx, of, rule)
		return err
	})
}

// liftLimits takes back what operators have laid down, when all is well.
func (c *client) liftLimits() {
	c.asked++
	c.insist(work.Name(), fmt.Sprintf("%s-%d", c.name, c.asked), "lift the limits of", func(rt *runtime.Runtime) error {
		_, err := rt.SetPolicy(c.w.ctx, runtime.OfActivity(work.Name()), runtime.Rule{})
		return err
	})
}
