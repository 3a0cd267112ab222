package lookup

import (
	"context"
	"database/sql/driver"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/clewflow/clew/store"
)

// What is asked of the runs of one execution costs the same however many others there are.
func TestTheRunsOfAnExecutionAreFoundByItsID(t *testing.T) {
	x := open(t, memory)
	for _, statement := range []string{hasLater, rowsOf, runsOf, newestRun} {
		values := []driver.Value{"order-1", "main", int64(1)}
		if statement == runsOf || statement == newestRun {
			values = values[:2]
		}
		var plan []string
		require.NoError(t, x.read(context.Background(), func(c *conn, _ store.Position) error {
			return c.query(context.Background(), "EXPLAIN QUERY PLAN "+statement, values, func(row []driver.Value) error {
				plan = append(plan, row[3].(string))
				return nil
			})
		}))
		require.Contains(t, plan, "SEARCH run USING INDEX run_id (id=?)", "%s\n%q", statement, plan)
	}
}
