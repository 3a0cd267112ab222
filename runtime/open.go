package runtime

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	memorystore "github.com/clewflow/clew/store/memory"

	"github.com/clewflow/clew/commands"
	"github.com/clewflow/clew/lookup"
	"github.com/clewflow/clew/store"
	"github.com/clewflow/clew/store/pebble"
	"github.com/clewflow/clew/timers"
)

// horizon is how far in the future a wake may be to be kept in memory.
const horizon = time.Hour

func (r *Runtime) openStore(ctx context.Context) (err error) {
	r.key, r.log = r.config.Key, r.config.Log
	path, blobs := ":memory:", ""
	switch {
	case r.log != nil:
	case r.config.Store == "memory:":
		r.log = memorystore.New()
	default:
		dir := r.config.Store
		if err := ours(dir); err != nil {
			return err
		}
		if r.log, err = pebble.Open(dir, pebble.Options{Logger: r.logger}); err != nil {
			return err
		}
		path, blobs = filepath.Join(dir, "index.sqlite"), dir
		if r.notes, err = openInHand(filepath.Join(dir, "in-hand"), r.config.Attempts); err == nil && r.key == nil {
			r.key, err = keyIn(filepath.Join(dir, "token.key"))
		}
		if err != nil {
			return errors.Join(err, r.log.Close())
		}
	}
	if err := r.openVault(blobs); err != nil {
		return errors.Join(err, r.log.Close())
	}
	if r.key == nil {
		r.key = newKey()
	}
	r.tailed, _ = r.log.(store.Tailed)
	r.tails, _ = r.log.(store.Tails)
	far := time.Duration(0)
	if r.tailed != nil {
		far = horizon
	}
	if shared, ok := r.log.(store.Shared); r.config.Shared || ok && shared.Shared() {
		r.node = newNode(r, r.config.Node, r.config.Lease)
	}
	r.wakes = timers.NewWakes(far)
	if r.index = r.config.Hooks.Index; r.index == nil {
		if r.index, err = lookup.Open(ctx, path, lookup.Options{Logger: r.logger}); err != nil {
			return errors.Join(err, r.log.Close())
		}
	}
	head, err := r.log.Head(ctx)
	if err == nil && r.index.Position() > head {
		r.logger.Error("the index is ahead of the log: entries that were recorded are missing from the log; the index is rebuilt",
			"index", r.index.Position(), "head", head)
		err = r.index.Reset()
	}
	if err != nil {
		return errors.Join(err, r.closeIndex(), r.log.Close())
	}
	return nil
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

func scheme(where string) error {
	if kind, _, ok := strings.Cut(where, "://"); ok {
		return &commands.Invalid{Field: "Config.Store (or CLEW_STORE)", Value: where, Want: `a directory or "memory:"; ` + kind + " stores are not in this release"}
	}
	return nil
}
