//go:build unix

package runtime

import (
	"os"
	"syscall"
)

// mapFile makes a file that long and maps it, so that writing to it costs no system call and survives the process.
func mapFile(f *os.File, size int) ([]byte, error) {
	if err := f.Truncate(int64(size)); err != nil {
		return nil, err
	}
	return syscall.Mmap(int(f.Fd()), 0, size, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_SHARED)
}

func unmapFile(slate []byte) error {
	if slate == nil {
		return nil
	}
	return syscall.Munmap(slate)
}
