package workflowtest

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/clewflow/clew/activity"
	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/internal/stage"
)

// chronicle is what the log holds, of all executions.
type chronicle struct {
	mu         sync.Mutex
	executions map[history.ID]*known
	stubbed    map[string]bool // activities that are here
	types      map[string]bool // workflows that are here
	unexpected string          // what was asked for that is not here
	at         finding         // the entry that says what is wrong
}

// finding is a note on an entry of an execution.
type finding struct {
	execution string
	note
}

// known is what the log holds of an execution.
type known struct {
	state   history.State
	entries []history.Entry
	begun   int // appends
}

func (c *chronicle) of(id history.ID) *known {
	k := c.executions[id]
	if k == nil {
		k = &known{}
		c.executions[id] = k
	}
	return k
}

// begin returns the number of an append to an execution, from 1.
func (c *chronicle) begin(id history.ID) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	k := c.of(id)
	k.begun++
	return k.begun
}

// record takes note of what was stored.
func (c *chronicle) record(id history.ID, entries []history.Entry) {
	c.mu.Lock()
	defer c.mu.Unlock()
	k := c.of(id)
	for _, e := range entries {
		if e.Seq != k.state.Seq+1 {
			continue // stored before
		}
		k.state.Evolve(e)
		k.entries = append(k.entries, e)
		if c.unexpected == "" {
			if c.unexpected = c.missing(e.Event); c.unexpected != "" {
				c.at = finding{id.Workflow, note{e.Seq, "nobody expected this"}}
			}
		}
	}
}

// missing says what is asked for that is not here; empty: nothing.
func (c *chronicle) missing(e history.Event) string {
	switch v := e.(type) {
	case *history.ActivityScheduled:
		if !v.Local && !c.stubbed[v.Name] {
			return fmt.Sprintf("nobody expected a call of activity %s with %s (step %d, attempt 1): stub it, or give its definition to Use",
				v.Name, v.Input.Data, v.Step)
		}
	case *history.ChildAsked:
		if !c.types[v.Type] {
			return fmt.Sprintf("nobody expected child %s (%s) with %s (step %d): stub it with StubChild, or give its definition to Use",
				v.ID, v.Type, v.Input.Data, v.Step)
		}
	}
	return ""
}

// wrong says what is wrong with what is recorded.
func (c *chronicle) wrong() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.unexpected != "" {
		return c.unexpected
	}
	for _, id := range c.ids() {
		k := c.executions[id]
		if s := k.state.Stall; s != nil {
			c.at = finding{id.Workflow, k.stalledAt()}
			return fmt.Sprintf("workflow %s (%s) stalls: %s%s", id.Workflow, k.state.Run.Type, s.Reason, stackOf(k.entries, s.Seq))
		}
	}
	return ""
}

// stalledAt says at what the code cannot go on.
func (k *known) stalledAt() note {
	for _, e := range k.entries {
		if e.Seq > k.state.Told && e.Event.Role() == history.Input {
			return note{e.Seq, "when it is told this, the code cannot go on"}
		}
	}
	return note{k.state.Stall.Seq, "the code cannot go on"}
}

// total is the number of entries.
func (c *chronicle) total() (n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, k := range c.executions {
		n += len(k.entries)
	}
	return n
}

func stackOf(entries []history.Entry, seq uint64) string {
	i := slices.IndexFunc(entries, func(e history.Entry) bool { return e.Seq == seq })
	if i < 0 {
		return ""
	}
	detail := map[string]string{}
	if e, ok := entries[i].Event.(*history.Stalled); ok && e.Detail.Decode(&detail) == nil && detail["stack"] != "" {
		return "\n" + detail["stack"]
	}
	return ""
}

// ids are those of all executions, in order. The caller holds c.mu.
func (c *chronicle) ids() []history.ID {
	return slices.SortedFunc(maps.Keys(c.executions), func(a, b history.ID) int { return strings.Compare(a.Workflow, b.Workflow) })
}

// rests reports whether nothing will ever happen by itself.
func (c *chronicle) rests() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, k := range c.executions {
		if k.state.Open() && (k.state.Due() || !k.state.Wake().IsZero() || c.wants(k, time.Now())) {
			return false
		}
	}
	return true
}

