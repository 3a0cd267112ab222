package lookup

import (
	"github.com/clewflow/clew/history"
)

// depth is how many executions stand above one that begins a run. Where a release began it that did not record that, it follows from its
// parent, which began before; if that is not there any more, it is the least that it can be.
func (b *batch) depth(id history.ID, s *history.Started) (int, error) {
	switch {
	case s.Depth > 0 || s.Parent.ID == "":
		return s.Depth, nil
	case s.Root == s.Parent.ID:
		return 1, nil
	}
	above := history.ID{Namespace: id.Namespace, Workflow: s.Parent.ID}
	parent, err := b.newest(above)
	if err == nil && parent == nil && b.building != nil {
		if err = b.building.index(); err == nil {
			parent, err = b.stored(above)
		}
	}
	if err != nil || parent == nil {
		return 2, err
	}
	return parent.Depth + 1, nil
}
