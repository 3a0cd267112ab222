package lookup

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/clewflow/clew/query"
	"github.com/clewflow/clew/store"
)

// TestThePastIsAsItWas: at each place of the log and at each time, an index of it has the rows that were there then.
func TestThePastIsAsItWas(t *testing.T) {
	w := random(t, 10)
	type moment struct {
		position store.Position
		records  int
		rows     []query.Row
	}
	var all []moment
	n := 120
	if testing.Short() {
		n = 30
	}
	for range n {
		w.step()
		all = append(all, moment{w.position, len(w.records), w.rows()})
	}
	log := newTape(w.records...)
	for i, m := range all {
		path := memory
		if i%5 == 0 {
			path = filepath.Join(t.TempDir(), "past.db")
		}
		require.ElementsMatch(t, m.rows, past(t, log, path, query.AsOf{Position: m.position.Commit}))
		if m.records < len(w.records) {
			last, next := w.records[m.records-1], w.records[m.records]
			if next.Position.Commit > last.Position.Commit+1 {
				require.ElementsMatch(t, m.rows, past(t, log, path, query.AsOf{Position: last.Position.Commit + 1}), "a place between two")
			}
			if next.Entry.At.After(last.Entry.At) {
				require.ElementsMatch(t, m.rows, past(t, log, path, query.AsOf{Time: last.Entry.At}))
			}
		}
		require.NoFileExists(t, path)
	}
	require.Empty(t, past(t, log, memory, query.AsOf{Time: epoch.Add(-time.Second)}))
}

// past are the rows of a moment.
func past(t *testing.T, log store.Log, path string, of query.AsOf) []query.Row {
	t.Helper()
	x, err := AsOf(context.Background(), path, log, of, Options{})
	require.NoError(t, err)
	rows := all(t, x, query.Query{AsOf: of, Limit: 3})
	require.NoError(t, x.Remove())
	return rows
}

// TestWhatIsRelativeIsHeldAgainstTheMoment: and not against the time of the question.
func TestWhatIsRelativeIsHeldAgainstTheMoment(t *testing.T) {
	records := append(short(0, epoch, "order-1")[:2], short(2, epoch.Add(time.Hour), "order-2")[:1]...)
	log := newTape(records...)
	for _, of := range []query.AsOf{{Position: 3}, {Time: epoch.Add(time.Hour)}} {
		x, err := AsOf(context.Background(), memory, log, of, Options{})
		require.NoError(t, err)
		rows := all(t, x, query.Query{AsOf: of, Where: "duration = 1h AND started > now-90m"})
		require.Len(t, rows, 1)
		require.Equal(t, "order-1", rows[0].ID)
		groups, err := x.Group(context.Background(), query.Query{AsOf: of}, "status")
		require.NoError(t, err)
		require.Equal(t, []query.Group{{Keys: []any{"running"}, Count: 2}}, groups.Groups)
		_, err = x.Find(context.Background(), query.Query{AsOf: query.AsOf{Position: 2}})
		require.ErrorIs(t, err, query.ErrInvalid, "it is of another moment")
		require.NoError(t, x.Remove())
	}
}

func TestAMomentThatIsNotThereYetIsRefused(t *testing.T) {
	log := newTape(short(0, epoch, "order-1")...)
	_, err := AsOf(context.Background(), memory, log, query.AsOf{Position: 5}, Options{})
	require.ErrorIs(t, err, query.ErrInvalid)
	require.ErrorContains(t, err, "up to 4")

	path := filepath.Join(t.TempDir(), "past.db")
	log.failing = errors.New("torn")
	_, err = AsOf(context.Background(), path, log, query.AsOf{Position: 4}, Options{})
	require.ErrorContains(t, err, "torn")
	require.NoFileExists(t, path)
}
