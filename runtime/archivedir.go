package runtime

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
)

// ErrNotExported says that what is to be exported before it is removed could not be: it is kept.
var ErrNotExported = errors.New("clew: not exported")

// exportFirst has what retention is about to remove kept elsewhere.
func (r *Runtime) exportFirst(ctx context.Context, x Expired) error {
	if err := r.held(ctx, x.ID); err != nil {
		return err
	}
	if r.config.Archive == nil {
		return fmt.Errorf("%w: %s: the rule wants it, and Config.Archive of this process does not say where to", ErrNotExported, x.ID)
	}
	err := r.config.Archive(ctx, x, func(w io.Writer, how ExportWish) error {
		return r.exportOf(ctx, w, r.config.Namespace, ExportWish{ID: x.ID, Digests: how.Digests, Key: how.Key, Sign: how.Sign}, callOption(func(s *callSettings) { s.quiet = true })) // that it is removed is recorded
	})
	if err != nil {
		return fmt.Errorf("%w: %s: %w", ErrNotExported, x.ID, err)
	}
	return nil
}

// ArchiveDir is a [Config.Archive] that keeps a file for each removal in a directory, which is made if there is none. How it is written
// say the Digests, Key and Sign of a wish.
func ArchiveDir(dir string, how ExportWish) func(context.Context, Expired, func(io.Writer, ExportWish) error) error {
	return func(_ context.Context, x Expired, write func(io.Writer, ExportWish) error) error {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return err
		}
		f, err := os.CreateTemp(dir, ".clew-export-*") // with mode 0600
		if err != nil {
			return err
		}
		path := filepath.Join(dir, archiveName(x))
		if err = errors.Join(write(f, how), f.Sync(), f.Close()); err == nil {
			err = os.Rename(f.Name(), path)
		}
		if err != nil {
			return fmt.Errorf("writing %s: %w", path, errors.Join(err, os.Remove(f.Name())))
		}
		return syncFolder(dir)
	}
}

// archiveName is the name of the file of a removal: the same, if it is tried again.
func archiveName(x Expired) string {
	name := url.PathEscape(x.ID)
	if len(name) > 150 { // file systems allow 255 bytes
		sum := sha256.Sum256([]byte(x.ID))
		name = fmt.Sprintf("%s~%x", name[:100], sum[:8])
	}
	return name + x.Closed.UTC().Format(".20060102T150405.000000000Z") + ".clew"
}

// syncFolder makes the names in a directory durable.
func syncFolder(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
