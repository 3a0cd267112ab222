package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/clewflow/clew/query"
	"github.com/clewflow/clew/runtime"
	"github.com/clewflow/clew/workflow"
)

// TestAFeedIsResumed: from a directory that nobody has open, and from a process that has.
func TestAFeedIsResumed(t *testing.T) {
	dir := t.TempDir() + "/clew.data"
	code := workflow.Define("noop", func(workflow.Context, int) (int, error) { return 0, nil })
	position := uint64(0)
	fed := func() (ids []string) {
		for line := range strings.Lines(read(t, "feed", "--after", fmt.Sprint(position), "--dir", dir)) {
			var changed query.Changed
			require.NoError(t, json.Unmarshal([]byte(line), &changed))
			ids, position = append(ids, changed.Row.ID), changed.Position
		}
		return slices.Compact(ids) // a run may be told of twice
	}
	for _, id := range []string{"a", "b"} {
		rt, end := running(t, runtime.Config{Store: dir}, code)
		_, err := runtime.Do(t.Context(), rt, id, code, 0)
		require.NoError(t, err)
		require.Equal(t, []string{id}, fed())
		require.Empty(t, fed())
		_, err = runtime.Do(t.Context(), rt, id+"2", code, 0)
		require.NoError(t, err)
		end()
		require.Equal(t, []string{id + "2"}, fed(), "and now nobody has it open")
	}
	code1, _, errs := tool(t, "feed", "--follow", "--dir", dir)
	require.Equal(t, failed, code1)
	require.Contains(t, errs, "no process has the store open")
}
