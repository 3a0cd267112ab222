package vet

import "go/ast"

// dropped reports calls of which the result is not used although something is wrong without it.
func (r *reader) dropped(s *ast.ExprStmt) {
	if call, ok := r.calls(s.X, workflowPackage, "ContinueAsNew"); ok {
		r.report(call.Pos(), "workflow.ContinueAsNew does nothing by itself; return what it returns")
	}
	if call, ok := r.calls(s.X, workflowPackage, "Sleep", "SleepUntil", "Await"); ok {
		r.report(call.Pos(), "the error of workflow.%s is dropped, so a run that is cancelled goes on as if it had waited; return the error", r.callee(call).Name())
	}
}

// blanks reports the result of ContinueAsNew that is given to nobody.
func (r *reader) blanks(a *ast.AssignStmt) {
	if len(a.Lhs) != 1 || len(a.Rhs) != 1 {
		return
	}
	id, ok := a.Lhs[0].(*ast.Ident)
	if !ok || id.Name != "_" {
		return
	}
	if call, ok := r.calls(a.Rhs[0], workflowPackage, "ContinueAsNew"); ok {
		r.report(call.Pos(), "workflow.ContinueAsNew does nothing by itself; return what it returns")
	}
}
