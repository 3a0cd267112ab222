package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestATypeThatNoRunHasIsHinted: what was printed stays an answer, and what may have been meant is said on the side.
func TestATypeThatNoRunHasIsHinted(t *testing.T) {
	dir := sales(t)
	const hinted = "clew: no run is of the type ordr: did you mean order?\n"
	for line, want := range map[string]string{
		`find "type = 'ordr'"`:                              hinted,
		`find --type ordr --count`:                          hinted,
		`ls --type ordr --csv`:                              hinted,
		`find "type IN (ordr, refund) AND id = 'x'" --json`: hinted,
		`find "type = 'ordr'" --measure duration`:           hinted,
		`find "type = 'ordr'" --group-by status`:            hinted,
		`find "type = 'ordr'" --as-of 4`:                    hinted,
		`retention --rule type=ordr,age=1h`:                 hinted,
		`find "type = 'invoice'"`:                           "clew: no run is of the type invoice; there are order, refund, sla.check\n",
		`find "type IN (ordr, refund)"`:                     "",
		`find "type = 'order' AND status = paused"`:         "",
		`retention --rule type=order,age=1h`:                "",
	} {
		var out, errs strings.Builder
		require.Zero(t, run(t.Context(), append(parted(line), "--dir", dir), &out, &errs), line+errs.String())
		require.Equal(t, want, errs.String(), line)
	}
}
