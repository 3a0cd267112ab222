package lookup

import (
	"context"

	"github.com/clewflow/clew/query"
	"github.com/clewflow/clew/store"
)

// hasLater has pluses, which keep SQLite from looking for the runs of one execution among all of the namespace.
const hasLater = "SELECT EXISTS (SELECT 1 FROM run WHERE id = ? AND +namespace = ? AND +began > ?)"

// Older says of each row whether its execution has gone on with another run.
func (x *Index) Older(ctx context.Context, rows []query.Row) (older []bool, err error) {
	err = x.read(ctx, func(c *conn, _ store.Position) error {
		older = make([]bool, len(rows))
		for i, r := range rows {
			n, err := c.number(ctx, hasLater, r.ID, r.Namespace, int64(r.Began))
			if err != nil {
				return err
			}
			older[i] = n != 0
		}
		return nil
	})
	return older, err
}
