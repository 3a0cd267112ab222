package lookup

import (
	"context"
	"database/sql/driver"

	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/query"
	"github.com/clewflow/clew/store"
)

var rowsOf = "SELECT " + columns + " FROM run WHERE id = ? AND +namespace = ? AND +seq >= ? ORDER BY position"

// Rows are the runs of an execution that have an entry from seq on, in order.
func (x *Index) Rows(ctx context.Context, id history.ID, seq uint64) (rows []query.Row, err error) {
	err = x.read(ctx, func(c *conn, _ store.Position) error {
		rows = nil
		return c.query(ctx, rowsOf, []driver.Value{id.Workflow, id.Namespace, int64(seq)}, func(row []driver.Value) error {
			r, err := scanRow(row)
			if err == nil {
				rows = append(rows, r.Row)
			}
			return err
		})
	})
	return rows, err
}
