package workflowtest

import (
	"errors"
	"flag"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/workflow"
)

const updateFlag = "update"

func init() {
	if flag.Lookup(updateFlag) == nil {
		flag.Bool(updateFlag, false, "write golden files instead of comparing with them")
	}
}

func updates() bool { return flag.Lookup(updateFlag).Value.String() == "true" }

// Golden compares the history with the one in a file, one entry of JSON a line, which must be the same to the last byte.
// With go test -update it writes the file. Keep the files of releases: [Replay] tells whether later code still fits.
func (r *Ran[Out]) Golden(file string) {
	r.t.Helper()
	now := history.Marshal(r.Entries)
	if updates() {
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			r.t.Fatal(err)
		}
		if err := os.WriteFile(file, now, 0o644); err != nil {
			r.t.Fatal(err)
		}
		return
	}
	golden, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		r.t.Fatalf("there is no %s yet; go test -update writes it", file)
	}
	if err != nil {
		r.t.Fatal(err)
	}
	golden = []byte(strings.ReplaceAll(string(golden), "\r\n", "\n"))
	if d := difference("golden", golden, "now", now); d != "" {
		r.t.Errorf("the history is not that of %s; if it is to be, go test -update writes it (keep the old file under another name for ReplayDir, while runs like it may be open)\n%s", file, d)
	}
}

// Replay replays the histories in files, as [Ran.Golden] and exports write them, with today's code of w, and compares
// everything that it asks for with what is recorded, whatever version of w recorded it. Files may be patterns, as in
// filepath.Glob. No runtime is involved. [ReplayDir] does the same with several definitions, and has options.
func Replay(t *testing.T, w workflow.Definition, files ...string) {
	t.Helper()
	b, ok := workflow.BodyOf(w)
	if !ok || b.Code == nil {
		t.Fatalf("%T is no workflow with a body", w)
	}
	c := newCorpus(t)
	c.check.Codes = func(name string, _ int) workflow.Code {
		if name != b.Name {
			return nil
		}
		return b.Code
	}
	for _, pattern := range files {
		found, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		if len(found) == 0 {
			t.Errorf("there is no %s", pattern)
		}
		for _, file := range found {
			all, c, err := c.read(t, file)
			if err != nil {
				t.Error(err)
			}
			for _, x := range all {
				if skipped, err := c.replay(t, x); err != nil {
					t.Errorf("%s: %v", within(file, x, all), err)
				} else if skipped != "" {
					t.Logf("%s: %s", within(file, x, all), skipped)
				}
			}
		}
	}
}

// within names an execution in a file.
func within(file string, x history.Exported, all []history.Exported) string {
	if len(all) == 1 {
		return file
	}
	return file + ": " + x.ID.Workflow
}
