package runtime_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clewflow/clew/internal/examine"
	"github.com/clewflow/clew/runtime"
)

func TestAProcessThatIsLookedAtOpensNoStore(t *testing.T) {
	private, err := os.MkdirTemp(t.TempDir(), "")
	require.NoError(t, err)
	t.Setenv(examine.Variable, filepath.Join(private, "nobody"))
	dir := filepath.Join(t.TempDir(), "store")
	assert.True(t, runtime.Examined())
	for name, c := range map[string]runtime.Config{"right": {Store: dir}, "wrong": {Store: dir, Namespace: "a/b"}} {
		t.Run(name, func(t *testing.T) {
			rt, err := runtime.Open(t.Context(), c)
			assert.Nil(t, rt)
			assert.ErrorIs(t, err, runtime.ErrExamined, "also if nobody is there who looks")
			assert.ErrorContains(t, err, "no such file")
			assert.NoDirExists(t, dir)
		})
	}
}
