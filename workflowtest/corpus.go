package workflowtest

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/clewflow/clew/audit"
	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/replay"
	"github.com/clewflow/clew/vault"
	"github.com/clewflow/clew/workflow"
)

// ReplayOption is something of [Use], [ByName], [Ignore] and [Sealed].
type ReplayOption interface{ corpus(*corpus) }

type replayOption func(*corpus)

func (o replayOption) corpus(c *corpus) { o(c) }

// ByName holds histories against code by kinds, steps and names only, as a runtime does by default: inputs, results and
// durations may differ. See [replay.Names].
func ByName() ReplayOption { return replayOption(func(c *corpus) { c.check.Level = replay.Names }) }

// Ignore has fields of what is called name differ: an activity, a child's type or a signal; or the workflow itself, for its
// result, views and attributes. Paths are those of [replay.Field], such as "$.Items[*].Price".
func Ignore(name string, paths ...string) ReplayOption {
	return replayOption(func(c *corpus) {
		for _, path := range paths {
			c.check.Ignore = append(c.check.Ignore, replay.Field{Name: name, Path: path})
		}
	})
}

// Sealed gives the vault that opens the payloads in the files, with the codecs, keys and blobs of the runtime that recorded
// them. Without it only what is compressed is opened.
func Sealed(v *vault.Vault) ReplayOption { return replayOption(func(c *corpus) { c.vault = v }) }

// ReplayDir replays all histories in the *.json and *.jsonl files in and below a directory, or in one file: those that
// [Ran.Golden] writes, and exports of production (clew export), also of several executions and with the children among them.
// Each is held against the definition of its type and version among those given with [Use], as closely as [Verify] does.
// Each file is a subtest, and each execution in a file of several is one below it. No runtime is involved.
//
// What cannot be read, because no key to it is here, fails the test. An execution whose key was destroyed, or whose values
// were redacted, is compared as far as it can be read, and the rest of it is skipped.
//
// [Verify]: https://pkg.go.dev/github.com/clewflow/clew/replay#Check.Verify
func ReplayDir(t *testing.T, dir string, options ...ReplayOption) {
	t.Helper()
	c := newCorpus(t)
	for _, o := range options {
		o.corpus(c)
	}
	if err := c.ready(); err != nil {
		t.Fatal(err)
	}
	files, err := historiesIn(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		name, err := filepath.Rel(dir, file)
		if err != nil || name == "." {
			name = filepath.Base(file)
		}
		t.Run(filepath.ToSlash(name), func(t *testing.T) { c.replayFile(t, file) })
	}
}

// historiesIn are the files in and below a directory.
func historiesIn(dir string) (files []string, err error) {
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if ext := filepath.Ext(path); err == nil && !d.IsDir() && (path == dir || ext == ".json" || ext == ".jsonl") {
			files = append(files, path)
		}
		return err
	})
	if err == nil && len(files) == 0 {
		err = fmt.Errorf("there is no *.json and no *.jsonl in or below %s", dir)
	}
	return files, err
}

// corpus is histories, and what they are held against.
type corpus struct {
	check       replay.Check
	definitions []workflow.Definition
	vault       *vault.Vault
}

func newCorpus(t *testing.T) *corpus {
	t.Helper()
	v, err := vault.New(vault.Options{Opens: []vault.Codec{vault.Zstd(0)}})
	if err != nil {
		t.Fatal(err)
	}
	return &corpus{check: replay.Check{Level: replay.Strict}, vault: v}
}

// ready says what is wrong with the options.
func (c *corpus) ready() error {
	type version struct {
		name   string
		number int
	}
	codes := map[version]workflow.Code{}
	for _, d := range c.definitions {
		b, ok := workflow.BodyOf(d)
		if !ok || b.Code == nil {
			continue // an activity; or only declared
		}
		v := version{b.Name, b.Settings.Version}
		if codes[v] != nil {
			return fmt.Errorf("workflow %s version %d is given twice to workflowtest.Use; replay needs to know which one it is", v.name, v.number)
		}
		codes[v] = b.Code
	}
	if len(codes) == 0 {
		return errors.New("no workflow with a body was given; give the definitions with workflowtest.Use")
	}
	c.check.Codes = func(name string, number int) workflow.Code { return codes[version{name, number}] }
	for _, f := range c.check.Ignore {
		if err := f.Check(); err != nil {
			return err
		}
	}
	return nil
}

