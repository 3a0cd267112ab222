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

// keep reads a file and writes what comes to its end. What was torn off when a process died is cut.
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

func (l *log) load(r io.Reader) (whole int64, err error) {
	data, err := io.ReadAll(r)
	if err != nil {
		return 0, err
	}
	for {
		rest := data[whole:]
		if len(rest) < 8 {
			return whole, nil
		}
		n := int64(binary.LittleEndian.Uint32(rest))
		if int64(len(rest)) < 8+n || crc32.ChecksumIEEE(rest[8:8+n]) != binary.LittleEndian.Uint32(rest[4:]) {
			return whole, nil
		}
		var c record
		if err := json.Unmarshal(rest[8:8+n], &c); err != nil {
			return whole, err
		}
		l.redo(c)
		whole += 8 + n
	}
}

// redo makes a change once more.
func (l *log) redo(c record) {
	switch {
	case c.Deleted != "":
		l.hide(c.Deleted)
	case c.Buried != "":
		if s := l.streams[c.Buried]; s != nil {
			s.tombstoned = true
		}
	case len(c.Events) > 0:
		l.write(c.Events[0].Stream, c.Events)
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
	b := binary.LittleEndian.AppendUint32(make([]byte, 0, len(body)+8), uint32(len(body)))
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
