package vet

import (
	"go/ast"
	"go/token"
	"go/types"
)

// Goroutines and channels of the language: the scheduler decides who runs and what is ready, and no history knows.
const (
	goroutine = "runs when the scheduler likes; use workflow.Go"
	channel   = "is in no history, and can block all coroutines of the run; use workflow.NewChannel"
	choosing  = "takes by chance what is ready; use workflow.Select"
)

// threads refuses statements and operators on goroutines and channels. It reports whether what is inside is to be read.
func (r *reader) threads(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.GoStmt:
		r.found(n.Pos(), "a go statement", goroutine)
		r.apart(n.Call)
		return false
	case *ast.SelectStmt:
		r.found(n.Pos(), "a select statement", choosing)
		for _, c := range n.Body.List {
			for _, s := range c.(*ast.CommClause).Body {
				r.read(s)
			}
		}
		return false
	case *ast.SendStmt:
		r.found(n.Pos(), "sending to a channel", channel)
	case *ast.UnaryExpr:
		if n.Op == token.ARROW {
			r.found(n.Pos(), "receiving from a channel", channel)
		}
	}
	return true
}

// builtins refuses built-in functions on channels, and those that write to the standard error.
func (r *reader) builtins(c *ast.CallExpr) {
	switch name := r.builtin(c); {
	case name == "make" && r.isChannel(c):
		r.found(c.Pos(), "making a channel", channel)
	case name == "close":
		r.found(c.Pos(), "closing a channel", channel)
	case name == "print" || name == "println":
		r.found(c.Pos(), name, speech)
	}
}

func (r *reader) isChannel(e ast.Expr) bool {
	t := r.TypesInfo.TypeOf(e)
	if t == nil {
		return false
	}
	_, ok := t.Underlying().(*types.Chan)
	return ok
}
