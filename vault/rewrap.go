package vault

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// Rewrap wraps all data keys under the newest master key, so that the older ones can be given up, and returns how many it
// was done for. The log is not touched. The file is replaced as a whole when all is written and synced; until then it is as
// it was, and so it stays if one of the keys cannot be opened. Keys can be used meanwhile, new ones wait.
func (k *KeyFile) Rewrap(ctx context.Context) (int, error) {
	k.write.Lock()
	defer k.write.Unlock()
	k.mu.Lock()
	failed := k.failed
	k.mu.Unlock()
	if failed != nil {
		return 0, fmt.Errorf("vault: rewrapping the keys: %w", failed)
	}
	name := k.path + ".new"
	file, err := os.OpenFile(name, os.O_CREATE|os.O_TRUNC|os.O_RDWR, 0o600)
	if err != nil {
		return 0, fmt.Errorf("vault: rewrapping the keys: %w", err)
	}
	n, err := k.rewrapTo(ctx, file)
	if err == nil {
		err = os.Rename(name, k.path)
	}
	if err != nil {
		return 0, errors.Join(fmt.Errorf("vault: rewrapping the keys: %w", err), file.Close(), os.Remove(name))
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.file, file = file, k.file
	if k.failed = syncDir(filepath.Dir(k.path)); k.failed != nil { // nobody knows which file a crash would leave
		err = fmt.Errorf("vault: rewrapping the keys: %w", k.failed)
	}
	return n, errors.Join(err, file.Close())
}

// rewrapTo writes a new file, in which each slot stays in its place.
func (k *KeyFile) rewrapTo(ctx context.Context, file *os.File) (rewrapped int, err error) {
	r := bufio.NewReaderSize(io.NewSectionReader(k.file, 0, 1<<62), 1<<20)
	w := bufio.NewWriterSize(file, 1<<20)
	b := make([]byte, slotSize)
	for n := int64(0); ; n++ {
		m, err := io.ReadFull(r, b)
		if err == io.EOF {
			break
		}
		if err != nil && err != io.ErrUnexpectedEOF {
			return 0, err
		}
		written := b[:m]
		if s, ok := readSlot(n, written); n > 0 && ok && (s.kind == live || s.kind == taken) && s.mark != k.newest.mark {
			if err := k.readAdopted(&s); err != nil {
				return 0, err
			}
			secret, err := s.unwrap(k.given)
			if err != nil {
				return 0, err
			}
			s.wrap(k.newest, secret)
			written = s.append(nil)
			rewrapped++
		}
		if _, err := w.Write(written); err != nil {
			return 0, err
		}
		if err := ctx.Err(); err != nil {
			return 0, err
		}
	}
	return rewrapped, errors.Join(w.Flush(), file.Sync())
}
