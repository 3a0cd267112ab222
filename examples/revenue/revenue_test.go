package main

import (
	"os"
	"strings"
	"testing"
)

// TestEachOrderCountsOnce: while it runs, after a restart, and by a fold that has changed.
func TestEachOrderCountsOnce(t *testing.T) {
	const want = `revenue by day, of 4 orders
  2026-01-02     16.50
  2026-01-03     99.00
  2026-01-04      0.75
after a restart, of 4 orders
  2026-01-02     16.50
  2026-01-03     99.00
  2026-01-04      0.75
largest order by day, of 4 orders
  2026-01-02     12.50
  2026-01-03     99.00
  2026-01-04      0.75
`
	var out strings.Builder
	if err := play(t.Context(), &out, t.TempDir()); err != nil {
		t.Fatal(err)
	}
	if out.String() != want {
		t.Errorf("it printed\n%swant\n%s", out.String(), want)
	}
	page, err := os.ReadFile("../../docs/projections.md")
	if err != nil || !strings.Contains(string(page), "$ go run ./examples/revenue\n"+want+"```") {
		t.Errorf("docs/projections.md does not show this: %v", err)
	}
}
