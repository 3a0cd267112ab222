// Package vet finds what workflow code must not do.
//
// Workflow code is every function that takes a workflow.Context, with the functions inside it and all those of the same
// program that it calls. It is run again along its history, so it must ask for the same things each time: no clock, no
// dice, no goroutines, no I/O, nothing that is shared with other runs. What is given to workflow.Step, workflow.Value and
// the like, and the bodies of activities, are not workflow code.
//
// [Analyzer] reads one package at a time. Which functions do what workflow code must not do is told from package to
// package by facts, so a workflow is reported where it calls one, with the path to what is wrong. Calls through
// interfaces and function variables are not followed: what is reported is certain, what is not may still be wrong.
package vet

import (
	"cmp"
	"fmt"
	"go/ast"
	"go/token"
	"slices"
	"strings"

	"golang.org/x/tools/go/analysis"
)

// Analyzer refuses what makes workflow code run differently when it is run again. "clew vet" runs it.
var Analyzer = &analysis.Analyzer{
	Name:      "clew",
	Doc:       "find what workflow code must not do\n\nWorkflow code is run again along its history and has to ask for the same things each time.",
	URL:       "https://github.com/clewflow/clew/blob/main/docs/vet.md",
	Run:       run,
	FactTypes: []analysis.Fact{(*Breach)(nil)},
}

func run(pass *analysis.Pass) (any, error) {
	if !isAuthors(pass) {
		return nil, nil
	}
	p := &program{Pass: pass, allowed: allowances(pass)}
	for _, file := range pass.Files {
		if ast.IsGenerated(file) {
			continue
		}
		for _, d := range file.Decls {
			p.readDecl(d)
		}
	}
	p.follow()
	p.allowed.report(p)
	slices.SortStableFunc(p.wrong, func(a, b analysis.Diagnostic) int { return cmp.Compare(a.Pos, b.Pos) })
	for _, d := range p.wrong {
		pass.Report(d)
	}
	return nil, nil
}

// isAuthors reports whether a package may hold workflow code: it is of the program that is looked at, and not of the
// standard library or a dependency. Of clew's own packages only the examples are written by an author of workflows; the
// others run workflow code, and their tests break its rules on purpose.
func isAuthors(pass *analysis.Pass) bool {
	path := strings.TrimSuffix(pass.Pkg.Path(), "_test")
	if within, ours := strings.CutPrefix(path+"/", clew+"/"); ours {
		return within == "" || strings.HasPrefix(within, "examples/")
	}
	if m := pass.Module; m != nil && m.Path != "" {
		return m.Version == "" && m.Path != "std"
	}
	top, _, _ := strings.Cut(path, "/") // of the standard library, or files that are named one by one
	return strings.Contains(top, ".") || path == "command-line-arguments"
}

// program is the package that is looked at.
type program struct {
	*analysis.Pass
	allowed   *allowed
	workflows []*body // in the order they are written
	others    []*body // may be called by workflows
	wrong     []analysis.Diagnostic
}

// report says that something is wrong, unless a comment allows it.
func (p *program) report(at token.Pos, format string, args ...any) {
	if !p.allowed.at(p.Fset, at) {
		p.wrong = append(p.wrong, analysis.Diagnostic{Pos: at, Message: fmt.Sprintf(format, args...)})
	}
}
