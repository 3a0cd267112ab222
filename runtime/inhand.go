package runtime

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"

	"github.com/clewflow/clew/commands"
	"github.com/clewflow/clew/dispatch"
	"github.com/clewflow/clew/history"
)

// inHand is a file of the attempts in hand. It is not synced: it survives the death of the process, which is when it is
// needed, and not that of the machine. Each attempt has a slot of fixed size.
type inHand struct {
	file  *os.File
	mu    sync.Mutex
	free  []int
	slots int
	found []note
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

// forgive frees the slots of what was lost, once that is recorded.
func (h *inHand) forgive() {
	found := h.found
	h.found = nil
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
	_, _ = h.file.WriteAt(append(line, '\n'), int64(slot)*slotSize) // without the note a loss is noticed as after a power cut
	return slot
}

func (h *inHand) erase(slot int) {
	if slot < 0 {
		return
	}
	_, _ = h.file.WriteAt([]byte{0}, int64(slot)*slotSize)
	h.mu.Lock()
	h.free = append(h.free, slot)
	h.mu.Unlock()
}

func (h *inHand) Close() error { return h.file.Close() }
