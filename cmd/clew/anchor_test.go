package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestAnAnchorShowsWhatIsGone(t *testing.T) {
	dir, at := world(t), filepath.Join(t.TempDir(), "clew.anchor")
	key := filepath.Join(t.TempDir(), "anchor.key")
	public := strings.TrimSpace(read(t, "anchor", "--new-key", key))
	assert.Empty(t, read(t, "anchor", "--dir", dir, "--sign", key, "-o", at))
	assert.Equal(t, "52 entries of 3 executions are good; 3 of 3 heads of the anchor of 2026-01-02T12:00:40Z are accounted for\n",
		read(t, "verify", "--dir", dir, "--against", at, "--signed-by", public))
	file := filepath.Join(t.TempDir(), "all.jsonl")
	assert.Empty(t, read(t, "export", "--all", "-o", file, "--dir", dir))
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	lines := strings.SplitAfter(strings.TrimSpace(string(text)), "\n")
	require.NoError(t, os.WriteFile(file, []byte(strings.Join(lines[:len(lines)-1], "")), 0o600))
	assert.Equal(t, "51 entries of 3 executions are good\n", read(t, "verify", "--file", file), "what is cut off at the end cannot be seen")
	code, out, _ := tool(t, "verify", "--file", file, "--against", at)
	assert.Equal(t, failed, code)
	assert.Regexp(t, `^missing: default/refund-1: it ends at entry \d+, and had \d+ according to the anchor\n`, out)

	code, _, errs := tool(t, "verify", "--dir", dir, "--against", at, "--signed-by", strings.Repeat("A", 43))
	assert.Equal(t, failed, code)
	assert.Contains(t, errs, "was signed by another key")
	text, err = os.ReadFile(at)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(at, []byte(strings.Replace(string(text), `"seq":`, `"seq":1`, 1)), 0o600))
	code, _, errs = tool(t, "verify", "--dir", dir, "--against", at)
	assert.Equal(t, failed, code)
	assert.Contains(t, errs, "its sum is not that of its lines")
	code, _, _ = tool(t, "anchor", "--new-key", key)
	assert.Equal(t, failed, code, "a key is not written over")
}
