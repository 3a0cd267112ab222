package vault

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"

	"github.com/clewflow/clew/history"
)

// KeyFile keeps data keys in a directory, wrapped under a master key. One process at a time opens it. It is [Keys].
type KeyFile struct {
	path   string
	lock   io.Closer
	newest *wrapper
	given  map[mark]*wrapper

	write sync.Mutex // held by who changes the file

	mu      sync.Mutex // guards what follows; taken after write
	file    *os.File
	slots   int64 // that are taken, the header with them
	current map[digest]int64
	also    map[digest][]int64 // further keys of an execution: adopted ones, and what was live in a damaged slot that became readable again
	named   map[string][]spot  // where keys are that were adopted
	damaged []int64
	making  map[digest]*batch // keys that are not durable yet
	next    *batch            // the one of them that is still joined
	known   map[int64]*Key    // used last
	failed  error             // nothing more can be written
}

// batch are new keys that are synced together.
type batch struct {
	slots []slot
	keys  []*Key
	done  bool  // guarded by KeyFile.write
	err   error // of a batch that is done
}

const (
	keysName  = "data.keys"
	keysTitle = "clew data keys 1\n"
	mostKnown = 4096
)

var errClosed = errors.New("the key file is closed")

// OpenKeys opens the key file in a directory, which are made if there are none. New data keys are wrapped under the newest
// master key; those that are wrapped under an older one can be used if it is given, until [KeyFile.Rewrap].
func OpenKeys(dir string, newest Master, older ...Master) (*KeyFile, error) {
	k := &KeyFile{
		path: filepath.Join(dir, keysName), newest: newWrapper(newest), given: map[mark]*wrapper{},
		current: map[digest]int64{}, also: map[digest][]int64{}, named: map[string][]spot{}, making: map[digest]*batch{}, known: map[int64]*Key{},
	}
	for _, m := range older {
		k.given[m.mark()] = newWrapper(m)
	}
	k.given[newest.mark()] = k.newest
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("vault: opening the keys: %w", err)
	}
	var err error
	if k.lock, err = lockFile(filepath.Join(dir, "lock")); err != nil {
		return nil, fmt.Errorf("vault: opening the keys in %s: %w", dir, err)
	}
	if err := k.open(); err != nil {
		return nil, errors.Join(fmt.Errorf("vault: opening the keys: %w", err), k.lock.Close())
	}
	return k, nil
}

func (k *KeyFile) open() (err error) {
	if _, err := os.Stat(k.path); errors.Is(err, fs.ErrNotExist) {
		dir := filepath.Dir(filepath.Clean(k.path))
		if err := errors.Join(writeDurably(k.path, header()), syncDir(filepath.Dir(dir))); err != nil {
			return err
		}
	}
	if k.file, err = os.OpenFile(k.path, os.O_RDWR, 0); err != nil {
		return err
	}
	if err := k.scan(); err != nil {
		return errors.Join(err, k.file.Close())
	}
	return nil
}

// header is what stands in the place of slot 0.
func header() []byte { return append([]byte(keysTitle), make([]byte, slotSize-len(keysTitle))...) }

// scan finds the current keys. Damaged slots are passed over: whoever needs one is told.
func (k *KeyFile) scan() error {
	r, b := bufio.NewReaderSize(k.file, 1<<20), make([]byte, slotSize)
	for ; ; k.slots++ {
		n, err := io.ReadFull(r, b)
		switch {
		case err == io.EOF && k.slots > 0:
			return nil
		case err != nil && err != io.EOF && err != io.ErrUnexpectedEOF:
			return err
		case k.slots == 0 && string(b[:n]) != string(header()):
			return fmt.Errorf("%w: %s does not begin as a file of data keys does", ErrDamaged, k.path)
		case k.slots == 0:
			continue
		}
		s, ok := readSlot(k.slots, b[:n])
		switch {
		case !ok && !blank(b[:n]):
			k.damaged = append(k.damaged, k.slots)
		case ok && (s.kind == taken || s.kind == lost):
			if s, err = k.slot(k.slots); err != nil {
				k.damaged = append(k.damaged, k.slots)
				continue
			}
			k.note(s)
		case ok && s.kind == live:
			if other, twice := k.current[s.digest]; twice {
				k.also[s.digest] = append(k.also[s.digest], other)
			}
			k.current[s.digest] = k.slots
		}
	}
}

