// Package storetest decides whether something is a log, and makes trouble for those who use one.
//
// [Run] is the suite that every driver of package store passes. [Differential] holds a driver against the log in memory,
// with random operations. [Faulty] puts faults between a log and its user.
package storetest

import (
	"bytes"
	"context"
	"iter"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/store"
)

// Driver says how to come by logs.
type Driver struct {
	// Open returns an empty log. It sees to it that the log is closed when the test is over.
	Open func(t *testing.T) store.Log
	// Reopen closes a log and opens it again.
	Reopen func(t *testing.T, l store.Log) store.Log
	// Abandon opens again what a log has acknowledged, as if its process had died. Nil: this is not tested.
	Abandon func(t *testing.T, l store.Log) store.Log
	// Virtual says that the log works in the bubbles of testing/synctest; then everything is tested in them.
	Virtual bool
}

// Run tests that what a driver opens keeps the promises of [store.Log], and of [store.Tails] if it offers that.
func Run(t *testing.T, d Driver) {
	tests := []struct {
		name string
		test func(*testing.T, Driver)
	}{
		{"WhatIsAppendedIsRead", testRead},
		{"EntriesComeBackAsTheyWere", testEntries},
		{"AppendOfTheWrongPlaceConflicts", testConflict},
		{"RepetitionIsNoError", testRepetition},
		{"AllOrNoneIsStored", testAllOrNone},
		{"StrangeIDsAreIDs", testStrangeIDs},
		{"LongHistoriesAreReadInOrder", testLong},
		{"OneOfManyAppendersWins", testRace},
		{"HeadIsTheNewestPosition", testHead},
		{"FollowYieldsAll", testFollow},
		{"FollowersSeeConcurrentAppendsWithoutGaps", testFollowLive},
		{"FollowEndsWithItsContext", testFollowEnds},
		{"CancelledContextIsHonoured", testCancelled},
		{"ClosedLogSaysSo", testClosed},
		{"ReopenedLogHoldsAll", testReopen},
		{"AbandonedLogHoldsWhatItAcknowledged", testAbandon},
		{"CallersMistakesAreFound", testMistakes},
		{"AnswersAreInKeepingWithOneOrder", testLinearizable},
		{"TailIsWrittenWithTheAppend", testTail},
		{"TailsComeInOrder", testTailOrder},
		{"LargeEntriesAreReadToTheLast", testLarge},
		{"StreamsAreListed", testStreams},
		{"WhatIsRedactedIsTheSameEntry", testRedact},
		{"WhatIsCutOffLeavesTheRest", testCut},
		{"WhatIsCutWhileItIsReadIsNoShortHistory", testCutLong},
		{"WhatIsCutWholeNeverWas", testCutWhole},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) { d.run(t, test.test) })
	}
}

func (d Driver) run(t *testing.T, test func(*testing.T, Driver)) {
	if d.Virtual {
		synctest.Test(t, func(t *testing.T) { test(t, d) })
		return
	}
	test(t, d)
}

func collect(seq iter.Seq2[store.Record, error]) (records []store.Record, err error) {
	for r, err := range seq {
		if err != nil {
			return records, err
		}
		records = append(records, r)
	}
	return records, nil
}

// follow returns the next n records after a position.
func follow(ctx context.Context, l store.Log, after store.Position, n int) (records []store.Record, err error) {
	if n == 0 {
		return nil, nil
	}
	for r, err := range l.Follow(ctx, after) {
		if err != nil {
			return records, err
		}
		if records = append(records, r); len(records) == n {
			break
		}
	}
	return records, nil
}

// requireHistory holds what is read of a history against what it should be.
func requireHistory(t *testing.T, l store.Log, id history.ID, want []history.Entry) {
	t.Helper()
	got, err := collect(l.Read(t.Context(), id, 1))
	require.NoError(t, err)
	requireEntries(t, id, want, got)
}

func requireEntries(t *testing.T, id history.ID, want []history.Entry, got []store.Record) {
	t.Helper()
	require.Len(t, got, len(want))
	for i, r := range got {
		require.Equal(t, id, r.ID)
		require.Equal(t, want[i].Seq, r.Entry.Seq)
		require.Equal(t, wire(want[i]), wire(r.Entry))
		require.Equal(t, want[i].Hash, r.Entry.Hash)
		require.False(t, r.Position.IsZero())
		if i > 0 {
			require.True(t, r.Position.After(got[i-1].Position))
		}
	}
}

func wire(e history.Entry) string { return string(history.AppendEntry(nil, e)) }

