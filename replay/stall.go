package replay

import (
	"fmt"
	"strings"

	"github.com/clewflow/clew/internal/coro"
	"github.com/clewflow/clew/workflow"
)

// Stalled says why the code cannot go on.
type Stalled struct {
	Reason string
	Stack  string // of the code, if it panicked
}

func (e *Stalled) Error() string { return e.Reason }

func stalledBy(p *coro.Panic) *Stalled {
	if s, ok := p.Value.(*workflow.Stall); ok {
		return &Stalled{s.Reason, AuthorsStack(p.Stack)}
	}
	return &Stalled{fmt.Sprintf("panic: %v", p.Value), AuthorsStack(p.Stack)}
}

// Deadlock returns an error if the run is open and nothing can ever wake the code.
func (m *Machine) Deadlock() error {
	if m.closed || m.finished || len(m.open) > 0 || len(m.asked) > 0 || len(m.updates) > 0 || m.cancel == nil || m.group.Idle() || m.group.Reachable(len(m.inboxes) > 0) {
		return nil
	}
	var b strings.Builder
	for i, c := range m.group.Blocked() {
		if i > 0 {
			b.WriteString("; ")
		}
		what := "something inside the workflow"
		if len(c.For) > 0 {
			what = strings.Join(c.For, ", ")
		}
		fmt.Fprintf(&b, "%s waits for %s", c.Coroutine, what)
	}
	return &Stalled{Reason: "deadlock: " + b.String()}
}

// Strayed returns an error if the code called into clew from a goroutine that it had started with go.
func (m *Machine) Strayed() error {
	if !m.stray.Load() {
		return nil
	}
	return &Stalled{Reason: "the code calls workflow functions from a goroutine that it started with go: use workflow.Go, and workflow channels to wait for it"}
}
