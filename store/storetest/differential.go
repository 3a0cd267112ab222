package storetest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/store"
	"github.com/clewflow/clew/store/memory"
)

// SeedVariable names the variable of the environment that random tests take their seed from, to be run again.
const SeedVariable = "CLEW_STORETEST_SEED"

// Seed returns the seed of a random test, which is otherwise unless the environment says, and logs it.
func Seed(t *testing.T, otherwise uint64) uint64 {
	seed := otherwise
	if text := os.Getenv(SeedVariable); text != "" {
		var err error
		seed, err = strconv.ParseUint(text, 10, 64)
		require.NoError(t, err, SeedVariable)
	}
	t.Logf("seed %d; again with %s=%d", seed, SeedVariable, seed)
	return seed
}

// Differential does the same random things to a log of the driver and to one in memory, and compares what they say.
func Differential(t *testing.T, d Driver, seed uint64) {
	seed = Seed(t, seed)
	d.run(t, func(t *testing.T, d Driver) {
		p := &pair{t: t, d: d, rng: rand.New(rand.NewPCG(seed, 1)), a: d.Open(t), b: memory.New(), all: map[history.ID][]history.Entry{}}
		defer p.b.Close()
		for i := range 400 {
			p.step(i)
		}
		p.compareAll()
	})
}

// pair is a log and its model.
type pair struct {
	t   *testing.T
	d   Driver
	rng *rand.Rand
	a   store.Log // tried
	b   *memory.Log
	all map[history.ID][]history.Entry
}

func (p *pair) step(i int) {
	id := history.ID{Namespace: "n", Workflow: fmt.Sprint(p.rng.IntN(8))}
	switch n := p.rng.IntN(20); {
	case n < 8:
		p.append(i, id, Continue(id, p.all[id]).Next(1+p.rng.IntN(4)))
	case n < 11: // somewhere else, something else
		at := p.rng.IntN(len(p.all[id]) + 1)
		p.append(i, id, Continue(id, p.all[id][:at]).Vary(fmt.Sprint(i)).Next(1+p.rng.IntN(3)))
	case n < 12: // a gap
		p.append(i, id, Continue(id, p.all[id]).Next(3)[1:])
	case n < 14 && len(p.all[id]) > 0: // again
		at := p.rng.IntN(len(p.all[id]))
		p.append(i, id, p.all[id][at:at+1+p.rng.IntN(len(p.all[id])-at)])
	case n < 17:
		p.read(i, id, uint64(p.rng.IntN(len(p.all[id])+3)))
	case n < 18:
		p.follow(i)
	case n < 19:
		p.tails(i)
	default:
		p.a = p.d.Reopen(p.t, p.a)
	}
}

// outcome is the part of an error that two drivers must agree on.
func outcome(err error) error {
	for _, known := range []error{store.ErrConflict, store.ErrUnknownOutcome, store.ErrTooLarge, store.ErrUnavailable, store.ErrDenied, store.ErrCorrupt, store.ErrClosed} {
		if errors.Is(err, known) {
			return known
		}
	}
	return err
}

func (p *pair) append(i int, id history.ID, entries []history.Entry) {
	var a, b error
	tails, ok := p.a.(store.Tails)
	last := entries[len(entries)-1]
	switch n := p.rng.IntN(3); {
	case ok && n == 0:
		tail := &store.Tail{ID: id, Began: 1, Seq: last.Seq, Hash: last.Hash, Due: i%2 == 0, Wake: last.At.Add(time.Duration(i)), Unsettled: i}
		a, b = tails.AppendTail(p.t.Context(), id, tail, entries...), p.b.AppendTail(p.t.Context(), id, tail, entries...)
	case ok && n == 1:
		a, b = tails.AppendTail(p.t.Context(), id, nil, entries...), p.b.AppendTail(p.t.Context(), id, nil, entries...)
	default:
		a, b = p.a.Append(p.t.Context(), id, entries...), p.b.Append(p.t.Context(), id, entries...)
	}
	require.Equal(p.t, outcome(b), outcome(a), "step %d: append of %d entries from %d to %s, which has %d: %v", i, len(entries), entries[0].Seq, id, len(p.all[id]), a)
	if b == nil && last.Seq > uint64(len(p.all[id])) {
		p.all[id] = append(p.all[id], entries...)
	}
}

func (p *pair) read(i int, id history.ID, from uint64) {
	a, err := collect(p.a.Read(p.t.Context(), id, from))
	require.NoError(p.t, err)
	b, err := collect(p.b.Read(p.t.Context(), id, from))
	require.NoError(p.t, err)
	require.Equal(p.t, lines(b), lines(a), "step %d: read of %s from %d", i, id, from)
}

func (p *pair) follow(i int) {
	n := 0
	for _, entries := range p.all {
		n += len(entries)
	}
	a, err := follow(p.t.Context(), p.a, store.Position{}, n)
	require.NoError(p.t, err)
	b, err := follow(p.t.Context(), p.b, store.Position{}, n)
	require.NoError(p.t, err)
	require.Equal(p.t, lines(b), lines(a), "step %d: follow", i)
	if n == 0 {
		return
	}
	at := p.rng.IntN(n)
	rest, err := follow(p.t.Context(), p.a, a[at].Position, n-at-1)
	require.NoError(p.t, err)
	require.Equal(p.t, a[at+1:], append(a[:0:0], rest...), "step %d: follow after %d", i, a[at].Position)
	head, err := p.a.Head(p.t.Context())
	require.NoError(p.t, err)
	require.Equal(p.t, a[n-1].Position, head, "step %d: head", i)
}

func (p *pair) tails(i int) {
	tails, ok := p.a.(store.Tails)
	if !ok {
		return
	}
	a, err := collectTails(tails.AllTails(p.t.Context()))
	require.NoError(p.t, err)
	b, err := collectTails(p.b.AllTails(p.t.Context()))
	require.NoError(p.t, err)
	require.Equal(p.t, b, a, "step %d: tails", i)
}

func (p *pair) compareAll() {
	for id := range p.all {
		p.read(-1, id, 1)
	}
	p.follow(-1)
	p.tails(-1)
}