func testRead(t *testing.T, d Driver) {
	l := d.Open(t)
	s := NewStream(history.ID{Namespace: "n", Workflow: "w"})
	requireHistory(t, l, s.ID, nil)
	var all []history.Entry
	for _, n := range []int{1, 3, 1, 2} {
		entries := s.Next(n)
		require.NoError(t, l.Append(t.Context(), s.ID, entries...))
		all = append(all, entries...)
		requireHistory(t, l, s.ID, all)
	}
	for from := range uint64(len(all) + 4) {
		got, err := collect(l.Read(t.Context(), s.ID, from))
		require.NoError(t, err)
		requireEntries(t, s.ID, all[min(max(from, 1)-1, uint64(len(all))):], got)
	}
	asOf := l.Read(t.Context(), s.ID, 1)
	require.NoError(t, l.Append(t.Context(), s.ID, s.Next(1)...))
	got, err := collect(asOf)
	require.NoError(t, err)
	requireEntries(t, s.ID, all, got)
	for range l.Read(t.Context(), s.ID, 1) {
		break
	}
}

func testEntries(t *testing.T, d Driver) {
	l := d.Open(t)
	id := history.ID{Namespace: "n", Workflow: "w"}
	at := time.Date(2026, 2, 3, 4, 5, 6, 789_000_001, time.UTC)
	events := []history.Event{
		&history.Started{Run: "r", Chain: "r", Number: 1, Type: "order", Version: 3, Seed: 1<<64 - 1,
			Input: history.JSON([]byte("{\n  \"a\": [1, 2]\n}")), Deadline: at.Add(time.Hour)},
		&history.Signaled{Name: "quote \" newline \n nul \x00 <&> é 日", Value: history.JSON([]byte(`"v"`))},
		&history.TimerStarted{Step: 7, After: 90 * time.Second, Due: at.Add(90 * time.Second)},
		&history.Completed{Result: history.JSON([]byte(`"` + strings.Repeat("x", 100_000) + `"`))},
	}
	var entries []history.Entry
	var prev history.Hash
	for i, event := range events {
		e := history.Entry{Seq: uint64(i + 1), At: at.Add(time.Duration(i)), By: history.Client, Build: "b", Request: "q", Event: event}
		history.Seal(prev, &e)
		entries, prev = append(entries, e), e.Hash
	}
	require.NoError(t, l.Append(t.Context(), id, entries...))
	l = d.Reopen(t, l)
	got, err := collect(l.Read(t.Context(), id, 1))
	require.NoError(t, err)
	requireEntries(t, id, entries, got)
	var chain history.Chain
	for i, r := range got {
		require.Equal(t, entries[i].Event, r.Entry.Event)
		require.Equal(t, entries[i].At, r.Entry.At)
		require.Equal(t, entries[i].By, r.Entry.By)
		require.Equal(t, entries[i].Request, r.Entry.Request)
		require.NoError(t, chain.Check(r.Entry))
	}
}

func testConflict(t *testing.T, d Driver) {
	l := d.Open(t)
	s := NewStream(history.ID{Namespace: "n", Workflow: "w"})
	first := s.Next(3)
	require.ErrorIs(t, l.Append(t.Context(), s.ID, first[1:]...), store.ErrConflict, "too late in an empty history")
	require.NoError(t, l.Append(t.Context(), s.ID, first...))
	other := NewStream(s.ID).Vary("other").Next(5)
	for from := range 3 {
		require.ErrorIs(t, l.Append(t.Context(), s.ID, other[from:from+1]...), store.ErrConflict, "too early")
	}
	require.ErrorIs(t, l.Append(t.Context(), s.ID, other[4]), store.ErrConflict, "too late")
	requireHistory(t, l, s.ID, first)
	next := s.Next(1)
	require.NoError(t, l.Append(t.Context(), s.ID, next...))
	requireHistory(t, l, s.ID, append(first, next...))
}

func testRepetition(t *testing.T, d Driver) {
	l := d.Open(t)
	s := NewStream(history.ID{Namespace: "n", Workflow: "w"})
	all := s.Next(5)
	require.NoError(t, l.Append(t.Context(), s.ID, all[:2]...))
	require.NoError(t, l.Append(t.Context(), s.ID, all[2:]...))
	head, err := l.Head(t.Context())
	require.NoError(t, err)
	for i := range all {
		for j := i + 1; j <= len(all); j++ {
			require.NoError(t, l.Append(t.Context(), s.ID, all[i:j]...), "entries %d to %d", i+1, j)
		}
	}
	requireHistory(t, l, s.ID, all)
	again, err := l.Head(t.Context())
	require.NoError(t, err)
	require.Equal(t, head, again)
	longer := append(all[3:5:5], s.Next(1)...)
	require.ErrorIs(t, l.Append(t.Context(), s.ID, longer...), store.ErrConflict, "only the beginning is there")
	requireHistory(t, l, s.ID, all)
}

