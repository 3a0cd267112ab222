package sim

import (
	"errors"
	"fmt"

	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/runtime"
)

// rerun has a closed execution go on, or settles an activity of an open one.
func (c *client) rerun() {
	n := c.w.hash(uint64(c.asked), c.name, "what goes on")
	id, place, how := ids[n%uint64(len(ids))], n>>8%64, n>>16%8
	c.asked++
	request := fmt.Sprintf("%s-%d", c.name, c.asked)
	on := []runtime.CallOption{runtime.RequestID(request)}
	if n>>24%2 == 0 {
		on = append(on, runtime.ResumeChildren())
	}
	if n>>25%3 == 0 {
		on = append(on, runtime.TerminateFirst())
	}
	run := ""
	err := c.insist(id, request, "rerun", func(rt *runtime.Runtime) (err error) {
		switch how {
		case 0, 1, 2:
			run, err = rt.Retry(c.w.ctx, id, on...)
		case 3, 4:
			run, err = rt.Rerun(c.w.ctx, id, runtime.AtStep(1+place%8), on...)
		case 5:
			run, err = rt.Rerun(c.w.ctx, id, runtime.AtEntry(place), on...)
		case 6:
			run, err = rt.Rerun(c.w.ctx, id, runtime.AtActivity("work", 1), append(on, runtime.WithResult("by hand"))...)
		default:
			err = rt.FailActivity(c.w.ctx, id, 1+place%8, errFlaky, on[0])
		}
		return err
	})
	if err == nil && run != "" && !c.w.judge.hasRun(id, run) {
		c.w.wrong("%s was told that run %s of %s goes on, and the log has no such run", c.name, run, id)
	}
	if errors.Is(err, runtime.ErrRefused) && !c.w.changes {
		c.w.wrong("%s was told that the code of %s cannot go on from there: %v", c.name, id, err)
	}
}

// lookAtAdopted holds an entry that repeats another against that.
func (j *judge) lookAtAdopted(at func() string, s *stream, e history.Entry) {
	if e.Adopted.Seq == 0 || e.Adopted.Seq >= s.state.Run.Began {
		j.w.wrong("%s repeats entry %d, which is of the same run", at(), e.Adopted.Seq)
		return
	}
	of := s.entries[e.Adopted.Seq-1]
	if of.Event.Kind() != e.Event.Kind() {
		j.w.wrong("%s repeats entry %d, which is %s", at(), e.Adopted.Seq, of.Event.Kind())
	}
	j.w.sometimes("a run adopts entries of another")
	if of.Adopted != nil {
		j.w.sometimes("a run adopts what another has adopted")
	}
	j.lookAtOutcome(at, s, e)
	if v, ok := e.Event.(*history.ActivityScheduled); ok {
		s.tries[v.Step] = &try{asked: v, since: e.At, policy: v.Policy}
	}
	if v, ok := e.Event.(*history.PolicyApplied); ok && s.tries[v.Step] != nil {
		s.tries[v.Step].policy = v.After
	}
}