// patient is for how long something that executions want of each other or of the index is tried again before it counts as what never comes.
const patient = 10 * time.Minute

// wants reports whether an execution has lately come to want something that the runtime is to see to, though nothing waits at the stage:
// after a fault it is tried again a while later.
func (c *chronicle) wants(k *known, now time.Time) bool {
	lately := func(t time.Time) bool { return now.Sub(t) < patient }
	for _, f := range k.state.Finds {
		if lately(f.Asked) {
			return true
		}
	}
	for _, n := range k.state.Sends {
		if lately(n.Asked) {
			return true
		}
	}
	for _, child := range k.state.Children {
		if child.Chain == "" && lately(child.Asked) || child.CancelRequested && !child.CancelDelivered && lately(k.state.At) {
			return true
		}
		if other := c.executions[history.ID{Namespace: namespace, Workflow: child.ID}]; other != nil && other.state.Status != 0 && !other.state.Open() && lately(other.state.At) {
			return true
		}
	}
	return false
}

// trying reports whether some open execution wants something of that kind.
func (c *chronicle) trying() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, k := range c.executions {
		if k.state.Open() && c.wants(k, time.Now()) {
			return true
		}
	}
	return false
}

// over reports whether an execution has ended.
func (c *chronicle) over(id history.ID) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	k := c.executions[id]
	return k != nil && k.state.Status != 0 && !k.state.Open()
}

// histories are all there are, by workflow id.
func (c *chronicle) histories() map[string][]history.Entry {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := map[string][]history.Entry{}
	for id, k := range c.executions {
		if len(k.entries) > 0 {
			all[id.Workflow] = slices.Clone(k.entries)
		}
	}
	return all
}

// entries is the history of an execution; none if there is none yet.
func (c *chronicle) entries(id history.ID) []history.Entry {
	c.mu.Lock()
	defer c.mu.Unlock()
	if k := c.executions[id]; k != nil {
		return slices.Clone(k.entries)
	}
	return nil
}

// elapsed is how long an execution took.
func (c *chronicle) elapsed(id history.ID) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	k := c.executions[id]
	return k.state.Run.Closed.Sub(k.entries[0].At)
}

// silence is how long an attempt may give no sign of life; 0: for ever.
func (c *chronicle) silence(a activity.Attempt) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	if k := c.executions[history.ID{Namespace: a.Namespace, Workflow: a.Execution}]; k != nil {
		if open := k.state.Activities[history.Step(a.Step)]; open != nil {
			return open.Policy.Heartbeat
		}
	}
	return 0
}

// pending are the attempts of an activity that are pending.
func (c *chronicle) pending(name string) []stage.Place {
	c.mu.Lock()
	defer c.mu.Unlock()
	var found []stage.Place
	for id, k := range c.executions {
		for _, a := range k.state.Activities {
			if a.Name == name && a.Pending {
				found = append(found, attemptAt(id.Workflow, k.state.Run.ID, uint64(a.Step), a.Attempt, a.Name))
			}
		}
	}
	slices.SortFunc(found, stage.Place.Compare)
	return found
}

// number is that of the run that a place is in; 0 if the place names none.
func (c *chronicle) number(p stage.Place) uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	if p.Run == "" {
		return 0
	}
	k := c.executions[history.ID{Namespace: namespace, Workflow: p.Execution}]
	if k == nil {
		return 0
	}
	if k.state.Run.ID == p.Run {
		return k.state.Run.Number
	}
	for _, e := range k.entries {
		if s, ok := e.Event.(*history.Started); ok && s.Run == p.Run {
			return s.Number
		}
	}
	return 0
}

// moments are how long it takes from now until something is due in the execution of an attempt, its own limits included, in order.
func (c *chronicle) moments(p stage.Place, now time.Time) (all []time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	k := c.executions[history.ID{Namespace: namespace, Workflow: p.Execution}]
	if k == nil {
		return nil
	}
	for _, r := range k.state.Waiting() {
		if d := r.Until.Sub(now); !r.Until.IsZero() && d > 0 {
			all = append(all, d)
		}
	}
	if a := k.state.Activities[history.Step(p.Step)]; a != nil {
		for _, d := range []time.Duration{a.Policy.StartToClose, a.Policy.Heartbeat} {
			if d > 0 {
				all = append(all, d)
			}
		}
	}
	return all
}