func testAllOrNone(t *testing.T, d Driver) {
	l := d.Open(t)
	s := NewStream(history.ID{Namespace: "n", Workflow: "w"})
	all := s.Next(2)
	require.NoError(t, l.Append(t.Context(), s.ID, all...))
	other := NewStream(s.ID).Vary("other").Next(4)
	require.ErrorIs(t, l.Append(t.Context(), s.ID, other[1:]...), store.ErrConflict)
	requireHistory(t, l, s.ID, all)
}

// StrangeIDs are ids that drivers are likely to get wrong.
func StrangeIDs() []history.ID {
	var ids []history.ID
	for _, w := range []string{
		"", "a", "ab", "abc", "a\x00", "a\x00b", "a\x00\x01", "a\x00\xff", "\x00", "\x00\x00", "\x01", "\xff", "\xff\xff", "a/b", "/", "//",
		`"`, `'`, `'; --`, "%", "_", "*", "日本", "é", "e\u0301", " ", "a ", "A", "\n", strings.Repeat("x", 200), strings.Repeat("x", 199),
		strings.Repeat("\x00", 200), "$all", "~", "a~1.2",
	} {
		for _, n := range []string{"n", "n\x00", "m"} {
			ids = append(ids, history.ID{Namespace: n, Workflow: w})
		}
	}
	return ids
}

func testStrangeIDs(t *testing.T, d Driver) {
	l := d.Open(t)
	all := map[history.ID][]history.Entry{}
	for range 2 {
		for i, id := range StrangeIDs() {
			s := Continue(id, all[id])
			entries := s.Vary(string(wire(NewStream(id).Next(1)[0])[:i%20])).Next(1 + i%3)
			require.NoError(t, l.Append(t.Context(), id, entries...), "%q", id)
			all[id] = append(all[id], entries...)
		}
	}
	for id, entries := range all {
		requireHistory(t, l, id, entries)
	}
	l = d.Reopen(t, l)
	for id, entries := range all {
		requireHistory(t, l, id, entries)
	}
	requireHistory(t, l, history.ID{Namespace: "n", Workflow: "abcd"}, nil)
}

func testLong(t *testing.T, d Driver) {
	l := d.Open(t)
	s := NewStream(history.ID{Namespace: "n", Workflow: "long"})
	var all []history.Entry
	for len(all) < 3000 {
		entries := s.Next(1 + len(all)%50)
		require.NoError(t, l.Append(t.Context(), s.ID, entries...))
		all = append(all, entries...)
	}
	requireHistory(t, l, s.ID, all)
	l = d.Reopen(t, l)
	requireHistory(t, l, s.ID, all)
	for _, from := range []uint64{1, 2, 100, 1777, 2999, uint64(len(all)), uint64(len(all) + 1)} {
		got, err := collect(l.Read(t.Context(), s.ID, from))
		require.NoError(t, err)
		requireEntries(t, s.ID, all[from-1:], got)
	}
	got, err := follow(t.Context(), l, store.Position{}, len(all))
	require.NoError(t, err)
	requireEntries(t, s.ID, all, got)
}

func testRace(t *testing.T, d Driver) {
	const appenders, rounds = 8, 20
	l := d.Open(t)
	id := history.ID{Namespace: "n", Workflow: "contended"}
	wins := make([]int, appenders)
	var g errgroup.Group
	for a := range appenders {
		g.Go(func() error {
			for round := range rounds {
				got, err := collect(l.Read(t.Context(), id, 1))
				if err != nil {
					return err
				}
				if len(got) >= rounds {
					return nil
				}
				e := Continue(id, entriesOf(got)).Vary(string(rune('a' + a))).Next(1)
				switch err := l.Append(t.Context(), id, e...); {
				case err == nil:
					wins[a]++
				case !assert.ErrorIs(t, err, store.ErrConflict, "round %d", round):
					return err
				}
			}
			return nil
		})
	}
	require.NoError(t, g.Wait())
	got, err := collect(l.Read(t.Context(), id, 1))
	require.NoError(t, err)
	sum := 0
	for _, n := range wins {
		sum += n
	}
	require.Equal(t, sum, len(got), "as many entries as wins")
	var chain history.Chain
	for _, r := range got {
		require.NoError(t, chain.Check(r.Entry))
	}
}

func entriesOf(records []store.Record) []history.Entry {
	var entries []history.Entry
	for _, r := range records {
		entries = append(entries, r.Entry)
	}
	return entries
}

