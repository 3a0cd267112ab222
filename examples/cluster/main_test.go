package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var (
	seed   = flag.Uint64("chaos.seed", 0, "of the trouble; 0: one of the moment")
	within = flag.Duration("chaos.for", 10*time.Second, "how long the trouble lasts")
)

// TestMain is a node if it was started as one.
func TestMain(m *testing.M) {
	if name := os.Getenv(nameVariable); name != "" {
		if err := work(name); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// told passes on what is said to the test.
type told struct{ t *testing.T }

func (w told) Write(b []byte) (int, error) {
	w.t.Logf("%s", b)
	return len(b), nil
}

func show(t *testing.T, r report) {
	var b strings.Builder
	r.print(&b)
	t.Log(b.String())
}

func TestOrdersSurviveTheDeathOfANode(t *testing.T) {
	o := options{orders: 200, nodes: 2, lease: time.Second, within: 3 * time.Second, out: told{t}}
	r, err := play(t.Context(), o, []act{{time.Second, "node-1 is killed", func(s *stage) error { return s.kill("node-1") }}})
	require.NoError(t, err)
	show(t, r)
	require.NoError(t, r.verdict())
	require.Equal(t, 200, r.completed)
	require.Contains(t, r.buried, "node-1")
	require.Positive(t, r.deaths[0].had)
}

// TestChaos runs real processes through trouble from a seed, with a witness outside.
func TestChaos(t *testing.T) {
	if *seed == 0 {
		*seed = uint64(time.Now().UnixNano())
	}
	t.Logf("again with: go test ./examples/cluster -run TestChaos -chaos.seed=%d -chaos.for=%s", *seed, *within)
	o := options{nodes: 3, lease: time.Second, within: *within, file: filepath.Join(t.TempDir(), "server"), out: told{t}}
	o.orders = int(within.Seconds()) * 40
	r, err := play(t.Context(), o, chaos(*seed, o))
	require.NoError(t, err)
	show(t, r)
	require.NoError(t, r.verdict())
	require.Equal(t, o.orders, r.completed)
}
