package vet

import (
	"go/ast"
	"go/types"
)

// runsOutside reports whether a function of clew runs the functions that it is given outside the workflow: Step and
// AwaitExternal do as activities do, Value and Latest keep what comes of it, and package activity takes the bodies of
// activities.
func runsOutside(fn *types.Func) bool {
	return isObject(fn, workflowPackage, "Step", "Value", "Latest", "AwaitExternal") ||
		fn.Pkg() != nil && fn.Pkg().Path() == activityPackage
}

// outside finds the expressions below n whose functions are not run in the workflow: those that are given to what runs
// them outside, and literals that are kept in a variable first.
func (p *program) outside(n ast.Node) map[ast.Node]bool {
	found, kept := map[ast.Node]bool{}, map[types.Object]bool{}
	ast.Inspect(n, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok {
			return true
		}
		if fn := p.callee(call); fn == nil || !runsOutside(fn) {
			return true
		}
		for _, arg := range call.Args {
			if t := p.TypesInfo.TypeOf(arg); t == nil || !isFunction(t) {
				continue
			}
			found[arg] = true
			if id, ok := ast.Unparen(arg).(*ast.Ident); ok {
				kept[p.TypesInfo.Uses[id]] = true
			}
		}
		return true
	})
	ast.Inspect(n, func(n ast.Node) bool {
		a, ok := n.(*ast.AssignStmt)
		if !ok || len(a.Lhs) != len(a.Rhs) {
			return true
		}
		for i, to := range a.Lhs {
			if id, ok := to.(*ast.Ident); ok && kept[p.TypesInfo.ObjectOf(id)] {
				found[a.Rhs[i]] = true
			}
		}
		return true
	})
	return found
}

func isFunction(t types.Type) bool {
	_, ok := t.Underlying().(*types.Signature)
	return ok
}
