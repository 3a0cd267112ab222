package check

import (
	"context"
	"fmt"
	"iter"
	"path/filepath"

	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/store/pebble"
	"github.com/clewflow/clew/vault"
)

// Store is the directory of a store, open for reading only. Nobody else can open it meanwhile.
type Store struct {
	log       *pebble.Log
	namespace string
}

// OpenStore opens a directory, of which not a byte is changed. Errors: store.ErrInUse if a process has it open; ask that one,
// with "clew check", or give this one a copy. store.ErrCorrupt; those of the file system.
func OpenStore(dir, namespace string) (*Store, error) {
	log, err := pebble.Open(dir, pebble.Options{ReadOnly: true})
	if err != nil {
		return nil, fmt.Errorf("check: %w", err)
	}
	return &Store{log, namespace}, nil
}

// Close lets go of the directory.
func (s *Store) Close() error { return s.log.Close() }

// Histories yields the histories of a sample of the executions. They can be read until Close.
func (s *Store) Histories(ctx context.Context, sample Sample) iter.Seq2[History, error] {
	return func(yield func(History, error) bool) {
		for c, err := range sample.Pick(s.candidates(ctx)) {
			h := s.History(ctx, c.ID.Workflow)
			if err == nil && c.Open {
				h, err = s.newest(ctx, h)
			}
			if !yield(h, err) || err != nil {
				return
			}
		}
	}
}

func (s *Store) candidates(ctx context.Context) iter.Seq2[Candidate, error] {
	return func(yield func(Candidate, error) bool) {
		for k, err := range s.log.List(ctx, s.namespace) {
			if !yield(Candidate{k.ID, k.Open, k.Newest.Commit}, err) {
				return
			}
		}
	}
}

// History is that of one execution; empty if there is none.
func (s *Store) History(ctx context.Context, workflow string) History {
	id := history.ID{Namespace: s.namespace, Workflow: workflow}
	return History{id, s.read(ctx, id, 1)}
}

func (s *Store) read(ctx context.Context, id history.ID, from uint64) iter.Seq2[history.Entry, error] {
	return func(yield func(history.Entry, error) bool) {
		for record, err := range s.log.Read(ctx, id, from) {
			if !yield(record.Entry, err) || err != nil {
				return
			}
		}
	}
}

// newest leaves of the history of an open execution the runs before out, unless the open one carries on something of them.
func (s *Store) newest(ctx context.Context, h History) (History, error) {
	tail, ok, err := s.log.Tail(ctx, h.ID)
	if err != nil || !ok || tail.Began <= 1 {
		return h, err
	}
	for e, err := range s.read(ctx, h.ID, tail.Began) {
		started, ok := e.Event.(*history.Started)
		if err == nil && ok && len(started.Carried)+len(started.Updates) == 0 {
			h.Entries = s.read(ctx, h.ID, tail.Began)
		}
		break // what is wrong with it is met again
	}
	return h, nil
}

// most is how many bytes of a payload are opened: what a runtime has recorded was allowed when it did.
const most = 1 << 30

// Opener is a vault that opens the payloads of a directory whose runtime is given no vault: they are plain, compressed, or in
// files beside the log. Nothing is made or removed. Without a directory there are no such files.
func Opener(dir string) (*vault.Vault, error) {
	o := vault.Options{Opens: []vault.Codec{vault.Zstd(0)}, Limit: most}
	if dir != "" {
		o.Blobs = vault.ReadBlobs(filepath.Join(dir, "blobs"))
	}
	return vault.New(o)
}
