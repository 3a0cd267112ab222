package audit

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"

	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/store"
)

// VerifyExport verifies an export, as [Verify] does a log. It is read twice: first what it says of what was taken away, if it holds
// that. In an export that does not, payloads that were taken away are counted and not wrong. An export of several executions is
// expected to hold every execution of its namespaces that is in scope.Against. The name is that of the only execution of an
// export that has no heading.
func VerifyExport(open func() (io.ReadCloser, error), name string, scope Scope) (Report, error) {
	a := &auditor{scope: scope, acts: acts{}, bad: map[history.ID]bool{}, read: map[history.ID]uint64{}, exported: true}
	namespaces := map[string]bool{}
	err := a.lines(open, func(x *exported) error {
		if _, about := x.id.Administers(); about {
			a.exported = false
			pending := map[uint64]*bool{}
			for e, err := range x.entries() {
				if err == nil {
					a.acts.take(e, pending)
				}
			}
		}
		return nil
	})
	if err == nil {
		err = a.lines(open, func(x *exported) error {
			id := x.id
			if x.headed {
				namespaces[id.Namespace] = true
			} else if id = x.own(); id == (history.ID{}) {
				id.Workflow = name
			}
			if !scope.includes(id) {
				return nil
			}
			return a.history(context.Background(), id, x.records())
		})
	}
	if errors.Is(err, ErrArchive) {
		a.report.Bad++
		a.report.add(Finding{ID: history.ID{Workflow: name}, Kind: Damaged, Text: err.Error()})
		err = nil
	}
	if err != nil {
		return a.report, err
	}
	a.report.Archive, a.report.SignedBy = a.archive.ended, a.archive.key
	a.report.Blobs, a.report.Keys = len(a.archive.files), a.archive.keys
	if a.report.Entries+a.report.Bad == 0 {
		return a.report, fmt.Errorf("%s holds no entries, want an export of clew", name)
	}
	if len(namespaces) > 0 {
		a.scope.Namespace = "" // those of others are not expected, whatever the scope
		if against := scope.Against; against != nil {
			expected := &Anchor{Heads: map[history.ID]Head{}}
			for id, h := range against.Heads {
				if namespaces[id.Namespace] {
					expected.Heads[id] = h
				}
			}
			a.scope.Against = expected
		}
		a.vanished()
	}
	return a.report, nil
}

// lines shows the histories of an export one after the other.
func (a *auditor) lines(open func() (io.ReadCloser, error), see func(*exported) error) error {
	f, err := open()
	if err != nil {
		return err
	}
	defer f.Close()
	x := &exported{from: bufio.NewReaderSize(f, 1<<20)}
	a.reading = x
	for !x.over {
		if !x.next && !x.peek() {
			continue // nothing stands before the first heading
		}
		x.next = false
		if err := see(x); err != nil {
			return err
		}
		for !x.next && x.peek() {
			x.line = nil // what follows a bad entry is not looked at
		}
	}
	a.archive = x.archive
	return x.failed
}

// exported reads an export, one history after the other.
type exported struct {
	from   *bufio.Reader
	line   []byte // read, and not yet looked at
	id     history.ID
	headed bool
	next   bool // the heading of a history was read, and none of its entries
	over   bool
	failed error

	archive archived
}

// peek reads the next line that is not blank, and reports whether it is of the history that is being read. If not, the
// next one was begun, or the file is over.
func (x *exported) peek() bool {
	for len(x.line) == 0 && !x.over {
		line, err := x.from.ReadBytes('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			x.failed = fmt.Errorf("audit: reading the export: %w", err)
		}
		x.line, x.over = bytes.TrimSpace(line), err != nil && len(line) == 0
		own, wrong := x.archive.take(line)
		if own {
			x.line = nil
		}
		if wrong == nil && x.over {
			wrong = x.archive.over()
		}
		if wrong != nil && x.failed == nil {
			x.failed = wrong
		}
	}
	if x.over {
		return false
	}
	id, next := history.ParseHeading(x.line)
	if next {
		x.line, x.id, x.next, x.headed = nil, id, true, true
	}
	return !next
}

// own is the id that the first entry of a history without a heading says.
func (x *exported) own() history.ID {
	if e, err := history.UnmarshalEntry(x.line); err == nil {
		if s, ok := e.Event.(*history.Started); ok {
			return s.ID
		}
	}
	return history.ID{}
}

// entries yields the rest of those of the history.
func (x *exported) entries() iter.Seq2[history.Entry, error] {
	return func(yield func(history.Entry, error) bool) {
		for !x.next && x.peek() {
			e, err := history.UnmarshalEntry(x.line)
			x.line = nil
			if !yield(e, err) {
				return
			}
		}
	}
}

func (x *exported) records() iter.Seq2[store.Record, error] {
	return func(yield func(store.Record, error) bool) {
		for e, err := range x.entries() {
			if !yield(store.Record{Entry: e}, err) {
				return
			}
		}
	}
}
