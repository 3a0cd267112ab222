package history

import "time"

// PolicyApplied says that policies which were laid down after an activity was scheduled hold for it from then on. Its limits of time are
// reckoned anew from their recorded beginnings; an attempt in hand goes on under them.
type PolicyApplied struct {
	Step    Step
	Before  *Policy   // never nil
	After   *Policy   // never nil
	Version uint64    // of the policies that were applied
	RetryAt time.Time // when the attempt that is waited for is to be made now; zero: as it was
	Reason  string
}

func (*PolicyApplied) Role() Role   { return Note }
func (*PolicyApplied) Kind() string { return "policy-applied" }
func (e *PolicyApplied) evolve(s *State, at *Entry) {
	s.activity(e.Step, func(a *Activity) {
		a.Policy = e.After
		if e.Before.limits() != e.After.limits() {
			a.Overdue = false // it may go on under the new limits, whatever was noted of the old ones
		}
		if !e.RetryAt.IsZero() && at.Adopted == nil { // what was waited for in another run is not waited for in this one
			a.RetryAt = e.RetryAt
		}
	})
}
func (e *PolicyApplied) put(w *writer) {
	w.num("step", uint64(e.Step))
	e.Before.putAs(w, "before")
	e.After.putAs(w, "after")
	w.num("version", e.Version)
	w.time("retry_at", e.RetryAt)
	w.text("reason", e.Reason)
}
func (e *PolicyApplied) take(r *reader, key string) bool {
	switch key {
	case "before":
		e.Before = takePolicy(r)
	case "after":
		e.After = takePolicy(r)
	case "version":
		e.Version = r.num()
	case "retry_at":
		e.RetryAt = r.time()
	default:
		return takeStep(r, key, &e.Step) || takeText(r, key, "reason", &e.Reason)
	}
	return true
}

func takePolicy(r *reader) *Policy {
	p := StandardPolicy
	p.From = Sources{}
	p.take(r)
	return &p
}

// limits are those of one attempt, and what follows when they pass.
func (p *Policy) limits() [3]any { return [3]any{p.StartToClose, p.Heartbeat, p.OnTimeout} }

// Same reports whether p and q say the same, whichever rules had a part in them.
func (p *Policy) Same(q *Policy) bool {
	as := *q
	as.Version, as.From = p.Version, p.From
	return p.equal(&as)
}

// Governed is the policy of an activity that is scheduled already as the rules have it now. What no rule names stays as it is, and so does
// what the call asked for, unless a rule is forced.
func (p *Policies) Governed(activity string, policy *Policy) *Policy {
	return p.Governs(activity, policy)
}
