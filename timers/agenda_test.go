package timers

import (
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var epoch = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func after(seconds int) time.Time { return epoch.Add(time.Duration(seconds) * time.Second) }

// told reports whether a channel has something to say.
func told(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// firstOf is the earliest moment of a naive agenda; zero if it is empty.
func firstOf(naive map[int]time.Time) time.Time {
	if len(naive) == 0 {
		return time.Time{}
	}
	return slices.MinFunc(slices.Collect(maps.Values(naive)), time.Time.Compare)
}

// TestAgendaIsThatOfANaiveMap holds the heap against a map that is searched. To run a case again, set its seed here.
func TestAgendaIsThatOfANaiveMap(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	dice := rand.New(rand.NewPCG(seed, 0))
	for range 50 {
		a, naive, now := NewAgenda[int](), map[int]time.Time{}, 0
		keys := 1 + dice.IntN(60)
		for range 500 {
			k, due := dice.IntN(keys), after(now+dice.IntN(40)-5) // often the same, sometimes past
			told(a.Earlier())
			before := firstOf(naive)
			switch dice.IntN(6) {
			case 0, 1:
				a.Set(k, due)
				naive[k] = due
			case 2, 3:
				a.Sooner(k, due)
				if was, ok := naive[k]; !ok || due.Before(was) {
					naive[k] = due
				}
			case 4:
				a.Drop(k)
				delete(naive, k)
			default:
				now += dice.IntN(10)
				takeDue(t, a, naive, after(now), dice.IntN(6))
			}
			require.Equal(t, len(naive), a.Len())
			if first := firstOf(naive); !first.IsZero() && (before.IsZero() || first.Before(before)) {
				require.True(t, told(a.Earlier()), "the first moment became %s, it was %s", first, before)
			}
		}
		takeDue(t, a, naive, after(now+1000), keys)
		require.Zero(t, a.Len())
	}
}

// takeDue takes what is due off both agendas and holds them against each other. Of what is due at the same moment any
// may come first.
func takeDue(t *testing.T, a *Agenda[int], naive map[int]time.Time, now time.Time, most int) {
	due := 0
	for _, at := range naive {
		if !at.After(now) {
			due++
		}
	}
	got, next := a.Due(now, most)
	require.Len(t, got, min(due, most))
	for _, k := range got {
		require.Contains(t, naive, k, "it was taken off before")
		require.Equal(t, firstOf(naive), naive[k], "the earliest is first")
		delete(naive, k)
	}
	require.Equal(t, firstOf(naive), next)
}

func TestEarlierIsSilentWhenTheFirstMomentStays(t *testing.T) {
	a := NewAgenda[string]()
	a.Set("first", after(10))
	require.True(t, told(a.Earlier()))
	a.Set("second", after(20))
	a.Sooner("second", after(15))
	a.Sooner("first", after(11))
	a.Drop("second")
	require.False(t, told(a.Earlier()))

	a.Sooner("third", after(9))
	a.Sooner("third", after(8))
	require.True(t, told(a.Earlier()), "told twice is heard once")
	require.False(t, told(a.Earlier()))
}

func TestWhatIsDroppedTwiceOrNeverSetChangesNothing(t *testing.T) {
	a := NewAgenda[string]()
	a.Drop("never")
	a.Set("kept", after(1))
	a.Set("dropped", after(0))
	a.Drop("dropped")
	a.Drop("dropped")
	keys, next := a.Due(after(5), 10)
	require.Equal(t, []string{"kept"}, keys)
	require.Zero(t, next)
}
