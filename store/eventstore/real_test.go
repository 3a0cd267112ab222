package eventstore

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/clewflow/clew/store"
	"github.com/clewflow/clew/store/eventstore/esdbtest"
	"github.com/clewflow/clew/store/storetest"
)

// URLVariable names the variable of the environment that says where a real server is.
const URLVariable = "CLEW_ESDB_URL"

// The suite runs against a real server, of which it assumes nothing but that it may write there: all streams begin with a
// root of this run's own, and are ended for ever afterwards.
func TestRealServer(t *testing.T) {
	url := os.Getenv(URLVariable)
	if url == "" {
		t.Skipf("%s is not set: NOTHING was tried against a real EventStoreDB, all else here runs against a stand-in", URLVariable)
	}
	onServer(t, url)
	t.Log("SKIPPED, because a real server cannot be made to do them: unknown outcomes, late arrivals, torn connections, silent subscriptions, leader changes, outages, damage, wrong certificates")
}

// What is tried against real servers is itself tried here, on a server that is not empty.
func TestSuiteForRealServers(t *testing.T) {
	if testing.Short() {
		t.Skip("the same suite is held against an empty one by TestEventStoreIsALog")
	}
	f := serve(t, esdbtest.Options{})
	for _, s := range []string{"$stats-1", "clew.x.n-w", "orders-1"} {
		f.Write(s, "Something")
	}
	onServer(t, f.URL())
	for _, e := range f.Events() {
		if strings.HasPrefix(e.Stream, "clewtest") {
			all := f.Stream(e.Stream)
			require.Equal(t, "$streamDeleted", all[len(all)-1].Type, "%s is left over", e.Stream)
		}
	}
	require.Len(t, f.Stream("clew.x.n-w"), 1, "what is not of the run is not touched")
}

func onServer(t *testing.T, url string) {
	run := "clewtest" + uuid.NewString()[:8] + "."
	t.Logf("all streams of this run begin with %s", run)
	var roots atomic.Int64
	fresh := func(t *testing.T, o Options) *Log {
		o.Root, o.AllowDefaultPassword = fmt.Sprintf("%s%d.", run, roots.Add(1)), true
		l, err := Open(t.Context(), url, o)
		require.NoError(t, err)
		t.Cleanup(func() {
			_ = l.Close()
			sweep(t, url, o)
		})
		return l
	}
	again := func(t *testing.T, l *Log) *Log {
		o := l.opts
		o.connect = nil
		return open(t, url, o)
	}
	for _, way := range over {
		t.Run(way.name, func(t *testing.T) {
			var mu sync.Mutex
			d := storetest.Driver{
				Open: func(t *testing.T) store.Log { return fresh(t, way.o) },
				Reopen: func(t *testing.T, l store.Log) store.Log {
					mu.Lock()
					defer mu.Unlock()
					require.NoError(t, l.Close())
					o := l.(*Log).opts
					o.connect = way.o.connect
					return open(t, url, o)
				},
			}
			storetest.Run(t, d)
			storetest.Differential(t, d, 1)
		})
	}
	t.Run("agreement", func(t *testing.T) {
		a := fresh(t, over[1].o)
		agree(t, a, again(t, a), func() {})
	})
	t.Run("tails", func(t *testing.T) { tailsComeBack(t, fresh(t, Options{})) })
	t.Run("truncate", func(t *testing.T) { truncateKeepsTheLastEntry(t, fresh(t, Options{})) })
	t.Run("tombstone", func(t *testing.T) { tombstoneEndsAStream(t, fresh(t, Options{})) })
	t.Run("largest", func(t *testing.T) { largestAppendFits(t, fresh(t, Options{})) })
	t.Run("too large", func(t *testing.T) {
		l := fresh(t, Options{MaxBytes: 2 << 20})
		err := l.Append(t.Context(), someID, sized(t, 3<<19))
		t.Logf("an append of 1.5 MiB: %v (servers up to 25.0 refuse it)", err)
		if err != nil {
			require.ErrorIs(t, err, store.ErrTooLarge)
		}
	})
}

// sweep ends all streams of a log for ever.
func sweep(t *testing.T, url string, o Options) {
	ctx := context.Background() // that of the test has ended
	l, err := Open(ctx, url, Options{Root: o.Root, AllowDefaultPassword: true})
	if !assertNoError(t, err) {
		return
	}
	defer l.Close()
	streams := map[string]bool{}
	for from := position(0, 0); ; {
		p, err := l.server.readAll(ctx, from, forwards, pageEvents)
		if !assertNoError(t, err) {
			return
		}
		for _, e := range p.events {
			streams[e.stream], from = true, e.at
		}
		if !p.full {
			break
		}
	}
	p, err := l.page(ctx, l.cutsStream(), 0, forwards, 1)
	if assertNoError(t, err) && len(p.events) > 0 {
		streams[l.cutsStream()] = true
	}
	for stream := range streams {
		if err := l.server.tombstone(ctx, stream); err != nil && kind(err) != store.ErrConflict {
			t.Errorf("%s is left over: %v", stream, err)
		}
	}
}

func assertNoError(t *testing.T, err error) bool {
	if err != nil {
		t.Errorf("streams are left over: %v", err)
	}
	return err == nil
}
