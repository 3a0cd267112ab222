package pebble

import (
	"io"
	"os"
	"strings"

	"github.com/cockroachdb/errors/oserror"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// handleFS is the file system of one handle on the database. With the first write that fails the handle has failed, and
// from then on nothing of what it writes reaches the disk: it writes into a void, from which it can read again.
//
// Pebble is not told, because it cannot bear it: an error in the rotation of a write-ahead log kills the process, one in a
// commit leaves locks behind, and with a flush that never succeeds neither commits nor Close come to an end. The handle
// has failed before the operation returns, and who waits for a commit looks at that first, so what Pebble then takes for
// durable is acknowledged to nobody, and the handle can be closed as if nothing had happened. Only of a table is Pebble
// told, so that it writes that anew, into the void.
type handleFS struct {
	vfs.FS
	db   *database
	void *vfs.MemFS
}

// Lock is that of the Log.
func (handleFS) Lock(string) (io.Closer, error) { return io.NopCloser(nil), nil }

func (fs handleFS) Unwrap() vfs.FS { return fs.FS }

func (fs handleFS) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	return fs.file(name, func() (vfs.File, error) { return fs.FS.Create(name, c) })
}

func (fs handleFS) ReuseForWrite(from, name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	return fs.file(name, func() (vfs.File, error) { return fs.FS.ReuseForWrite(from, name, c) })
}

func (fs handleFS) OpenReadWrite(name string, c vfs.DiskWriteCategory, o ...vfs.OpenOption) (vfs.File, error) {
	return fs.file(name, func() (vfs.File, error) { return fs.FS.OpenReadWrite(name, c, o...) })
}

func (fs handleFS) file(name string, open func() (vfs.File, error)) (vfs.File, error) {
	table := strings.HasSuffix(name, ".sst")
	if fs.db.failed() == nil {
		f, err := open()
		if err == nil {
			return &handleFile{File: f, db: fs.db, told: table}, nil
		}
		fs.db.fail(err)
		if table {
			return nil, err
		}
	}
	if err := fs.void.MkdirAll(fs.PathDir(name), 0o700); err != nil {
		return nil, err
	}
	return fs.void.Create(name, vfs.WriteCategoryUnspecified)
}

func (fs handleFS) Open(name string, o ...vfs.OpenOption) (vfs.File, error) {
	if fs.db.failed() != nil {
		if f, err := fs.void.Open(name, o...); err == nil {
			return f, nil
		}
	}
	return fs.FS.Open(name, o...)
}

func (fs handleFS) Stat(name string) (vfs.FileInfo, error) {
	if fs.db.failed() != nil {
		if info, err := fs.void.Stat(name); err == nil {
			return info, nil
		}
	}
	return fs.FS.Stat(name)
}

func (fs handleFS) OpenDir(name string) (vfs.File, error) {
	f, err := fs.FS.OpenDir(name)
	if err != nil {
		return nil, err
	}
	return &handleFile{File: f, db: fs.db}, nil
}

func (fs handleFS) Link(from, to string) error {
	return fs.change(func(fs vfs.FS) error { return fs.Link(from, to) })
}

func (fs handleFS) Remove(name string) error {
	return fs.change(func(fs vfs.FS) error { return fs.Remove(name) })
}

func (fs handleFS) RemoveAll(name string) error {
	return fs.change(func(fs vfs.FS) error { return fs.RemoveAll(name) })
}

func (fs handleFS) Rename(from, to string) error {
	return fs.change(func(fs vfs.FS) error { return fs.Rename(from, to) })
}

func (fs handleFS) MkdirAll(name string, mode os.FileMode) error {
	return fs.change(func(fs vfs.FS) error { return fs.MkdirAll(name, mode) })
}

func (fs handleFS) change(do func(vfs.FS) error) error {
	if fs.db.failed() == nil {
		err := do(fs.FS)
		if err == nil || oserror.IsNotExist(err) || oserror.IsExist(err) {
			return err
		}
		fs.db.fail(err)
	}
	_ = do(fs.void) // what is not there need not be removed
	return nil
}

// handleFile is a file on the disk, or a directory.
type handleFile struct {
	vfs.File
	db   *database
	told bool // Pebble is told of its errors
}

func (f *handleFile) change(do func() error) error {
	err := f.db.failed()
	if err == nil {
		if err = do(); err == nil {
			return nil
		}
		f.db.fail(err)
	}
	if f.told {
		return err
	}
	return nil
}

func (f *handleFile) Write(p []byte) (int, error) {
	err := f.change(func() error {
		_, err := f.File.Write(p)
		return err
	})
	if err != nil {
		return 0, err
	}
	return len(p), nil
}

func (f *handleFile) WriteAt(p []byte, at int64) (int, error) {
	err := f.change(func() error {
		_, err := f.File.WriteAt(p, at)
		return err
	})
	if err != nil {
		return 0, err
	}
	return len(p), nil
}

func (f *handleFile) Sync() error     { return f.change(f.File.Sync) }
func (f *handleFile) SyncData() error { return f.change(f.File.SyncData) }

func (f *handleFile) SyncTo(length int64) (full bool, err error) {
	err = f.change(func() (err error) {
		full, err = f.File.SyncTo(length)
		return err
	})
	return full, err
}

func (f *handleFile) Close() error {
	if err := f.File.Close(); err != nil {
		f.db.fail(err)
	}
	return nil
}
