package vet

import (
	"go/ast"
	"go/token"
	"go/types"
)

// shared says why package variables are not written.
const shared = "is shared by all runs, and written again each time one is remembered; keep it in a variable of the function, or return it"

// isGlobal reports whether v is the variable of a package.
func isGlobal(v *types.Var) bool {
	return v != nil && v.Pkg() != nil && v.Parent() == v.Pkg().Scope()
}

// assigned refuses assignments to package variables, and to what is in them.
func (r *reader) assigned(a *ast.AssignStmt) {
	if a.Tok == token.DEFINE {
		return
	}
	for _, to := range a.Lhs {
		r.write(to)
	}
}

// clears refuses to take something out of a map in a package variable.
func (r *reader) clears(c *ast.CallExpr) {
	if name := r.builtin(c); name == "delete" || name == "clear" || name == "copy" {
		r.write(c.Args[0])
	}
}

func (r *reader) write(to ast.Expr) {
	if v, ok := r.root(to).(*types.Var); ok && isGlobal(v) {
		r.found(to.Pos(), "writing "+titleIn(r.Pkg, v), shared)
	}
}

// root is the variable in which the place is that e names: x of x.f, x[i], *x; nil if it is in none.
func (p *program) root(e ast.Expr) types.Object {
	switch e := ast.Unparen(e).(type) {
	case *ast.Ident:
		return p.TypesInfo.ObjectOf(e)
	case *ast.SelectorExpr:
		if id, ok := e.X.(*ast.Ident); ok {
			if _, ok := p.TypesInfo.Uses[id].(*types.PkgName); ok {
				return p.TypesInfo.Uses[e.Sel]
			}
		}
		return p.root(e.X)
	case *ast.IndexExpr:
		return p.root(e.X)
	case *ast.SliceExpr:
		return p.root(e.X)
	case *ast.StarExpr:
		return p.root(e.X)
	}
	return nil
}
