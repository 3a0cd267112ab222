package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/internal/socket"
	"github.com/clewflow/clew/query"
	"github.com/clewflow/clew/runtime"
	"github.com/clewflow/clew/store"
)

// A site is where executions are.
type site struct {
	dir, namespace string
	sealed         sealed
	anew           bool // a store is begun where there is none
}

// executions are those of a site. It is the same to the commands whether another process has the site open, and whether it
// is always the same one.
type executions struct {
	source    socket.Executions[runtime.Description]
	served    bool // by another process
	namespace string
	said      *progress // nil: nobody is told that an answer takes long
	close     func() error
	reopen    func() (*executions, error)
}

func (e *executions) id(workflow string) history.ID {
	return history.ID{Namespace: e.namespace, Workflow: workflow}
}

// patience is how long a site may be in use by somebody who does not answer: who opens or closes it does so soon.
var patience = 5 * time.Second

// place is the directory and the namespace. The error says that there is no store.
func (s *site) place() (dir, namespace string, err error) {
	dir, namespace = fallback(s.dir, "CLEW_STORE", "clew.data"), fallback(s.namespace, "CLEW_NAMESPACE", "default")
	if isServer(dir) {
		return dir, namespace, nil
	}
	if s.anew {
		err = mayBegin(dir)
	} else {
		err = mustExist(dir)
	}
	return dir, namespace, err
}

// isServer reports whether a store is one that several processes can have open.
func isServer(store string) bool {
	return strings.HasPrefix(store, "esdb://") || strings.HasPrefix(store, "esdb+discover://")
}

// open opens the directory, or finds the process that has it open.
func (s *site) open(cmd *cobra.Command) (*executions, error) {
	dir, namespace, err := s.place()
	if err != nil {
		return nil, err
	}
	logger := slog.New(slog.NewTextHandler(cmd.ErrOrStderr(), &slog.HandlerOptions{Level: slog.LevelError}))
	c := runtime.Config{Store: dir, Namespace: namespace, Logger: logger}
	if isServer(dir) {
		c.Key = []byte("it reads, and hands out no tokens") // else one would be recorded
	}
	beside, err := s.sealed.open(&c)
	if err != nil {
		return nil, err
	}
	said := newProgress(cmd.ErrOrStderr())
	defer said.working()()
	e, err := open(cmd.Context(), c)
	if err != nil {
		return nil, errors.Join(err, beside())
	}
	e.said = said
	closed := e.close
	e.close = func() error { return errors.Join(closed(), beside()) }
	return e, nil
}

func open(ctx context.Context, c runtime.Config) (*executions, error) {
	e := &executions{namespace: c.Namespace, reopen: func() (*executions, error) { return open(ctx, c) }}
	client, err := attach(ctx, c.Store, func() error {
		rt, err := runtime.Open(ctx, c)
		if err == nil {
			e.source, e.close = direct{rt}, rt.Close
		}
		return err
	})
	if client != nil {
		e.source, e.served, e.close = client, true, client.Close
	}
	return e, err
}

// attach opens a directory, or finds the process that has it open, which the client then asks.
func attach(ctx context.Context, dir string, open func() error) (client *socket.Client[runtime.Description], err error) {
	for began := time.Now(); ; {
		err := open()
		if err == nil {
			return nil, nil
		}
		if !errors.Is(err, store.ErrInUse) {
			return nil, fmt.Errorf("opening the store %s: %w", dir, err)
		}
		client, missing := socket.Dial[runtime.Description](ctx, dir)
		if missing == nil {
			return client, nil
		}
		if time.Since(began) > patience {
			return nil, fmt.Errorf("the store %s is in use by another process, which does not answer on its socket; ask again on the machine and as the user of that process, or when it has ended (%w)", dir, missing)
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// retries bounds how often another process is looked for when the one that was asked has ended. The usual case is another
// clew, which ends soon.
const retries = 20

// try asks, and asks anew when the process that was asked has ended. On a terminal it says so when the answer takes long.
func (e *executions) try(ask func() error) error {
	if e.said != nil {
		defer e.said.working()()
	}
	return e.again(ask)
}

func (e *executions) again(ask func() error) error {
	for n := 0; ; n++ {
		err := ask()
		if !errors.Is(err, socket.ErrInterrupted) || n == retries {
			return err
		}
		next, failed := e.reopen()
		if failed != nil {
			return failed
		}
		_ = e.close() // of a connection with nobody
		next.said = e.said
		*e = *next
	}
}

// FindPage is that of [socket.Executions], as are the others.
func (e *executions) FindPage(ctx context.Context, q query.Query) (page query.Page, err error) {
	err = e.try(func() (err error) {
		page, err = e.source.FindPage(ctx, q)
		return err
	})
	return page, err
}

func (e *executions) Group(ctx context.Context, q query.Query, by ...string) (groups query.Groups, err error) {
	err = e.try(func() (err error) {
		groups, err = e.source.Group(ctx, q, by...)
		return err
	})
	return groups, err
}

func (e *executions) Measure(ctx context.Context, q query.Query, of string, by ...string) (measures query.Measures, err error) {
	err = e.try(func() (err error) {
		measures, err = e.source.Measure(ctx, q, of, by...)
		return err
	})
	return measures, err
}

func (e *executions) Describe(ctx context.Context, id history.ID) (d runtime.Description, err error) {
	err = e.try(func() (err error) {
		d, err = e.source.Describe(ctx, id)
		return err
	})
	return d, err
}

func (e *executions) History(ctx context.Context, id history.ID) iter.Seq2[history.Entry, error] {
	return func(yield func(history.Entry, error) bool) {
		seen, left := 0, false
		by, _ := whoIAm() // who is nobody to the system reads as a client
		err := e.again(func() error {
			n := 0
			for entry, err := range e.source.History(ctx, id, by) {
				if err != nil {
					return err
				}
				if n++; n <= seen {
					continue
				}
				seen = n
				if left = !yield(entry, nil); left {
					return nil
				}
			}
			return nil
		})
		if err != nil && !left {
			yield(history.Entry{}, err)
		}
	}
}

func fallback(value, variable, otherwise string) string {
	if value == "" {
		value = os.Getenv(variable)
	}
	if value == "" {
		value = otherwise
	}
	return value
}

// mustExist refuses what is no store before anything is created there.
func mustExist(dir string) error {
	if dir == "memory:" || strings.Contains(dir, "://") {
		return fmt.Errorf("the store %s cannot be read from here, want a directory or esdb://…; give it with --dir", dir)
	}
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("there is no directory %s, want that of a store; give it with --dir or CLEW_STORE", dir)
	case err != nil:
		return fmt.Errorf("looking for the store: %w", err)
	case !info.IsDir():
		return fmt.Errorf("%s is a file, want the directory of a store; give it with --dir or CLEW_STORE", dir)
	}
	if _, err := os.Stat(filepath.Join(dir, "log")); errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("the directory %s holds no store; give that of a store with --dir or CLEW_STORE", dir)
	} else if err != nil {
		return fmt.Errorf("looking for the store: %w", err)
	}
	return nil
}

// mayBegin refuses to begin a store among other files.
func mayBegin(dir string) error {
	there, err := os.ReadDir(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist) || err == nil && len(there) == 0:
		return nil
	case err != nil:
		return fmt.Errorf("looking for the store: %w", err)
	}
	return mustExist(dir)
}

