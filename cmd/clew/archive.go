package main

import (
	"cmp"
	"context"
	"errors"
	"iter"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/clewflow/clew/check"
	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/internal/examine"
	"github.com/clewflow/clew/query"
)

// An archive is where histories come from: a store that is open for reading only, a process that has it open, or exports.
type archive struct {
	from      examine.Place
	histories func(context.Context, check.Sample) iter.Seq2[check.History, error]
	history   func(ctx context.Context, workflow string) check.History
	close     func() error
}

// histories are in exports, or without any in the store.
func (s *site) histories(cmd *cobra.Command, exports []string) (*archive, error) {
	if len(exports) > 0 {
		return exportedArchive(exports)
	}
	return s.archive(cmd)
}

// archive opens the store so that not a byte of it changes, or finds the process that has it open.
func (s *site) archive(cmd *cobra.Command) (*archive, error) {
	dir, namespace, err := s.place()
	if err == nil {
		dir, err = filepath.Abs(dir)
	}
	if err != nil {
		return nil, err
	}
	p := &archive{from: examine.Place{Dir: dir}}
	client, err := attach(cmd.Context(), dir, func() error {
		opened, err := check.OpenStore(dir, namespace)
		if err == nil {
			p.histories, p.history, p.close = opened.Histories, opened.History, opened.Close
		}
		return err
	})
	if client != nil {
		p.ask(&executions{source: client, served: true, namespace: namespace, close: client.Close, reopen: func() (*executions, error) {
			return nil, errors.New("the process that has the store open has ended; ask again")
		}})
	}
	return p, err
}

// ask has another process read.
func (p *archive) ask(e *executions) {
	p.close = e.close
	p.history = func(ctx context.Context, workflow string) check.History {
		return check.History{ID: e.id(workflow), Entries: e.History(ctx, e.id(workflow))}
	}
	p.histories = func(ctx context.Context, sample check.Sample) iter.Seq2[check.History, error] {
		return func(yield func(check.History, error) bool) {
			for c, err := range sample.Pick(e.candidates(ctx)) {
				if !yield(p.history(ctx, c.ID.Workflow), err) || err != nil {
					return
				}
			}
		}
	}
}

// candidates are all executions, in the order of their ids.
func (e *executions) candidates(ctx context.Context) iter.Seq2[check.Candidate, error] {
	return func(yield func(check.Candidate, error) bool) {
		var c check.Candidate
		for row, err := range e.find(ctx, query.Query{Order: "id"}, 0) {
			if err != nil {
				yield(c, err)
				return
			}
			if c.ID.Workflow != "" && c.ID.Workflow != row.ID {
				if !yield(c, nil) {
					return
				}
				c = check.Candidate{}
			}
			c.ID, c.Open = e.id(row.ID), c.Open || row.Status&query.Open != 0
			c.Rank = max(c.Rank, uint64(row.Started.UnixNano()))
		}
		if c.ID != (history.ID{}) {
			yield(c, nil)
		}
	}
}

// exportedArchive is an archive of files.
func exportedArchive(paths []string) (*archive, error) {
	files, err := check.Within(paths...)
	if err != nil {
		return nil, err
	}
	from := examine.Place{}
	for _, file := range files {
		if file, err = filepath.Abs(file); err != nil { // the program may be somewhere else
			return nil, err
		}
		from.Archives = append(from.Archives, file)
	}
	all := func(context.Context, check.Sample) iter.Seq2[check.History, error] { return check.Files(paths...) }
	return &archive{from: from, histories: all, close: func() error { return nil }}, nil
}

// named is the history of an execution among all.
func (p *archive) named(ctx context.Context, workflow string) (h check.History, err error) {
	if p.history != nil {
		return p.history(ctx, workflow), nil
	}
	for h, err := range p.histories(ctx, check.Sample{All: true}) {
		if err != nil {
			return h, err
		}
		id := h.ID.Workflow
		for e := range h.Entries {
			if started, ok := e.Event.(*history.Started); ok && id == "" {
				id = started.ID.Workflow
			}
			break
		}
		if cmp.Or(id, workflow) == workflow {
			return h, nil
		}
	}
	return h, errors.New("the export holds no execution " + workflow)
}
