package sim

import (
	"fmt"
	"time"

	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/workflow"
)

// In a world of slots no more runs of a key may be open and begun than this. Clients start runs with keys; children have none, because one
// that waits for the slot of its parent would wait for ever.
const mostRuns = 2

// programs is the workflow as this process runs it.
func (l *life) programs(i *interpreter) workflow.Definition {
	if !l.w.slots {
		return program.Bind(i.run)
	}
	limited := workflow.Declare[Program, Program](program.Name(), workflow.ExecutionTimeout(30*24*time.Hour), workflow.RunLimit{KeyAtOnce: mostRuns})
	return limited.Bind(i.run)
}

// slotOf says under which key a client starts a run.
func (w *World) slotOf(id string) []workflow.Option {
	if !w.slots {
		return nil
	}
	return []workflow.Option{workflow.LimitKey(fmt.Sprint("k", len(id)%2, w.hash(0, id, "key")%2))}
}

// hasSlot reports whether a run counts under the limit of its key.
func hasSlot(s *history.State) bool {
	return isOpen(s) && !s.Run.Queued && s.Run.BeginAt.IsZero() && s.Run.Key != ""
}

// lookAtSlot looks whether a run that has begun is within the limit. The entry is folded already; had is the key under which the execution had
// a slot before it, if it had.
func (j *judge) lookAtSlot(at func() string, s *stream, had string) {
	has := ""
	if hasSlot(&s.state) {
		has = s.state.Run.Key
	}
	if had != "" {
		j.slots[had]--
	}
	if has == "" {
		return
	}
	if j.slots[has]++; j.slots[has] > mostRuns && had != has {
		j.w.wrong("%s: %d runs of key %s are open and have begun, the limit is %d", at(), j.slots[has], has, mostRuns)
	}
	if s.state.Seq > s.state.Run.Began && had == "" {
		j.w.sometimes("a run that has waited for its slot begins")
	}
}

// keyHeld is the key under which an execution has a slot; empty: it has none.
func keyHeld(s *history.State) string {
	if !hasSlot(s) {
		return ""
	}
	return s.Run.Key
}

// unbegun looks whether a run waits for a slot that nobody has. The caller holds j.mu.
func (j *judge) unbegun(rest []history.ID) {
	for _, id := range rest {
		if s := &j.all[id].state; s.Run.Queued && (s.Run.Key == "" || j.slots[s.Run.Key] < mostRuns) {
			j.w.wrong("%s waits for a slot of key %q, and %d of %d are in use", id.Workflow, s.Run.Key, j.slots[s.Run.Key], mostRuns)
		}
	}
}