// direct is a runtime of this process that runs no code.
type direct struct{ rt *runtime.Runtime }

func (d direct) FindPage(ctx context.Context, q query.Query) (query.Page, error) {
	return d.rt.FindPage(ctx, q)
}

func (d direct) Group(ctx context.Context, q query.Query, by ...string) (query.Groups, error) {
	return d.rt.Group(ctx, q, by...)
}

func (d direct) Measure(ctx context.Context, q query.Query, of string, by ...string) (query.Measures, error) {
	return d.rt.Measure(ctx, q, of, by...)
}

func (d direct) Feed(ctx context.Context, _ string, after uint64, goOn bool) iter.Seq2[query.Changed, error] {
	if goOn {
		return d.rt.Feed(ctx, after)
	}
	return d.rt.FeedToHead(ctx, after)
}

func (d direct) Describe(ctx context.Context, id history.ID) (runtime.Description, error) {
	return d.rt.Describe(ctx, id.Workflow)
}

func (d direct) History(ctx context.Context, id history.ID, _ string) iter.Seq2[history.Entry, error] {
	if _, about := id.Administers(); about {
		return d.rt.Administered(ctx)
	}
	if id.Family() != "" {
		return d.rt.PolicyHistory(ctx)
	}
	return d.rt.History(ctx, id.Workflow)
}

// find yields the runs that a query asks for, up to most; 0: all.
func (e *executions) find(ctx context.Context, q query.Query, most int) iter.Seq2[query.Row, error] {
	return func(yield func(query.Row, error) bool) {
		q.Namespace = e.of(q)
		for n := 0; ; {
			q.Limit = query.MaxLimit
			if most > 0 {
				q.Limit = min(q.Limit, most-n)
			}
			page, err := e.FindPage(ctx, q)
			if err != nil {
				yield(query.Row{}, err)
				return
			}
			for _, row := range page.Rows {
				if !yield(row, nil) {
					return
				}
			}
			n += len(page.Rows)
			if q.After = page.Next; page.Next == "" || n == most {
				return
			}
		}
	}
}

// of is the namespace of a query: that of the site, unless its condition names one.
func (e *executions) of(q query.Query) string {
	if n, err := query.ParseWhere(q.Where); err == nil && query.Mentions(n, "namespace") {
		return ""
	}
	return e.namespace
}

// ids yields the ids of all executions, in order.
func (e *executions) ids(ctx context.Context) iter.Seq2[history.ID, error] {
	return func(yield func(history.ID, error) bool) {
		last := ""
		for row, err := range e.find(ctx, query.Query{Order: "id"}, 0) {
			if err == nil && row.ID == last {
				continue // an earlier run
			}
			last = row.ID
			if !yield(e.id(row.ID), err) || err != nil {
				return
			}
		}
	}
}

// run reads all entries of the run with a number, or of the last one if it is 0.
func (e *executions) run(ctx context.Context, workflow string, number uint64) ([]history.Entry, error) {
	var run []history.Entry
	for entry, err := range e.History(ctx, e.id(workflow)) {
		if err != nil {
			return nil, err
		}
		if started, ok := entry.Event.(*history.Started); ok {
			if number > 0 && len(run) > 0 {
				break
			}
			run = run[:0]
			if number > 0 && started.Number != number {
				continue
			}
		} else if number > 0 && len(run) == 0 {
			continue
		}
		run = append(run, entry)
	}
	if len(run) == 0 {
		return nil, fmt.Errorf("the execution %s has no run %d; see \"clew ls --id %s\"", workflow, number, workflow)
	}
	return run, nil
}
