package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clewflow/clew/runtime"
)

func TestWhatIsTakenAwayIsRecorded(t *testing.T) {
	dir, at := world(t), filepath.Join(t.TempDir(), "clew.anchor")
	assert.Empty(t, read(t, "anchor", "--dir", dir, "-o", at))
	assert.Equal(t, "order-1: 1 payload is gone\n", read(t, "redact", "order-1", "--entry", "1", "--field", "input", "--reason", "ticket 7", "--by", "ann", "--dir", dir))
	assert.Contains(t, read(t, "show", "order-1", "--dir", dir), "(redacted)")
	code, _, errs := tool(t, "delete", "order-1", "--dir", dir)
	assert.Equal(t, failed, code)
	assert.Contains(t, errs, "still running")
	assert.Regexp(t, `(?s)^ID +TYPE +STATUS +ENDED +RUNS +ENTRIES +RULE\nrefund-1 +refund +failed .* would be removed; give --apply to do so\n$`,
		read(t, "retention", "--rule", "age=1h,name=hour", "--dir", dir))
	assert.Contains(t, read(t, "verify", "--dir", dir, "--against", at), "1 payload is redacted;")
	assert.Contains(t, read(t, "delete", "refund-1", "--reason", "ticket 8", "--by", "ann", "--dir", dir), "entries are gone\n")
	assert.NotContains(t, read(t, "ls", "--dir", dir), "refund-1")
	out := read(t, "verify", "--dir", dir, "--against", at)
	assert.Contains(t, out, "1 payload is redacted, 1 deletion is recorded; 3 of 3 heads of the anchor")
	acts := read(t, "show", "--erased", "--dir", dir)
	assert.Regexp(t, `(?m)^1 +\S+ +operator:ann +the payload input of entry 1 of order-1 redacted: ticket 7$`, acts)
	assert.Regexp(t, `(?m)^3 +\S+ +operator:ann +entries 1 to \d+ of refund-1 deleted \(2 runs, workflow refund, failed; the last hash was \S{43}\): ticket 8$`, acts)
	file := filepath.Join(t.TempDir(), "all.jsonl")
	assert.Empty(t, read(t, "export", "--all", "-o", file, "--dir", dir))
	assert.Contains(t, read(t, "verify", "--file", file, "--against", at), "1 payload is redacted, 1 deletion is recorded; 3 of 3 heads")
	code, _, errs = tool(t, "delete", "refund-1", "--dir", dir)
	assert.Equal(t, failed, code)
	assert.Equal(t, "clew: no such execution: refund-1; see \"clew ls\"\n", errs)
}

func TestRetentionRulesAreRead(t *testing.T) {
	rule, err := retentionRule("type=order,status=failed|timed-out,age=90d,name=x")
	require.NoError(t, err)
	assert.Equal(t, runtime.RetentionRule{Name: "x", Type: "order", Status: rule.Status, Age: 90 * 24 * 3600e9}, rule)
	assert.Equal(t, "failed,timed-out", rule.Status.String())
	for _, wrong := range []string{"", "age", "age=0s", "age=-1h", "status=running", "status=odd", "kind=order"} {
		_, err := retentionRule(wrong)
		assert.Error(t, err, wrong)
		code, _, _ := tool(t, "retention", "--rule", wrong, "--dir", t.TempDir())
		assert.Equal(t, misused, code, wrong)
	}
}

func TestRetentionExportsFirst(t *testing.T) {
	dir, file := world(t), filepath.Join(t.TempDir(), "gone.clew")
	retention := func(args ...string) []string {
		return append([]string{"retention", "--rule", "age=1ns,name=now", "--export", file, "--dir", dir}, args...)
	}
	code, _, errs := tool(t, retention()...)
	assert.Equal(t, misused, code)
	assert.Contains(t, errs, "--apply, which is missing")
	before := read(t, "export", "refund-1", "--dir", dir)
	code, _, errs = tool(t, retention("--apply", "--sign", filepath.Join(dir, "none"))...)
	assert.Equal(t, failed, code)
	assert.Contains(t, errs, "reading the key")
	assert.Equal(t, before, read(t, "export", "refund-1", "--dir", dir), "nothing is removed that is not exported")
	assert.NoFileExists(t, file)

	assert.Contains(t, read(t, retention("--apply", "--by", "ann")...), ": removed\n")
	assert.NotContains(t, read(t, "ls", "--dir", dir), "refund-1")
	assert.Contains(t, read(t, "verify", "--file", file), "the archive is whole")
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	assert.Contains(t, string(text), before)
	code, _, errs = tool(t, retention("--apply")...)
	assert.Equal(t, failed, code)
	assert.Contains(t, errs, "already", "what was exported before is not written over")
}
