package fileimport_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/clewflow/clew/examples/fileimport"
	"github.com/clewflow/clew/workflowtest"
)

// Whatever interrupts the loading, and whenever: each row is there once, under its number.
func TestEachRowIsThereOnceWhateverHappens(t *testing.T) {
	workflowtest.Explore(t, fileimport.Import, towns,
		workflowtest.Each(func() []workflowtest.Option {
			table := &table{takes: 20 * time.Second}
			return []workflowtest.Option{
				workflowtest.Use(table.loader().Definitions()...),
				workflowtest.Invariant("each row once", func(ran *workflowtest.Ran[fileimport.Report]) error {
					got, err := ran.Result()
					if err == nil && (got.Rows != 6 || len(table.rows) != 6 || table.rows[6] != "Trier") {
						return fmt.Errorf("%d rows are said to be loaded, and these are: %v", got.Rows, table.rows)
					}
					return nil
				}),
			}
		}),
		workflowtest.Schedules(100),
	)
}
