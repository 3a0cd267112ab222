package vet

import (
	"go/ast"
	"go/token"
	"go/types"
)

// order looks whether it can be told afterwards in which order a loop went over a map. It knows what is written for
// maps: collecting and sorting, filling other maps, counting, adding integers, the largest and the smallest, looking for
// one that is equal to something, and whether there is any. All else is taken to depend on the order.
type order struct {
	*reader
	loop    *ast.RangeStmt
	depth   int                     // of loops and switches that a break would leave, below loop
	guards  []ast.Expr              // what holds where we are
	conds   []ast.Expr              // all that was asked
	fixed   map[spot]string         // what is set to something that has nothing to do with the element
	grown   map[types.Object]string // what is added up or filled, and its name
	returns *string
	breaks  bool
	summed  bool
}

// disorder says how the order can be told; "" if it cannot.
func (r *reader) disorder(n *ast.RangeStmt) string {
	if isBlank(n.Key) && isBlank(n.Value) {
		return ""
	}
	o := &order{reader: r, loop: n, fixed: map[spot]string{}, grown: map[types.Object]string{}}
	if why := o.block(n.Body.List); why != "" {
		return why
	}
	if o.breaks && o.summed {
		return "the loop ends before it has seen all"
	}
	for _, c := range o.conds {
		if name := o.progress(c); name != "" {
			return name + " decides what is done with the next element"
		}
	}
	return ""
}

func isBlank(e ast.Expr) bool {
	id, ok := e.(*ast.Ident)
	return e == nil || ok && id.Name == "_"
}

func (o *order) block(list []ast.Stmt) string {
	for _, s := range list {
		if why := o.stmt(s); why != "" {
			return why
		}
	}
	return ""
}

func (o *order) stmt(s ast.Stmt) string {
	switch s := s.(type) {
	case *ast.BlockStmt:
		return o.block(s.List)
	case *ast.LabeledStmt:
		return o.stmt(s.Stmt)
	case *ast.DeclStmt:
		return o.asks(s)
	case *ast.ExprStmt:
		return first(o.asks(s), o.does(s.X))
	case *ast.AssignStmt:
		return first(o.asks(s), o.assign(s))
	case *ast.IncDecStmt:
		return o.add(s.X)
	case *ast.IfStmt:
		return o.branch(s)
	case *ast.SwitchStmt:
		return first(o.init(s.Init), o.asked(s.Tag), o.clauses(s.Body, s.Tag))
	case *ast.TypeSwitchStmt:
		return first(o.init(s.Init), o.clauses(s.Body, nil))
	case *ast.ForStmt:
		return first(o.init(s.Init), o.asked(s.Cond), o.inner(s.Body))
	case *ast.RangeStmt:
		return first(o.asks(s.X), o.inner(s.Body))
	case *ast.BranchStmt:
		o.breaks = o.breaks || s.Tok == token.BREAK && (o.depth == 0 || s.Label != nil)
	case *ast.ReturnStmt:
		return first(o.asks(s), o.leave(s))
	case *ast.DeferStmt:
		return "what is deferred is done in that order"
	}
	return "" // the rest is refused anyway
}

// first is the first reason there is.
func first(reasons ...string) string {
	for _, why := range reasons {
		if why != "" {
			return why
		}
	}
	return ""
}

func (o *order) init(s ast.Stmt) string {
	if s == nil {
		return ""
	}
	return o.stmt(s)
}

// asked notes a condition.
func (o *order) asked(cond ast.Expr) string {
	if cond == nil {
		return ""
	}
	o.conds = append(o.conds, cond)
	return o.asks(cond)
}

func (o *order) inner(body *ast.BlockStmt) string {
	o.depth++
	defer func() { o.depth-- }()
	return o.block(body.List)
}

func (o *order) branch(s *ast.IfStmt) string {
	if why := first(o.init(s.Init), o.asked(s.Cond)); why != "" {
		return why
	}
	o.guards = append(o.guards, s.Cond)
	why := o.block(s.Body.List)
	o.guards = o.guards[:len(o.guards)-1]
	return first(why, o.init(s.Else))
}

