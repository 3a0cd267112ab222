package vault

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/clewflow/clew/history"
)

// Files keeps what the activities of an execution pass by reference. A file is encrypted under the key of the execution
// that wrote it, if payloads are; whoever has the reference and the keys can read it.
type Files struct {
	vault *Vault
	id    history.ID
}

// Files returns the files of an execution.
func (v *Vault) Files(id history.ID) *Files { return &Files{v, id} }

var errNoFiles = errors.New("vault: there is no place for files here: Options.Blobs is not set")

// Write stores what it reads, without holding it in memory, and returns a reference and the number of bytes when it is
// durable.
func (f *Files) Write(ctx context.Context, from io.Reader) (ref string, size int64, err error) {
	if f.vault == nil || f.vault.blobs == nil {
		return "", 0, errNoFiles
	}
	counted := &counted{from: from}
	var stored io.Reader = counted
	encoding := ""
	for _, c := range f.vault.codecs {
		s, ok := c.(Streamer)
		if !ok {
			return "", 0, fmt.Errorf("vault: writing a file for %s: the codec %s is for payloads only, and files are not to be kept without it", f.id, c.Name())
		}
		r, note, err := s.EncodeStream(ctx, f.id, stored)
		if err != nil {
			return "", 0, fmt.Errorf("vault: writing a file for %s: %s: %w", f.id, c.Name(), err)
		}
		if r != nil {
			stored, encoding = r, encoding+"+"+c.Name()+":"+note
		}
	}
	sum, err := f.vault.blobs.Put(ctx, stored)
	if err != nil {
		return "", 0, fmt.Errorf("vault: writing a file for %s: %w", f.id, err)
	}
	return sum.String() + encoding, counted.n, nil
}

// Open reads what was written under a reference. It ends with [ErrDamaged] if the bytes are not those that were written.
func (f *Files) Open(ctx context.Context, ref string) (io.ReadCloser, error) {
	if f.vault == nil || f.vault.blobs == nil {
		return nil, errNoFiles
	}
	r, err := f.vault.openFile(ctx, ref)
	if err != nil {
		return nil, fmt.Errorf("vault: reading a file: %w", err)
	}
	return r, nil
}

func (v *Vault) openFile(ctx context.Context, ref string) (io.ReadCloser, error) {
	parts := strings.Split(ref, "+")
	sum, err := history.ParseSum(parts[0])
	if err != nil {
		return nil, err
	}
	r, err := v.blobs.Open(ctx, sum)
	if err != nil {
		return nil, err
	}
	file := &file{Reader: r, Closer: r}
	for i := len(parts) - 1; i > 0; i-- {
		name, note, _ := strings.Cut(parts[i], ":")
		s, ok := v.known[name].(Streamer)
		if !ok {
			return nil, errors.Join(fmt.Errorf("%w: %s, for files, is not among Options.Codecs and Options.Opens", ErrNoCodec, name), r.Close())
		}
		if file.Reader, err = s.DecodeStream(ctx, note, file.Reader); err != nil {
			return nil, errors.Join(fmt.Errorf("%s: %w", name, err), r.Close())
		}
	}
	return file, nil
}

type file struct {
	io.Reader
	io.Closer
}

// counted counts the bytes that are read.
type counted struct {
	from io.Reader
	n    int64
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.from.Read(p)
	c.n += int64(n)
	return n, err
}
