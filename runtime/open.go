package runtime

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/clewflow/clew/store/eventstore"
	memorystore "github.com/clewflow/clew/store/memory"

	"github.com/clewflow/clew/commands"
	"github.com/clewflow/clew/lookup"
	"github.com/clewflow/clew/store"
	"github.com/clewflow/clew/store/pebble"
	"github.com/clewflow/clew/timers"
)

// horizon is how far in the future a wake may be to be kept in memory.
const horizon = time.Hour

// openStore opens the log and what is kept beside it. What was opened is closed again if something is wrong.
func (r *Runtime) openStore(ctx context.Context) (err error) {
	defer func() {
		if err != nil {
			err = errors.Join(err, r.closeStore())
		}
	}()
	dir, err := r.openLog(ctx)
	if err != nil {
		return err
	}
	if r.shared() {
		r.node = newNode(r, r.config.Node, r.config.Lease)
		r.queue.Share()
	}
	r.tailed, _ = r.log.(store.Tailed)
	r.tails, _ = r.log.(store.Tails)
	far := time.Duration(0)
	if r.tailed != nil {
		far = horizon
	}
	r.wakes = timers.NewWakes(far)
	if err := r.openBeside(ctx, dir); err != nil {
		return err
	}
	head, err := r.log.Head(ctx)
	if err == nil && r.index.Position().After(head) {
		r.logger.Error("the index is ahead of the log: entries that were recorded are missing from the log; the index is rebuilt",
			"index", r.index.Position(), "head", head)
		err = r.index.Reset()
	}
	return err
}

// openLog opens the log, and returns the directory for what is kept beside it; none if that is kept in memory.
func (r *Runtime) openLog(ctx context.Context) (dir string, err error) {
	where := r.config.Store
	switch {
	case r.config.Log != nil:
		r.log = r.config.Log
		return r.config.Dir, r.claimDir()
	case where == "memory:":
		r.log = memorystore.New()
		return "", nil
	case isServer(where):
		l, err := eventstore.Open(ctx, where, eventstore.Options{Logger: r.logger})
		if err != nil {
			return "", err
		}
		r.log = l
		return r.config.Dir, r.claimDir()
	}
	if err := ours(where); err != nil {
		return "", err
	}
	r.log, err = openDirectory(where, r.logger)
	return where, err
}

// openDirectory keeps a nil *pebble.Log from becoming a log.
func openDirectory(dir string, logger *slog.Logger) (store.Log, error) {
	l, err := pebble.Open(dir, pebble.Options{Logger: logger})
	if err != nil {
		return nil, err
	}
	return l, nil
}

// shared reports whether other processes work on the log too.
func (r *Runtime) shared() bool {
	s, ok := r.log.(store.Shared)
	return r.config.Shared || ok && s.Shared()
}

// claimDir makes the directory of what a node keeps for itself, and sees to it that it is nobody else's.
func (r *Runtime) claimDir() (err error) {
	dir := r.config.Dir
	if dir == "" {
		return nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("runtime: making Config.Dir (or CLEW_DIR): %w", err)
	}
	if r.claim, err = pebble.Claim(dir); err != nil {
		return fmt.Errorf("runtime: Config.Dir (or CLEW_DIR) is what one node keeps for itself; give each one of its own: %w", err)
	}
	return nil
}

// openBeside opens what is kept beside the log: payloads in files, what is in hand, the key of tokens, and the index.
func (r *Runtime) openBeside(ctx context.Context, dir string) error {
	index, blobs := ":memory:", ""
	if err := r.pasts.open(dir); err != nil {
		return err
	}
	if dir != "" {
		index = filepath.Join(dir, "index.sqlite")
		if r.node == nil {
			blobs = dir
		}
		notes, err := openInHand(filepath.Join(dir, "in-hand"), r.config.Attempts)
		if err != nil {
			return err
		}
		r.notes = notes
	}
	if err := r.openVault(blobs); err != nil {
		return err
	}
	if err := r.openKey(ctx, dir); err != nil {
		return err
	}
	if err := r.openProjections(ctx, dir); err != nil {
		return err
	}
	r.index = r.config.Hooks.Index
	if r.index == nil {
		x, err := lookup.Open(ctx, index, lookup.Options{Logger: r.logger, Inputs: r.fields, Text: r.config.FullText, TextOf: r.config.FullTextOf})
		if err != nil {
			return err
		}
		r.index = x
	}
	return nil
}

// closeStore closes what was opened.
func (r *Runtime) closeStore() error {
	var all []error
	all = append(all, r.pasts.close())
	if r.index != nil {
		all = append(all, r.closeIndex())
	}
	if r.log != nil {
		all = append(all, r.log.Close())
	}
	if r.notes != nil {
		all = append(all, r.notes.Close())
	}
	if r.claim != nil {
		all = append(all, r.claim.Close())
	}
	return errors.Join(all...)
}

// closeIndex closes the index, unless it was given.
func (r *Runtime) closeIndex() error {
	if r.config.Hooks.Index != nil {
		return nil
	}
	return r.index.Close()
}

// ours refuses a directory that holds something else than a store.
func ours(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) == 0 {
		return nil // what is wrong with it is said when it is opened
	}
	if slices.ContainsFunc(entries, func(e os.DirEntry) bool { return e.Name() == "log" && e.IsDir() }) {
		return nil
	}
	return &commands.Invalid{Field: "Config.Store (or CLEW_STORE)", Value: dir, Want: "a store, or an empty or new directory: this one holds something else"}
}

// isServer reports whether a store is one that several processes can have open.
func isServer(where string) bool {
	return strings.HasPrefix(where, "esdb://") || strings.HasPrefix(where, "esdb+discover://")
}

func scheme(c *Config) error {
	const field = "Config.Store (or CLEW_STORE)"
	kind, _, server := strings.Cut(c.Store, "://")
	switch {
	case server && !isServer(c.Store):
		return &commands.Invalid{Field: field, Value: kind + "://", Want: `a directory, "memory:", or "esdb://…" for an EventStoreDB; ` + kind + " stores are not in this release"}
	case c.Shared && c.Log == nil && !server:
		return &commands.Invalid{Field: "Config.Shared", Value: "true with the store " + c.Store,
			Want: `false: one process has such a store to itself. For several, keep histories in an EventStoreDB ("esdb://…")`}
	}
	return nil
}
