package check

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"strings"

	"github.com/clewflow/clew/history"
)

// Histories are written as "clew export" writes them: the entries of each as lines of JSON, behind a line that names the
// execution. A file of one history may go without.

// line is what may stand in a line that is no entry.
type line struct {
	Execution *execution `json:"execution,omitempty"`
	Error     string     `json:"error,omitempty"` // why the history ends before its end
}

type execution struct {
	Namespace string `json:"namespace"`
	ID        string `json:"id"`
}

// Files yields the histories in exports: files, and the files in directories and below whose names end with .json or .jsonl.
// Each history is in memory while it is looked at.
func Files(paths ...string) iter.Seq2[History, error] {
	return func(yield func(History, error) bool) {
		for _, path := range paths {
			files, err := within(path)
			if err != nil {
				yield(History{}, fmt.Errorf("check: looking for histories: %w", err))
				return
			}
			for _, file := range files {
				if !readFile(file, yield) {
					return
				}
			}
		}
	}
}

// Within are the files of which [Files] reads the histories.
func Within(paths ...string) (files []string, err error) {
	for _, path := range paths {
		found, err := within(path)
		if err != nil {
			return nil, fmt.Errorf("check: looking for histories: %w", err)
		}
		files = append(files, found...)
	}
	return files, nil
}

func within(path string) (files []string, err error) {
	info, err := os.Stat(path)
	if err != nil || !info.IsDir() {
		return []string{path}, err
	}
	err = filepath.WalkDir(path, func(path string, d fs.DirEntry, err error) error {
		if ext := filepath.Ext(path); err == nil && !d.IsDir() && (ext == ".json" || ext == ".jsonl") {
			files = append(files, path)
		}
		return err
	})
	if err == nil && len(files) == 0 {
		err = fmt.Errorf("the directory %s holds no file whose name ends with .json or .jsonl", path)
	}
	return files, err
}

// readFile yields the histories of a file, and reports whether more are wanted.
func readFile(path string, yield func(History, error) bool) bool {
	f, err := os.Open(path)
	if err != nil {
		yield(History{}, fmt.Errorf("check: opening histories: %w", err))
		return false
	}
	defer f.Close()
	some := false
	for h, err := range Read(f) {
		if err == nil && h.ID.Family() != "" {
			continue // it says what was taken away, and is no execution
		}
		if err != nil {
			err = fmt.Errorf("check: reading %s: %w", path, err)
		}
		if some = true; !yield(h, err) || err != nil {
			return false
		}
	}
	if !some {
		yield(History{}, fmt.Errorf("check: %s holds no history, want an export of clew", path))
	}
	return some
}

// Read yields the histories that [Write] has written.
func Read(from io.Reader) iter.Seq2[History, error] {
	return func(yield func(History, error) bool) {
		in := bufio.NewReaderSize(from, 1<<20)
		h := pages{}
		for {
			text, err := in.ReadBytes('\n')
			if text = bytes.TrimSpace(text); len(text) > 0 && !history.IsArchiveLine(text) {
				next, begins := heading(text)
				if begins && h.begun && !yield(h.history(), nil) {
					return
				}
				if begins {
					h = pages{id: next, begun: true}
				} else {
					h.lines, h.begun = append(h.lines, text), true
				}
			}
			if err != nil {
				if h.begun && !yield(h.history(), nil) {
					return
				}
				if !errors.Is(err, io.EOF) {
					yield(History{}, err)
				}
				return
			}
		}
	}
}

func heading(text []byte) (id history.ID, ok bool) {
	var l line
	if !bytes.HasPrefix(text, []byte(`{"execution"`)) || json.Unmarshal(text, &l) != nil || l.Execution == nil {
		return id, false
	}
	return history.ID{Namespace: l.Execution.Namespace, Workflow: l.Execution.ID}, true
}

// pages are the lines of one history.
type pages struct {
	id    history.ID
	lines [][]byte
	begun bool
}

func (p pages) history() History {
	return History{p.id, func(yield func(history.Entry, error) bool) {
		for _, text := range p.lines {
			e, err := entry(text)
			if !yield(e, err) || err != nil {
				return
			}
		}
	}}
}

func entry(text []byte) (history.Entry, error) {
	var l line
	if bytes.HasPrefix(text, []byte(`{"error"`)) && json.Unmarshal(text, &l) == nil {
		return history.Entry{}, errors.New(l.Error)
	}
	return history.UnmarshalEntry(text)
}

// Write writes a history. What keeps its end from being read is written too, and met again by whoever reads it.
func Write(to io.Writer, h History) error {
	text, err := json.Marshal(line{Execution: &execution{h.ID.Namespace, h.ID.Workflow}})
	if err != nil {
		return err
	}
	if _, err := to.Write(append(text, '\n')); err != nil {
		return err
	}
	for e, unread := range h.Entries {
		if unread != nil {
			text, err = json.Marshal(line{Error: strings.ToValidUTF8(unread.Error(), "\uFFFD")})
		} else {
			text = history.AppendEntry(text[:0], e)
		}
		if err == nil {
			_, err = to.Write(append(text, '\n'))
		}
		if err != nil || unread != nil {
			return err
		}
	}
	return nil
}
