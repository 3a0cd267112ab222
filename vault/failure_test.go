package vault

import (
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clewflow/clew/history"
)

// TestNothingIsWrittenAfterAFailedWrite: keys that are durable can be used, and nobody gets one that may not be.
func TestNothingIsWrittenAfterAFailedWrite(t *testing.T) {
	dir, master := t.TempDir(), NewMaster()
	keys, err := OpenKeys(dir, master)
	require.NoError(t, err)
	one, two := history.ID{Workflow: "1"}, history.ID{Workflow: "2"}
	first, err := keys.Current(t.Context(), one)
	require.NoError(t, err)
	good := keys.file
	bad, err := os.Open(keys.path) // to read only
	require.NoError(t, err)
	defer bad.Close()
	keys.file = bad
	for range 2 {
		_, err = keys.Current(t.Context(), two)
		require.ErrorContains(t, err, "new key")
		assert.Error(t, keys.Destroy(t.Context(), one))
		_, err = keys.Rewrap(t.Context())
		assert.Error(t, err)
		again, err := keys.Find(t.Context(), first.Name())
		require.NoError(t, err)
		assert.Equal(t, first, again)
		keys.file = good // the disk is well again, but nobody knows what it holds
	}
	require.NoError(t, keys.Close())

	keys, err = OpenKeys(dir, master)
	require.NoError(t, err)
	defer keys.Close()
	_, err = keys.Find(t.Context(), first.Name())
	require.NoError(t, err)
	_, err = keys.Current(t.Context(), two)
	require.NoError(t, err)
}
