//go:build !unix

package vault

import (
	"io"
	"os"
)

// lockFile keeps the file open, which is all that is done here.
func lockFile(path string) (io.Closer, error) {
	return os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
}
