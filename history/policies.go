package history

import (
	"maps"
	"slices"
	"strings"
	"time"
)

// The stream of the family "policy" of a namespace holds what operators have laid down for it, one entry for each change. Its Seq is
// the version of the policies.

// PolicySet says that a rule was laid down for a subject, in place of another. An empty rule takes back what was there.
type PolicySet struct {
	Subject Subject
	Before  Rule
	After   Rule
	Reason  string
}

func (*PolicySet) Role() Role            { return Note }
func (*PolicySet) Kind() string          { return "policy-set" }
func (*PolicySet) evolve(*State, *Entry) {}
func (e *PolicySet) put(w *writer) {
	w.text("of", e.Subject.Of)
	w.text("name", e.Subject.Name)
	e.Before.put(w, "before")
	e.After.put(w, "after")
	w.text("reason", e.Reason)
}
func (e *PolicySet) take(r *reader, key string) bool {
	switch key {
	case "before":
		e.Before.take(r)
	case "after":
		e.After.take(r)
	default:
		return takeText(r, key, "of", &e.Subject.Of) || takeText(r, key, "name", &e.Subject.Name) || takeText(r, key, "reason", &e.Reason)
	}
	return true
}

// PolicyID names the stream of the policies of a namespace.
func PolicyID(namespace string) ID { return ID{Namespace: "policy@" + namespace, Workflow: "rules"} }

// Policies are the rules of a namespace as of a version. They are never changed once they are made; see [Policies.With].
type Policies struct {
	Version uint64 // Seq of the last entry
	At      time.Time
	Hash    Hash
	Rules   map[Subject]Standing
	Keeps   Keeping // how long what has ended is kept
}

// Standing is a rule that is in force: the version that it came with, who laid it down, when, and why.
type Standing struct {
	Rule
	Version uint64
	By      Actor
	At      time.Time
	Reason  string
}

// With are the policies with the next entry of their stream. One that is in them already changes nothing.
func (p *Policies) With(e Entry) *Policies {
	if e.Seq <= p.Version {
		return p
	}
	next := &Policies{Version: e.Seq, At: e.At, Hash: e.Hash, Rules: maps.Clone(p.Rules), Keeps: p.Keeps}
	if set, ok := e.Event.(*RetentionSet); ok {
		next.Keeps = Keeping{set.After, e.Seq, e.By, e.At, set.Reason}
	}
	set, ok := e.Event.(*PolicySet)
	if !ok {
		return next
	}
	if next.Rules == nil {
		next.Rules = map[Subject]Standing{}
	}
	if set.After == (Rule{}) {
		delete(next.Rules, set.Subject)
	} else {
		next.Rules[set.Subject] = Standing{set.After, e.Seq, e.By, e.At, set.Reason}
	}
	return next
}

// Governs is a policy of an activity as the rules change it: that of the namespace, and before it that of the activity, field by field. What the
// call itself has asked for comes before both, unless they are forced. Its version is that of the newest rule that had a part in it.
func (p *Policies) Governs(activity string, policy *Policy) *Policy {
	if len(p.Rules) == 0 {
		return policy
	}
	for _, of := range []Subject{{Of: OfNamespace}, {Of: OfActivity, Name: activity}} {
		rule, ok := p.Rules[of]
		if !ok || of.Of == OfNamespace && rule.OfAttempts() == (Rule{}) {
			continue
		}
		policy = policy.Under(of.Of, &rule.Rule, rule.Version)
	}
	return policy
}

// Bounds are how long a run that begins, and its execution, may take, and who says so.
type Bounds struct {
	Run, Execution time.Duration // 0: as long as it takes
	From           Sources
}

// Bounds are what a start and a definition say, as the rules change it: that of the namespace, and before it that of the workflow. What
// the start itself has asked for comes before both, unless they are forced.
func (p *Policies) Bounds(workflow string, b Bounds) Bounds {
	for _, of := range []Subject{{Of: OfNamespace}, {Of: OfWorkflow, Name: workflow}} {
		rule := p.Rules[of]
		part := Part{Of: of.Of, Version: rule.Version, Force: rule.Force}
		for _, t := range []struct {
			field Fields
			bound *time.Duration
			says  time.Duration
		}{{RunTimeoutField, &b.Run, rule.RunTimeout}, {ExecutionTimeoutField, &b.Execution, rule.ExecutionTimeout}} {
			if t.says != 0 && b.From.leaves(t.field, rule.Force) != 0 {
				*t.bound = t.says
				part.Fields |= t.field
			}
		}
		if part.Fields != 0 {
			b.From = b.From.under(part)
		}
	}
	return b
}

// Halts says which rule halts the runs of a workflow: what they had begun goes on and is recorded, and so is what they are sent and what
// comes due; their code is told nothing, and no attempts are begun. exempt: the rule of the namespace does not count.
func (p *Policies) Halts(workflow string, exempt bool) (of Subject, rule Standing, halted bool) {
	if len(p.Rules) == 0 {
		return of, rule, false
	}
	of = Subject{Of: OfWorkflow, Name: workflow}
	if rule = p.Rules[of]; rule.Halt {
		return of, rule, true
	}
	of = Subject{Of: OfNamespace}
	rule = p.Rules[of]
	return of, rule, rule.Halt && !exempt
}

// Subjects are those for which a rule is in force, in order.
func (p *Policies) Subjects() []Subject {
	return slices.SortedFunc(maps.Keys(p.Rules), func(a, b Subject) int { return strings.Compare(a.String(), b.String()) })
}
