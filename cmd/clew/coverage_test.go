package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/internal/coverage"
	"github.com/clewflow/clew/workflow"
)

// reports writes the reports of three packages.
func reports(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	approve := workflow.Sight{
		Kind: workflow.SeenSelect, Place: "/src/order.go:31 (example.com/order.process)",
		Cases: []string{"took signal approve", "ran out of time", "ended with its scope"},
	}
	approve.Came = 1
	report(t, filepath.Join(dir, "order.json"), order().entries, approve)
	approve.Came = 0
	report(t, filepath.Join(dir, "shop.json"), order().entries, approve)
	report(t, filepath.Join(dir, "money.json"), refund().entries)
	return dir
}

func report(t *testing.T, file string, entries []history.Entry, sights ...workflow.Sight) {
	t.Helper()
	var r coverage.Report
	r.Add(entries, func(watch func(workflow.Sight)) {
		for _, s := range sights {
			watch(s)
		}
	})
	text, err := json.Marshal(&r)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(file, text, 0o644))
}

func TestCoverageMergesReports(t *testing.T) {
	dir := reports(t)
	all := read(t, "coverage", dir)
	golden(t, "coverage", all)
	assert.Equal(t, all, read(t, "coverage", filepath.Join(dir, "shop.json"), filepath.Join(dir, "money.json"), filepath.Join(dir, "order.json")), "in whichever order")

	merged := filepath.Join(dir, "merged")
	require.NoError(t, os.WriteFile(merged, []byte(read(t, "coverage", "--json", dir)), 0o644))
	assert.Equal(t, all, read(t, "coverage", merged), "a merged report is a report")
}

func TestCoverageBelowTheThresholdFails(t *testing.T) {
	dir := reports(t)
	code, stdout, stderr := tool(t, "coverage", dir, "--threshold", "50")
	assert.Equal(t, failed, code)
	assert.Equal(t, read(t, "coverage", dir), stdout, "what is missing is shown all the same")
	assert.Equal(t, "clew: 35% is less than the threshold of 50%\n", stderr)
	read(t, "coverage", dir, "--threshold", "35")
}

func TestCoverageSaysWhatIsNoReport(t *testing.T) {
	dir := t.TempDir()
	other := filepath.Join(dir, "package.json")
	require.NoError(t, os.WriteFile(other, []byte(`{"name": "left-pad"}`), 0o644))
	for _, c := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{"coverage"}, misused, "a report is missing"},
		{[]string{"coverage", "--threshold", "101", dir}, misused, "want 0 to 100 percent"},
		{[]string{"coverage", t.TempDir()}, failed, "there is no report in"},
		{[]string{"coverage", filepath.Join(dir, "none.json")}, failed, "no such file"},
		{[]string{"coverage", other}, failed, "package.json is no report of coverage"},
	} {
		code, stdout, stderr := tool(t, c.args...)
		assert.Equal(t, c.code, code, c.args)
		assert.Empty(t, stdout, c.args)
		assert.Contains(t, stderr, c.says)
	}
}
