package pebble

import (
	"fmt"
	"io"
	"path/filepath"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/clewflow/clew/store"
)

// Claim takes a directory for this process, until what it returns is closed or the process ends. Errors: store.ErrInUse.
func Claim(dir string) (io.Closer, error) {
	c, err := vfs.Default.Lock(filepath.Join(dir, "claim"))
	if err != nil {
		return nil, fmt.Errorf("%w: another process, or another runtime of this one, has %s (%w)", store.ErrInUse, dir, err)
	}
	return c, nil
}
