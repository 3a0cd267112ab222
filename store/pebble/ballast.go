package pebble

import (
	"log/slog"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2/vfs"
)

const ballastFile = "BALLAST"

// ballast is a file that is given up when the disk is full, so that what is under way can be finished, and the log read,
// compacted and closed. While it is gone nothing is appended.
type ballast struct {
	fs   vfs.FS
	path string
	size int64
	log  *slog.Logger
	gone atomic.Bool
}

// create makes the file, unless it is there, and reports in gone whether it is.
func (b *ballast) create() {
	if b.size <= 0 {
		b.gone.Store(false)
		return
	}
	if info, err := b.fs.Stat(b.path); err == nil && info.Size() == b.size {
		b.gone.Store(false)
		return
	}
	err := b.write()
	if err != nil {
		_ = b.fs.Remove(b.path) // as it should be, or the next call finds it too short
	}
	if was := b.gone.Swap(err != nil); was != (err != nil) {
		if err != nil {
			b.log.Error("no room for the ballast file, the log is for reading only until there is", "path", b.path, "error", err)
		} else {
			b.log.Info("there is room again", "path", b.path)
		}
	}
}

func (b *ballast) write() error {
	f, err := b.fs.Create(b.path, vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	var zeros [64 << 10]byte
	for left := b.size; left > 0 && err == nil; left -= int64(len(zeros)) {
		_, err = f.Write(zeros[:min(left, int64(len(zeros)))])
	}
	if err == nil {
		err = f.Sync()
	}
	if e := f.Close(); err == nil {
		err = e
	}
	return err
}

// giveUp removes the file. It is called when the disk is full, in the middle of a write.
func (b *ballast) giveUp() {
	if b.gone.Swap(true) {
		return
	}
	err := b.fs.Remove(b.path)
	b.log.Error("disk is full, the ballast file is given up and the log is for reading only until there is room", "path", b.path, "error", err)
}
