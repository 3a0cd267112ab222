package runtime_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/lookup"
	"github.com/clewflow/clew/runtime"
	"github.com/clewflow/clew/vault"
	"github.com/clewflow/clew/workflow"
)

var adding = workflow.Define("add", func(_ workflow.Context, n int) (int, error) { return n, nil })

// sums is what closed runs of add returned, and how many entries were folded.
type sums struct {
	Total, Entries int
	Last           uint64
	Runs           map[string]bool
}

func summing(s *sums, e runtime.Recorded) error {
	if e.Position <= s.Last {
		return fmt.Errorf("the entry at %d comes after that at %d", e.Position, s.Last)
	}
	s.Last = e.Position
	s.Entries++
	done, is := e.Event.(*history.Completed)
	if !is {
		return nil
	}
	var n int
	if err := done.Result.Decode(&n); err != nil {
		return err
	}
	if s.Runs == nil {
		s.Runs = map[string]bool{}
	}
	if e.Type != "add" || e.Run == "" || s.Runs[e.Run] {
		return fmt.Errorf("run %q of type %q", e.Run, e.Type)
	}
	s.Runs[e.Run] = true
	s.Total += n
	return nil
}

// projecting runs do on a store with projections.
func projecting(t *testing.T, c runtime.Config, do func(rt *runtime.Runtime), all ...runtime.Projected) {
	t.Helper()
	c.Logger, c.Projections = slog.New(slog.DiscardHandler), all
	rt, err := runtime.Open(t.Context(), c, adding)
	require.NoError(t, err)
	ctx, stop := context.WithCancel(t.Context())
	ran := make(chan error, 1)
	go func() { ran <- rt.Run(ctx) }()
	do(rt)
	stop()
	require.NoError(t, <-ran)
	require.NoError(t, rt.Close())
}

func adds(t *testing.T, rt *runtime.Runtime, prefix string, n int) (sum int) {
	t.Helper()
	for i := range n {
		h, err := runtime.Start(t.Context(), rt, fmt.Sprint(prefix, i), adding, i)
		require.NoError(t, err)
		_, err = h.Result(t.Context())
		require.NoError(t, err)
		sum += i
	}
	return sum
}

// TestEachEntryIsFoldedOnce: whenever the process dies, because state and place are written down together.
func TestEachEntryIsFoldedOnce(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "store")
	c := runtime.Config{Store: dir}
	p := runtime.NewProjection("sums", 1, summing)
	file := filepath.Join(dir, "projections", "sums.json")
	sum, entries := 0, 0
	var older []byte
	for i := range 4 {
		projecting(t, c, func(rt *runtime.Runtime) {
			before, position, err := p.Read(t.Context(), rt)
			require.NoError(t, err)
			require.Equal(t, sum, before.Total)
			require.Equal(t, entries, before.Entries)
			require.GreaterOrEqual(t, position, before.Last)
			sum += adds(t, rt, fmt.Sprint(i, "-"), 5)
			after, _, err := p.Read(t.Context(), rt) // all that was acknowledged, without waiting for anything else
			require.NoError(t, err)
			require.Equal(t, sum, after.Total)
			entries = after.Entries
			after.Runs["mine"] = true // is a copy
			stale, _, err := p.ReadStale(rt)
			require.NoError(t, err)
			require.NotContains(t, stale.Runs, "mine")
		}, p)
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		if i == 1 {
			older = text
		}
		if i == 2 { // the process died before it wrote down what it had folded since
			require.NoError(t, os.WriteFile(file, older, 0o600))
			require.NoError(t, os.WriteFile(file+".new", text[:len(text)/2], 0o600))
		}
	}
	for what, spoil := range map[string][]byte{"damaged": []byte("{"), "of another namespace": []byte(`{"name":"sums","version":1,"namespace":"other","state":{}}`)} {
		require.NoError(t, os.WriteFile(file, spoil, 0o600))
		projecting(t, c, func(rt *runtime.Runtime) {
			s, _, err := p.Read(t.Context(), rt)
			require.NoError(t, err, what)
			require.Equal(t, sum, s.Total, what)
			require.Equal(t, entries, s.Entries, what)
		}, p)
	}
}

// TestAnotherVersionIsBuiltAnew: of the whole log, and beside it the others go on.
func TestAnotherVersionIsBuiltAnew(t *testing.T) {
	c := runtime.Config{Store: filepath.Join(t.TempDir(), "store")}
	count := func(by int) func(*int, runtime.Recorded) error {
		return func(n *int, e runtime.Recorded) error {
			if _, is := e.Event.(*history.Started); is {
				*n += by
			}
			return nil
		}
	}
	one, two, others := runtime.NewProjection("starts", 1, count(1)), runtime.NewProjection("starts", 2, count(100)), runtime.NewProjection("others", 1, summing)
	projecting(t, c, func(rt *runtime.Runtime) {
		adds(t, rt, "a", 3)
		n, _, err := one.Read(t.Context(), rt)
		require.NoError(t, err)
		require.Equal(t, 3, n)
	}, one, others)
	projecting(t, c, func(rt *runtime.Runtime) {
		adds(t, rt, "b", 2)
		n, _, err := two.Read(t.Context(), rt)
		require.NoError(t, err)
		require.Equal(t, 500, n)
		s, _, err := others.Read(t.Context(), rt)
		require.NoError(t, err)
		require.Equal(t, 3+1, s.Total)
		_, _, err = one.Read(t.Context(), rt)
		require.ErrorIs(t, err, runtime.ErrInvalid, "it is not kept here")
	}, two, others)
}

