package vet

import (
	"go/ast"
	"go/token"
	"go/types"
)

// spot is a variable, or a field of one, as it is written.
type spot struct {
	root types.Object
	text string
}

// spotOf is where e is kept; ok is false if e is not simply a variable or a field.
func (p *program) spotOf(e ast.Expr) (s spot, ok bool) {
	e = ast.Unparen(e)
	switch e.(type) {
	case *ast.Ident, *ast.SelectorExpr:
		v, isVar := p.root(e).(*types.Var)
		return spot{v, types.ExprString(e)}, isVar
	}
	return spot{}, false
}

// choices reports a case of a switch over Select that was not given to it.
func (r *reader) choices(s *ast.SwitchStmt) {
	given := map[spot]bool{}
	for _, e := range r.selected(s) {
		at, ok := r.spotOf(e)
		if !ok {
			return // what it is cannot be seen
		}
		given[at] = true
	}
	if len(given) == 0 {
		return
	}
	for _, c := range s.Body.List {
		for _, e := range c.(*ast.CaseClause).List {
			if at, ok := r.spotOf(e); ok && !given[at] {
				r.report(e.Pos(), "%s was not given to Select, so this case never comes; add it to the call", at.text)
			}
		}
	}
}

// selected are the cases that are given to the Select that a switch is over; none if it is over something else, or if
// they cannot be seen.
func (r *reader) selected(s *ast.SwitchStmt) []ast.Expr {
	tag, ok := s.Tag.(*ast.Ident)
	if !ok {
		return nil
	}
	got := r.TypesInfo.Uses[tag]
	var call *ast.CallExpr
	sets := 0
	ast.Inspect(r.scope, func(n ast.Node) bool {
		a, ok := n.(*ast.AssignStmt)
		if !ok || len(a.Rhs) != 1 {
			return true
		}
		if id, ok := a.Lhs[0].(*ast.Ident); ok && got != nil && r.TypesInfo.ObjectOf(id) == got {
			sets++
			if c, ok := r.calls(a.Rhs[0], workflowPackage, "Select", "SelectWithin"); ok {
				call = c
			}
		}
		return true
	})
	if call == nil || sets != 1 || call.Ellipsis.IsValid() {
		return nil
	}
	var cases []ast.Expr
	for _, arg := range call.Args[1:] {
		if id := identOf(arg); id != nil && isObject(r.TypesInfo.Uses[id], workflowPackage, "Default") {
			continue
		}
		if t := r.TypesInfo.TypeOf(arg); isNamed(t, "time", "Duration") || isUntyped(t) { // of SelectWithin
			continue
		}
		cases = append(cases, arg)
	}
	return cases
}

func isUntyped(t types.Type) bool {
	b, ok := t.(*types.Basic)
	return ok && b.Info()&types.IsUntyped != 0
}

// spins reports a signal that a loop sees and does not receive, so that each round sees it again. It says so only if
// nothing in sight could receive it or end the loop.
func (r *reader) spins(loop *ast.BlockStmt, ends bool) {
	for _, s := range loop.List {
		s, ok := s.(*ast.SwitchStmt)
		if !ok || len(r.selected(s)) == 0 {
			continue
		}
		for _, c := range s.Body.List {
			c := c.(*ast.CaseClause)
			if len(c.List) != 1 || !isNamed(r.TypesInfo.TypeOf(c.List[0]), workflowPackage, "Signal") {
				continue
			}
			if at, ok := r.spotOf(c.List[0]); ok && !r.receives(at) && r.goesOn(c) && !(ends || r.mayLeave(loop, s)) {
				r.report(c.List[0].Pos(), "the loop sees %[1]s and does not receive it, so that each round sees it again; take it: %[1]s.TryReceive(ctx)", at.text)
			}
		}
	}
}

// receives reports whether the declaration that is read has anything to do with the signal but to select it.
func (r *reader) receives(signal spot) (found bool) {
	ast.Inspect(r.scope, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.SelectorExpr:
			at, ok := r.spotOf(n.X)
			found = found || ok && at.root == signal.root && at.text == signal.text
		case *ast.CallExpr: // handed on
			if _, selects := r.calls(n, workflowPackage, "Select", "SelectWithin"); selects {
				return true
			}
			for _, arg := range n.Args {
				at, ok := r.spotOf(arg)
				found = found || ok && at.root == signal.root
			}
		}
		return true
	})
	return found
}

// goesOn reports whether a clause surely goes on with the loop, and calls nothing that might receive something.
func (r *reader) goesOn(c *ast.CaseClause) bool {
	on := true
	for _, s := range c.Body {
		ast.Inspect(s, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.ReturnStmt:
				on = false
			case *ast.BranchStmt:
				on = on && (n.Tok == token.CONTINUE || n.Tok == token.BREAK && n.Label == nil)
			case *ast.CallExpr:
				if r.builtin(n) == "panic" {
					on = false
				}
				if fn := r.callee(n); fn != nil {
					path := fn.Pkg()
					on = on && (path == nil || path != r.Pkg && (path.Path() == workflowPackage || !isWorkflowCode(fn.Type())))
				} else if t := r.TypesInfo.Types[n.Fun]; !t.IsType() && !t.IsBuiltin() {
					on = false
				}
			}
			return on
		})
	}
	return on
}

// mayLeave reports whether a statement of the loop other than the switch may leave it.
func (r *reader) mayLeave(loop *ast.BlockStmt, but ast.Stmt) (found bool) {
	for _, s := range loop.List {
		if s == but {
			continue
		}
		ast.Inspect(s, func(n ast.Node) bool {
			switch n.(type) {
			case *ast.ReturnStmt, *ast.BranchStmt, *ast.SwitchStmt:
				found = true
			}
			return true
		})
	}
	return found
}
