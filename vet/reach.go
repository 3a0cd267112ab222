package vet

import (
	"go/token"
	"go/types"
	"strings"
)

// Breach is the fact that a function does what workflow code must not do, or calls what does.
type Breach struct {
	Path []string // from what the function calls to what is done
	Why  string   // it is refused, and what to write instead
}

// AFact makes a Breach a fact.
func (*Breach) AFact() {}

// String is for tests and tools that print facts.
func (b *Breach) String() string { return strings.Join(b.Path, " → ") }

// follow finds out which functions reach what is refused, tells the packages that import this one, and reports the
// workflows that do. The shortest path is told.
func (p *program) follow() {
	breaches := map[types.Object]*Breach{}
	for _, b := range p.others {
		for _, d := range b.deeds {
			if !p.allowed.at(p.Fset, d.at) && breaches[b.of] == nil {
				breaches[b.of] = &Breach{[]string{d.what}, d.why}
			}
		}
	}
	for spread := true; spread; {
		spread = false
		next := map[types.Object]*Breach{}
		for _, b := range p.others {
			if breaches[b.of] == nil {
				if found := p.through(b, breaches); found != nil {
					next[b.of], spread = found, true
				}
			}
		}
		for fn, found := range next {
			breaches[fn] = found
		}
	}
	for _, b := range p.others {
		p.through(b, breaches) // once more for all, so that the comments are found that allow a call
		if found := breaches[b.of]; found != nil {
			p.ExportObjectFact(b.of, found)
		}
	}
	for _, b := range p.workflows {
		p.judge(b, breaches)
	}
}

// through is the breach that a body reaches by its first call of a function that has one.
func (p *program) through(b *body, breaches map[types.Object]*Breach) (first *Breach) {
	for _, c := range b.calls {
		if found := p.breach(c.to, breaches); found != nil && !p.allowed.at(p.Fset, c.at) && first == nil {
			first = &Breach{append([]string{titleIn(p.Pkg, c.to)}, found.Path...), found.Why}
		}
	}
	return first
}

// breach is that of a function of this package or of another.
func (p *program) breach(fn types.Object, breaches map[types.Object]*Breach) *Breach {
	if fn.Pkg() == p.Pkg {
		return breaches[fn]
	}
	b := new(Breach)
	if fn.Pkg() != nil && p.ImportObjectFact(fn, b) {
		return b
	}
	return nil
}

// judge reports what a workflow does, and what it reaches.
func (p *program) judge(b *body, breaches map[types.Object]*Breach) {
	for _, d := range b.deeds {
		p.report(d.at, "%s %s", d.what, d.why)
	}
	told := map[token.Pos]bool{}
	for _, c := range b.calls {
		if found := p.breach(c.to, breaches); found != nil && !told[c.at] {
			told[c.at] = true
			p.report(c.at, "%s → %s %s", titleIn(p.Pkg, c.to), found, found.Why)
		}
	}
}
