package lookup

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/store"
)

// finds holds that the index knows where each request took effect, as the model says.
func (w *world) finds(t *testing.T, x *Index) (found int) {
	t.Helper()
	for _, id := range w.ids {
		for request, want := range w.requests[id] {
			run, chain, ok, err := x.Requested(context.Background(), id, request, w.position)
			require.NoError(t, err)
			require.Equal(t, KeepsRequest(request), ok, request)
			if ok {
				require.Equal(t, want, took{run, chain}, request)
				found++
			}
		}
	}
	return found
}

func TestRequestsOfAllRunsAreFound(t *testing.T) {
	w := random(t, 10)
	path := filepath.Join(t.TempDir(), "index.db")
	x := open(t, path)
	for batch := range w.batches(w.steps(600), 30) {
		if w.dice.IntN(3) == 0 {
			clear(x.open)
		}
		require.NoError(t, x.Apply(batch))
	}
	require.Greater(t, w.finds(t, x), 20)
	require.NoError(t, x.Reset())
	require.NoError(t, x.Apply(w.records))
	w.finds(t, x)
	_, _, ok, err := x.Requested(context.Background(), w.ids[0], "never made", w.position)
	require.NoError(t, err)
	require.False(t, ok)
	for request := range w.requests[w.ids[0]] {
		_, _, ok, err := x.Requested(context.Background(), history.ID{Namespace: "else", Workflow: w.ids[0].Workflow}, request, w.position)
		require.NoError(t, err)
		require.False(t, ok, "it was made to another execution")
	}
}

// TestAStartThatEndsARunTookEffectInTheNext, though the entry that ends the run is from the same request.
func TestAStartThatEndsARunTookEffectInTheNext(t *testing.T) {
	w := newWorld(1, 1)
	id := w.ids[0]
	for _, e := range []history.Entry{
		{Event: &history.Started{Run: "1", Chain: "1", Number: 1}}, {Event: &history.Terminated{}, Request: "start"},
		{Event: &history.Started{Run: "2", Chain: "2", Number: 2}, Request: "start"}, {Event: &history.Continued{}},
		{Event: &history.Started{Run: "3", Chain: "2", Number: 3}}, {Event: &history.Signaled{}, Request: "child:run:1"},
	} {
		w.append(id, e)
	}
	for size := 1; size <= len(w.records); size++ {
		x := open(t, memory)
		for from := 0; from < len(w.records); from += size {
			require.NoError(t, x.Apply(w.records[from:min(from+size, len(w.records))]))
		}
		for request, want := range map[string]took{"start": {"2", "2"}, "child:run:1": {"3", "2"}} {
			run, chain, ok, err := x.Requested(context.Background(), id, request, w.position)
			require.NoError(t, err)
			require.True(t, ok)
			require.Equal(t, want, took{run, chain})
		}
	}
}

func TestRequestsThatSayWhenTheyWereMadeHaveNoRow(t *testing.T) {
	for request, keeps := range map[string]bool{
		"": false, uuid.Must(uuid.NewV7()).String(): false, uuid.NewString(): true, "order-1": true, "send:run:7": true, "child:" + uuid.Must(uuid.NewV7()).String() + ":1": true,
	} {
		require.Equal(t, keeps, KeepsRequest(request), request)
	}
}

func TestAnIndexThatIsNotThereYetKnowsOfNoRequest(t *testing.T) {
	w := newWorld(1, 1)
	x := open(t, memory)
	require.NoError(t, x.Apply(w.steps(5)))
	for _, want := range []store.Position{further(w.position, 1), further(w.position, farBehind+1)} {
		ctx, cancel := context.WithTimeout(context.Background(), 1)
		_, _, _, err := x.Requested(ctx, w.ids[0], "a", want)
		cancel()
		require.ErrorIs(t, err, ErrBehind)
	}
	_, _, _, err := x.Requested(context.Background(), w.ids[0], "a", further(w.position, farBehind+1))
	require.ErrorIs(t, err, ErrBehind, "it does not wait for ever")
}
