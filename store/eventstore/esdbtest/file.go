package esdbtest

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
)

// record is what one change of the log is in a file: its length, its sum, and itself as JSON.
type record struct {
	Events  []*Event `json:",omitempty"`
	Deleted string   `json:",omitempty"`
	Buried  string   `json:",omitempty"`
}

// keep reads a file and writes what comes to its end. A record of which the end is missing was torn off when a process died, before it
// was acknowledged, and is cut. Whatever else cannot be read is damage, and an error: what was acknowledged is behind it, or in it.
func (l *log) keep(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	whole, err := l.load(f)
	if err == nil {
		err = f.Truncate(whole)
	}
	if err == nil {
		_, err = f.Seek(whole, io.SeekStart)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("reading %s: %w", path, err), f.Close())
	}
	l.file = f
	return nil
}

// load makes all changes of a file once more, and returns how many bytes of it hold whole records.
func (l *log) load(r io.Reader) (whole int64, err error) {
	data, err := io.ReadAll(r)
	if err != nil {
		return 0, err
	}
	for {
		rest := data[whole:]
		c, size, err := take(rest)
		switch {
		case err != nil:
			return whole, fmt.Errorf("the record at byte %d is damaged: %w; want a file as it was written; move it away to begin with none", whole, err)
		case size == 0 && follows(rest):
			return whole, fmt.Errorf("the record at byte %d is longer than the file, and whole ones follow: its length is damaged; move the file away to begin with none", whole)
		case size == 0:
			return whole, nil
		}
		l.redo(c)
		whole += size
	}
}

// take reads the record at the beginning of b. The size is 0 if its end is missing.
func take(b []byte) (c record, size int64, err error) {
	if len(b) < header {
		return c, 0, nil
	}
	size = header + int64(binary.LittleEndian.Uint32(b))
	if int64(len(b)) < size {
		return c, 0, nil
	}
	body := b[header:size]
	if sum := crc32.ChecksumIEEE(body); sum != binary.LittleEndian.Uint32(b[4:]) {
		return c, size, errors.New("its sum is wrong")
	}
	if err := json.Unmarshal(body, &c); err != nil {
		return c, size, fmt.Errorf("it is no JSON: %w", err)
	}
	return c, size, nil
}

// follows reports whether a whole record begins anywhere behind the beginning of b.
func follows(b []byte) bool {
	for i := 1; i < len(b); i++ {
		if _, size, err := take(b[i:]); size > 0 && err == nil {
			return true
		}
	}
	return false
}

// header is how many bytes are before the JSON of a record: its length and its sum.
const header = 8

// redo makes a change once more.
func (l *log) redo(c record) {
	if c.Deleted != "" {
		l.hide(c.Deleted)
	}
	if len(c.Events) > 0 {
		l.put(c.Events[0].Stream, c.Events)
	}
	if s := l.streams[c.Buried]; s != nil {
		s.tombstoned = true
	}
}

// save writes a change to the file, if there is one.
func (l *log) save(c record) {
	if l.file == nil {
		return
	}
	body, err := json.Marshal(c)
	if err != nil {
		panic(err) // it holds nothing that cannot be written
	}
	b := binary.LittleEndian.AppendUint32(make([]byte, 0, len(body)+header), uint32(len(body)))
	b = binary.LittleEndian.AppendUint32(b, crc32.ChecksumIEEE(body))
	if _, err := l.file.Write(append(b, body...)); err != nil {
		panic(fmt.Sprintf("esdbtest: writing %s: %v", l.file.Name(), err)) // nothing may be acknowledged any more
	}
}

func (l *log) close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file == nil {
		return nil
	}
	f := l.file
	l.file = nil
	return f.Close()
}
