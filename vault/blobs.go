package vault

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/clewflow/clew/history"
)

// Blobs keeps bytes under their SHA-256. It is safe for concurrent use.
type Blobs interface {
	// Put stores what it reads, and returns its sum when it is durable. What is stored already is not stored twice.
	Put(ctx context.Context, from io.Reader) (history.Sum, error)
	// Open reads what was stored. ErrNoBlob: there is none. If the bytes are not those that were stored, the reader ends with
	// ErrDamaged instead of io.EOF.
	Open(ctx context.Context, sum history.Sum) (io.ReadCloser, error)
}

// With is the vault with further places from which blobs are read, when they are not in its own.
func (v *Vault) With(also ...Blobs) *Vault {
	if len(also) == 0 {
		return v
	}
	if v == nil {
		v, _ = New(Options{}) // nothing is wrong with these
	}
	w := *v
	w.blobs, w.unwraps = &places{own: v.blobs, also: also}, true
	return &w
}

// places are several, of which one is stored in.
type places struct {
	own  Blobs // nil: nothing is stored
	also []Blobs
}

func (p *places) Put(ctx context.Context, from io.Reader) (history.Sum, error) {
	if p.own == nil {
		return history.Sum{}, errors.New("vault: there is no place for blobs to be stored, only to be read")
	}
	return p.own.Put(ctx, from)
}

func (p *places) Open(ctx context.Context, sum history.Sum) (r io.ReadCloser, err error) {
	err = fmt.Errorf("%w: %s", ErrNoBlob, sum)
	for _, b := range append([]Blobs{p.own}, p.also...) {
		if b == nil {
			continue
		}
		if r, err = b.Open(ctx, sum); !errors.Is(err, ErrNoBlob) {
			return r, err
		}
	}
	return nil, err
}

// BlobDir keeps blobs in a directory, one file for each. The names of the files are their sums in hex, in 256 directories by
// the first two characters. More than one process may use it. It is [Blobs].
type BlobDir struct {
	dir string
	mu  sync.Mutex // held to find that a blob is there and say that it is needed, and to remove one that is not
}

// unfinished is the directory of what is being written, and how long that may take before it is taken for left over.
const (
	unfinished = "unfinished"
	leftOver   = 48 * time.Hour
)

// OpenBlobs opens a directory of blobs, which is made if there is none.
func OpenBlobs(dir string) (*BlobDir, error) {
	d := &BlobDir{dir: dir}
	if err := d.prepare(); err != nil {
		return nil, fmt.Errorf("vault: opening the blobs: %w", err)
	}
	return d, nil
}

// ReadBlobs is a directory of blobs of which nothing is made or removed, to read from.
func ReadBlobs(dir string) *BlobDir { return &BlobDir{dir: dir} }

