package replay_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clewflow/clew/activity"
	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/replay"
	"github.com/clewflow/clew/workflow"
)

// sights are what a run's code comes by when it is replayed: "select[a b] 1", without those of which nothing has come yet.
func sights(t *testing.T, w *world) (all []string) {
	t.Helper()
	c := w.config
	c.Watch = func(s workflow.Sight) {
		if s.Came >= 0 {
			all = append(all, fmt.Sprintf("%s %v %s", strings.TrimSpace(string(s.Kind)+" "+s.Name), s.Cases, s.Cases[s.Came]))
		}
		assert.Contains(t, s.Place, "watch_test.go:", s.Kind)
	}
	m, err := replay.Remember(c, w.entries)
	require.NoError(t, err)
	m.Stop()
	return all
}

func TestTheCasesOfASelectAreWatchedInWords(t *testing.T) {
	resize := activity.Declare[int, int]("resize")
	w := run(t, func(ctx workflow.Context) error {
		a, b := workflow.Begin(ctx, resize, 1), workflow.Begin(ctx, resize, 2)
		pages := workflow.NewChannel[int](1)
		parcelling := workflow.BeginChild(ctx, parcel, 1)
		_, err := workflow.Select(ctx, poke, a, b, parcelling, pages, workflow.NewTimer(ctx, time.Hour), workflow.NewTimer(ctx, 2*time.Hour))
		if err != nil {
			return err
		}
		if _, err = workflow.Select(workflow.WithoutCancel(ctx), pages, workflow.Default); err != nil {
			return err
		}
		_, err = workflow.SelectWithin(ctx, -1, pages)
		return err
	})
	w.signal(poke.With(1))
	assert.Equal(t, []string{
		"select [took signal poke took activity resize took a child took a value from a channel took a timer took timer 2 ended with its scope] took signal poke",
		"select [took a value from a channel took Default] took Default",
		"select [took a value from a channel ran out of time ended with its scope] ran out of time",
	}, sights(t, w))
}

func TestUndoStepsGatesAndWaitsAreWatched(t *testing.T) {
	w := run(t, func(ctx workflow.Context) error {
		workflow.Patched(ctx, "fees")
		workflow.Variant(ctx, "tax", 2)
		if held, err := workflow.AwaitWithin(ctx, -1, func() bool { return false }); held || err != nil {
			return err
		}
		if err := workflow.Await(ctx, func() bool { return poke.Unread(ctx) > 0 }); err != nil {
			return err
		}
		_, _, err := poke.ReceiveWithin(ctx, time.Hour)
		_, _ = workflow.Saga(ctx, func(undo *workflow.Undo) (int, error) {
			undo.Add(func(workflow.Context) error { return nil })
			return 0, assert.AnError
		})
		return err
	})
	w.signal(poke.With(1))
	assert.Equal(t, []string{
		"gate fees [was passed by a run from before it was passed by a new run] was passed by a new run",
		"gate tax [was passed by a run from before it gave variant 1 gave variant 2] gave variant 2",
		"await [held ran out of time ended with its scope] ran out of time",
		"await [held ended with its scope] held",
		"select [took signal poke ran out of time ended with its scope] took signal poke",
		"signal poke [was received] was received",
		"undo [ran] ran",
	}, sights(t, w))
}

func TestWhatNoCancellationReachesIsWatched(t *testing.T) {
	resize := activity.Declare[int, int]("resize")
	w := run(t, func(ctx workflow.Context) error {
		endless := workflow.WithoutCancel(ctx)
		workflow.Begin(ctx, resize, 1)
		workflow.Begin(endless, resize, 2)
		workflow.BeginChild(ctx, parcel, 3)
		workflow.BeginChild(endless, parcel, 4)
		bounded, stop := workflow.WithTimeout(endless, time.Hour)
		defer stop()
		workflow.Begin(bounded, resize, 6)
		return workflow.Sleep(ctx, time.Hour)
	})
	var steps []history.Step
	c := w.config
	c.Watch = func(s workflow.Sight) {
		if s.Kind == workflow.SeenEndless {
			steps = append(steps, s.Step)
		}
	}
	m, err := replay.Remember(c, w.entries)
	require.NoError(t, err)
	m.Stop()
	assert.Equal(t, []history.Step{2, 4}, steps)
}

func TestARunFromBeforeAGateIsWatched(t *testing.T) {
	w := run(t, func(ctx workflow.Context) error { return workflow.Sleep(ctx, time.Hour) })
	later := *w
	later.config.Code = codeOf(workflow.NoResult(func(ctx workflow.Context, _ workflow.None) error {
		workflow.Patched(ctx, "fees")
		return workflow.Sleep(ctx, time.Hour)
	}))
	assert.Equal(t, []string{"gate fees [was passed by a run from before it was passed by a new run] was passed by a run from before it"}, sights(t, &later))
}

// BenchmarkSelect is what it costs to tell waiting code of a signal that it takes, while nobody watches.
func BenchmarkSelect(b *testing.B) {
	code := codeOf(func(ctx workflow.Context, _ int) (int, error) {
		for {
			switch got, err := workflow.Select(ctx, halt, poke); got {
			case poke:
				poke.TryReceive(ctx)
			case nil:
				return 0, err
			}
		}
	})
	m := replay.New(replay.Config{Code: code})
	defer m.Stop()
	input, _ := history.Encode(1)
	entry := history.Entry{Seq: 1, At: dawn, Event: &history.Started{Type: "test", Input: input}}
	if err := m.Observe(&entry, 0); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		entry = history.Entry{Seq: entry.Seq + 1, At: dawn, Event: &history.Signaled{Name: "poke", Value: input}, Told: entry.Seq + 1}
		if err := m.Observe(&entry, 0); err != nil {
			b.Fatal(err)
		}
	}
}
