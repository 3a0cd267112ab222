//go:build unix

package runtime

import (
	"os"
	"syscall"
)

// mapFile makes a file that long and maps it, so that writing to it costs no system call and survives the process. What is
// missing is written as zeros, not left as a hole: a hole that the disk has no room for when it is written to ends the
// process.
func mapFile(f *os.File, size int) ([]byte, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if missing := int64(size) - info.Size(); missing > 0 {
		if _, err := f.WriteAt(make([]byte, missing), info.Size()); err != nil {
			return nil, err
		}
	}
	return syscall.Mmap(int(f.Fd()), 0, size, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_SHARED)
}

func unmapFile(slate []byte) error {
	if slate == nil {
		return nil
	}
	return syscall.Munmap(slate)
}
