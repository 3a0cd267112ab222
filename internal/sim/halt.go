package sim

import (
	"fmt"
	"time"

	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/runtime"
)

// ruledBy takes in what was laid down. The caller holds j.mu.
func (j *judge) ruledBy(id history.ID, e history.Entry) {
	if id.Family() != "policy" {
		return
	}
	if j.rules == nil {
		j.rules = &history.Policies{}
	}
	j.rules = j.rules.With(e)
	j.laid = append(j.laid, j.rules)
	if set, ok := e.Event.(*history.PolicySet); ok && set.Before.Halt != set.After.Halt {
		j.ruled = time.Now()
	}
}

// isHalted reports whether a rule halts a run for so long that everybody knows.
func (j *judge) isHalted(s *history.State) bool {
	if j.rules == nil || time.Since(j.ruled) <= j.w.patience() {
		return false
	}
	_, _, halted := j.rules.Halts(s.Run.Type, false)
	return halted
}

// mayRest reports whether a rule halts a run, or has halted it until just now.
func (j *judge) mayRest(s *history.State) bool {
	if j.rules == nil {
		return false
	}
	_, _, halted := j.rules.Halts(s.Run.Type, false)
	return halted || !j.ruled.IsZero() && time.Since(j.ruled) <= j.w.patience()
}

// lookAtHalt looks whether the code of an execution that a rule halts is told nothing.
func (j *judge) lookAtHalt(at func() string, s *stream, e history.Entry) {
	if !isOpen(&s.state) {
		return
	}
	if tells := e.Event.Role() == history.Decision || e.Told > s.state.Told; tells && j.isHalted(&s.state) {
		if closes := e.Told == e.Seq && e.Event.Role() == history.Input; !closes {
			j.w.wrong("%s: its workflow is halted since version %d of the policies", at(), j.rules.Version)
		}
	} else if s.halted && tells {
		s.halted = false
		j.w.sometimes("an execution goes on after its workflow was halted, and is told something")
	}
	if j.isHalted(&s.state) && e.Event.Role() == history.Input {
		s.halted = true
	}
}

// haltable is what clients halt and let go on.
func haltable() []runtime.Subject {
	return []runtime.Subject{runtime.OfNamespace(), runtime.OfWorkflow(program.Name())}
}

// halt halts all runs, by a rule, or lets them go on.
func (c *client) halt() {
	n := c.w.hash(uint64(c.asked), c.name, "what is halted")
	of := haltable()[n%2]
	c.asked++
	_ = c.once(of.String(), "halt", func(rt *runtime.Runtime) error {
		if n>>8%2 == 0 {
			return rt.PausePolicy(c.w.ctx, of)
		}
		return rt.UnpausePolicy(c.w.ctx, of)
	})
}

// release takes back all rules that halt runs, when all is well.
func (c *client) release() {
	for _, of := range haltable() {
		c.asked++
		c.insist(of.String(), fmt.Sprintf("%s-%d", c.name, c.asked), "release", func(rt *runtime.Runtime) error { return rt.UnpausePolicy(c.w.ctx, of) })
	}
}
