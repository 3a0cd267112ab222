package pebble

import (
	"fmt"
	"hash/crc32"
	"io"

	"github.com/cockroachdb/errors/oserror"
	"github.com/cockroachdb/pebble/v2/vfs"
)

const markFile = "HEAD"

// writeMark notes the position of the newest record in a file of its own. The log never ends before that again, whatever
// its other files say.
func writeMark(fs vfs.FS, dir string, head position) error {
	text := fmt.Sprintf("%d", head)
	text = fmt.Sprintf("%s %08x\n", text, crc32.Checksum([]byte(text), castagnoli))
	path, draft := fs.PathJoin(dir, markFile), fs.PathJoin(dir, markFile+".new")
	f, err := fs.Create(draft, vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	_, err = f.Write([]byte(text))
	if err == nil {
		err = f.Sync()
	}
	if e := f.Close(); err == nil {
		err = e
	}
	if err == nil {
		err = fs.Rename(draft, path)
	}
	if err != nil {
		return err
	}
	d, err := fs.OpenDir(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// readMark returns what was noted last, 0 if nothing was.
func readMark(fs vfs.FS, dir string) (position, error) {
	path := fs.PathJoin(dir, markFile)
	f, err := fs.Open(path)
	if oserror.IsNotExist(err) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	defer f.Close()
	text, err := io.ReadAll(f)
	if err != nil {
		return 0, err
	}
	var head uint64
	var sum uint32
	n, _ := fmt.Sscanf(string(text), "%d %x\n", &head, &sum)
	if n != 2 || fmt.Sprintf("%d %08x\n", head, crc32.Checksum(fmt.Appendf(nil, "%d", head), castagnoli)) != string(text) {
		return 0, corrupt(fmt.Errorf("%s is damaged", path))
	}
	return position(head), nil
}
