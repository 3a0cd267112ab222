package dispatch

import (
	"cmp"
	"errors"
	"slices"
	"strings"
)

var errHalted = errors.New("dispatch: the runs of the workflow are halted")

// Halt has no attempts handed out for workflows that are halted, until it is called again: what is in the queue for them and not in hand, or
// is offered from now on, is forgotten. When they are halted no more it is to be offered again. halted may be nil and must always say the same.
func (q *Queue) Halt(halted func(workflow string) bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.halted = halted
	if halted == nil {
		return
	}
	var all []*work
	for _, w := range q.work {
		if (w.state == waiting || w.state == ready) && halted(w.Workflow) {
			all = append(all, w)
		}
	}
	slices.SortFunc(all, func(a, b *work) int { // who is let try instead does not hang on the order of a map
		return cmp.Or(strings.Compare(a.ID.Namespace, b.ID.Namespace), strings.Compare(a.ID.Workflow, b.ID.Workflow), cmp.Compare(a.Step, b.Step))
	})
	for _, w := range all {
		q.remove(w, errHalted)
	}
}
