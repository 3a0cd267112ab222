// Package reach calls what does what it must not.
package reach

import (
	"slices"
	"time"

	"example.com/shop/reach/tools"

	"github.com/clewflow/clew/workflow"
)

func W(ctx workflow.Context, clock tools.Clock, any interface{ Now() time.Time }) (int, error) {
	_ = tools.F()          // want `^tools.F → g → time.Now reads the clock, .*; use workflow.Now$`
	_ = clock.Now()        // want `^tools.Clock.Now → F → g → time.Now reads`
	_ = tools.Generic(1)   // want `^tools.Generic → time.Sleep `
	_ = tools.Generic[int] // want `^tools.Generic → time.Sleep `
	_ = tools.Even(3)      // want `^tools.Even → Odd → time.Sleep `
	_ = tools.Today()      // want `^tools.Today → time.Now reads`
	_ = now()              // want `^now → g → time.Now `
	_ = pure()
	_ = made()
	near()              // want `^near → tools.F → g → time.Now `
	(&desk{}).look()    // want `^desk.look → near → tools.F → g → time.Now `
	_ = tools.Pure(1)   //
	_ = tools.Allowed() //
	tools.Paused(ctx)   // is told where it is written
	_ = any.Now()       // nobody knows which
	_, _ = workflow.Step(ctx, "fetch", tools.Fetch)
	fetch := tools.Fetch // handed on, by another way
	_, _ = workflow.Step(ctx, "fetch", fetch)
	slices.SortFunc([]int{1}, byMood)        // want `^byMood → time.Now `
	_ = workflow.Await(ctx, (&desk{}).ready) // want `^desk.ready → time.Now `
	tools.Twice()                            // want `^tools.Twice → time.Sleep `
	return again(3), nil
}

var (
	now  = func() time.Time { return g() } // want now:`g → time.Now`
	pure = func() int { return 1 }
	made = maker(g())
)

func maker(at time.Time) func() time.Time { return func() time.Time { return at } }

func g() time.Time { return time.Now() } // want g:`time.Now`

func near() { _ = tools.F() } // want near:`tools.F → g → time.Now`

func byMood(a, b int) int { return time.Now().Second() } // want byMood:`time.Now`

func again(n int) int {
	if n == 0 {
		return 0
	}
	return again(n - 1)
}

type desk struct{}

func (d *desk) look() { near() } // want look:`near → tools.F → g → time.Now`

func (d *desk) ready() bool { return time.Now().IsZero() } // want ready:`time.Now`
