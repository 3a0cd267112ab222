package vault

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"io"
	"sync"

	"github.com/clewflow/clew/history"
)

// MemoryKeys keeps data keys in memory, for tests. The zero value is empty. It is [Keys].
type MemoryKeys struct {
	mu      sync.Mutex
	made    int64
	current map[history.ID]string
	keys    map[string]*Key                // nil: destroyed
	adopted map[history.ID]map[string]*Key // likewise
}

// Current returns the key of an execution, and makes one if there is none.
func (m *MemoryKeys) Current(_ context.Context, id history.ID) (*Key, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.keys == nil {
		m.current, m.keys = map[history.ID]string{}, map[string]*Key{}
	}
	name, ok := m.current[id]
	if !ok {
		for taken := true; taken; _, taken = m.adopted[id][name] {
			m.made++
			name = fmt.Sprintf("memory.%d", m.made)
		}
		var secret [32]byte
		_, _ = rand.Read(secret[:]) // never fails
		m.current[id], m.keys[name] = name, NewKey(name, secret)
	}
	return m.keys[name], nil
}

// Find returns the key of a name.
func (m *MemoryKeys) Find(_ context.Context, name string) (*Key, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	key, ok := m.keys[name]
	for _, keys := range m.adopted {
		if other, there := keys[name]; there && !ok {
			key, ok = other, true
		}
	}
	return known(name, key, ok)
}

func known(name string, key *Key, ok bool) (*Key, error) {
	switch {
	case !ok:
		return nil, fmt.Errorf("%w: %s", ErrNoKey, name)
	case key == nil:
		return nil, fmt.Errorf("%w: %s", ErrShredded, name)
	}
	return key, nil
}

// Destroy forgets the keys of an execution.
func (m *MemoryKeys) Destroy(_ context.Context, id history.ID) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if name, ok := m.current[id]; ok {
		m.keys[name] = nil
		delete(m.current, id)
	}
	for name := range m.adopted[id] {
		m.adopted[id][name] = nil
	}
	return nil
}

// Adopted is that of [KeyFile], as are the next two.
func (m *MemoryKeys) Adopted(_ context.Context, id history.ID, name string) (key *Key, is bool, err error) {
	m.mu.Lock()
	key, is = m.adopted[id][name]
	m.mu.Unlock()
	if is {
		key, err = known(name, key, is)
	}
	return key, is, err
}

// Adopt keeps keys that other Keys have made.
func (m *MemoryKeys) Adopt(_ context.Context, id history.ID, keys ...*Key) (names []string, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.adopted == nil {
		m.adopted = map[history.ID]map[string]*Key{}
	}
	if m.adopted[id] == nil {
		m.adopted[id] = map[string]*Key{}
	}
	for _, key := range keys {
		if there, ok := m.adopted[id][key.name]; ok && there == nil && !key.gone {
			return nil, fmt.Errorf("%w: %s", ErrShredded, key.name)
		}
	}
	for _, key := range keys {
		if _, ok := m.adopted[id][key.name]; ok {
			continue
		}
		if names = append(names, key.name); key.gone {
			key = nil
		}
		m.adopted[id][names[len(names)-1]] = key
	}
	return names, nil
}

// Abandon takes back that keys were adopted.
func (m *MemoryKeys) Abandon(_ context.Context, id history.ID, names ...string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, name := range names {
		delete(m.adopted[id], name)
	}
	return nil
}

// MemoryBlobs keeps blobs in memory, for tests. The zero value is empty. It is [Blobs].
type MemoryBlobs struct {
	mu  sync.Mutex
	all map[history.Sum][]byte
}

// Put stores what it reads.
func (m *MemoryBlobs) Put(ctx context.Context, from io.Reader) (history.Sum, error) {
	data, err := io.ReadAll(patient{ctx, from})
	if err != nil {
		return history.Sum{}, fmt.Errorf("vault: storing a blob: %w", err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.all == nil {
		m.all = map[history.Sum][]byte{}
	}
	sum := history.Sum(sha256.Sum256(data))
	m.all[sum] = data
	return sum, nil
}

// Open reads a blob.
func (m *MemoryBlobs) Open(_ context.Context, sum history.Sum) (io.ReadCloser, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	data, ok := m.all[sum]
	if !ok {
		return nil, fmt.Errorf("%w: %s", ErrNoBlob, sum)
	}
	return io.NopCloser(bytes.NewReader(data)), nil
}
