package replay

import "github.com/clewflow/clew/history"

// begun begins the code, unless it was begun with what the run has adopted.
func (m *Machine) begun(e *history.Entry, v *history.Begun) {
	m.limit(e, v.RunDeadline)
	if m.cancel == nil {
		m.start()
	}
}
