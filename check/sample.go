package check

import (
	"container/heap"
	"iter"
	"math/rand/v2"

	"github.com/clewflow/clew/history"
)

// Sample says which executions are looked at. All that are open are.
type Sample struct {
	Closed int  // so many that are closed: half of them the newest, half spread over the rest
	All    bool // all that are closed
}

// Candidate is an execution that may be looked at.
type Candidate struct {
	ID   history.ID
	Open bool
	Rank uint64 // the newer the execution, the higher
}

// Pick yields those that are to be looked at: as they come if they are open, and at the end those that are closed. It holds
// no more than the sample in memory. The same candidates give the same sample.
func (s Sample) Pick(all iter.Seq2[Candidate, error]) iter.Seq2[Candidate, error] {
	return func(yield func(Candidate, error) bool) {
		l := lot{newest: (s.Closed + 1) / 2, spread: s.Closed / 2, dice: rand.New(rand.NewPCG(1, 2))}
		for c, err := range all {
			if err == nil && !c.Open && !s.All {
				l.offer(c)
				continue
			}
			if !yield(c, err) || err != nil {
				return
			}
		}
		for _, c := range append(l.top, l.rest...) {
			if !yield(c, nil) {
				return
			}
		}
	}
}

// A lot holds the newest of those offered to it, and some of the rest, each with the same chance.
type lot struct {
	newest, spread int
	top            byRank
	rest           []Candidate
	passed         int // of the rest, so far
	dice           *rand.Rand
}

func (l *lot) offer(c Candidate) {
	if l.newest == 0 {
		return
	}
	if len(l.top) < l.newest {
		heap.Push(&l.top, c)
		return
	}
	if c.Rank > l.top[0].Rank {
		c, l.top[0] = l.top[0], c
		heap.Fix(&l.top, 0)
	}
	l.passed++
	if len(l.rest) < l.spread {
		l.rest = append(l.rest, c)
	} else if i := l.dice.IntN(l.passed); i < l.spread {
		l.rest[i] = c
	}
}

// byRank is a heap with the oldest on top.
type byRank []Candidate

func (h byRank) Len() int           { return len(h) }
func (h byRank) Less(i, j int) bool { return h[i].Rank < h[j].Rank }
func (h byRank) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *byRank) Push(c any)        { *h = append(*h, c.(Candidate)) }
func (h *byRank) Pop() any {
	old := *h
	c := old[len(old)-1]
	*h = old[:len(old)-1]
	return c
}
