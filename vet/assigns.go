package vet

import (
	"go/ast"
	"go/token"
	"go/types"
	"slices"
)

// assign judges an assignment in a loop over a map.
func (o *order) assign(a *ast.AssignStmt) string {
	if a.Tok == token.DEFINE {
		return ""
	}
	for i, to := range a.Lhs {
		if isBlank(to) || o.isLocal(o.root(to)) {
			continue
		}
		var from ast.Expr
		if len(a.Lhs) == len(a.Rhs) {
			from = a.Rhs[i]
		}
		if why := o.set(to, a.Tok, from); why != "" {
			return why
		}
	}
	return ""
}

// set judges what is assigned to something outside the loop. from is nil if it is one of several results of a call.
func (o *order) set(to ast.Expr, tok token.Token, from ast.Expr) string {
	if tok != token.ASSIGN {
		return o.add(to)
	}
	if from == nil {
		return o.last(to)
	}
	if why, ok := o.more(to, from); ok {
		return why
	}
	if _, ok := ast.Unparen(to).(*ast.IndexExpr); ok {
		o.grow(to)
		return ""
	}
	if o.usesElement(from) {
		if o.isSearch() || o.isExtreme(to, from) {
			return ""
		}
		return o.last(to)
	}
	at, _ := o.spotOf(to)
	text := types.ExprString(from)
	if before, ok := o.fixed[at]; ok && before != text {
		return o.last(to)
	}
	o.fixed[at] = text
	return ""
}

// more judges what is made of what is there already; ok is false if from is something else.
func (o *order) more(to, from ast.Expr) (why string, ok bool) {
	switch from := ast.Unparen(from).(type) {
	case *ast.CallExpr:
		switch name := o.builtin(from); {
		case name == "append" && same(from.Args[0], to):
			return o.collect(to), true
		case (name == "min" || name == "max") && slices.ContainsFunc(from.Args, func(e ast.Expr) bool { return same(e, to) }):
			return "", true
		}
	case *ast.BinaryExpr:
		if !same(from.X, to) && !same(from.Y, to) {
			return "", false
		}
		switch from.Op {
		case token.LAND, token.LOR:
			return "", true
		case token.ADD, token.MUL, token.AND, token.OR, token.XOR:
			return o.add(to), true
		}
	}
	return "", false
}

func (o *order) last(to ast.Expr) string {
	return "the last one decides what " + types.ExprString(to) + " is"
}

// add judges that something is added to what is at a place.
func (o *order) add(to ast.Expr) string {
	if o.isLocal(o.root(to)) {
		return ""
	}
	o.grow(to)
	if x, ok := ast.Unparen(to).(*ast.IndexExpr); ok && o.usesElement(x.Index) {
		if id, ok := o.loop.Key.(*ast.Ident); ok && same(x.Index, id) {
			return "" // each has its own
		}
	}
	b, ok := o.TypesInfo.TypeOf(to).Underlying().(*types.Basic)
	if !ok || b.Info()&(types.IsInteger|types.IsBoolean) == 0 {
		return "what " + types.ExprString(to) + " adds up to depends on it"
	}
	return ""
}

// collect judges that elements are appended to a slice.
func (o *order) collect(to ast.Expr) string {
	o.grow(to)
	place := ast.Unparen(to)
	for {
		x, ok := place.(*ast.IndexExpr)
		if !ok {
			break
		}
		if id, ok := o.loop.Key.(*ast.Ident); ok && same(x.Index, id) {
			return "" // each has its own
		}
		place = ast.Unparen(x.X)
	}
	if o.settled(place, o.loop.End()) || place != ast.Unparen(to) && o.sortsAll(place) {
		return ""
	}
	return types.ExprString(to) + " is appended to and not sorted afterwards"
}

// sortsAll reports whether the slices that are in the map at e are sorted after the loop.
func (o *order) sortsAll(e ast.Expr) (found bool) {
	m, ok := o.spotOf(e)
	if !ok {
		return false
	}
	ast.Inspect(o.scope, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.CallExpr:
			found = found || n.Pos() >= o.loop.End() && isSort(n) && o.mentions(n, m)
		case *ast.RangeStmt:
			found = found || n.Pos() >= o.loop.End() && o.mentions(n.X, m) && sorts(n.Body)
		}
		return true
	})
	return found
}

// grow notes that a place takes up one element after the other.
func (o *order) grow(to ast.Expr) {
	o.summed = true
	if v := o.root(to); v != nil {
		o.grown[v] = types.ExprString(to)
	}
}

// isExtreme reports whether we are where from is beyond what is at to, so that to becomes the largest or the smallest. If
// only parts of them are compared there have to be two, the second for when the first are equal.
func (o *order) isExtreme(to, from ast.Expr) bool {
	found, parts := false, 0
	compared := func(a, b ast.Expr) {
		found = found || pair(a, b, to, from)
		if x, y := o.root(a), o.root(b); x != nil && y != nil && x != y {
			if t, f := o.root(to), o.root(from); x == t && y == f || x == f && y == t {
				parts++
			}
		}
	}
	for _, g := range o.guards {
		ast.Inspect(g, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.BinaryExpr:
				switch n.Op {
				case token.LSS, token.LEQ, token.GTR, token.GEQ:
					compared(n.X, n.Y)
				}
			case *ast.CallExpr: // t.After(u), a.Cmp(b) > 0, less(a, b)
				s, isMethod := ast.Unparen(n.Fun).(*ast.SelectorExpr)
				switch {
				case isMethod && len(n.Args) == 1 && s.Sel.Name != "Equal":
					compared(s.X, n.Args[0])
				case len(n.Args) == 2:
					compared(n.Args[0], n.Args[1])
				}
			}
			return true
		})
	}
	return found || parts > 1
}

func pair(a, b, x, y ast.Expr) bool { return same(a, x) && same(b, y) || same(a, y) && same(b, x) }

// same reports whether two expressions are written alike.
func same(a, b ast.Expr) bool {
	return types.ExprString(ast.Unparen(a)) == types.ExprString(ast.Unparen(b))
}
