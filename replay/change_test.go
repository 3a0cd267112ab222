package replay_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/replay"
	"github.com/clewflow/clew/workflow"
)

// errand is one thing that code does, with a number.
type errand struct{ verb, n int }

func (e errand) do(ctx workflow.Context) {
	switch e.verb {
	case 0:
		_, _ = workflow.Do(ctx, charge, e.n)
	case 1:
		_, _ = workflow.Do(ctx, ship, e.n)
	case 2:
		_ = workflow.Sleep(ctx, time.Duration(e.n)*time.Minute)
	case 3:
		workflow.Publish(ctx, e.n)
	case 4:
		workflow.Begin(ctx, debit, e.n)
	case 5:
		_, _ = poke.Receive(ctx)
	case 6:
		within, cancel := workflow.WithCancel(ctx)
		workflow.BeginChild(within, parcel, e.n)
		if e.n%2 == 0 {
			cancel()
		}
	case 7:
		workflow.SetAttributes(ctx, attr(e.n))
	}
}

func errands(all []errand) shopFn {
	return func(ctx workflow.Context, n int) (int, error) {
		for _, e := range all {
			e.do(ctx)
		}
		return n, nil
	}
}

func someErrand(r *rand.Rand) errand { return errand{r.IntN(8), 1 + r.IntN(5)} }

// changed is the code after somebody has worked on it.
func changed(r *rand.Rand, all []errand) []errand {
	all = slices.Clone(all)
	switch i := r.IntN(len(all)); r.IntN(4) {
	case 0:
		return slices.Insert(all, i, someErrand(r))
	case 1:
		return slices.Delete(all, i, i+1)
	case 2:
		j := r.IntN(len(all))
		all[i], all[j] = all[j], all[i]
	default:
		all[i] = someErrand(r)
	}
	return all
}

// live answers whatever the code asks, until it ends.
func (w *world) live() {
	for i := 0; w.state.Open() && w.err == nil && i < 50; i++ {
		for step := range w.state.Activities {
			w.complete(step, 1)
			break
		}
		w.pass(10 * time.Minute)
		if len(w.state.Activities) == 0 && w.state.Open() {
			w.signal(poke.With(i))
		}
	}
}

// TestEveryChangeIsExplained: whatever was changed, what is said of it is whole.
func TestEveryChangeIsExplained(t *testing.T) {
	from := rand.Uint64()
	t.Logf("seed %d", from)
	seen := map[replay.Change]int{}
	for i := range uint64(400) {
		r := rand.New(rand.NewPCG(from, i))
		var all []errand
		for range 2 + r.IntN(6) {
			all = append(all, someErrand(r))
		}
		w := untold(t, replay.Config{Code: codeOf(errands(all))})
		w.give(start(t, 7))
		w.live()
		w.machine.Stop()
		require.NoError(t, w.err)
		entries := w.entries[:1+r.IntN(len(w.entries))]
		now := changed(r, all)
		for _, c := range []replay.Config{{Level: replay.Strict, Forecast: true}, {Level: replay.Strict}, {Forecast: true}, {}} {
			c.Code = codeOf(errands(now))
			m, err := replay.Remember(c, entries)
			m.Stop()
			var got *replay.Mismatch
			if !errors.As(err, &got) {
				require.NoError(t, err)
				continue
			}
			seen[got.Change]++
			whole(t, got, entries)
			if t.Failed() {
				t.Fatalf("case %d: %v became %v: %v", i, all, now, got)
			}
		}
	}
	assert.Len(t, seen, 5, "%v", seen)
}

// whole holds a mismatch against what it must tell.
func whole(t *testing.T, m *replay.Mismatch, entries []history.Entry) {
	here := 0
	for _, row := range m.Window {
		if row.Here {
			here++
		}
		assert.False(t, row.Recorded == "" && row.Asked == "")
		if row.Recorded != "" {
			assert.Equal(t, history.Decision, entries[row.Seq-1].Event.Role())
		}
	}
	assert.Equal(t, 1, here)
	assert.NotEmpty(t, m.Why)
	assert.NotEmpty(t, m.Advice)
	assert.NotContains(t, m.Error(), "%!")
	assert.Contains(t, m.Snippet, fmt.Sprintf("Patched(ctx, %q)", m.Gate))
	assert.Regexp(t, `^test\.[a-z0-9-]+$`, m.Gate)
}