func testHead(t *testing.T, d Driver) {
	l := d.Open(t)
	head, err := l.Head(t.Context())
	require.NoError(t, err)
	require.Zero(t, head)
	s := NewStream(history.ID{Namespace: "n", Workflow: "w"})
	for n := 1; n < 4; n++ {
		require.NoError(t, l.Append(t.Context(), s.ID, s.Next(n)...))
		records, err := collect(l.Read(t.Context(), s.ID, 1))
		require.NoError(t, err)
		head, err := l.Head(t.Context())
		require.NoError(t, err)
		require.Equal(t, records[len(records)-1].Position, head)
		l = d.Reopen(t, l)
	}
}

func testCancelled(t *testing.T, d Driver) {
	l := d.Open(t)
	s := NewStream(history.ID{Namespace: "n", Workflow: "w"})
	all := s.Next(2)
	require.NoError(t, l.Append(t.Context(), s.ID, all...))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, l.Append(ctx, s.ID, s.Next(1)...), context.Canceled)
	_, err := collect(l.Read(ctx, s.ID, 1))
	require.ErrorIs(t, err, context.Canceled)
	_, err = l.Head(ctx)
	require.ErrorIs(t, err, context.Canceled)
	got, err := collect(l.Follow(ctx, store.Position{}))
	require.NoError(t, err)
	require.Empty(t, got)
	requireHistory(t, l, s.ID, all)
}

func testClosed(t *testing.T, d Driver) {
	l := d.Open(t)
	s := NewStream(history.ID{Namespace: "n", Workflow: "w"})
	require.NoError(t, l.Append(t.Context(), s.ID, s.Next(2)...))
	var g errgroup.Group
	started := make(chan struct{})
	g.Go(func() error {
		for _, err := range l.Follow(t.Context(), store.Position{}) {
			if err != nil {
				return err
			}
			select {
			case <-started:
			default:
				close(started)
			}
		}
		return nil
	})
	<-started
	require.NoError(t, l.Close())
	require.ErrorIs(t, g.Wait(), store.ErrClosed, "who follows is told")
	require.ErrorIs(t, l.Append(t.Context(), s.ID, s.Next(1)...), store.ErrClosed)
	_, err := collect(l.Read(t.Context(), s.ID, 1))
	require.ErrorIs(t, err, store.ErrClosed)
	_, err = l.Head(t.Context())
	require.ErrorIs(t, err, store.ErrClosed)
	_, err = collect(l.Follow(t.Context(), store.Position{}))
	require.ErrorIs(t, err, store.ErrClosed)
	require.NoError(t, l.Close(), "twice")
}

func testReopen(t *testing.T, d Driver) { testAgain(t, d, d.Reopen) }

func testAbandon(t *testing.T, d Driver) {
	if d.Abandon == nil {
		t.Skip("not of this driver")
	}
	testAgain(t, d, d.Abandon)
}

func testAgain(t *testing.T, d Driver, again func(*testing.T, store.Log) store.Log) {
	l := d.Open(t)
	l = again(t, l)
	streams := map[history.ID]*Stream{}
	all := map[history.ID][]history.Entry{}
	var order []store.Record
	for round := range 4 {
		for _, w := range []string{"a", "b", "c"} {
			id := history.ID{Namespace: "n", Workflow: w}
			if streams[id] == nil {
				streams[id] = NewStream(id)
			}
			entries := streams[id].Next(1 + round)
			require.NoError(t, l.Append(t.Context(), id, entries...))
			require.NoError(t, l.Append(t.Context(), id, entries...))
			all[id] = append(all[id], entries...)
			for _, e := range entries {
				order = append(order, store.Record{ID: id, Entry: e})
			}
		}
		before, err := follow(t.Context(), l, store.Position{}, len(order))
		require.NoError(t, err)
		l = again(t, l)
		for id, entries := range all {
			requireHistory(t, l, id, entries)
		}
		after, err := follow(t.Context(), l, store.Position{}, len(order))
		require.NoError(t, err)
		for i := range order {
			require.Equal(t, before[i].Position, after[i].Position)
			require.Equal(t, order[i].ID, after[i].ID)
			require.Equal(t, wire(order[i].Entry), wire(after[i].Entry))
		}
		head, err := l.Head(t.Context())
		require.NoError(t, err)
		require.Equal(t, after[len(after)-1].Position, head)
	}
}

func testMistakes(t *testing.T, d Driver) {
	l := d.Open(t)
	s := NewStream(history.ID{Namespace: "n", Workflow: "w"})
	entries := s.Next(3)
	require.Error(t, l.Append(t.Context(), s.ID))
	require.Error(t, l.Append(t.Context(), s.ID, entries[0], entries[2]))
	require.Error(t, l.Append(t.Context(), s.ID, history.Entry{Seq: 1, Event: entries[0].Event}))
	requireHistory(t, l, s.ID, nil)
	require.False(t, bytes.Equal(history.AppendEntry(nil, entries[0]), history.AppendEntry(nil, entries[1])))
}
