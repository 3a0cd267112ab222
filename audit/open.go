package audit

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"

	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/vault"
)

// Archive is an archive, or another export, that is open to be read. What it holds in files is read from it as from [vault.Blobs]. It is
// not verified: see [Archive.Verify].
type Archive struct {
	f     *os.File
	files map[history.Sum]int64        // where the bytes of each begin
	keys  map[history.ID][]vault.Moved // by the executions behind which they stand
}

// OpenArchive opens a file. Close it.
func OpenArchive(path string) (*Archive, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("audit: opening an archive: %w", err)
	}
	a := &Archive{f: f, files: map[history.Sum]int64{}, keys: map[history.ID][]vault.Moved{}}
	if err := a.index(); err != nil {
		return nil, errors.Join(fmt.Errorf("audit: reading the archive %s: %w", path, err), f.Close())
	}
	return a, nil
}

// Close lets go of the file.
func (a *Archive) Close() error { return a.f.Close() }

// Verify is [VerifyExport] of the archive.
func (a *Archive) Verify(scope Scope) (Report, error) {
	return VerifyExport(func() (io.ReadCloser, error) { return io.NopCloser(a.from(0)), nil }, a.f.Name(), scope)
}

// from reads from a place in the file.
func (a *Archive) from(place int64) io.Reader { return io.NewSectionReader(a.f, place, 1<<62) }

// lines yields the lines of a file.
func lines(from io.Reader) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		r := bufio.NewReaderSize(from, 256<<10)
		for {
			line, err := r.ReadBytes('\n')
			if len(line) > 0 && !yield(line, nil) {
				return
			}
			if err != nil {
				if !errors.Is(err, io.EOF) {
					yield(nil, err)
				}
				return
			}
		}
	}
}

func (a *Archive) index() error {
	var id history.ID
	place := int64(0)
	for line, err := range lines(a.from(0)) {
		if err != nil {
			return err
		}
		place += int64(len(line))
		text := bytes.TrimSpace(line)
		if next, ok := history.ParseHeading(text); ok {
			id = next
		}
		if !history.IsArchiveLine(text) || bytes.HasPrefix(text, []byte(bytesBegin)) {
			continue
		}
		var l struct {
			Archive json.RawMessage `json:"archive"`
			Sum     string          `json:"sum"`
		}
		if err := json.Unmarshal(text, &l); err != nil {
			return err
		}
		switch string(l.Archive) {
		case `"file"`:
			sum, err := history.ParseSum(l.Sum)
			if err != nil {
				return err
			}
			a.files[sum] = place
		case `"key"`:
			var k keyLine
			if err := json.Unmarshal(text, &k); err != nil {
				return err
			}
			a.keys[id] = append(a.keys[id], k.moved())
		}
	}
	return nil
}

// Executions yields what the archive holds, one after the other, clew's own streams too. An error ends it.
func (a *Archive) Executions() iter.Seq2[history.Exported, error] {
	return func(yield func(history.Exported, error) bool) {
		var lot bytes.Buffer // the lines of one execution
		flush := func() bool {
			all, err := history.UnmarshalExport(lot.Bytes())
			lot = bytes.Buffer{} // the entries keep the lines
			for _, x := range all {
				if err == nil && !yield(x, nil) {
					return false
				}
			}
			if err != nil {
				yield(history.Exported{}, fmt.Errorf("audit: reading the archive %s: %w", a.f.Name(), err))
			}
			return err == nil
		}
		for line, err := range lines(a.from(0)) {
			if err != nil {
				yield(history.Exported{}, err)
				return
			}
			if history.IsArchiveLine(line) {
				continue
			}
			if _, next := history.ParseHeading(line); next && !flush() {
				return
			}
			lot.Write(line)
		}
		flush()
	}
}

// Keys are the keys with which an execution comes, wrapped.
func (a *Archive) Keys(id history.ID) []vault.Moved { return a.keys[id] }

// Vault opens all payloads in the archive, with the master keys under which its keys are wrapped. A program's own codecs are not known to it.
func (a *Archive) Vault(ctx context.Context, masters ...vault.Master) (*vault.Vault, error) {
	v, err := vault.New(vault.Options{Opens: []vault.Codec{vault.Zstd(0), vault.Encrypt(new(vault.MemoryKeys))}, Blobs: a, Limit: 1 << 30})
	if err != nil {
		return nil, err
	}
	for id, keys := range a.keys {
		if _, err := v.Adopt(ctx, id, keys, masters...); err != nil {
			return nil, err
		}
	}
	return v, nil
}

// Holds reports whether a file is in the archive.
func (a *Archive) Holds(sum history.Sum) bool {
	_, ok := a.files[sum]
	return ok
}

// Files is how many files are in the archive.
func (a *Archive) Files() int { return len(a.files) }

// Open reads a file. It is one of [vault.Blobs].
func (a *Archive) Open(_ context.Context, sum history.Sum) (io.ReadCloser, error) {
	place, ok := a.files[sum]
	if !ok {
		return nil, fmt.Errorf("%w: %s is not in the archive %s", vault.ErrNoBlob, sum, a.f.Name())
	}
	return vault.Verified(io.NopCloser(&fileReader{lines: bufio.NewReaderSize(a.from(place), 80<<10)}), a.f.Name(), sum), nil
}

// Put is an error: nothing is stored in an archive that is read. It is the other of [vault.Blobs].
func (a *Archive) Put(context.Context, io.Reader) (history.Sum, error) {
	return history.Sum{}, errors.New("audit: an archive is only read")
}

// fileReader reads the bytes that stand in lines.
type fileReader struct {
	lines *bufio.Reader
	data  []byte // of a line
	left  []byte // of it
}

func (r *fileReader) Read(p []byte) (int, error) {
	for len(r.left) == 0 {
		line, err := r.lines.ReadSlice('\n')
		if err != nil && err != io.EOF {
			return 0, fmt.Errorf("audit: reading a file in an archive: %w", err)
		}
		data, ok := fileBytes(r.data[:0], bytes.TrimSpace(line))
		if !ok {
			return 0, io.EOF
		}
		r.data, r.left = data, data
	}
	n := copy(p, r.left)
	r.left = r.left[n:]
	return n, nil
}
