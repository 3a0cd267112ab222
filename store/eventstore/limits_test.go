package eventstore

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/store"
	"github.com/clewflow/clew/store/storetest"
)

// sized returns an entry of so many bytes.
func sized(t *testing.T, bytes int) history.Entry {
	s := storetest.NewStream(someID)
	e := s.Next(1)[0]
	e = storetest.NewStream(someID).Sized(bytes - e.Size()).Next(1)[0]
	require.Equal(t, bytes, e.Size())
	return e
}

func TestLimitsAreKeptBeforeAnythingIsSent(t *testing.T) {
	f := newFake(t, 1)
	l := open(t, f.url(), Options{})
	bytes, entries := l.Limits()
	require.Equal(t, 900<<10, bytes)
	require.Equal(t, 500, entries)
	require.ErrorIs(t, l.Append(t.Context(), someID, sized(t, bytes+1)), store.ErrTooLarge)
	require.ErrorIs(t, l.Append(t.Context(), someID, storetest.NewStream(someID).Next(entries+1)...), store.ErrTooLarge)
	require.Zero(t, written1(t, f, someID))
	for i, size := range []int{bytes - 1, bytes} {
		id := history.ID{Namespace: "n", Workflow: fmt.Sprint(i)}
		require.NoError(t, l.Append(t.Context(), id, sized(t, size)))
	}
	require.NoError(t, l.Append(t.Context(), someID, storetest.NewStream(someID).Next(entries)...))
}

// As many entries as are allowed, as large as they may be together, are less than the server takes, with all that an event
// has beside its entry.
func TestLargestAppendFitsTheServer(t *testing.T) {
	largestAppendFits(t, open(t, newFake(t, 1).url(), Options{}))
}

func largestAppendFits(t *testing.T, l *Log) {
	bytes, entries := l.Limits()
	s := storetest.NewStream(someID)
	base := 0
	for _, e := range s.Next(entries) {
		base += e.Size()
	}
	s = storetest.NewStream(someID).Sized((bytes - base) / entries)
	all := s.Next(entries)
	tail := &store.Tail{Type: string(make([]byte, 200))}
	require.NoError(t, l.AppendTail(t.Context(), someID, tail, all...))
	require.Len(t, readAll(t, l, someID, 1), entries)
}

func TestServerThatTakesLessSaysSo(t *testing.T) {
	for _, size := range []int{300_000, 900_000} { // while it is sent, and after
		f := newFake(t, 1)
		f.maxAppend = 200_000
		l := open(t, f.url(), Options{})
		err := l.Append(t.Context(), someID, sized(t, size))
		require.ErrorIs(t, err, store.ErrTooLarge)
		require.ErrorContains(t, err, "MaxBytes")
		require.Zero(t, written1(t, f, someID))
	}
}

// A turn that is larger than an append is appended in parts; whoever dies between two of them leaves a history that others go on with.
func TestPartsOfATurnAreAppendedInOrder(t *testing.T) {
	f := newFake(t, 1)
	all := storetest.NewStream(someID).Next(1234)
	_, most := open(t, f.url(), Options{}).Limits()
	for part := 0; part*most < len(all); part++ {
		l := open(t, f.url(), Options{}) // another process each time, which begins by what may be there
		for from := max(part-1, 0) * most; from <= part*most; from += most {
			require.NoError(t, l.Append(t.Context(), someID, all[from:min(from+most, len(all))]...))
		}
		require.NoError(t, l.Close())
	}
	require.Len(t, readAll(t, open(t, f.url(), Options{}), someID, 1), len(all))
}
