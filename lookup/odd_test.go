package lookup

import (
	"context"
	"database/sql/driver"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/query"
	"github.com/clewflow/clew/store"
)

// scene is a history of one execution after the other, as it comes.
type scene struct {
	*world
	t *testing.T
	x *Index
}

func newScene(t *testing.T) *scene { return &scene{newWorld(1, 0), t, open(t, memory)} }

// then adds an entry of an execution, and has the index apply it.
func (s *scene) then(id string, event history.Event) {
	s.t.Helper()
	of := history.ID{Namespace: "main", Workflow: id}
	if s.states[of] == nil {
		s.ids, s.states[of] = append(s.ids, of), new(history.State)
		s.attributes[of], s.requests[of] = map[string]any{}, map[string]took{}
	}
	s.append(of, history.Entry{Event: event})
	require.NoError(s.t, s.x.Apply(s.records))
}

// finds are the ids of the runs that a question finds, the newest first.
func (s *scene) finds(where string) (ids []string) {
	s.t.Helper()
	for _, row := range all(s.t, s.x, query.Query{Where: where}) {
		ids = append(ids, row.ID)
	}
	return ids
}

func start(run, kind string, version int) *history.Started {
	return &history.Started{Run: run, Chain: run, Number: 1, Type: kind, Version: version}
}

func TestTheLatestVersionIsThatOfTheRunsThatThereAre(t *testing.T) {
	s := newScene(t)
	s.then("a", start("a", "order", 2))
	s.then("b", start("b", "order", 3))
	s.then("c", start("c", "trip", 1))
	s.then("d", start("d", "free", 0))
	require.Equal(t, []string{"c", "b"}, s.finds("version = latest"), "of each type; runs without a version are of none")
	require.Equal(t, []string{"d", "a"}, s.finds("version != latest"))
	require.Equal(t, []string{"a"}, s.finds("version < latest"))
	require.Equal(t, []string{"c", "b", "a"}, s.finds("version IN (2, latest)"))
	s.then("a", &history.Moved{Version: 4})
	require.Equal(t, []string{"c", "a"}, s.finds("version = latest"))
	s.then("a", &history.Moved{Version: 1})
	require.Equal(t, []string{"c", "b"}, s.finds("version = latest"))
	require.NoError(t, s.x.Refold(s.ids[1], nil))
	require.Equal(t, []string{"c", "a"}, s.finds("version = latest"), "what was taken away counts no more")
}

// TestDepthFollowsFromTheParentWhereItIsNotRecorded, as in histories of earlier releases, whatever comes in one batch.
func TestDepthFollowsFromTheParentWhereItIsNotRecorded(t *testing.T) {
	child := func(run, parent string) *history.Started {
		e := start(run, "order", 1)
		e.Parent, e.Root = history.Parent{ID: parent, Run: parent, Chain: parent, Step: 1}, "a"
		return e
	}
	s := newScene(t)
	s.then("a", start("a", "order", 1))
	s.then("b", child("b", "a"))
	s.then("c", child("c", "b"))
	s.then("d", child("d", "c"))
	s.then("c", &history.Completed{})
	s.then("e", child("e", "c"))
	s.then("f", child("f", "gone"))
	for depth, want := range [][]string{{"a"}, {"b"}, {"f", "c"}, {"e", "d"}} {
		require.Equal(t, want, s.finds(fmt.Sprint("depth = ", depth)))
	}
	anew := open(t, memory)
	require.NoError(t, anew.Apply(s.records))
	require.Equal(t, dump(t, s.x), dump(t, anew))
	built, err := AsOf(context.Background(), memory, newTape(s.records...), query.AsOf{Position: s.position.Commit}, Options{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, built.Close()) })
	require.Equal(t, dump(t, s.x), dump(t, built))
}

// TestOfUsualActivitiesNothingMoreIsWritten: the table of attributes has rows for what is not usual alone, and while it is pending.
func TestOfUsualActivitiesNothingMoreIsWritten(t *testing.T) {
	s := newScene(t)
	rows := func() (n int64) {
		require.NoError(t, s.x.read(t.Context(), func(c *conn, _ store.Position) error {
			return c.query(t.Context(), "SELECT count(*) FROM attribute", nil, func(row []driver.Value) error { n = row[0].(int64); return nil })
		}))
		return n
	}
	try := func(step history.Step) history.Try { return history.Try{Step: step, Attempt: 1, Serial: 1} }
	s.then("a", start("a", "order", 1))
	s.then("a", &history.ActivityScheduled{Step: 1, Name: "usual", Policy: &history.StandardPolicy})
	s.then("a", &history.ActivityScheduled{Step: 2, Name: "other", Queue: "gpu", Policy: &history.StandardPolicy})
	require.EqualValues(t, 1, rows())
	require.Equal(t, []string{"a"}, s.finds("attempts = 1 AND queue = 'gpu'"))
	s.then("a", &history.AttemptFailed{Try: try(1)})
	s.then("a", &history.AttemptLost{Try: try(1)})
	require.EqualValues(t, 2, rows())
	require.Equal(t, []string{"a"}, s.finds("attempts = 3"))
	s.then("a", &history.ActivityChanged{Step: 1, Reset: true})
	require.Equal(t, []string{"a"}, s.finds("attempts = 1"))
	s.then("a", &history.ActivityCompleted{Try: try(2)})
	require.Empty(t, s.finds("queue = 'gpu'"))
	require.Equal(t, []string{"a"}, s.finds("queue IS NULL AND attempts = 1"), "the default queue has no name")
	require.Zero(t, rows())
	s.then("a", &history.ActivityCompleted{Try: try(1)})
	require.Equal(t, []string{"a"}, s.finds("attempts IS NULL"))
}
