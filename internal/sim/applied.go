package sim

import (
	"fmt"
	"reflect"

	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/runtime"
)

// lookAtApplied looks whether an activity is put under what was laid down, and only where that changes something.
func (j *judge) lookAtApplied(at func() string, s *stream, e history.Entry, v *history.PolicyApplied) {
	t, a := s.tries[v.Step], s.state.Activities[v.Step]
	switch {
	case t == nil || a == nil:
		j.w.wrong("%s: step %d has its outcome", at(), v.Step)
		return
	case !reflect.DeepEqual(v.Before, t.policy):
		j.w.wrong("%s: step %d was under another policy before", at(), v.Step)
	case v.Before.Same(v.After):
		j.w.wrong("%s: nothing changes for step %d", at(), v.Step)
	case v.Version == 0 || v.Version > uint64(len(j.laid)):
		j.w.wrong("%s: nobody has laid down version %d of the policies", at(), v.Version)
	default:
		if as := j.laid[v.Version-1].Governed(a.Name, v.Before); !reflect.DeepEqual(v.After, as) {
			j.w.wrong("%s: version %d of the policies says something else for step %d", at(), v.Version, v.Step)
		}
	}
	if !v.RetryAt.IsZero() {
		if !t.retry.After(e.At) {
			j.w.wrong("%s: the attempt of step %d was to be made already", at(), v.Step)
		}
		t.retry = v.RetryAt
		j.w.sometimes("an attempt is waited for by another policy")
	}
	t.policy, t.promised = v.After, a.Attempt
	j.w.sometimes("an activity is put under another policy")
}

// applyPolicies has what is laid down hold for what is scheduled in an execution.
func (c *client) applyPolicies() {
	id := ids[c.w.hash(uint64(c.asked), c.name, "apply to what")%uint64(len(ids))]
	c.asked++
	request := fmt.Sprintf("%s-%d", c.name, c.asked)
	c.insist(id, request, "apply policies to", func(rt *runtime.Runtime) error {
		return rt.ApplyPolicies(c.w.ctx, id, runtime.OfActivity(work.Name()), runtime.RequestID(request))
	})
}
