package activitytest

import (
	"bytes"
	"io"
	"math"
	"testing"

	"github.com/clewflow/clew/activity"
	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/vault"
)

// Files is where activities keep files, in memory. It is an [Option], and may be that of several runs, one of which reads what
// another wrote. Without it each run has its own.
type Files struct{ kept activity.Files }

// NewFiles makes a place without files.
func NewFiles() *Files {
	v, err := vault.New(vault.Options{Blobs: new(vault.MemoryBlobs), Threshold: math.MaxInt})
	if err != nil {
		panic(err) // a bug of ours: nothing of it depends on the caller
	}
	return &Files{v.Files(history.ID{Namespace: "test", Workflow: "test"})}
}

func (f *Files) apply(s *settings) { s.files = f }

// Write keeps a file, to be part of an input.
func (f *Files) Write(t testing.TB, name string, data []byte) activity.File {
	t.Helper()
	ref, size, err := f.kept.Write(t.Context(), bytes.NewReader(data))
	if err != nil {
		t.Fatalf("writing the file %q: %v", name, err)
	}
	return activity.File{Ref: ref, Size: size, Name: name}
}

// Read returns what is in a file that an activity wrote.
func (f *Files) Read(t testing.TB, file activity.File) []byte {
	t.Helper()
	r, err := f.kept.Open(t.Context(), file.Ref)
	if err != nil {
		t.Fatalf("reading the file %q: %v", file.Name, err)
	}
	defer r.Close()
	data, err := io.ReadAll(r)
	if err != nil {
		t.Fatalf("reading the file %q: %v", file.Name, err)
	}
	return data
}
