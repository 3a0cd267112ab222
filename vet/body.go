package vet

import (
	"go/ast"
	"go/token"
	"go/types"
)

// body is what a function does, as far as it matters here.
type body struct {
	of    types.Object // the function, or the package variable that holds it; nil: a literal
	deeds []deed
	calls []call
}

// deed is something that workflow code must not do.
type deed struct {
	at   token.Pos
	what string
	why  string // it is refused, and what to write instead
}

// call is a function that is named, and so can be called, where it stands: a *types.Func, or a package variable.
type call struct {
	at token.Pos
	to types.Object
}

// reader reads a body.
type reader struct {
	*program
	body     *body
	workflow bool              // the body is workflow code
	outside  map[ast.Node]bool // expressions whose functions are run outside the workflow
	scope    ast.Node          // the declaration that all of this stands in
	seen     map[*ast.Ident]bool
	called   map[*ast.Ident]bool // what calls name
}

// readDecl reads a top-level declaration.
func (p *program) readDecl(d ast.Decl) {
	r := &reader{program: p, body: &body{}, scope: d, outside: p.outside(d), seen: map[*ast.Ident]bool{}, called: map[*ast.Ident]bool{}}
	f, ok := d.(*ast.FuncDecl)
	if !ok {
		r.readVariables(d)
		return
	}
	if f.Body == nil {
		return
	}
	r.body.of = p.TypesInfo.Defs[f.Name]
	r.workflow = isWorkflowCode(r.body.of.Type())
	r.read(f.Body)
	if r.workflow {
		p.workflows = append(p.workflows, r.body)
	} else {
		p.others = append(p.others, r.body)
	}
}

// readVariables reads what package variables begin with. One that holds a function is called like one.
func (r *reader) readVariables(d ast.Decl) {
	ast.Inspect(d, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		for i, value := range spec.Values {
			inner := *r
			inner.body = &body{}
			inner.read(value)
			_, literal := ast.Unparen(value).(*ast.FuncLit)
			if len(spec.Names) != len(spec.Values) || !literal && identOf(value) == nil {
				continue // what a call returns is made once
			}
			if v := r.TypesInfo.Defs[spec.Names[i]]; v != nil && isFunction(v.Type()) {
				inner.body.of = v
				r.others = append(r.others, inner.body)
			}
		}
		return false
	})
}

func (r *reader) read(n ast.Node) { ast.Inspect(n, r.visit) }

// apart reads what does not belong to the body that is read, but may hold workflow code.
func (r *reader) apart(n ast.Node) {
	other := *r
	other.body, other.workflow = &body{}, false
	other.read(n)
}

// found adds a deed to the body.
func (r *reader) found(at token.Pos, what, why string) {
	r.body.deeds = append(r.body.deeds, deed{at, what, why})
}

func (r *reader) visit(n ast.Node) bool {
	if n != nil && r.outside[n] {
		delete(r.outside, n)
		r.apart(n)
		return false
	}
	switch n := n.(type) {
	case *ast.FuncLit:
		return r.literal(n)
	case *ast.SelectorExpr:
		r.name(n.Sel, start(n))
	case *ast.Ident:
		r.name(n, n.Pos())
	case *ast.CallExpr:
		r.call(n)
	case *ast.RangeStmt:
		r.ranges(n)
	case *ast.GoStmt, *ast.SendStmt, *ast.UnaryExpr, *ast.SelectStmt:
		return r.threads(n)
	case *ast.AssignStmt:
		r.assigned(n)
		r.blanks(n)
	case *ast.IncDecStmt:
		r.write(n.X)
	case *ast.ExprStmt:
		r.dropped(n)
	case *ast.SwitchStmt:
		r.choices(n)
	case *ast.ForStmt:
		r.spins(n.Body, n.Cond != nil)
	}
	return true
}

// literal decides what a function literal is. One that takes a workflow.Context is workflow code wherever it stands; one
// that takes a context.Context is meant for I/O; any other is part of the function that it stands in.
func (r *reader) literal(lit *ast.FuncLit) bool {
	t := r.TypesInfo.TypeOf(lit)
	switch {
	case isWorkflowCode(t) && !r.workflow:
		inner := *r
		inner.body, inner.workflow = &body{}, true
		inner.read(lit.Body)
		r.workflows = append(r.workflows, inner.body)
		return false
	case !isWorkflowCode(t) && takesContext(t):
		r.apart(lit.Body)
		return false
	}
	return true
}

// name looks at what an identifier stands for. A function that is named is taken to be called, since workflow code has
// no other use for it, unless it is one for I/O that is handed on.
func (r *reader) name(id *ast.Ident, at token.Pos) {
	if r.seen[id] {
		return
	}
	r.seen[id] = true
	switch o := r.TypesInfo.Uses[id].(type) {
	case *types.Func:
		o = o.Origin()
		why := forbidden(o)
		switch {
		case why != "":
			r.found(at, titleIn(r.Pkg, o), why)
		case isWorkflowCode(o.Type()): // is reported where it stands
		case takesContext(o.Type()) && !r.called[id]:
		default:
			r.body.calls = append(r.body.calls, call{at, o})
		}
	case *types.Var:
		if !isGlobal(o) {
			return
		}
		if why := forbidden(o); why != "" {
			r.found(at, titleIn(r.Pkg, o), why)
		} else if isFunction(o.Type()) && !isWorkflowCode(o.Type()) {
			r.body.calls = append(r.body.calls, call{at, o})
		}
	}
}

func (r *reader) call(c *ast.CallExpr) {
	r.called[identOf(c.Fun)] = true
	r.heartbeats(c)
	r.clears(c)
	r.builtins(c)
	r.gathers(c)
}

// start is where a selector begins, or its name if that is on a line of its own.
func start(s *ast.SelectorExpr) token.Pos {
	if x, ok := s.X.(*ast.Ident); ok {
		return x.Pos()
	}
	return s.Sel.Pos()
}
