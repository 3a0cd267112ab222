package runtime_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clewflow/clew/activity"
	"github.com/clewflow/clew/runtime"
	"github.com/clewflow/clew/store"
	"github.com/clewflow/clew/store/eventstore/esdbtest"
	"github.com/clewflow/clew/store/pebble"
	"github.com/clewflow/clew/workflow"
)

func TestNodesShareAServer(t *testing.T) {
	s, err := esdbtest.Start(esdbtest.Options{})
	require.NoError(t, err)
	defer s.Close()
	double := activity.Define("double", func(_ context.Context, n int) (int, error) { return 2 * n, nil })
	code := workflow.Define("doubled", func(ctx workflow.Context, n int) (int, error) {
		if _, err := workflow.Do(ctx, double, n); err != nil {
			return 0, err
		}
		if err := workflow.Sleep(ctx, 20*time.Millisecond); err != nil {
			return 0, err
		}
		return workflow.Do(ctx, double, n)
	})
	var nodes []*runtime.Runtime
	for i := range 3 {
		c := runtime.Config{Store: s.URL(), Node: fmt.Sprint("n", i), Logger: slog.New(slog.NewTextHandler(io.Discard, nil)), Drain: time.Second}
		if i == 2 {
			c.Dir = t.TempDir()
			defer func() {
				_, err := pebble.Claim(c.Dir)
				require.NoError(t, err, "it is given back")
			}()
		}
		rt, err := runtime.Open(t.Context(), c, code, double)
		require.NoError(t, err)
		if i == 2 {
			_, err := runtime.Open(t.Context(), c, code, double)
			require.ErrorIs(t, err, store.ErrInUse)
		}
		ctx, stop := context.WithCancel(t.Context())
		ran := make(chan error, 1)
		go func() { ran <- rt.Run(ctx) }()
		defer func() {
			stop()
			require.NoError(t, <-ran)
			require.NoError(t, rt.Close())
		}()
		<-rt.Ready()
		nodes = append(nodes, rt)
	}
	for i := range 60 {
		_, err := runtime.Start(t.Context(), nodes[i%3], fmt.Sprint("d", i), code, i)
		require.NoError(t, err)
	}
	for i := range 60 {
		out, err := runtime.Result(t.Context(), nodes[(i+1)%3], fmt.Sprint("d", i), code)
		require.NoError(t, err)
		require.Equal(t, 2*i, out)
	}
	by := map[string]int{}
	for e, err := range nodes[0].History(t.Context(), "d7") {
		require.NoError(t, err)
		by[e.Node]++
	}
	require.NotEmpty(t, by)
}

func TestADirectoryIsForOneProcess(t *testing.T) {
	_, err := runtime.Open(t.Context(), runtime.Config{Store: t.TempDir(), Shared: true})
	require.ErrorIs(t, err, runtime.ErrInvalid)
	require.ErrorContains(t, err, "esdb://")
}

// TestRunEndsWithoutItsServer: the server is killed, with work in hand or without, and then the process is to end.
func TestRunEndsWithoutItsServer(t *testing.T) {
	for _, trouble := range []struct {
		name string
		kill func(*esdbtest.Server)
	}{
		{"gone", func(s *esdbtest.Server) { assert.NoError(t, s.Close()) }},
		{"silent", func(s *esdbtest.Server) { s.Pause(0) }},
		{"refuses", func(s *esdbtest.Server) { s.Inject(esdbtest.Fault{Do: esdbtest.FailBefore}) }},
		{"answers nothing", func(s *esdbtest.Server) {
			before := s.Calls(esdbtest.Append)
			s.Inject(esdbtest.Fault{Do: esdbtest.CommitThenHang})
			assert.Eventually(t, func() bool { return s.Calls(esdbtest.Append) > before+1 }, time.Minute, time.Millisecond, "it says that it lives")
		}},
	} {
		for _, works := range []bool{false, true} {
			t.Run(fmt.Sprint(trouble.name, "/works=", works), func(t *testing.T) {
				t.Parallel()
				endWithoutServer(t, trouble.kill, works)
			})
		}
	}
}

func endWithoutServer(t *testing.T, kill func(*esdbtest.Server), works bool) {
	s, err := esdbtest.Start(esdbtest.Options{})
	require.NoError(t, err)
	defer s.Close()
	begun := make(chan bool, 1)
	long := activity.Define("long", func(ctx context.Context, n int) (int, error) {
		begun <- true
		<-ctx.Done()
		return n, context.Cause(ctx)
	})
	code := workflow.Define("haul", func(ctx workflow.Context, n int) (int, error) { return workflow.Do(ctx, long, n) })
	rt, err := runtime.Open(t.Context(), runtime.Config{
		Store: s.URL(), Logger: slog.New(slog.DiscardHandler), Drain: 500 * time.Millisecond, Lease: 400 * time.Millisecond,
	}, code, long)
	require.NoError(t, err)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	ran, closed := make(chan error, 1), make(chan error, 1)
	go func() { ran <- rt.Run(ctx) }()
	<-rt.Ready()
	if works {
		_, err = runtime.Start(t.Context(), rt, "h", code, 1)
		require.NoError(t, err)
		<-begun
	}
	kill(s)
	stop()
	requireSoon(t, ran, "Run")
	s.Heal() // else Close waits until the log gives up an append that it cannot settle
	go func() { closed <- rt.Close() }()
	requireSoon(t, closed, "Close")
}

// requireSoon fails if something does not end in a time in which anything does.
func requireSoon(t *testing.T, ended <-chan error, what string) {
	t.Helper()
	select {
	case err := <-ended:
		require.NoError(t, err)
	case <-time.After(time.Minute):
		t.Fatalf("%s hangs", what)
	}
}
