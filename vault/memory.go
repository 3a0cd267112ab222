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
	keys    map[string]*Key // nil: destroyed
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
		m.made++
		var secret [32]byte
		_, _ = rand.Read(secret[:]) // never fails
		name = fmt.Sprintf("memory.%d", m.made)
		m.current[id], m.keys[name] = name, NewKey(name, secret)
	}
	return m.keys[name], nil
}

// Find returns the key of a name.
func (m *MemoryKeys) Find(_ context.Context, name string) (*Key, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	key, ok := m.keys[name]
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
