package runtime

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clewflow/clew/dispatch"
	"github.com/clewflow/clew/history"
)

func notesIn(t *testing.T, path string, slots int) *inHand {
	t.Helper()
	h, err := openInHand(path, slots)
	require.NoError(t, err)
	return h
}

// handed is an attempt in hand; n tells it from others.
func handed(n int) *dispatch.Hand {
	return &dispatch.Hand{Attempt: dispatch.Attempt{
		Key: dispatch.Key{ID: history.ID{Namespace: "ns", Workflow: fmt.Sprint("order-", n)}, Step: history.Step(n)},
		Run: fmt.Sprint("run-", n), Serial: history.Serial(1000 + n),
	}, Started: time.Unix(0, 0)}
}

// lostIn opens the file as the next process does, and says what was in hand.
func lostIn(t *testing.T, path string, slots int) (all []int) {
	t.Helper()
	h := notesIn(t, path, slots)
	for _, n := range h.lost() {
		i := int(n.Step)
		all = append(all, i)
		want := handed(i)
		assert.Equal(t, note{ID: want.ID, Run: want.Run, Step: want.Step, Serial: want.Serial, slot: n.slot}, n)
	}
	require.NoError(t, h.Close())
	return all
}

func TestSlotsInUseSurviveThoseErasedDoNot(t *testing.T) {
	path := filepath.Join(t.TempDir(), "in-hand")
	h := notesIn(t, path, 4)
	var slots []int
	for n := range 4 { // all, the last too
		slots = append(slots, h.write(handed(n)))
	}
	require.ElementsMatch(t, []int{0, 1, 2, 3}, slots)
	require.Equal(t, -1, h.write(handed(5)), "none is free")
	h.erase(-1) // of an attempt that had no slot
	h.erase(slots[1])
	assert.ElementsMatch(t, []int{0, 2, 3}, lostIn(t, path, 4), "the process dies here: nothing was closed")

	require.Equal(t, slots[1], h.write(handed(6)), "the slot that was freed")
	require.NoError(t, h.Close())
	assert.ElementsMatch(t, []int{0, 2, 3, 6}, lostIn(t, path, 4))
}

func TestAShorterNoteLeavesNothingOfALongerOne(t *testing.T) {
	path := filepath.Join(t.TempDir(), "in-hand")
	h := notesIn(t, path, 1)
	h.erase(h.write(handed(1_000_000)))
	h.write(handed(7))
	require.NoError(t, h.Close())
	require.Equal(t, []int{7}, lostIn(t, path, 1))
}

// TestALastSlotIsReadThoughTheFileEndsWithIt: where files are not mapped the last slot is only as long as what it holds.
func TestALastSlotIsReadThoughTheFileEndsWithIt(t *testing.T) {
	path := filepath.Join(t.TempDir(), "in-hand")
	h := notesIn(t, path, 3)
	for n := range 3 {
		h.write(handed(n))
	}
	require.NoError(t, h.Close())
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	for _, configured := range []int{3, 1} {
		require.NoError(t, os.WriteFile(path, bytes.TrimRight(data, "\x00"), 0o600))
		require.ElementsMatch(t, []int{0, 1, 2}, lostIn(t, path, configured), "with %d slots configured", configured)
	}
}

// TestATornNoteCostsOnlyItself tears a slot between two others at every length.
func TestATornNoteCostsOnlyItself(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "in-hand")
	h := notesIn(t, path, 3)
	slots := []int{h.write(handed(0)), h.write(handed(1)), h.write(handed(2))}
	require.NoError(t, h.Close())
	whole, err := os.ReadFile(path)
	require.NoError(t, err)
	middle := slots[1] * slotSize
	length := bytes.IndexByte(whole[middle:], '\n')
	require.Positive(t, length)
	for cut := range length {
		torn := bytes.Clone(whole)
		clear(torn[middle+cut : middle+slotSize])
		require.NoError(t, os.WriteFile(path, torn, 0o600))

		h := notesIn(t, path, 3)
		require.Len(t, h.lost(), 2, "cut after %d bytes", cut)
		require.Equal(t, slots[1], h.write(handed(9)), "the torn slot is free")
		require.NoError(t, h.Close())
		require.ElementsMatch(t, []int{0, 2, 9}, lostIn(t, path, 3), "cut after %d bytes", cut)
	}
}

// TestANoteCountsFromItsFirstByteOn: who dies while writing it has not begun.
func TestANoteCountsFromItsFirstByteOn(t *testing.T) {
	path := filepath.Join(t.TempDir(), "in-hand")
	h := notesIn(t, path, 2)
	slot := h.write(handed(1))
	require.NoError(t, h.Close())
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	data[slot*slotSize] = 0
	require.NoError(t, os.WriteFile(path, data, 0o600))
	require.Empty(t, lostIn(t, path, 2))
}

func TestWhatIsForgivenIsFreeAndIsNotLostAgain(t *testing.T) {
	path := filepath.Join(t.TempDir(), "in-hand")
	h := notesIn(t, path, 2)
	h.write(handed(1))
	h.write(handed(2))
	require.NoError(t, h.Close())

	h = notesIn(t, path, 2)
	require.Len(t, h.lost(), 2)
	require.Equal(t, -1, h.write(handed(3)), "the slots are kept until the losses are recorded")
	h.forgive()
	require.Empty(t, h.lost())
	h.forgive() // again: nothing is freed twice
	require.ElementsMatch(t, []int{0, 1}, []int{h.write(handed(3)), h.write(handed(4))})
	require.Equal(t, -1, h.write(handed(5)))
	require.NoError(t, h.Close())
	require.ElementsMatch(t, []int{3, 4}, lostIn(t, path, 2))
}

func TestMoreSlotsThanConfiguredAreAllRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "in-hand")
	h := notesIn(t, path, 8)
	for n := range 8 {
		h.write(handed(n))
	}
	require.NoError(t, h.Close())

	h = notesIn(t, path, 2)
	require.Len(t, h.lost(), 8)
	h.forgive()
	for n := range 8 {
		require.GreaterOrEqual(t, h.write(handed(10+n)), 0)
	}
	require.NoError(t, h.Close())
	require.ElementsMatch(t, []int{10, 11, 12, 13, 14, 15, 16, 17}, lostIn(t, path, 2))
}

func TestANoteThatDoesNotFitTakesNoSlot(t *testing.T) {
	path := filepath.Join(t.TempDir(), "in-hand")
	h := notesIn(t, path, 1)
	big := handed(1)
	big.Run = string(bytes.Repeat([]byte{'r'}, slotSize))
	require.Equal(t, -1, h.write(big))
	require.Equal(t, 0, h.write(handed(2)), "its slot is left to others")
	require.NoError(t, h.Close())
	require.Equal(t, []int{2}, lostIn(t, path, 1))
}

// TestNothingIsWrittenAfterClose: attempts that are left to themselves end later than the file.
func TestNothingIsWrittenAfterClose(t *testing.T) {
	path := filepath.Join(t.TempDir(), "in-hand")
	h := notesIn(t, path, 2)
	slot := h.write(handed(1))
	require.NoError(t, h.Close())
	h.erase(slot)
	h.write(handed(2))
	h.put(1, []byte("x"))
	require.Equal(t, []int{1}, lostIn(t, path, 2))
}
