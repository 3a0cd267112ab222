package history

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestWakesAreThoseOfANaiveList holds the heap against a map that is searched. To run a case again, set its seed here.
func TestWakesAreThoseOfANaiveList(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	dice := rand.New(rand.NewPCG(seed, 0))
	for range 50 {
		var h wakes
		naive := map[Step]time.Time{}
		steps := 1 + dice.IntN(40)
		for range 500 {
			step := Step(dice.IntN(steps))
			switch dice.IntN(4) {
			case 0:
				h.drop(step)
				delete(naive, step)
			case 1: // what is due first is done
				if w, ok := h.first(); ok {
					h.drop(w.step)
					delete(naive, w.step)
				}
			default:
				due := when.Add(time.Duration(dice.IntN(20)) * time.Second) // often the same
				h.set(step, due)
				naive[step] = due
			}
			require.Len(t, h.heap, len(naive))
			require.Len(t, h.place, len(naive))
			var want wake
			found := false
			for step, due := range naive {
				if !found || due.Before(want.due) || due.Equal(want.due) && step < want.step {
					want, found = wake{due, step}, true
				}
			}
			got, ok := h.first()
			require.Equal(t, found, ok)
			require.Equal(t, want, got)
		}
	}
}

// TestWhatIsDueComesInOrder: by time, then by step, whatever the heap went through.
func TestWhatIsDueComesInOrder(t *testing.T) {
	var h wakes
	for _, i := range rand.Perm(1000) {
		h.set(Step(i), when.Add(time.Duration(i%7)*time.Second))
	}
	last, ok := h.first()
	for n := 0; ; n++ {
		w, more := h.first()
		if !more {
			require.Equal(t, 1000, n)
			return
		}
		require.True(t, ok && (n == 0 || last.due.Before(w.due) || last.due.Equal(w.due) && last.step < w.step), "%v after %v", w, last)
		h.drop(w.step)
		h.drop(w.step) // twice changes nothing
		last = w
	}
}
