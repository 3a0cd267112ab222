package eventstore

import (
	"bytes"
	"encoding/json"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/store"
	"github.com/clewflow/clew/store/storetest"
)

// Entries of every kind, with all fields and with none, are events and are the same entries again.
func TestEveryEntryIsAnEventAndBack(t *testing.T) {
	for _, file := range []string{"full", "empty"} {
		lines, err := os.ReadFile("../../history/testdata/" + file + ".jsonl")
		require.NoError(t, err)
		entries, err := history.Unmarshal(lines)
		require.NoError(t, err)
		require.NotEmpty(t, entries)
		for _, e := range entries {
			p := propose("s", e, nil)
			require.True(t, json.Valid(p.data), "%s", p.data)
			require.True(t, json.Valid(p.meta), "%s", p.meta)
			require.True(t, bytes.HasPrefix(p.meta, []byte(inParts)), "%s", p.meta)
			wire, err := join(p.data, p.meta)
			require.NoError(t, err)
			require.Equal(t, string(history.AppendEntry(nil, e)), string(wire))
			require.LessOrEqual(t, p.size(), e.Size()+120, "what the server counts of an event is but little more")
		}
	}
}

// The form of events is in databases. It never changes, except that there may be others beside it.
func TestFormOfEvents(t *testing.T) {
	e := history.Entry{Seq: 3, At: time.Date(2026, 1, 2, 3, 4, 5, 6e8, time.UTC), By: history.Worker, Build: "v1", Told: 3, Request: "q", Event: &history.Signaled{Name: "paid", Value: history.JSON([]byte(`{"amount": 12}`))}}
	history.Seal(history.Hash{1}, &e)
	due := time.Date(2026, 1, 2, 3, 5, 0, 0, time.UTC)
	row, err := writeTail(&store.Tail{Began: 1, Wake: due, Due: true, Follows: true, Unsettled: 2, Type: "order", Version: 4})
	require.NoError(t, err)
	p := propose("clew.x.n-w", e, row)
	require.Equal(t, "signaled", p.kind)
	require.Equal(t, `{"event":{"name":"paid","value":"rCn5jU-6Rc_A9NciVbN04ZsEhp79DdojzWFvbSEC8pU"},"payloads":{"value":{"amount": 12}}}`, string(p.data))
	require.Equal(t, `{"format":1,"seq":3,"at":"2026-01-02T03:04:05.6Z","by":"worker","build":"v1","told":3,"request":"q","kind":"signaled",`+
		`"hash":"`+e.Hash.String()+`","tail":{"began":1,"wake":"2026-01-02T03:05:00Z","due":true,"follows":true,"unsettled":2,"type":"order","version":4}}`, string(p.meta))
	require.Equal(t, eventID("clew.x.n-w", e.Hash), p.id)
	require.Equal(t, 8, int(p.id.Version()))
	require.NotEqual(t, p.id, eventID("clew.x.n-v", e.Hash))
}

// What a later release may write is kept as it is, whatever it looks like.
func TestEntriesOfAnotherFormAreKeptWhole(t *testing.T) {
	for _, wire := range []string{
		`{"seq":1,"at":"2026-01-02T03:04:05Z","kind":"told","event":{},"more":1,"hash":"x"}`,
		`{"seq":1,"at":"2026-01-02T03:04:05Z","kind":"told","event":{},"hash":"x","more":1}`,
		`{"seq":1, "kind":"told","event":{},"hash":"x"}`,
		`{"seq":1,"kind":"told","event":{},"hash":"x","hash":"y"}`,
		`{"event":{},"hash":"x"}`,
		`{}`,
		`nonsense`,
	} {
		data, meta := split([]byte(wire))
		require.Equal(t, `{"format":2}`, string(meta), "%s", wire)
		back, err := join(data, meta)
		require.NoError(t, err)
		require.Equal(t, wire, string(back))
	}
	wire := `{"seq":1,"new":{"a":"\"}"},"kind":"told","event":{"b":["]"]},"payloads":{"p": [1, 2]},"hash":"x"}`
	data, meta := split([]byte(wire))
	require.Equal(t, `{"format":1,"seq":1,"new":{"a":"\"}"},"kind":"told","hash":"x"}`, string(meta))
	back, err := join(data, meta)
	require.NoError(t, err)
	require.Equal(t, wire, string(back))
}

func FuzzJoinUndoesSplit(f *testing.F) {
	f.Add([]byte(`{"seq":1,"kind":"told","event":{},"hash":"x"}`))
	f.Add([]byte(`{"seq":1,"kind":"told","event":{},"payloads":{"a":"\\"},"hash":"x"}`))
	f.Fuzz(func(t *testing.T, wire []byte) {
		data, meta := split(bytes.Clone(wire))
		back, err := join(data, meta)
		require.NoError(t, err)
		require.Equal(t, wire, back)
	})
}

func FuzzJoinNeverPanics(f *testing.F) {
	f.Add([]byte(`{"event":{}}`), []byte(`{"format":1,"seq":1,"hash":"x"}`))
	f.Add([]byte(`{"event":{}}`), []byte(`{"format":1,"hash":"x`))
	f.Fuzz(func(t *testing.T, data, meta []byte) {
		_, _ = join(data, meta)
		_, _ = tailOf(meta, history.ID{}, history.Entry{})
	})
}

func TestTailsComeBack(t *testing.T) {
	tailsComeBack(t, open(t, newFake(t, 1).url(), Options{}))
}

func tailsComeBack(t *testing.T, l *Log) {
	s := storetest.NewStream(someID)
	_, ok, err := l.Tail(t.Context(), someID)
	require.NoError(t, err)
	require.False(t, ok)
	var want []*store.Tail
	for _, tail := range []*store.Tail{
		{Began: 1, Due: true, Type: "order \"x\"", Version: 3},
		{Began: 1, Wake: time.Date(2300, 1, 2, 3, 4, 5, 6, time.UTC), Unsettled: 1 << 40, Follows: true},
		nil,
		{},
	} {
		entries := s.Next(2)
		require.NoError(t, l.AppendTail(t.Context(), someID, tail, entries...))
		if tail != nil {
			tail.ID, tail.Seq, tail.Hash = someID, s.Seq(), s.Hash()
		}
		want = append(want, nil, tail)
		got, ok, err := l.Tail(t.Context(), someID)
		require.NoError(t, err)
		require.Equal(t, tail != nil, ok)
		if ok {
			require.Equal(t, *tail, got)
		}
		require.ErrorIs(t, l.AppendTail(t.Context(), someID, &store.Tail{Began: 99}, storetest.NewStream(someID).Vary("x").Next(1)...), store.ErrConflict)
		require.NoError(t, l.AppendTail(t.Context(), someID, &store.Tail{Began: 98}, entries...), "again, with another row")
		again, _, err := l.Tail(t.Context(), someID)
		require.NoError(t, err)
		require.Equal(t, got, again)
	}
	i := 0
	for r, err := range l.Read(t.Context(), someID, 1) {
		require.NoError(t, err)
		require.Equal(t, want[i], r.Tail)
		i++
	}
	require.Equal(t, len(want), i)
	i = 0
	for r, err := range l.Follow(t.Context(), position(0, 0)) {
		require.NoError(t, err)
		require.Equal(t, want[i], r.Tail)
		if i++; i == len(want) {
			break
		}
	}
	require.NoError(t, l.Append(t.Context(), someID, s.Next(1)...))
	_, ok, err = l.Tail(t.Context(), someID)
	require.NoError(t, err)
	require.False(t, ok, "a row belongs to the entry it was written with")
}