func (c *corpus) replayFile(t *testing.T, file string) {
	all, c, err := c.read(t, file)
	if err != nil {
		t.Error(err)
	}
	for _, x := range all {
		if len(all) == 1 {
			c.replayOne(t, x)
			return
		}
		t.Run(x.ID.Workflow, func(t *testing.T) { c.replayOne(t, x) })
	}
}

func (c *corpus) replayOne(t *testing.T, x history.Exported) {
	skipped, err := c.replay(t, x)
	if err != nil {
		t.Error(err)
	} else if skipped != "" {
		t.Skip(skipped)
	}
}

// read reads a file. What the file holds of large payloads is at hand to the corpus that is returned, until the test ends.
func (c *corpus) read(t *testing.T, file string) ([]history.Exported, *corpus, error) {
	all, err := readHistories(file)
	with := *c
	if a, bad := audit.OpenArchive(file); bad == nil {
		t.Cleanup(func() { _ = a.Close() }) // it was only read
		if a.Files() > 0 {
			with.vault = c.vault.With(a)
		}
	}
	return all, &with, err
}

// readHistories reads a file. With an error there may be some that were read before.
func readHistories(file string) ([]history.Exported, error) {
	lines, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	all, err := history.UnmarshalExport(lines)
	all = slices.DeleteFunc(all, func(x history.Exported) bool { return len(x.Entries) == 0 || x.ID.Family() != "" })
	if err == nil && len(all) == 0 {
		err = errors.New("no entries")
	}
	if err != nil {
		return all, fmt.Errorf("%s holds no history, want entries as Golden and clew export write them, one a line: %w", file, err)
	}
	return all, nil
}

// replay holds an execution against the code, as far as it can be read. skipped says what was not compared, if that is
// nobody's fault; the error shows the history.
func (c *corpus) replay(t *testing.T, x history.Exported) (skipped string, err error) {
	var chain history.Chain
	for _, e := range x.Entries {
		if err := chain.Check(e); err != nil {
			return "", fmt.Errorf("the file does not hold what was recorded: %w", err)
		}
	}
	entries, closed := c.open(t, x)
	if len(entries) > 0 {
		err = c.check.Verify(entries)
	}
	if err == nil {
		coverBound(c.definitions)
		cover(c.check.Codes, entries)
		coverWritten(t)
	}
	switch {
	case errors.Is(err, replay.ErrNoCode):
		return "", fmt.Errorf("%w; give its definition to ReplayDir, with workflowtest.Use", err)
	case err != nil:
		return "", fmt.Errorf("%w\n%s", err, table(entries, notes(err)...))
	case closed == nil:
		return "", nil
	}
	compared := "nothing was compared"
	if n := len(entries); n > 0 {
		compared = fmt.Sprintf("entries %d to %d of %d were compared", entries[0].Seq, entries[n-1].Seq, len(x.Entries))
	}
	text := fmt.Sprintf("%s: %v", compared, closed)
	if errors.Is(closed, errRedacted) || errors.Is(closed, vault.ErrShredded) {
		return text, nil
	}
	return "", fmt.Errorf("%s\ngive the vault that opens it to ReplayDir, with workflowtest.Sealed", text)
}

var errRedacted = errors.New("redacted")

// open are the entries with their payloads open, up to the first that code and history depend on and that cannot be read;
// closed says why.
func (c *corpus) open(t *testing.T, x history.Exported) (entries []history.Entry, closed error) {
	entries = make([]history.Entry, 0, len(x.Entries))
	for _, e := range x.Entries {
		if e.Encoded() {
			event, err := c.vault.Unwrap(t.Context(), x.ID, e.Seq, e.Event)
			if err != nil && e.Event.Role() != history.Note {
				return entries, err
			}
			e = e.With(event)
		}
		if err := unreadable(e); err != nil {
			return entries, err
		}
		entries = append(entries, e)
	}
	return entries, nil
}

// unreadable says which payload of an entry the code would be told, or its wishes be held against, and cannot be read.
func unreadable(e history.Entry) error {
	role := e.Event.Role()
	_, kept := e.Event.(*history.Kept)
	if told := role == history.Input || kept; role == history.Note || !told && !e.Encoded() {
		return nil
	}
	for field, p := range history.Payloads(e.Event) {
		switch {
		case p.Closed():
			return fmt.Errorf("entry %d cannot be read: its payload %q is closed (%s)", e.Seq, field, p.Encoding)
		case p.Redacted() && (role == history.Input || kept):
			return fmt.Errorf("entry %d cannot be read: its payload %q was %w", e.Seq, field, errRedacted)
		}
	}
	return nil
}
