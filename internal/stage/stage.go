// Package stage lets goroutines go on one at a time, in an order that somebody chooses.
//
// A goroutine that is about to do something that others could notice waits at a [Stage], with the [Place] of what it is
// about to do. The director, one goroutine in the same bubble of testing/synctest, waits until everything rests, looks at who
// [Stage.Waiting] there is, and lets one of them go on with a word on what is to become of it. So what a whole program does
// follows from the director's choices, though it runs on the goroutines that it always runs on.
package stage

import (
	"cmp"
	"context"
	"slices"
	"sync"
)

// A Place names what a goroutine is about to do, the same from run to run. Places are ordered field by field.
type Place struct {
	Rank      int    // what is the director's to say: those of a lower rank usually go first
	Execution string // workflow id
	Run       string
	Step      uint64
	Number    int // of the attempt, the append, …
	What      string
}

// Compare orders places.
func (p Place) Compare(q Place) int {
	return cmp.Or(cmp.Compare(p.Rank, q.Rank), cmp.Compare(p.Execution, q.Execution), cmp.Compare(p.Run, q.Run),
		cmp.Compare(p.Step, q.Step), cmp.Compare(p.Number, q.Number), cmp.Compare(p.What, q.What))
}

// A Stage is where goroutines wait to go on. W is the word that the director gives them.
type Stage[W any] struct {
	mu      sync.Mutex
	waiting []waiter[W]
	news    chan struct{}
}

type waiter[W any] struct {
	place Place
	word  chan W
}

// New makes an empty stage. It belongs to the bubble that it is made in.
func New[W any]() *Stage[W] { return &Stage[W]{news: make(chan struct{}, 1)} }

// Wait waits until the director lets the caller go on, and returns the director's word. The error is that of a context that ended
// before.
func (s *Stage[W]) Wait(ctx context.Context, p Place) (word W, err error) {
	if err := ctx.Err(); err != nil {
		return word, context.Cause(ctx)
	}
	w := waiter[W]{p, make(chan W, 1)}
	s.mu.Lock()
	i, _ := slices.BinarySearchFunc(s.waiting, p, func(w waiter[W], p Place) int {
		if w.place.Compare(p) <= 0 {
			return -1 // equals in the order in which they came
		}
		return 1
	})
	s.waiting = slices.Insert(s.waiting, i, w)
	s.mu.Unlock()
	s.Tell()
	select {
	case word = <-w.word:
		return word, nil
	case <-ctx.Done():
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case word = <-w.word: // it was let go on at the same moment
		return word, nil
	default:
	}
	s.waiting = slices.DeleteFunc(s.waiting, func(other waiter[W]) bool { return other.word == w.word })
	return word, context.Cause(ctx)
}

// Tell wakes a director that waits for [Stage.News].
func (s *Stage[W]) Tell() {
	select {
	case s.news <- struct{}{}:
	default:
	}
}

// News receives something after somebody has begun to wait.
func (s *Stage[W]) News() <-chan struct{} { return s.news }

// Waiting are the places of those who wait, in order.
func (s *Stage[W]) Waiting() []Place {
	s.mu.Lock()
	defer s.mu.Unlock()
	places := make([]Place, len(s.waiting))
	for i, w := range s.waiting {
		places[i] = w.place
	}
	return places
}

// Let lets who waits at a place go on, with a word; of several the first that came. Nobody else must do so at the same time.
func (s *Stage[W]) Let(p Place, word W) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.IndexFunc(s.waiting, func(w waiter[W]) bool { return w.place == p })
	s.waiting[i].word <- word
	s.waiting = slices.Delete(s.waiting, i, i+1)
}
