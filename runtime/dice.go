package runtime

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"
	"sync"

	"github.com/google/uuid"

	"github.com/clewflow/clew/history"
)

// dice are where ids and seeds come from. They may be rolled by many goroutines.
type dice struct {
	mu   sync.Mutex
	from io.Reader // nil: the system's randomness
}

func (d *dice) roll(b []byte) {
	if d.from == nil {
		_, _ = rand.Read(b) // never fails
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if _, err := io.ReadFull(d.from, b); err != nil {
		panic(fmt.Sprintf("runtime: Config.Dice has run out: %v", err))
	}
}

// seed makes the seed of a run.
func (d *dice) seed() uint64 {
	var b [8]byte
	d.roll(b[:])
	return binary.LittleEndian.Uint64(b[:])
}

// newID makes an id: a UUIDv7, so that ids sort by when they were made.
func (r *Runtime) newID() string {
	var id uuid.UUID
	r.dice.roll(id[:])
	var ms [8]byte
	binary.BigEndian.PutUint64(ms[:], uint64(r.now().UnixMilli()))
	copy(id[:6], ms[2:])
	id[6] = id[6]&0x0f | 0x70
	id[8] = id[8]&0x3f | 0x80
	return id.String()
}

// luck is a number from 0 up to 1 for the jitter of what is decided after an entry. It comes from the entry's hash, which
// nobody can foresee, so it needs no dice, and the same history has the same jitter wherever it is made.
func luck(h history.Hash) float64 {
	return float64(binary.BigEndian.Uint64(h[:])>>11) / (1 << 53)
}

// derived are the id and the seed of a run that follows from another: the same however often they are made.
type derived struct {
	id   string
	seed uint64
}

// derive makes them from the run that they follow from, and the step that asked for it: 0 for the run that continues it.
func derive(seed uint64, run string, step uint64) derived {
	var b [16]byte
	binary.LittleEndian.PutUint64(b[:8], seed)
	binary.LittleEndian.PutUint64(b[8:], step)
	sum := sha256.Sum256(append(b[:], run...))
	id := uuid.UUID(sum[:16])
	id[6] = id[6]&0x0f | 0x80 // version 8: of our own making
	id[8] = id[8]&0x3f | 0x80
	return derived{id.String(), binary.LittleEndian.Uint64(sum[16:])}
}
