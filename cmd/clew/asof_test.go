package main

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/clewflow/clew/history"
)

func TestShowSaysHowThingsStoodThen(t *testing.T) {
	dir := world(t)
	entries := order().entries
	for _, n := range []uint64{1, 2, 5, uint64(len(entries))} {
		by := read(t, "show", "order-1", "--at", fmt.Sprint(n), "--dir", dir)
		state := history.Fold(entries[:n]...)
		assert.Contains(t, by, "run 1, as of entry ")
		assert.Contains(t, by, ": "+state.Status.String()+"\n")
		for _, r := range state.Waiting() {
			assert.Contains(t, by, "waits for "+plain(r.String()))
		}
	}
	assert.Contains(t, read(t, "show", "order-1", "--at", "3", "--dir", dir), "activity order.charge (step 1)", "entries before it name the activity")
	code, _, errs := tool(t, "show", "order-1", "--at", "2020-01-01T00:00:00Z", "--dir", dir)
	assert.Equal(t, failed, code)
	assert.Contains(t, errs, "had not begun by then")
	code, _, _ = tool(t, "show", "order-1", "--at", "noon", "--dir", dir)
	assert.Equal(t, misused, code)
}
