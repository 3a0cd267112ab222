package lookup

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/query"
	"github.com/clewflow/clew/store"
)

func TestWhatIsMadeAnewIsAsInANewIndex(t *testing.T) {
	w := random(t, 40)
	records := w.steps(3000)
	x := open(t, ":memory:")
	require.NoError(t, x.Apply(records[:2900]))
	before := dump(t, x)
	var left []store.Record
	gone, cut, thinned := w.ids[1], w.ids[2], w.ids[3]
	starts := 0
	for _, r := range records[:2900] {
		_, begins := r.Entry.Event.(*history.Started)
		switch {
		case r.ID == gone:
			continue
		case r.ID == cut:
			if begins {
				starts++
			}
			if starts < 2 {
				continue
			}
		case r.ID == thinned:
			r.Entry, _ = history.Redact(r.Entry, "")
		}
		left = append(left, r)
	}
	require.Greater(t, starts, 1)
	of := func(id history.ID) (some []store.Record) {
		for _, r := range left {
			if r.ID == id {
				some = append(some, r)
			}
		}
		return some
	}
	for range 2 {
		for _, id := range []history.ID{gone, cut, thinned, w.ids[4]} {
			require.NoError(t, x.Refold(id, of(id)))
		}
	}
	require.NotEqual(t, before, dump(t, x))
	anew := open(t, ":memory:")
	require.NoError(t, anew.Apply(left))
	require.NoError(t, x.Apply(records[2900:]), "the others go on")
	require.NoError(t, anew.Apply(records[2900:]))
	require.Equal(t, dump(t, anew), dump(t, x))
}

func TestWordsThatWereTakenAwayAreNotFound(t *testing.T) {
	x, err := Open(t.Context(), ":memory:", Options{Text: On})
	require.NoError(t, err)
	defer x.Close()
	id := history.ID{Namespace: "n", Workflow: "w"}
	e := history.Entry{Seq: 1, At: epoch, Event: &history.Started{ID: id, Run: "r", Chain: "r", Number: 1, Type: "order", Input: history.JSON([]byte(`"secretword"`))}}
	history.Seal(history.Hash{}, &e)
	r := store.Record{ID: id, Position: store.At(1), Entry: e}
	require.NoError(t, x.Apply([]store.Record{r}))
	q := query.Query{Namespace: "n", Where: "TEXT 'secretword'"}
	rows := all(t, x, q)
	require.Len(t, rows, 1)
	r.Entry, _ = history.Redact(e, "")
	require.NoError(t, x.Refold(id, []store.Record{r}))
	require.Empty(t, all(t, x, q))
	require.Len(t, all(t, x, query.Query{Namespace: "n"}), 1)
}
