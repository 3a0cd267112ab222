package runtime

import "github.com/clewflow/clew/store"

// Stats are counts since the runtime was opened, and what there is now.
type Stats struct {
	Appends    uint64 // durable appends; 0 if the store does not count
	Syncs      uint64 // times the store made something durable
	Bytes      uint64 // written by the store
	Remembered int    // executions in memory
	InHand     int    // attempts of activities
	Abandoned  int    // goroutines with workflow code that does not come back
}

// Stats counts what the runtime does.
func (r *Runtime) Stats() Stats {
	s := Stats{Remembered: r.executions.remembered(), InHand: r.queue.InHand(), Abandoned: int(r.abandoned.Load())}
	if m, ok := r.log.(store.Meter); ok {
		s.Appends, s.Syncs, s.Bytes = m.Written()
	}
	return s
}
