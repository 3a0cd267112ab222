package storetest

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
	"github.com/stretchr/testify/require"

	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/store"
)

// asked is what a client asks of a log: to append entries from a Seq on, or, with none, to read.
type asked struct {
	id     string
	seq    int
	hashes string // eight letters for each entry
}

// told is what the log answers.
type told struct {
	verdict verdict
	hashes  string // of what was read
}

type verdict uint8

const (
	done verdict = iota
	conflicted
	unknown // it may take effect at any time from the call on, or never
	refused // it certainly takes no effect
)

func (v verdict) String() string { return [...]string{"done", "conflict", "unknown", "refused"}[v] }

const letters = 8

func short(h history.Hash) string { return h.String()[:letters] }

func shorts(entries []history.Entry) string {
	var b strings.Builder
	for _, e := range entries {
		b.WriteString(short(e.Hash))
	}
	return b.String()
}

// appends is how one history behaves: a state is the hashes of its entries.
var appends = porcupine.NondeterministicModel{
	Partition: func(all []porcupine.Operation) (parts [][]porcupine.Operation) {
		of := map[string]int{}
		for _, o := range all {
			id := o.Input.(asked).id
			i, known := of[id]
			if !known {
				i = len(parts)
				of[id] = i
				parts = append(parts, nil)
			}
			parts[i] = append(parts[i], o)
		}
		return parts
	},
	Init: func() []any { return []any{""} },
	Step: func(state, input, output any) []any {
		s, in, out := state.(string), input.(asked), output.(told)
		if in.hashes == "" {
			if out.verdict == done && out.hashes != s {
				return nil
			}
			return []any{s}
		}
		at := (in.seq - 1) * letters
		fits := at == len(s)
		there := at >= 0 && at+len(in.hashes) <= len(s) && s[at:at+len(in.hashes)] == in.hashes
		switch {
		case out.verdict == refused, out.verdict == done && there, out.verdict == conflicted && !fits && !there:
			return []any{s}
		case out.verdict == done && fits:
			return []any{s + in.hashes}
		case out.verdict == unknown && fits:
			return []any{s, s + in.hashes}
		case out.verdict == unknown:
			return []any{s}
		}
		return nil
	},
	DescribeOperation: func(input, output any) string {
		in, out := input.(asked), output.(told)
		if in.hashes == "" {
			return fmt.Sprintf("read %s: %d entries", in.id, len(out.hashes)/letters)
		}
		return fmt.Sprintf("append %s from %d, %s: %s", in.id, in.seq, in.hashes, out.verdict)
	},
}

// A chronicle is what clients have asked and were told, in the order of a clock that all share.
type chronicle struct {
	clock atomic.Int64
	mu    sync.Mutex
	all   []porcupine.Operation
}

// note has do asked by a client.
func (c *chronicle) note(client int, in asked, do func() told) told {
	call := c.clock.Add(1)
	out := do()
	end := c.clock.Add(1)
	if out.verdict == unknown {
		end = math.MaxInt64
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.all = append(c.all, porcupine.Operation{ClientId: client, Input: in, Call: call, Output: out, Return: end})
	return out
}

func verdictOf(err error) verdict {
	switch {
	case err == nil:
		return done
	case errors.Is(err, store.ErrConflict):
		return conflicted
	case errors.Is(err, store.ErrUnavailable), errors.Is(err, store.ErrTooLarge), errors.Is(err, store.ErrDenied):
		return refused
	}
	return unknown
}

// Linearizable has clients append to the same few histories and read them, all at once, and holds what they were told against what
// histories are: that there is an order of all that was asked, in keeping with time, in which the answers are right. What is unknown
// may take effect at any later time or never. The seed decides what the clients do, not how they are interleaved.
func Linearizable(t *testing.T, l store.Log, seed uint64) {
	t.Helper()
	c := drive(t, l, seed)
	result, info := porcupine.CheckOperationsVerbose(appends.ToModel(), c.all, time.Minute)
	if result == porcupine.Ok {
		return
	}
	path := filepath.Join(os.TempDir(), fmt.Sprintf("clew-linearizable-%d.html", seed))
	if err := porcupine.VisualizePath(appends.ToModel(), info, path); err != nil {
		t.Log(err)
	}
	for _, o := range c.all {
		t.Logf("%d–%d client %d %s", o.Call, o.Return, o.ClientId, appends.DescribeOperation(o.Input, o.Output))
	}
	require.Equal(t, porcupine.Ok, result, "seed %d: what the clients were told is no history; drawn in %s", seed, path)
}

// judged reports whether what clients were told can be; for tests of the test.
func judged(c *chronicle) bool {
	return porcupine.CheckOperationsTimeout(appends.ToModel(), c.all, time.Minute) == porcupine.Ok
}

func drive(t *testing.T, l store.Log, seed uint64) *chronicle {
	const clients, histories, steps = 4, 3, 14
	c := &chronicle{}
	var all sync.WaitGroup
	for client := range clients {
		all.Go(func() {
			rng := rand.New(rand.NewPCG(seed, uint64(client)))
			known := map[string][]history.Entry{}
			for step := range steps {
				id := history.ID{Namespace: "n", Workflow: fmt.Sprint("h", rng.IntN(histories))}
				c.step(t, l, id, known, client, rng, fmt.Sprint(client, ".", step))
			}
		})
	}
	all.Wait()
	return c
}

// step reads a history, or appends behind what the client knows of it. What is unknown is asked once more.
func (c *chronicle) step(t *testing.T, l store.Log, id history.ID, known map[string][]history.Entry, client int, rng *rand.Rand, flavor string) {
	read := func() {
		var seen []history.Entry
		out := c.note(client, asked{id: id.Workflow}, func() told {
			records, err := collect(l.Read(t.Context(), id, 1))
			seen = entriesOf(records)
			return told{verdictOf(err), shorts(seen)}
		})
		if out.verdict == done {
			known[id.Workflow] = seen
		}
	}
	if rng.IntN(3) == 0 {
		read()
		return
	}
	entries := Continue(id, known[id.Workflow]).Vary(flavor).Next(1 + rng.IntN(2))
	in := asked{id.Workflow, int(entries[0].Seq), shorts(entries)}
	for range 2 {
		out := c.note(client, in, func() told { return told{verdict: verdictOf(l.Append(t.Context(), id, entries...))} })
		switch out.verdict {
		case done:
			known[id.Workflow] = append(known[id.Workflow][:len(known[id.Workflow]):len(known[id.Workflow])], entries...)
		case conflicted:
			read()
		case unknown:
			continue
		}
		return
	}
}

func testLinearizable(t *testing.T, d Driver) {
	seed := Seed(t, 11)
	for i := range uint64(3) {
		Linearizable(t, d.Open(t), seed+i)
		Linearizable(t, Faulty(d.Open(t), &Faults{Append: RandomFaults(seed+i, 0.2), Steps: 2}), seed+i)
	}
}
