package lookup

import (
	"context"
	"fmt"

	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/store"
)

// held notes what may not be taken away, and what may again. It is of no run, so it outlives all of them, and is in the table before the
// runs that are to come.
func (b *batch) held(record *store.Record) (err error) {
	if _, about := record.ID.Administers(); !about {
		return nil
	}
	switch v := record.Entry.Event.(type) {
	case *history.Held:
		err = b.c.exec(context.Background(), insertHold, v.ID.Namespace, v.ID.Workflow, v.Name)
	case *history.Released:
		err = b.c.exec(context.Background(), dropHold, v.ID.Namespace, v.ID.Workflow, v.Name)
	}
	if err != nil {
		return fmt.Errorf("noting a hold: %w", err)
	}
	return nil
}
