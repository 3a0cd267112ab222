package dispatch

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/clewflow/clew/history"
)

var sold = history.Subject{Of: history.OfWorkflow, Name: "sell"}

func limitedTo(all, key int) Limits {
	return Limits{sold: history.Rule{All: history.Limit{AtOnce: all}, Key: history.Limit{AtOnce: key}}}
}

func orderOf(i int) history.ID { return history.ID{Namespace: "n", Workflow: fmt.Sprint("o", i)} }

// recorded is how an execution stands once its start is recorded, after a turn.
func recorded(run, key string, queued bool, at time.Time) *history.State {
	s := new(history.State)
	s.Evolve(history.Entry{Seq: 1, At: at, Event: &history.Started{Run: run, Chain: run, Number: 1, Type: "sell", Key: key, Queued: queued}})
	return s
}

// TestSlotsAreNeverMoreThanTheLimit begins and ends runs at random, and holds what Slots say against a plain count.
func TestSlotsAreNeverMoreThanTheLimit(t *testing.T) {
	for seed := range uint64(50) {
		dice, now := rand.New(rand.NewPCG(seed, 1)), time.Unix(0, 0)
		s, all, key := NewSlots(), 1+dice.IntN(4), 1+dice.IntN(2)
		s.SetLimits(limitedTo(all, key))
		s.Counted("sell", nil)
		open, waiting := map[int]*history.State{}, 0
		for i := range 400 {
			now = now.Add(time.Second)
			switch dice.IntN(3) {
			case 0:
				k := fmt.Sprint("k", dice.IntN(3))
				turn := s.Take(orderOf(i), fmt.Sprint("r", i), "sell", k, history.Queued, now)
				if dice.IntN(5) == 0 {
					s.GiveBack(turn) // it could not be recorded
					continue
				}
				open[i] = recorded(fmt.Sprint("r", i), k, turn.Queued, now)
				s.Stands(orderOf(i), open[i])
			case 1:
				for j, state := range open {
					state.Evolve(history.Entry{Seq: state.Seq + 1, At: now, Event: &history.Terminated{}})
					s.Stands(orderOf(j), state)
					delete(open, j)
					break
				}
			default:
				id, run, ok := s.Next()
				if !ok {
					continue
				}
				for j, state := range open {
					if orderOf(j) == id {
						require.Equal(t, run, state.Run.ID)
						require.True(t, state.Run.Queued)
						state.Evolve(history.Entry{Seq: state.Seq + 1, At: now, Event: &history.Begun{}})
						s.Stands(id, state)
					}
				}
			}
			n, ofKey := 0, map[string]int{}
			waiting = 0
			for _, state := range open {
				if !state.Run.Queued {
					n++
					ofKey[state.Run.Key]++
				} else {
					waiting++
				}
			}
			require.LessOrEqual(t, n, all, "seed %d", seed)
			for k, n := range ofKey {
				require.LessOrEqual(t, n, key, "seed %d, key %s", seed, k)
			}
			used, waits := s.Use("sell")
			require.Equal(t, []int{n, waiting}, []int{used, waits}, "seed %d", seed)
		}
		for { // nobody is left waiting for a slot that is free
			id, _, ok := s.Next()
			if !ok {
				break
			}
			for j, state := range open {
				if orderOf(j) == id {
					state.Evolve(history.Entry{Seq: state.Seq + 1, At: now, Event: &history.Begun{}})
					s.Stands(id, state)
				}
			}
		}
		n, ofKey := 0, map[string]int{}
		for _, state := range open {
			if !state.Run.Queued {
				n, ofKey[state.Run.Key] = n+1, ofKey[state.Run.Key]+1
			}
		}
		for _, state := range open {
			require.False(t, state.Run.Queued && n < all && ofKey[state.Run.Key] < key, "seed %d", seed)
		}
		for j, state := range open {
			state.Evolve(history.Entry{Seq: state.Seq + 1, At: now, Event: &history.Terminated{}})
			s.Stands(orderOf(j), state)
		}
		require.Empty(t, s.runs)
		require.Empty(t, s.types["sell"].keys, "nothing is kept of what has ended")
	}
}

func TestWhatIsRecordedWhileRunsAreCountedIsKnownBetter(t *testing.T) {
	s, now := NewSlots(), time.Unix(0, 0)
	s.SetLimits(limitedTo(2, 0))
	require.Equal(t, []string{"sell"}, s.Uncounted())
	turn := s.Take(orderOf(0), "r0", "sell", "", history.Refused, now)
	require.True(t, turn.Queued && turn.Counting)
	closed := recorded("r1", "", false, now)
	closed.Evolve(history.Entry{Seq: 2, At: now, Event: &history.Terminated{}})
	s.Stands(orderOf(1), closed)
	s.Stands(orderOf(2), recorded("r2", "", false, now))
	s.Counted("sell", []Run{{ID: orderOf(1), Run: "r1", Chain: "r1"}, {ID: orderOf(2), Run: "old", Chain: "old", Queued: true}, {ID: orderOf(3), Run: "r3", Chain: "r3"}})
	n, waiting := s.Use("sell")
	require.Equal(t, []int{2, 0}, []int{n, waiting})
	require.Empty(t, s.Uncounted())
}

func BenchmarkSlots(b *testing.B) {
	for _, waiting := range []int{0, 1000, 100_000} {
		b.Run(fmt.Sprint(waiting, " wait"), func(b *testing.B) {
			s, now := NewSlots(), time.Unix(0, 0)
			s.SetLimits(limitedTo(3, 1))
			s.Counted("sell", nil)
			for i := range waiting {
				s.Stands(orderOf(i), recorded("r", fmt.Sprint("k", i%1000), true, now.Add(time.Duration(i))))
			}
			id, begins := orderOf(-1), recorded("r", "k", true, now.Add(time.Hour))
			ended := recorded("r", "k", true, now)
			ended.Evolve(history.Entry{Seq: 2, Event: &history.Terminated{}})
			for b.Loop() {
				s.Take(id, "r", "sell", "k", history.Queued, now)
				s.Stands(id, begins)
				s.Stands(id, ended)
			}
		})
	}
}
