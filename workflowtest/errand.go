package workflowtest

import (
	"cmp"
	"slices"

	"github.com/clewflow/clew/runtime"
)

// errand takes note of what one execution wants of another.
func (w *World) errand(e runtime.Errand) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.errands = append(w.errands, e)
	w.tell()
}

// runErrand runs the errand that comes first, in an order which does not depend on how goroutines run; false if there is none.
func (w *World) runErrand() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.errands) == 0 {
		return false
	}
	next := 0
	for i, e := range w.errands {
		if before(e, w.errands[next]) {
			next = i
		}
	}
	e := w.errands[next]
	w.errands = slices.Delete(w.errands, next, next+1)
	go e.Do()
	return true
}

func before(a, b runtime.Errand) bool {
	return cmp.Or(cmp.Compare(a.Of.Workflow, b.Of.Workflow), cmp.Compare(a.Step, b.Step), cmp.Compare(a.What, b.What)) < 0
}