// Check names the slots that were found damaged when the file was opened. The keys in them are lost; restore the file from
// a copy to have them again.
func (k *KeyFile) Check() error {
	if len(k.damaged) == 0 {
		return nil
	}
	return fmt.Errorf("%w: slots %d of %s", ErrDamaged, k.damaged, k.path)
}

// Close closes the file. Whoever still needs a key gets an error.
func (k *KeyFile) Close() error {
	k.write.Lock()
	defer k.write.Unlock()
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.failed == errClosed {
		return nil
	}
	k.failed = errClosed
	clear(k.known)
	return errors.Join(k.file.Close(), k.lock.Close())
}

// Current returns the key of an execution, and makes one if there is none.
func (k *KeyFile) Current(ctx context.Context, id history.ID) (*Key, error) {
	d := digestOf(id)
	for {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		k.mu.Lock()
		n, ok := k.current[d]
		if ok {
			key, err := k.at(n, "")
			k.mu.Unlock()
			return key, err
		}
		if k.failed != nil {
			defer k.mu.Unlock()
			return nil, fmt.Errorf("vault: a new key cannot be written: %w", k.failed)
		}
		b := k.join(d)
		k.mu.Unlock()
		if err := k.store(b); err != nil {
			return nil, fmt.Errorf("vault: writing new keys: %w", err)
		}
	}
}

// join adds a key to the batch that is written next, unless somebody has added it already.
func (k *KeyFile) join(d digest) *batch {
	if b := k.making[d]; b != nil {
		return b
	}
	if k.next == nil {
		k.next = new(batch)
	}
	s, key := newSlot(k.slots, d, k.newest)
	k.slots++
	k.next.slots, k.next.keys = append(k.next.slots, s), append(k.next.keys, key)
	k.making[d] = k.next
	return k.next
}

// store writes a batch, unless somebody else who is in it has.
func (k *KeyFile) store(b *batch) error {
	k.write.Lock()
	defer k.write.Unlock()
	if b.done {
		return b.err
	}
	runtime.Gosched() // who is about to need a key joins
	k.mu.Lock()
	k.next, b.err = nil, k.failed
	k.mu.Unlock()
	var data []byte
	for _, s := range b.slots {
		data = s.append(data)
	}
	if b.err == nil {
		b.err = k.put(b.slots[0].n, data)
	}
	b.done = true
	k.mu.Lock()
	defer k.mu.Unlock()
	for i, s := range b.slots {
		delete(k.making, s.digest)
		if b.err == nil {
			k.current[s.digest] = s.n
			k.remember(s.n, b.keys[i])
		}
	}
	return b.err
}

// put writes slots and syncs them. After an error nobody knows what the disk holds, so nothing more is written.
func (k *KeyFile) put(n int64, data []byte) error {
	_, err := k.file.WriteAt(data, n*slotSize)
	if err == nil {
		err = k.file.Sync()
	}
	if err != nil {
		k.mu.Lock()
		k.failed = err
		k.mu.Unlock()
	}
	return err
}

// Find returns the key of a name.
func (k *KeyFile) Find(_ context.Context, name string) (*Key, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.find(name)
}

