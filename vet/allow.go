package vet

import (
	"go/ast"
	"go/token"
	"strings"

	"golang.org/x/tools/go/analysis"
)

// allowance is a comment "//clew:allow reason". At the end of a line it speaks for that line, alone on a line for the
// next one.
type allowance struct {
	at     token.Pos
	reason string
	used   bool
}

// allowed holds the allowances of a package by what they speak for.
type allowed struct {
	list  []*allowance
	lines map[place]*allowance
}

type place struct {
	file string
	line int
}

const allow = "//clew:allow"

func allowances(pass *analysis.Pass) *allowed {
	all := &allowed{lines: map[place]*allowance{}}
	for _, file := range pass.Files {
		var code map[int]bool // made when there is a comment
		for _, group := range file.Comments {
			for _, c := range group.List {
				rest, ok := strings.CutPrefix(c.Text, allow)
				if !ok || rest != "" && rest[0] != ' ' && rest[0] != '\t' {
					continue
				}
				if code == nil {
					code = linesOfCode(pass.Fset, file)
				}
				reason, _, _ := strings.Cut(rest, "//")
				a := &allowance{at: c.Pos(), reason: strings.TrimSpace(reason)}
				at := pass.Fset.Position(c.Pos())
				if !code[at.Line] {
					at.Line++
				}
				all.list = append(all.list, a)
				all.lines[place{at.Filename, at.Line}] = a
			}
		}
	}
	return all
}

// linesOfCode are the lines of a file on which something other than a comment begins or ends.
func linesOfCode(fset *token.FileSet, file *ast.File) map[int]bool {
	lines := map[int]bool{}
	ast.Inspect(file, func(n ast.Node) bool {
		switch n.(type) {
		case nil, *ast.File:
			return true
		case *ast.Comment, *ast.CommentGroup:
			return false
		}
		lines[fset.Position(n.Pos()).Line] = true
		lines[fset.Position(n.End()-1).Line] = true
		return true
	})
	return lines
}

// at reports whether what is found at pos is allowed.
func (all *allowed) at(fset *token.FileSet, pos token.Pos) bool {
	at := fset.Position(pos)
	a := all.lines[place{at.Filename, at.Line}]
	if a == nil {
		return false
	}
	a.used = true
	return true
}

// report says which allowances are wrong. One without a reason still allows, so that one mistake is told once.
func (all *allowed) report(p *program) {
	for _, a := range all.list {
		why := ""
		switch {
		case a.reason == "":
			why = allow + " says no reason; write it behind: " + allow + " it is only logged"
		case !a.used:
			why = allow + " allows nothing here; remove it"
		default:
			continue
		}
		p.wrong = append(p.wrong, analysis.Diagnostic{Pos: a.at, Message: why})
	}
}
