package activity

import (
	"context"
	"errors"
	"fmt"
	"io"
)

// File is a reference to what was written with [WriteFile]. It is a small value that can be an input, a result, or a part of
// one; the bytes are kept apart and are never in a history.
type File struct {
	Ref  string `json:"ref"`            // where it is kept; the sum of the bytes is a part of it
	Size int64  `json:"size"`           // in bytes
	Name string `json:"name,omitempty"` // for people
}

// Files is where files are kept. A runtime gives it to an attempt with its [Hand].
type Files interface {
	// Write stores what it reads, without holding it in memory, and returns a reference and the number of bytes when it is
	// durable.
	Write(ctx context.Context, from io.Reader) (ref string, size int64, err error)
	// Open reads what was written under a reference. The reader ends with an error if the bytes are not those.
	Open(ctx context.Context, ref string) (io.ReadCloser, error)
}

var errNoFiles = errors.New("this runtime has no place for files: give it one with runtime.Config.Vault")

// WriteFile keeps what it reads, however much that is, and returns a reference when it is durable. It is for attempts of
// activities.
func WriteFile(ctx context.Context, name string, from io.Reader) (File, error) {
	files, err := filesOf(ctx)
	if err != nil {
		return File{}, fmt.Errorf("clew: writing the file %q: %w", name, err)
	}
	ref, size, err := files.Write(ctx, from)
	if err != nil {
		return File{}, fmt.Errorf("clew: writing the file %q: %w", name, err)
	}
	return File{ref, size, name}, nil
}

// OpenFile reads a file. The reader ends with an error, and not with io.EOF, if the bytes are not those that were written.
// Close it.
func OpenFile(ctx context.Context, f File) (io.ReadCloser, error) {
	files, err := filesOf(ctx)
	if err == nil && f.Ref == "" {
		err = errors.New("it was never written: its reference is empty")
	}
	if err != nil {
		return nil, fmt.Errorf("clew: reading the file %q: %w", f.Name, err)
	}
	r, err := files.Open(ctx, f.Ref)
	if err != nil {
		return nil, fmt.Errorf("clew: reading the file %q: %w", f.Name, err)
	}
	return r, nil
}

func filesOf(ctx context.Context) (Files, error) {
	switch h := handOf(ctx); {
	case h == nil:
		return nil, errors.New("only attempts of activities have files, and this context is not that of one")
	case h.Files == nil:
		return nil, errNoFiles
	default:
		return h.Files, nil
	}
}

// FilesOf is where an attempt keeps files; nil if there is no place, or ctx is not that of an attempt. It is for those who
// make a [Hand] of another.
func FilesOf(ctx context.Context) Files {
	if h := handOf(ctx); h != nil {
		return h.Files
	}
	return nil
}
