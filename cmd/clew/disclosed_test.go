package main

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clewflow/clew/runtime"
)

// TestToolsSayWhoReads: a process that records who reads is told by the tool, and the tool finds it.
func TestToolsSayWhoReads(t *testing.T) {
	dir := world(t)
	rt, err := runtime.Open(t.Context(), runtime.Config{Store: dir, RecordReads: true})
	require.NoError(t, err)
	assert.NotEmpty(t, read(t, "show", "refund-1", "--dir", dir))
	assert.NotEmpty(t, read(t, "export", "refund-1", "--archive", "--by", "ann", "--reason", "the court", "--dir", dir))
	acts := read(t, "acts", "refund-1", "--dir", dir)
	assert.Regexp(t, `(?m)^\S+ +ann +refund-1 +refund-1 shown with its payloads \(export\): the court$`, acts)
	me, err := whoIAm()
	require.NoError(t, err)
	assert.Regexp(t, `(?m)^\S+ +`+me+` +refund-1 +refund-1 shown with its payloads \(history\)$`, acts)
	require.NoError(t, rt.Close())
}