// TestAFoldThatFailsStopsItsProjectionOnly: and it goes on, once for each entry, when the fold is mended.
func TestAFoldThatFailsStopsItsProjectionOnly(t *testing.T) {
	c := runtime.Config{Store: filepath.Join(t.TempDir(), "store")}
	broken, panics := true, false
	fold := func(s *sums, e runtime.Recorded) error {
		if _, is := e.Event.(*history.Completed); is && broken && e.Workflow == "a2" {
			s.Total = -1 // half of it is done
			if panics {
				panic("oh")
			}
			return errors.New("no such case")
		}
		return summing(s, e)
	}
	bad, good := runtime.NewProjection("bad", 1, fold), runtime.NewProjection("good", 1, summing)
	sum := 0
	for _, panics = range []bool{false, true} {
		projecting(t, c, func(rt *runtime.Runtime) {
			if sum == 0 {
				sum = adds(t, rt, "a", 5)
			}
			s, _, err := good.Read(t.Context(), rt)
			require.NoError(t, err)
			require.Equal(t, sum, s.Total)
			_, _, err = bad.Read(t.Context(), rt)
			require.ErrorIs(t, err, runtime.ErrProjectionStopped)
			require.ErrorContains(t, err, "of a2: ")
			_, _, err = bad.ReadStale(rt)
			require.ErrorIs(t, err, runtime.ErrProjectionStopped)
			all := rt.Projections()
			require.Len(t, all, 2)
			require.Error(t, all[0].Stopped)
			require.NoError(t, all[1].Stopped)
			require.Less(t, all[0].Position, all[1].Position)
		}, bad, good)
	}
	broken = false
	projecting(t, c, func(rt *runtime.Runtime) {
		s, _, err := bad.Read(t.Context(), rt)
		require.NoError(t, err)
		require.Equal(t, sum, s.Total)
	}, bad)
}

// shyKeys are keys that cannot be had for a while.
type shyKeys struct {
	vault.MemoryKeys
	shy atomic.Bool
}

func (k *shyKeys) Find(ctx context.Context, name string) (*vault.Key, error) {
	if k.shy.Load() {
		return nil, errors.New("the key service is away")
	}
	return k.MemoryKeys.Find(ctx, name)
}

// TestFoldsSeeWhatIsEncrypted: and while it cannot be read they wait, and do not take it for absent.
func TestFoldsSeeWhatIsEncrypted(t *testing.T) {
	c := runtime.Config{Store: filepath.Join(t.TempDir(), "store")}
	keys := new(shyKeys)
	var err error
	c.Vault, err = vault.New(vault.Options{Codecs: []vault.Codec{vault.Encrypt(keys)}})
	require.NoError(t, err)
	sum := 0
	projecting(t, c, func(rt *runtime.Runtime) { sum = adds(t, rt, "a", 4) })

	keys.shy.Store(true)
	c.Vault, err = vault.New(vault.Options{Codecs: []vault.Codec{vault.Encrypt(keys)}}) // which has opened none
	require.NoError(t, err)
	p := runtime.NewProjection("sums", 1, summing)
	projecting(t, c, func(rt *runtime.Runtime) {
		require.Eventually(t, func() bool { return rt.Projections()[0].Waits != nil }, time.Minute, time.Millisecond)
		ctx, stop := context.WithTimeout(t.Context(), time.Millisecond)
		defer stop()
		_, _, err := p.Read(ctx, rt)
		require.ErrorIs(t, err, lookup.ErrBehind)
		require.ErrorContains(t, err, "the key service is away")
		keys.shy.Store(false)
		s, _, err := p.Read(t.Context(), rt)
		require.NoError(t, err)
		require.Equal(t, sum, s.Total)
		require.NoError(t, rt.Projections()[0].Waits)
	}, p)
}

func TestProjectionsAreRefusedTogether(t *testing.T) {
	nothing := func(*int, runtime.Recorded) error { return nil }
	_, err := runtime.Open(t.Context(), runtime.Config{Store: "memory:", Projections: []runtime.Projected{
		runtime.NewProjection("a", 0, nothing), runtime.NewProjection[int]("b", 1, nil), runtime.NewProjection("", 1, nothing),
		runtime.NewProjection("c", 1, nothing), runtime.NewProjection("c", 2, nothing),
	}}, adding)
	require.ErrorIs(t, err, runtime.ErrInvalid)
	for _, part := range []string{"version of the projection a", "fold of the projection b", "name of a projection", "two of the name c"} {
		require.ErrorContains(t, err, part)
	}
}

// TestWhoWaitsForAProjectionIsToldHowFarItIs: within the time that there is.
func TestWhoWaitsForAProjectionIsToldHowFarItIs(t *testing.T) {
	hold := make(chan struct{})
	p := runtime.NewProjection("slow", 1, func(*int, runtime.Recorded) error { <-hold; return nil })
	projecting(t, runtime.Config{Store: "memory:"}, func(rt *runtime.Runtime) {
		adds(t, rt, "a", 1)
		ctx, stop := context.WithTimeout(t.Context(), 10*time.Millisecond)
		defer stop()
		_, _, err := p.Read(ctx, rt)
		require.ErrorIs(t, err, lookup.ErrBehind)
		close(hold)
		_, _, err = p.Read(t.Context(), rt)
		require.NoError(t, err)
	}, p)
}
