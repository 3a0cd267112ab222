package eventstore

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/store"
	"github.com/clewflow/clew/store/storetest"
)

func open(t testing.TB, url string, o Options) *Log {
	t.Helper()
	l, err := Open(t.Context(), url, o)
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	return l
}

// driver opens logs on a server of each test's own.
func driver(o Options) storetest.Driver {
	var mu sync.Mutex
	urls := map[store.Log]string{}
	on := func(t *testing.T, url string) store.Log {
		l := open(t, url, o)
		mu.Lock()
		defer mu.Unlock()
		urls[l] = url
		return l
	}
	of := func(l store.Log) string {
		mu.Lock()
		defer mu.Unlock()
		return urls[l]
	}
	return storetest.Driver{
		Open: func(t *testing.T) store.Log { return on(t, newFake(t, 1).url()) },
		Reopen: func(t *testing.T, l store.Log) store.Log {
			require.NoError(t, l.Close())
			return on(t, of(l))
		},
		Abandon: func(t *testing.T, l store.Log) store.Log { return on(t, of(l)) },
	}
}

// over are the two ways to speak to a server.
var over = []struct {
	name string
	o    Options
}{
	{"stubs", Options{}},
	{"client", Options{connect: connectClient}},
}

func TestEventStoreIsALog(t *testing.T) {
	for _, way := range over {
		t.Run(way.name, func(t *testing.T) { storetest.Run(t, driver(way.o)) })
	}
}

func TestEventStoreAgreesWithMemory(t *testing.T) {
	for _, way := range over {
		t.Run(way.name, func(t *testing.T) { storetest.Differential(t, driver(way.o), 1) })
	}
}

// The client and the stubs are asked the same things of one database, and are told the same.
func TestStubsAgreeWithTheClient(t *testing.T) {
	f := newFake(t, 1)
	agree(t, open(t, f.url(), over[1].o), open(t, f.url(), over[0].o), func() { f.foreign("$stats-x", "$stats") })
}

// agree asks two logs on one database the same things. foreign has somebody else write something.
func agree(t *testing.T, a, b *Log, foreign func()) {
	seed := storetest.Seed(t, 7)
	rng := rand.New(rand.NewPCG(seed, 2))
	all := map[history.ID][]history.Entry{}
	for i := range 300 {
		if rng.IntN(10) == 0 {
			foreign()
		}
		id := history.ID{Namespace: "n", Workflow: fmt.Sprint(rng.IntN(6))}
		has := all[id]
		switch n := rng.IntN(10); {
		case n < 5:
			at := rng.IntN(len(has) + 1)
			entries := storetest.Continue(id, has[:at]).Vary(fmt.Sprint(rng.IntN(3))).Next(1 + rng.IntN(3))
			logs := []*Log{a, b}
			if rng.IntN(2) == 0 {
				logs[0], logs[1] = b, a
			}
			one, two := logs[0].Append(t.Context(), id, entries...), logs[1].Append(t.Context(), id, entries...)
			require.Equal(t, kind(one), kind(two), "step %d: %v, %v", i, one, two)
			if one == nil && at == len(has) {
				all[id] = append(has, entries...)
			}
		case n < 8:
			from := uint64(rng.IntN(len(has) + 2))
			require.Equal(t, readAll(t, a, id, from), readAll(t, b, id, from), "step %d", i)
		default:
			one, err := a.Head(t.Context())
			require.NoError(t, err)
			two, err := b.Head(t.Context())
			require.NoError(t, err)
			require.Equal(t, one, two, "step %d", i)
		}
	}
	n := 0
	for _, entries := range all {
		n += len(entries)
	}
	require.NotZero(t, n)
	require.Equal(t, followed(t, a, position(0, 0), n), followed(t, b, position(0, 0), n))
}

// kind is the part of an error that two ways to the same server must agree on.
func kind(err error) error {
	for _, known := range []error{store.ErrConflict, store.ErrUnknownOutcome, store.ErrTooLarge, store.ErrUnavailable, store.ErrDenied, store.ErrCorrupt, store.ErrClosed, store.ErrNotFound} {
		if errors.Is(err, known) {
			return known
		}
	}
	return err
}

func readAll(t *testing.T, l *Log, id history.ID, from uint64) []string {
	t.Helper()
	lines := []string{}
	for r, err := range l.Read(t.Context(), id, from) {
		require.NoError(t, err)
		lines = append(lines, line(r))
	}
	return lines
}

func line(r store.Record) string {
	return fmt.Sprintf("%v %s %s", r.Position, r.ID, history.AppendEntry(nil, r.Entry))
}

// followed returns the next n records after a position.
func followed(t testing.TB, l *Log, after store.Position, n int) (lines []string) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	for r, err := range l.Follow(ctx, after) {
		require.NoError(t, err)
		if lines = append(lines, line(r)); len(lines) == n {
			break
		}
	}
	return lines
}
