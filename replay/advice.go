package replay

import (
	"cmp"
	"fmt"
	"strings"
)

const (
	onlyAdvice = `Put what was changed behind workflow.Patched(ctx, "…"), or give the runs that are open the code they began with.`
	gateAdvice = "If runs that began with the old code may be open, put the change behind a gate:"
	nameAdvice = "If it was renamed: histories know it by the name in Define or Declare. Keep the old one there, and rename the Go variable only."
	sameAdvice = "If nothing was changed, the code does not do the same each time it runs: clew vet finds its clocks, dice, maps and goroutines."

	// Names is what a runtime holds histories to, see Replay in runtime.Config.
	valueAdvice = `What was asked keeps the value that is recorded; runs that have not come here yet ask with the new one.
If that is right: write golden files anew with go test -update, or have the test pass over it, with
%sworkflowtest.ByName(). If not, put the change behind a gate:`
)

// advise says what to do, and writes the gate.
func (p *parting) advise(mm *Mismatch) {
	now, was, id := p.gate(mm.Change, mm.Workflow)
	mm.Gate = mm.Workflow + "." + id
	mm.Snippet = snippet(mm.Gate, now, was)
	mm.Advice = gateAdvice
	switch {
	case mm.Change == Changed:
		ignore := ""
		if mm.Path, _, _ = parted(p.recorded[0].value, p.asked[0].value); mm.Path != "" {
			ignore = fmt.Sprintf("workflowtest.Ignore(%q, %q) or ", cmp.Or(p.asked[0].name, mm.Workflow), mm.Path)
		}
		mm.Advice = fmt.Sprintf(valueAdvice, ignore)
	case strings.HasSuffix(mm.Why, renamed):
		mm.Advice = nameAdvice + "\n" + gateAdvice
	}
}

// gate says what is new and what was before, each empty if it is nothing, and names the change.
func (p *parting) gate(change Change, workflow string) (now, was, id string) {
	gone, new := p.lone()
	name := func(w wish) string { return p.slug(w, workflow) }
	switch change {
	case Added:
		w := p.asked[new[0]]
		if len(p.recorded) == 0 {
			return w.called(), "", "with-" + name(w)
		}
		return w.called(), "", name(w) + "-before-" + name(p.recorded[0])
	case Removed:
		w := p.recorded[gone[0]]
		return "", w.called(), "without-" + name(w)
	case Replaced:
		r, a := p.recorded[gone[0]], p.asked[new[0]]
		return a.called(), r.called(), name(a) + "-for-" + name(r)
	}
	r, a := p.recorded[0], p.asked[0]
	switch {
	case change == Changed:
		now, was, id = a.brief(short), r.brief(short), name(a)+"-"+a.aspect(r)
		if path, l, v := parted(r.value, a.value); path != "" && path != "$" {
			now, was = fmt.Sprintf("%s with %s %s", a.called(), path, text(v)), fmt.Sprintf("%s with %s %s", r.called(), path, text(l))
		}
		return now, was, id
	case p.more:
		return a.called() + " here", a.called() + " later", name(a) + "-first"
	case p.none:
		return a.called() + " later", a.called() + " here", name(a) + "-later"
	}
	return a.called() + " first", r.called() + " first", name(a) + "-first"
}

// snippet is Go code with a gate: what is new, and what is as it was, each empty if it is nothing.
func snippet(gate, now, was string) string {
	yes, no := "\t… // new: "+now+"\n", "\t… // as it was: "+was+"\n"
	switch {
	case was == "":
		return fmt.Sprintf("if workflow.Patched(ctx, %q) {\n%s}", gate, yes)
	case now == "":
		return fmt.Sprintf("if !workflow.Patched(ctx, %q) {\n%s}", gate, no)
	}
	return fmt.Sprintf("if workflow.Patched(ctx, %q) {\n%s} else {\n%s}", gate, yes, no)
}

// slug is a wish in a word, for the id of a gate of a workflow. What stands in front of a dot in the names of others too is
// left out.
func (p *parting) slug(w wish, workflow string) string {
	if w.name == "" {
		return strings.ReplaceAll(string(w.kind), " ", "-")
	}
	front, rest, dotted := strings.Cut(w.name, ".")
	shared := front == workflow
	for v := range p.wishes() {
		shared = shared || v.name != w.name && strings.HasPrefix(v.name, front+".")
	}
	if dotted && shared {
		return strings.ReplaceAll(rest, ".", "-")
	}
	return strings.ReplaceAll(w.name, ".", "-")
}

// aspect is in what a wish differs from the one that is recorded.
func (w wish) aspect(recorded wish) string {
	switch {
	case w.after != recorded.after:
		return w.after.String()
	case w.id != recorded.id:
		return "id"
	case w.kind == anActivity || w.kind == aLocalStep || w.kind == aChild:
		return "input"
	}
	return "value"
}
