package commands

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clewflow/clew/history"
)

// A run that adopts a child asks for it anew. What comes late of the start, or of the end, that the run before was to be told is nothing to it.
func TestWhatComesLateOfAnAdoptedChildIsNothingToTheRunThatAskedAnew(t *testing.T) {
	at := time.Date(2026, 1, 2, 10, 0, 0, 0, time.UTC)
	entries := []history.Entry{
		{Event: &history.Started{Run: "r1", Chain: "r1"}},
		{Event: &history.ChildAsked{Step: 1, ID: "c", Type: "child"}},
		{Event: &history.Failed{}},
		{Event: &history.Started{Run: "r2", Chain: "r1", Number: 2, Adopts: &history.Adoption{
			Run: "r1", From: 1, Cut: 3, Past: []history.Past{{Run: "r1", Number: 1, Entries: 1}},
		}}, Adopted: &history.Adopted{Seq: 1}},
		{Event: &history.ChildAsked{Step: 1, ID: "c", Type: "child"}, Adopted: &history.Adopted{Seq: 2}},
	}
	for i := range entries {
		entries[i].Seq, entries[i].At = uint64(i+1), at
	}
	s := history.Fold(entries...)
	require.True(t, s.Children[1].Again)
	require.True(t, s.Of(s.Children[1], "r1"), "the run before may speak of it")

	for _, late := range []Command{NoteChildStarted{Run: "r1", Step: 1, Chain: "c1"}, RefuseChild{Run: "r1", Step: 1, Reason: history.RefusedRunning}} {
		events, err := Decide(s, late, at)
		require.ErrorIs(t, err, ErrNotRunning, "%T", late)
		require.Empty(t, events)
	}
	events, err := Decide(s, RefuseChild{Run: "r2", Step: 1, Reason: history.RefusedInvalid}, at)
	require.NoError(t, err)
	require.Len(t, events, 1, "what it is told itself holds")

	events, err = Decide(s, NoteChildStarted{Run: "r2", Step: 1, Chain: "c2"}, at)
	require.NoError(t, err)
	require.Len(t, events, 1)
	s.Evolve(history.Entry{Seq: 6, At: at, Event: events[0]})
	end := CloseChild{Run: "r1", Step: 1, Last: "c1", Status: history.StatusCancelled}
	events, err = Decide(s, end, at)
	require.NoError(t, err)
	assert.Empty(t, events, "that is the end of the one before")
	end.Run, end.Last = "r2", "c2"
	events, err = Decide(s, end, at)
	require.NoError(t, err)
	assert.Len(t, events, 1)
}