func (o *order) clauses(body *ast.BlockStmt, tag ast.Expr) string {
	o.depth++
	defer func() { o.depth-- }()
	for _, c := range body.List {
		c := c.(*ast.CaseClause)
		guards := len(o.guards)
		for _, e := range c.List {
			if tag == nil {
				o.conds = append(o.conds, e)
				o.guards = append(o.guards, e)
			} else {
				o.guards = append(o.guards, &ast.BinaryExpr{X: tag, Op: token.EQL, Y: e, OpPos: e.Pos()})
			}
		}
		why := o.block(c.Body)
		o.guards = o.guards[:guards]
		if why != "" {
			return why
		}
	}
	return ""
}

// asks says what is asked of the runtime below n, or drawn, in the order of the loop.
func (o *order) asks(n ast.Node) (why string) {
	ast.Inspect(n, func(n ast.Node) bool {
		c, ok := n.(*ast.CallExpr)
		if !ok || why != "" {
			return why == ""
		}
		if _, ok := o.calls(c, workflowPackage, "Now", "Info", "Logger"); ok {
			return true
		}
		called := types.ExprString(c.Fun)
		if fn := o.callee(c); fn != nil {
			called = titleIn(o.Pkg, fn)
			if t := receiver(fn); t != nil && (isObject(t.Obj(), "math/rand", "Rand") || isObject(t.Obj(), "math/rand/v2", "Rand")) {
				why = called + " draws in that order"
			}
		}
		for _, arg := range c.Args {
			if isNamed(o.TypesInfo.TypeOf(arg), workflowPackage, "Context") {
				why = called + " is called in that order"
			}
		}
		return why == ""
	})
	return why
}

// does judges a call that is a statement.
func (o *order) does(e ast.Expr) string {
	c, ok := ast.Unparen(e).(*ast.CallExpr)
	if !ok || o.builtin(c) != "" { // delete, clear, copy, panic
		return ""
	}
	if isSort(c) && len(c.Args) > 0 && o.isLocal(o.root(c.Args[0])) {
		return ""
	}
	if s, ok := ast.Unparen(c.Fun).(*ast.SelectorExpr); ok && o.TypesInfo.Selections[s] != nil {
		t := o.TypesInfo.TypeOf(s.X)
		_, isMap := t.Underlying().(*types.Map)
		if p, ok := t.(*types.Pointer); ok && isNamed(p.Elem(), "log/slog", "Logger") || isMap || o.isLocal(o.root(s.X)) {
			return ""
		}
	}
	return types.ExprString(c.Fun) + " is called in that order"
}

// leave judges a return: what comes back must be the same whichever element is first.
func (o *order) leave(s *ast.ReturnStmt) string {
	text := ""
	for _, e := range s.Results {
		if o.usesElement(e) && !o.isSearch() {
			return "what is returned is of whichever comes first"
		}
		text += types.ExprString(e) + ","
	}
	if o.returns != nil && *o.returns != text {
		return "which return comes first decides"
	}
	o.returns = &text
	return ""
}

// isLocal reports whether v is declared in the loop.
func (o *order) isLocal(v types.Object) bool {
	return v != nil && o.loop.Pos() <= v.Pos() && v.Pos() < o.loop.End()
}

// usesElement reports whether e has to do with the element that the loop is at.
func (o *order) usesElement(e ast.Expr) (found bool) {
	ast.Inspect(e, func(n ast.Node) bool {
		if id, ok := n.(*ast.Ident); ok {
			v, isVar := o.TypesInfo.Uses[id].(*types.Var)
			found = found || isVar && o.isLocal(v)
		}
		return true
	})
	return found
}

// isSearch reports whether we are where something of the element is equal to something else, which is how one looks for
// the one that is.
func (o *order) isSearch() bool {
	for _, g := range o.guards {
		found := false
		ast.Inspect(g, func(n ast.Node) bool {
			b, ok := n.(*ast.BinaryExpr)
			found = found || ok && b.Op == token.EQL && o.usesElement(b.X) != o.usesElement(b.Y) && !o.isNil(b.X) && !o.isNil(b.Y)
			return true
		})
		if found {
			return true
		}
	}
	return false
}

func (o *order) isNil(e ast.Expr) bool { return o.TypesInfo.Types[e].IsNil() }

// progress is the name of what grows in the loop, if a condition asks how far it has come.
func (o *order) progress(cond ast.Expr) (name string) {
	ast.Inspect(cond, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.IndexExpr: // what is at a key does not tell
			return false
		case *ast.Ident:
			if grown := o.grown[o.TypesInfo.Uses[n]]; grown != "" {
				name = grown
			}
		}
		return true
	})
	return name
}
