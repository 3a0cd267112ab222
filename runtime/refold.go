package runtime

import (
	"context"
	"errors"
	"fmt"

	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/store"
)

// refold has the index show what the log has left of an execution. Those of the past are made anew when somebody asks.
func (r *Runtime) refold(ctx context.Context, id history.ID) error {
	var records []store.Record
	for record, err := range r.log.Read(ctx, id, 1) {
		if err != nil {
			return fmt.Errorf("runtime: reading what is left of %s: %w", id, err)
		}
		records = append(records, record)
	}
	return errors.Join(r.index.Refold(id, records), r.pasts.forget())
}

// hearErased takes in that another node has done acts: what is known here of the executions is forgotten, and the index shows what is left.
func (r *Runtime) hearErased(ctx context.Context, done *history.Erased) error {
	for _, seq := range done.Acts {
		for record, err := range r.log.Read(ctx, history.AdminOf(r.config.Namespace), seq) {
			if err != nil {
				return fmt.Errorf("runtime: reading what was taken away: %w", err)
			}
			id := targetOf(record.Entry.Event)
			if id == (history.ID{}) {
				break
			}
			if r.executions.find(id) != nil {
				if _, err := see(ctx, r, id, func(m *memory) (struct{}, error) { m.erased = true; return struct{}{}, nil }); err != nil {
					return err
				}
			}
			if err := r.refold(ctx, id); err != nil {
				return err
			}
			break
		}
	}
	return nil
}
