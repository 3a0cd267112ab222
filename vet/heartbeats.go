package vet

import (
	"go/ast"
	"go/constant"
	"go/types"
	"time"
)

// patience is how long an attempt may take without a heartbeat. An attempt that does not
// beat is noticed to be dead when its time is up.
const patience = time.Hour

// heartbeats reports definitions of activities whose attempts may take long and do not have to beat. It says nothing when
// it cannot see what an option is.
func (r *reader) heartbeats(c *ast.CallExpr) {
	if _, ok := r.calls(c, activityPackage, "Define", "Declare"); !ok || c.Ellipsis.IsValid() {
		return
	}
	var long *ast.CallExpr
	for _, arg := range c.Args[1:] {
		if t := r.TypesInfo.TypeOf(arg); t == nil || isFunction(t) { // the body
			continue
		}
		option, isCall := ast.Unparen(arg).(*ast.CallExpr)
		if !isCall {
			if _, literal := ast.Unparen(arg).(*ast.CompositeLit); literal {
				continue
			}
			return
		}
		fn := r.callee(option)
		switch {
		case fn == nil || fn.Pkg() == nil || fn.Pkg().Path() != activityPackage || fn.Name() == "HeartbeatWithin":
			return
		case fn.Name() == "StartToClose" && len(option.Args) == 1 && r.isLong(option.Args[0]):
			long = option
		}
	}
	if long != nil {
		r.report(long.Pos(), "an attempt may take more than an hour and does not beat, so it is noticed late if it died; add activity.HeartbeatWithin, and call activity.Heartbeat in the body")
	}
}

// isLong reports whether e is a constant duration beyond patience; activity.NoTimeout is.
func (r *reader) isLong(e ast.Expr) bool {
	v := r.TypesInfo.Types[e]
	if v.Value == nil || !types.ConvertibleTo(v.Type, types.Typ[types.Int64]) {
		return false
	}
	d, exact := constant.Int64Val(constant.ToInt(v.Value))
	return exact && time.Duration(d) > patience
}
