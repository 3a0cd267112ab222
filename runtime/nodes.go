package runtime

import (
	"context"
	"fmt"
	"time"

	"github.com/clewflow/clew/members"
)

// Node is a process that works on the store, as it says itself.
type Node struct {
	ID         string        `json:"id"` // new with each start
	Name       string        `json:"name"`
	Build      string        `json:"build,omitempty"`
	Leaving    bool          `json:"leaving,omitempty"` // it works on no execution any more
	Types      []string      `json:"types"`             // of workflows that it has code for, "order@3" for a version
	Activities []string      `json:"activities"`
	Queues     []string      `json:"queues,omitempty"` // that it serves; none: all
	Since      time.Time     `json:"since"`            // of its newest sign of life, by its clock
	Silent     time.Duration `json:"silent"`           // since then, by the clock here
	Applied    string        `json:"applied"`          // position of the log up to which it has acted on who joined and who went
	Executions int           `json:"executions"`       // open ones that fall to it
}

// Nodes lists those that work on the store, in the order of their ids, and the position up to which the log was followed here. A
// store that is for one process has none. Errors: those of ctx, ErrUnavailable.
func (r *Runtime) Nodes(ctx context.Context) (nodes []Node, position string, err error) {
	if r.node == nil {
		return nil, "", nil
	}
	select {
	case <-r.node.hears:
	case <-ctx.Done():
		return nil, "", ctx.Err()
	case <-r.opened.Done():
		return nil, "", ErrClosed
	}
	head, err := r.log.Head(ctx)
	if err == nil {
		err = r.index.Reached(ctx, head)
	}
	if err != nil {
		return nil, "", fmt.Errorf("runtime: looking for nodes: %w", err)
	}
	records, at, err := r.index.Members(ctx, r.config.Namespace)
	if err != nil {
		return nil, "", err
	}
	all := members.New(at)
	for _, record := range records {
		all.Restore(record, r.now())
	}
	own := map[string]int{}
	for tail, err := range r.index.Open(ctx, r.config.Namespace) {
		if err != nil {
			return nil, "", err
		}
		if o := all.Owner(tail.ID, tail.Type, tail.Version); o != nil {
			own[o.ID]++
		}
	}
	for _, m := range all.All() {
		nodes = append(nodes, Node{
			ID: m.ID, Name: m.Name, Build: m.Build, Leaving: m.Leaving, Types: m.Types, Activities: m.Activities, Queues: m.Queues,
			Since: m.At, Silent: max(0, r.now().Sub(m.At)), Applied: m.Applied.String(), Executions: own[m.ID],
		})
	}
	return nodes, at.String(), nil
}
