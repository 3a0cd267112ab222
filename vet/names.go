package vet

import (
	"go/ast"
	"go/types"
	"slices"
)

// Where the words of clew are. What is looked for there is known by name, so that any version of clew can be read.
const (
	clew            = "github.com/clewflow/clew"
	workflowPackage = clew + "/workflow"
	activityPackage = clew + "/activity"
)

// isNamed reports whether t is the named type, or an instance of it.
func isNamed(t types.Type, path, name string) bool {
	n, ok := types.Unalias(t).(*types.Named)
	return ok && isObject(n.Obj(), path, name)
}

func isObject(o types.Object, path string, names ...string) bool {
	return o != nil && o.Pkg() != nil && o.Pkg().Path() == path && slices.Contains(names, o.Name())
}

// takes reports whether one of a function's parameters is of the named type.
func takes(t types.Type, path, name string) bool {
	s, ok := t.Underlying().(*types.Signature)
	if !ok {
		return false
	}
	for v := range s.Params().Variables() {
		if isNamed(v.Type(), path, name) {
			return true
		}
	}
	return false
}

// isWorkflowCode reports whether a function of type t is workflow code.
func isWorkflowCode(t types.Type) bool { return takes(t, workflowPackage, "Context") }

// takesContext reports whether a function of type t is meant for I/O, as activities are.
func takesContext(t types.Type) bool { return takes(t, "context", "Context") }

// identOf is the identifier that e ends with: x of x, p.x, and x[T].
func identOf(e ast.Expr) *ast.Ident {
	switch e := ast.Unparen(e).(type) {
	case *ast.Ident:
		return e
	case *ast.SelectorExpr:
		return e.Sel
	case *ast.IndexExpr:
		return identOf(e.X)
	case *ast.IndexListExpr:
		return identOf(e.X)
	}
	return nil
}

// callee is the function or method that a call names; nil if it names none.
func (p *program) callee(call *ast.CallExpr) *types.Func {
	id := identOf(call.Fun)
	if id == nil {
		return nil
	}
	fn, _ := p.TypesInfo.Uses[id].(*types.Func)
	if fn == nil {
		return nil
	}
	return fn.Origin()
}

// calls reports whether e is a call of one of the named functions of a package.
func (p *program) calls(e ast.Node, path string, names ...string) (*ast.CallExpr, bool) {
	x, ok := e.(ast.Expr)
	if !ok {
		return nil, false
	}
	call, ok := ast.Unparen(x).(*ast.CallExpr)
	if !ok {
		return nil, false
	}
	fn := p.callee(call)
	return call, fn != nil && fn.Signature().Recv() == nil && isObject(fn, path, names...)
}

// builtin is the name of the built-in function that a call names; "" if it names none.
func (p *program) builtin(call *ast.CallExpr) string {
	if id, ok := ast.Unparen(call.Fun).(*ast.Ident); ok {
		if b, ok := p.TypesInfo.Uses[id].(*types.Builtin); ok {
			return b.Name()
		}
	}
	return ""
}

// receiver is the named type that fn is a method of; nil for a function.
func receiver(fn *types.Func) *types.Named {
	recv := fn.Signature().Recv()
	if recv == nil {
		return nil
	}
	t := types.Unalias(recv.Type())
	if p, ok := t.(*types.Pointer); ok {
		t = types.Unalias(p.Elem())
	}
	n, _ := t.(*types.Named)
	return n
}

// title is how a function is called by those who read its package: name, or Type.name.
func title(fn *types.Func) string {
	if t := receiver(fn); t != nil {
		return t.Obj().Name() + "." + fn.Name()
	}
	return fn.Name()
}

// titleIn is how an object is called by those who read package p.
func titleIn(p *types.Package, o types.Object) string {
	name := o.Name()
	if fn, ok := o.(*types.Func); ok {
		name = title(fn)
	}
	if o.Pkg() == nil || o.Pkg() == p {
		return name
	}
	return o.Pkg().Name() + "." + name
}
