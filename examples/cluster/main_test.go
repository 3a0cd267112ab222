package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var (
	seed   = flag.Uint64("chaos.seed", 0, "of the trouble; 0: one of the moment")
	within = flag.Duration("chaos.for", 10*time.Second, "how long the trouble lasts")
)

// launchVariable lets the test's binary start a server and nodes, of which one sleeps, and wait for its end.
const launchVariable = "CLUSTER_TEST_LAUNCH"

// TestMain is what it was started as.
func TestMain(m *testing.M) {
	if work := role(); work != nil {
		end(work())
	}
	if os.Getenv(launchVariable) != "" {
		end(launch())
	}
	os.Exit(m.Run())
}

func launch() error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	o := options{orders: 10_000, nodes: 2, lease: time.Second, within: time.Hour, out: os.Stdout, kin: os.NewFile(3, "kin")}
	_, err := play(ctx, o, []act{
		{0, "", func(s *stage) error { return s.strike("node-1", sleeps) }},
		{0, asleep, nil},
	})
	return err
}

const asleep = "one of them sleeps"

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

func TestTheStoryFitsTheNodes(t *testing.T) {
	for nodes := 1; nodes <= 2; nodes++ {
		t.Run(fmt.Sprint(nodes), func(t *testing.T) {
			o := options{orders: 60, nodes: nodes, lease: 500 * time.Millisecond, within: 2 * time.Second, out: told{t}}
			acts := story(o)
			require.Contains(t, acts[0].what, fmt.Sprint("needs -nodes ", nodes+1))
			r, err := play(t.Context(), o, acts)
			require.NoError(t, err)
			show(t, r)
			require.NoError(t, r.verdict())
			require.Equal(t, 60, r.completed)
		})
	}
}

func TestNonsenseIsRefused(t *testing.T) {
	good := options{orders: 1, nodes: 1, lease: time.Second, within: time.Second}
	require.NoError(t, good.check())
	for name, spoil := range map[string]func(*options){
		"-nodes":  func(o *options) { o.nodes = 0 },
		"-orders": func(o *options) { o.orders = -1 },
		"-lease":  func(o *options) { o.lease = 0 },
		"-for":    func(o *options) { o.within = -time.Second },
	} {
		o := good
		spoil(&o)
		require.ErrorContains(t, o.check(), name)
	}
}

func TestWhatANodeIsNotThereForIsRefused(t *testing.T) {
	s := &stage{}
	for _, do := range []func() error{
		func() error { return s.kill("node-7") },
		func() error { return s.replace("node-7") },
		func() error { return s.strike("node-7", cut) },
		func() error { return s.relieve("node-7", heal) },
	} {
		require.EqualError(t, do(), "there is no node-7")
	}
}

// TestChaos runs real processes through trouble from a seed, with a witness outside.
func TestChaos(t *testing.T) {
	if *seed == 0 {
		*seed = uint64(time.Now().UnixNano())
	}
	t.Logf("again with: go test ./examples/cluster -run TestChaos -v -args -chaos.seed=%d -chaos.for=%s", *seed, *within)
	o := options{nodes: 3, lease: time.Second, within: *within, seed: *seed, out: told{t}}
	o.orders = int(within.Seconds()) * 25
	r, err := play(t.Context(), o, chaos(*seed, o))
	require.NoError(t, err)
	show(t, r)
	require.NoError(t, r.verdict())
	require.Equal(t, o.orders, r.completed)
	require.Positive(t, r.healings, "nothing has happened")
}
