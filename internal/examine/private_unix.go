//go:build unix

package examine

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// private refuses a socket that is not in a folder of this user's alone.
func private(path string) error {
	if !filepath.IsAbs(path) {
		return fmt.Errorf("%s is %q, want the path of a socket", Variable, path)
	}
	folder := filepath.Dir(path)
	info, err := os.Lstat(folder)
	if err != nil {
		return err
	}
	owner, ok := info.Sys().(*syscall.Stat_t)
	if !ok || !info.IsDir() || info.Mode().Perm()&0o077 != 0 || int(owner.Uid) != os.Geteuid() {
		return fmt.Errorf("%s is not a folder that only this user may enter", folder)
	}
	return nil
}