// find returns the key of a name, whoever it was made for.
func (k *KeyFile) find(name string) (*Key, error) {
	var shredded error
	for _, p := range k.named[name] {
		key, err := k.at(p.n, name)
		if err == nil {
			other := *key
			other.home = history.ID{} // it opens the payloads of that execution only for which it was adopted
			return &other, nil
		}
		shredded = err
	}
	n, ok := parseName(name)
	if !ok {
		return nil, cmp.Or(shredded, fmt.Errorf("%w: %q is no name of this key file's", ErrNoKey, name))
	}
	key, err := k.at(n, name)
	if err != nil && shredded != nil {
		err = shredded
	}
	return key, err
}

// at returns the key in a slot, which is to have that name unless it is empty.
func (k *KeyFile) at(n int64, name string) (*Key, error) {
	if key := k.known[n]; key != nil && (name == "" || key.name == name) {
		return key, nil
	}
	s, err := k.slot(n)
	switch {
	case err != nil:
		return nil, err
	case name != "" && s.name() != name:
		return nil, fmt.Errorf("%w: %s; slot %d of %s holds another: the file is not the one of this log, or was cut short once", ErrNoKey, name, n, k.path)
	case s.kind == destroyed || s.kind == lost:
		return nil, fmt.Errorf("%w: %s", ErrShredded, s.name())
	}
	secret, err := s.unwrap(k.given)
	if err != nil {
		return nil, err
	}
	key := NewKey(s.name(), [32]byte(secret))
	if key.home, err = s.adopted.open(key); err != nil {
		return nil, fmt.Errorf("%w: slot %d of %s", err, n, k.path)
	}
	k.remember(n, key)
	return key, nil
}

func (k *KeyFile) slot(n int64) (s slot, err error) {
	if k.failed == errClosed {
		return s, fmt.Errorf("vault: reading a key: %w", errClosed)
	}
	b, err := k.read(n)
	if err != nil {
		return s, err
	}
	s, ok := readSlot(n, b)
	if !ok || s.kind == words {
		return s, fmt.Errorf("%w: slot %d of %s", ErrDamaged, n, k.path)
	}
	return s, k.readAdopted(&s)
}

// read reads the bytes of a slot; fewer if the file ends in it.
func (k *KeyFile) read(n int64) ([]byte, error) {
	b := make([]byte, slotSize)
	m, err := k.file.ReadAt(b, n*slotSize)
	switch {
	case err != nil && err != io.EOF:
		return nil, fmt.Errorf("vault: reading slot %d of %s: %w", n, k.path, err)
	case m == 0:
		return nil, fmt.Errorf("%w: %s ends before slot %d: it was cut short, or is not the one of this log", ErrNoKey, k.path, n)
	}
	return b[:m], nil
}

// remember keeps a key that is used. When there are too many, one that happens to come first is forgotten.
func (k *KeyFile) remember(n int64, key *Key) {
	if len(k.known) >= mostKnown {
		for other := range k.known {
			delete(k.known, other)
			break
		}
	}
	k.known[n] = key
}

// Destroy overwrites the keys of an execution. Copies of the file, as in backups, still hold them. What is recorded for the
// execution from now on is encrypted under a new key.
func (k *KeyFile) Destroy(_ context.Context, id history.ID) error {
	d := digestOf(id)
	k.write.Lock()
	defer k.write.Unlock()
	k.mu.Lock()
	all, failed := slices.Clone(k.also[d]), k.failed
	if n, ok := k.current[d]; ok {
		all = append(all, n)
	}
	k.mu.Unlock()
	if failed != nil {
		return fmt.Errorf("vault: the keys of %s cannot be destroyed: %w", id, failed)
	}
	for _, n := range all {
		b, err := k.read(n)
		if err != nil {
			return fmt.Errorf("vault: destroying the keys of %s: %w", id, err)
		}
		s, _ := readSlot(n, b) // a damaged one is destroyed as well
		s.destroy(n, d)
		if err := k.put(n, s.append(nil)); err != nil {
			return fmt.Errorf("vault: destroying the keys of %s: %w", id, err)
		}
		k.mu.Lock()
		delete(k.known, n)
		k.mu.Unlock()
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.current, d)
	delete(k.also, d)
	return nil
}