// prepare makes all directories and syncs them, so that Put need not, and removes what a crash has left over.
func (d *BlobDir) prepare() error {
	if err := os.MkdirAll(filepath.Join(d.dir, unfinished), 0o700); err != nil {
		return err
	}
	for i := range 256 {
		if err := os.Mkdir(filepath.Join(d.dir, fmt.Sprintf("%02x", i)), 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	entries, err := os.ReadDir(filepath.Join(d.dir, unfinished))
	if err != nil {
		return err
	}
	for _, e := range entries {
		if info, err := e.Info(); err == nil && time.Since(info.ModTime()) > leftOver {
			err = os.Remove(filepath.Join(d.dir, unfinished, e.Name()))
			if ifThere(err) != nil {
				return err
			}
		}
	}
	return errors.Join(syncDir(d.dir), syncDir(filepath.Dir(filepath.Clean(d.dir))))
}

func (d *BlobDir) path(sum history.Sum) string {
	name := hex.EncodeToString(sum[:])
	return filepath.Join(d.dir, name[:2], name[2:])
}

// Put stores what it reads. A file that is there and damaged is written anew.
func (d *BlobDir) Put(ctx context.Context, from io.Reader) (history.Sum, error) {
	f, err := os.CreateTemp(filepath.Join(d.dir, unfinished), "*")
	if err != nil {
		return history.Sum{}, fmt.Errorf("vault: storing a blob: %w", err)
	}
	h := sha256.New()
	_, err = io.Copy(io.MultiWriter(f, h), patient{ctx, from})
	sum := history.Sum(h.Sum(nil))
	if err == nil && !d.needed(ctx, sum) {
		if err = f.Sync(); err == nil {
			err = os.Rename(f.Name(), d.path(sum))
		}
	}
	err = errors.Join(err, f.Close(), ifThere(os.Remove(f.Name())))
	if err == nil {
		err = syncDir(filepath.Dir(d.path(sum))) // also if it was there: who put it there may not have come so far yet
	}
	if err != nil {
		return history.Sum{}, fmt.Errorf("vault: storing a blob: %w", err)
	}
	return sum, nil
}

// needed reports whether a blob is there and whole, and keeps it from being removed for a while.
func (d *BlobDir) needed(ctx context.Context, sum history.Sum) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := time.Now()
	return d.stored(ctx, sum) && os.Chtimes(d.path(sum), now, now) == nil
}

// Remove removes a blob unless it was put after a time, also by somebody else: who put it there may yet refer to it. It reports
// whether there is none any more, durably.
func (d *BlobDir) Remove(_ context.Context, sum history.Sum, after time.Time) (gone bool, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	info, err := os.Stat(d.path(sum))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return true, nil
	case err == nil && info.ModTime().After(after):
		return false, nil
	case err == nil:
		err = os.Remove(d.path(sum))
	}
	if err == nil {
		err = syncDir(filepath.Dir(d.path(sum)))
	}
	if err != nil {
		return false, fmt.Errorf("vault: removing a blob: %w", err)
	}
	return true, nil
}

// stored reports whether a blob is there and whole.
func (d *BlobDir) stored(ctx context.Context, sum history.Sum) bool {
	r, err := d.Open(ctx, sum)
	if err != nil {
		return false
	}
	_, err = io.Copy(io.Discard, r)
	return errors.Join(err, r.Close()) == nil
}

// Open reads a blob.
func (d *BlobDir) Open(ctx context.Context, sum history.Sum) (io.ReadCloser, error) {
	f, err := os.Open(d.path(sum))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: %s", ErrNoBlob, d.path(sum))
	}
	if err != nil {
		return nil, fmt.Errorf("vault: reading a blob: %w", err)
	}
	info, err := f.Stat()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("vault: reading a blob: %w", err), f.Close())
	}
	return &verified{from: patient{ctx, f}, closer: f, name: f.Name(), size: info.Size(), sum: sum, hash: sha256.New()}, nil
}

// patient reads until its context ends.
type patient struct {
	ctx  context.Context
	from io.Reader
}

func (r patient) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.from.Read(p)
}

// verified reads bytes and holds them against their sum.
type verified struct {
	from   io.Reader
	closer io.Closer
	name   string
	size   int64
	sum    history.Sum
	hash   hash.Hash
}

func (v *verified) Read(p []byte) (int, error) {
	n, err := v.from.Read(p)
	v.hash.Write(p[:n])
	if err == io.EOF && history.Sum(v.hash.Sum(nil)) != v.sum {
		err = fmt.Errorf("%w: blob %s", ErrDamaged, v.name)
	}
	return n, err
}

func (v *verified) Close() error { return v.closer.Close() }

// Verified reads the bytes of a blob that is kept in a place of that name, and ends with ErrDamaged if they do not have the sum. It is for
// those who implement [Blobs].
func Verified(from io.ReadCloser, name string, sum history.Sum) io.ReadCloser {
	return &verified{from: from, closer: from, name: name, sum: sum, hash: sha256.New()}
}

// Size is the number of bytes to be read; 0: that is not known.
func (v *verified) Size() int64 { return v.size }
