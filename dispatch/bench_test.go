package dispatch

import (
	"fmt"
	"testing"
	"time"

	"github.com/clewflow/clew/history"
)

// BenchmarkTake takes an attempt, releases it and offers the next, while so many keys wait, of an activity of which three may be in hand
// at once and one of each key. In "full" every key but one has its one attempt in hand and another waiting.
func BenchmarkTake(b *testing.B) {
	for _, keys := range []int{1, 1_000, 100_000} {
		b.Run(fmt.Sprintf("unlimited/keys=%d", keys), func(b *testing.B) { benchmarkTake(b, keys, nil) })
		b.Run(fmt.Sprintf("limited/keys=%d", keys), func(b *testing.B) {
			benchmarkTake(b, keys, Limits{activityOf("a"): {All: atOnce(3), Key: atOnce(1)}})
		})
		b.Run(fmt.Sprintf("full/keys=%d", keys), func(b *testing.B) { benchmarkFull(b, keys) })
	}
}

func keyed(i, round int) Attempt {
	a := limited(fmt.Sprint("w", i), history.Admission{Key: fmt.Sprint("k", i)})
	a.Key.Step = history.Step(round)
	return a
}

func benchmarkTake(b *testing.B, keys int, limits Limits) {
	q := New(1 << 20)
	q.SetLimits(limits, time.Time{}, epoch)
	attempts := make([]Attempt, keys)
	for i := range attempts {
		attempts[i] = keyed(i, 1)
		q.Offer(attempts[i], epoch, epoch)
	}
	next := 0
	b.ReportAllocs()
	for b.Loop() {
		h, _ := q.Take(epoch, func(error) {})
		h.Release()
		q.Offer(attempts[next], epoch, epoch) // mostly one that waits still
		q.Offer(h.Attempt, epoch, epoch)
		next = (next + 1) % keys
	}
}

func benchmarkFull(b *testing.B, keys int) {
	q := New(1 << 20)
	q.SetLimits(Limits{activityOf("a"): {Key: atOnce(1)}}, time.Time{}, epoch)
	for i := range keys {
		for round := range 2 {
			q.Offer(keyed(i, round), epoch, epoch)
		}
	}
	for range keys {
		q.Take(epoch, func(error) {})
	}
	free := keyed(keys, 1)
	q.Offer(free, epoch, epoch)
	b.ReportAllocs()
	for b.Loop() {
		h, _ := q.Take(epoch, func(error) {})
		h.Release()
		q.Offer(free, epoch, epoch)
	}
}
