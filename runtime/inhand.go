package runtime

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"sync"

	"github.com/clewflow/clew/commands"
	"github.com/clewflow/clew/dispatch"
	"github.com/clewflow/clew/history"
)

// inHand is a file of the attempts in hand. It is not synced: it survives the death of the process, which is when it is
// needed, and not that of the machine. Each attempt has a slot of fixed size.
type inHand struct {
	file   *os.File
	slate  []byte // the file in memory; nil where that is not to be had
	mu     sync.Mutex
	free   []int
	slots  int
	closed bool
	found  []note
}

const slotSize = 768

type note struct {
	ID     history.ID     `json:"id"`
	Run    string         `json:"run"`
	Step   history.Step   `json:"step"`
	Serial history.Serial `json:"serial"`
	slot   int
}

func (n note) attempt() commands.Attempt {
	return commands.Attempt{Run: n.Run, Step: n.Step, Serial: n.Serial}
}

func openInHand(path string, slots int) (*inHand, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("runtime: opening the file of attempts in hand: %w", err)
	}
	h := &inHand{file: f, slots: slots}
	if err := h.read(); err != nil {
		return nil, errors.Join(fmt.Errorf("runtime: reading the file of attempts in hand: %w", err), f.Close())
	}
	if h.slate, err = mapFile(f, h.slots*slotSize); err != nil {
		return nil, errors.Join(fmt.Errorf("runtime: mapping the file of attempts in hand: %w", err), f.Close())
	}
	return h, nil
}

// read finds the slots in use. What cannot be read was never begun: a slot is written before its attempt begins.
func (h *inHand) read() error {
	data, err := io.ReadAll(h.file)
	if err != nil {
		return err
	}
	h.slots = max(h.slots, (len(data)+slotSize-1)/slotSize) // the last slot is only as long as what it holds
	for i := h.slots - 1; i >= 0; i-- {
		n := note{slot: i}
		if at := i * slotSize; at < len(data) && data[at] != 0 {
			line, _, _ := bytes.Cut(data[at:min(at+slotSize, len(data))], []byte{'\n'})
			if json.Unmarshal(line, &n) == nil {
				h.found = append(h.found, n)
				continue
			}
		}
		h.free = append(h.free, i)
	}
	return nil
}

// lost are the attempts that were in hand when the process before died.
func (h *inHand) lost() []note { return h.found }

// has reports whether an activity was in hand when the process before died, and that is still to be recorded.
func (h *inHand) has(k dispatch.Key) bool {
	if h == nil {
		return false
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.ContainsFunc(h.found, func(n note) bool { return n.ID == k.ID && n.Step == k.Step })
}

// forgive frees the slots of what was lost, once that is recorded.
func (h *inHand) forgive() {
	h.mu.Lock()
	found := h.found
	h.found = nil
	h.mu.Unlock()
	for _, n := range found {
		h.erase(n.slot)
	}
}

// write notes an attempt before it begins. It returns a slot below 0 if there is none free, which only happens when
// attempts of a process before are still being recorded as lost.
func (h *inHand) write(hand *dispatch.Hand) int {
	line, _ := json.Marshal(note{ID: hand.ID, Run: hand.Run, Step: hand.Step, Serial: hand.Serial}) // always encodes
	h.mu.Lock()
	if len(h.free) == 0 || len(line) >= slotSize {
		h.mu.Unlock()
		return -1
	}
	slot := h.free[len(h.free)-1]
	h.free = h.free[:len(h.free)-1]
	h.mu.Unlock()
	h.put(slot, append(line, '\n'))
	return slot
}

func (h *inHand) erase(slot int) {
	if slot < 0 {
		return
	}
	h.put(slot, []byte{0})
	h.mu.Lock()
	h.free = append(h.free, slot)
	h.mu.Unlock()
}

// put writes into a slot. If that fails, a loss is noticed as after a power cut.
func (h *inHand) put(slot int, data []byte) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return
	}
	if h.slate != nil {
		at := h.slate[slot*slotSize:]
		copy(at[1:], data[1:])
		at[0] = data[0] // last: a slot counts from its first byte on
		return
	}
	_, _ = h.file.WriteAt(data, int64(slot)*slotSize)
}

// Close closes the file. Attempts that are left to themselves write nothing any more.
func (h *inHand) Close() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closed = true
	return errors.Join(unmapFile(h.slate), h.file.Close())
}
