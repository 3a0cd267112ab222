package vet

import (
	"go/ast"
	"go/token"
	"go/types"
	"strings"
)

// ranges refuses to range over channels, and over maps where the order can be told afterwards.
func (r *reader) ranges(n *ast.RangeStmt) {
	if r.isChannel(n.X) {
		r.found(n.Pos(), "range over a channel", channel)
		return
	}
	m := r.disordered(n.X)
	if m == nil {
		return
	}
	if why := r.disorder(n); why != "" {
		r.found(n.Pos(), "range over a map", "comes in another order each time, and "+why+"; range over "+sortedKeys(m)+", or sort what comes of it")
	}
}

// sortedKeys is what to range over instead of m.
func sortedKeys(m ast.Expr) string {
	if _, isLiteral := ast.Unparen(m).(*ast.CompositeLit); isLiteral {
		return "a slice"
	}
	return "slices.Sorted(maps.Keys(" + types.ExprString(m) + "))"
}

// disordered is the map whose order e has, when ranged over: e itself, or that of maps.Keys(m) and the like; nil if e has
// an order of its own.
func (p *program) disordered(e ast.Expr) ast.Expr {
	if t := p.TypesInfo.TypeOf(e); t != nil {
		if _, ok := t.Underlying().(*types.Map); ok {
			return e
		}
	}
	if c, ok := p.calls(e, "maps", "Keys", "Values", "All"); ok {
		return c.Args[0]
	}
	if c, ok := p.calls(e, "slices", "Collect"); ok {
		if _, ok := p.calls(c.Args[0], "maps", "Keys", "Values"); ok {
			return p.disordered(c.Args[0])
		}
	}
	return nil
}

// gathers refuses a slice of the keys or values of a map that is not sorted.
func (r *reader) gathers(c *ast.CallExpr) {
	if _, ok := r.calls(c, "slices", "Collect", "AppendSeq"); !ok {
		return
	}
	seq, ok := r.calls(c.Args[len(c.Args)-1], "maps", "Keys", "Values")
	if !ok {
		return
	}
	loose := false
	ast.Inspect(r.scope, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.AssignStmt:
			for i, from := range n.Rhs {
				loose = loose || from == c && !r.settled(n.Lhs[i], n.End())
			}
		case *ast.ReturnStmt:
			for _, result := range n.Results {
				loose = loose || result == c && r.workflow
			}
		}
		return true
	})
	if loose {
		r.found(seq.Pos(), "maps."+r.callee(seq).Name(), "come in another order each time; use "+sortedKeys(seq.Args[0])+", or sort what comes of it")
	}
}

// settled reports whether the order of the slice at e, once it is filled, matters to nobody: it is sorted, or nothing
// but its length and contents are asked for. Outside of workflow code whoever it is returned to can sort it.
func (r *reader) settled(e ast.Expr, after token.Pos) bool {
	slice, ok := r.spotOf(e)
	if !ok {
		return false
	}
	if id, ok := e.(*ast.Ident); ok && id.Name == "_" {
		return true
	}
	sorted, loose := false, isField(e) || isGlobal(slice.root.(*types.Var))
	ast.Inspect(r.scope, func(n ast.Node) bool {
		if n == nil || n.End() <= after {
			return n != nil
		}
		switch n := n.(type) {
		case *ast.CallExpr:
			sorted = sorted || n.Pos() >= after && isSort(n) && r.mentions(n, slice)
			return !r.orderless(n)
		case *ast.ReturnStmt:
			return r.workflow || !r.mentions(n, slice)
		case *ast.Ident:
			loose = loose || n.Pos() >= after && r.TypesInfo.Uses[n] == slice.root
		}
		return true
	})
	return sorted || !loose && (!r.workflow || !isResult(r.scope, slice.root))
}

// isSort reports whether a call sorts, to judge by its name.
func isSort(c *ast.CallExpr) bool {
	return strings.Contains(strings.ToLower(types.ExprString(c.Fun)), "sort")
}

// sorts reports whether anything is sorted below n.
func sorts(n ast.Node) (found bool) {
	ast.Inspect(n, func(n ast.Node) bool {
		c, ok := n.(*ast.CallExpr)
		found = found || ok && isSort(c)
		return true
	})
	return found
}

// orderless reports whether a call tells nothing of the order of the slices that it is given.
func (r *reader) orderless(c *ast.CallExpr) bool {
	if name := r.builtin(c); name == "len" || name == "cap" {
		return true
	}
	_, ok := r.calls(c, "slices", "Contains", "Max", "Min")
	return ok
}

// mentions reports whether a spot is written below n.
func (p *program) mentions(n ast.Node, s spot) (found bool) {
	ast.Inspect(n, func(n ast.Node) bool {
		if e, ok := n.(ast.Expr); ok && !found {
			at, isSpot := p.spotOf(e)
			found = isSpot && at == s
		}
		return !found
	})
	return found
}

func isField(e ast.Expr) bool {
	_, ok := ast.Unparen(e).(*ast.SelectorExpr)
	return ok
}

// isResult reports whether v is a named result of a function within scope.
func isResult(scope ast.Node, v types.Object) (found bool) {
	ast.Inspect(scope, func(n ast.Node) bool {
		if f, ok := n.(*ast.FuncType); ok && f.Results != nil {
			found = found || f.Results.Pos() <= v.Pos() && v.Pos() < f.Results.End()
		}
		return true
	})
	return found
}
