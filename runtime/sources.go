package runtime

import (
	"context"
	"fmt"
	"strconv"

	"github.com/clewflow/clew/history"
)

// Setting is what a policy says in one field, and where that comes from.
type Setting = history.Setting

// limitsOf adds the limits in force that a run and its activities count under, which no history has.
func (r *Runtime) limitsOf(d *Description, s *history.State) {
	if s.Open() {
		d.Policy = append(d.Policy, r.limits(OfWorkflow(d.Type), r.laws.runs[d.Type])...)
	}
	for i := range d.Activities {
		p := &d.Activities[i]
		a := s.Activities[history.Step(p.Step)]
		if a.Local {
			continue
		}
		p.Policy = append(p.Policy, r.limits(OfActivity(a.Name), r.laws.defined[a.Name])...)
		for _, name := range a.Policy.Admission.Limits {
			p.Policy = append(p.Policy, r.limits(OfLimit(name), Rule{})...)
		}
		if a.Queue != "" {
			p.Policy = append(p.Policy, r.limits(OfQueue(a.Queue), Rule{})...)
		}
	}
}

// limits are those of a subject: the rule's, and where it says nothing the definition's.
func (r *Runtime) limits(of Subject, defined Rule) (all []Setting) {
	rule := r.laws.known.Load().Rules[of]
	from := func(ruled bool) Setting {
		if !ruled {
			return Setting{From: history.FromDefinition}
		}
		return Setting{From: history.FromRule, Rule: of.String(), Version: rule.Version}
	}
	add := func(field, value string, ruled bool) {
		s := from(ruled)
		s.Field, s.Value = field, value
		all = append(all, s)
	}
	for _, l := range []struct {
		atOnce, rate string
		rule         history.Limit
		defined      history.Limit
	}{{"at-once", "rate", rule.All, defined.All}, {"per-key", "key-rate", rule.Key, defined.Key}} {
		holds := filled(l.rule, l.defined)
		switch {
		case holds.None:
			add(l.atOnce, "0", true)
		case holds.AtOnce > 0:
			add(l.atOnce, strconv.Itoa(holds.AtOnce), l.rule.AtOnce > 0)
		}
		if holds.Rate > 0 {
			add(l.rate, fmt.Sprintf("%d/%s", holds.Rate, holds.Per), l.rule.Rate > 0)
		}
	}
	return all
}

// laidDown adds who laid the rules down that have a part in a description, when and why.
func (r *Runtime) laidDown(ctx context.Context, d *Description) error {
	seen := map[uint64]history.Standing{}
	for _, rule := range r.laws.known.Load().Rules {
		seen[rule.Version] = rule
	}
	all := [][]Setting{d.Policy}
	for i := range d.Activities {
		all = append(all, d.Activities[i].Policy)
	}
	for _, settings := range all {
		for i := range settings {
			s := &settings[i]
			if s.Version == 0 {
				continue
			}
			if _, ok := seen[s.Version]; !ok {
				rule, err := r.ruleOf(ctx, s.Version)
				if err != nil {
					return err
				}
				seen[s.Version] = rule
			}
			s.By, s.At, s.Reason = seen[s.Version].By, seen[s.Version].At, seen[s.Version].Reason
		}
	}
	return nil
}

// ruleOf is the rule that a version of the policies has brought, which is in force no more. One that is not there, as of an execution that
// was imported, says nothing.
func (r *Runtime) ruleOf(ctx context.Context, version uint64) (rule history.Standing, err error) {
	for record, err := range r.log.Read(ctx, history.PolicyID(r.config.Namespace), version) {
		if err != nil {
			return rule, fmt.Errorf("runtime: reading policies: %w", err)
		}
		rule.By, rule.At = record.Entry.By, record.Entry.At
		if set, ok := record.Entry.Event.(*history.PolicySet); ok {
			rule.Reason = set.Reason
		}
		break
	}
	return rule, nil
}
