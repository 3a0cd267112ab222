package storetest_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/store"
	"github.com/clewflow/clew/store/memory"
	"github.com/clewflow/clew/store/storetest"
)

var id = history.ID{Namespace: "n", Workflow: "w"}

func always(f storetest.Fault) func(history.ID, []history.Entry) storetest.Fault {
	return func(history.ID, []history.Entry) storetest.Fault { return f }
}

func once(f storetest.Fault) func(history.ID, []history.Entry) storetest.Fault {
	done := false
	return func(history.ID, []history.Entry) storetest.Fault {
		if done {
			return storetest.None
		}
		done = true
		return f
	}
}

func head(t *testing.T, l store.Log) store.Position {
	t.Helper()
	p, err := l.Head(t.Context())
	require.NoError(t, err)
	return p
}

func TestWithoutFaultsALogIsALog(t *testing.T) {
	again := func(t *testing.T, l store.Log) store.Log { return l }
	storetest.Run(t, storetest.Driver{
		Open:    func(t *testing.T) store.Log { return storetest.Faulty(memory.New(), &storetest.Faults{}) },
		Reopen:  again,
		Virtual: true,
	})
}

func TestFaultsOfAppends(t *testing.T) {
	for _, test := range []struct {
		fault  storetest.Fault
		err    error
		stored bool
	}{
		{storetest.None, nil, true},
		{storetest.Stored, store.ErrUnknownOutcome, true},
		{storetest.NotStored, store.ErrUnknownOutcome, false},
		{storetest.StoredLater, store.ErrUnknownOutcome, false},
		{storetest.Slow, nil, true},
		{storetest.Failed, store.ErrUnavailable, false},
	} {
		t.Run(test.fault.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				inner := memory.New()
				l := storetest.Faulty(inner, &storetest.Faults{Append: once(test.fault), Delay: time.Hour})
				entries := storetest.NewStream(id).Next(1)
				require.ErrorIs(t, l.Append(t.Context(), id, entries...), test.err)
				require.Equal(t, test.stored, head(t, inner) == store.At(1))
				require.NoError(t, l.Append(t.Context(), id, entries...), "the repetition is definite")
				require.Equal(t, store.At(1), head(t, inner), "one copy")
			})
		})
	}
}

func TestConflictIsSomebodyElses(t *testing.T) {
	l := storetest.Faulty(memory.New(), &storetest.Faults{
		Append: always(storetest.Conflict),
		Foreign: func(ctx context.Context, l store.Log, id history.ID) error {
			return l.Append(ctx, id, storetest.NewStream(id).Vary("foreign").Next(1)...)
		},
	})
	require.ErrorIs(t, l.Append(t.Context(), id, storetest.NewStream(id).Next(1)...), store.ErrConflict)
}

func TestAppendStoredLaterAndAnotherNeverBothWin(t *testing.T) {
	inner := memory.New()
	f := &storetest.Faults{Append: once(storetest.StoredLater), Steps: 3}
	l := storetest.Faulty(inner, f)
	require.ErrorIs(t, l.Append(t.Context(), id, storetest.NewStream(id).Next(1)...), store.ErrUnknownOutcome)
	require.NoError(t, l.Append(t.Context(), id, storetest.NewStream(id).Vary("other").Next(1)...))
	f.Settle()
	require.Equal(t, store.At(1), head(t, l))
}

func TestBrokenReadIsAnError(t *testing.T) {
	l := storetest.Faulty(memory.New(), &storetest.Faults{Read: func(history.ID, uint64) int { return 2 }})
	require.NoError(t, l.Append(t.Context(), id, storetest.NewStream(id).Next(3)...))
	n := 0
	var last error
	for _, last = range l.Read(t.Context(), id, 1) {
		n++
	}
	require.Equal(t, 3, n, "two entries and the error")
	require.ErrorIs(t, last, store.ErrUnavailable)
}

func TestFaultsOfFollowing(t *testing.T) {
	faults := map[store.Position]storetest.FollowFault{store.At(2): storetest.Duplicate, store.At(4): storetest.Break}
	l := storetest.Faulty(memory.New(), &storetest.Faults{Follow: func(r store.Record) storetest.FollowFault { return faults[r.Position] }})
	require.NoError(t, l.Append(t.Context(), id, storetest.NewStream(id).Next(5)...))
	var seen []store.Position
	var last error
	for r, err := range l.Follow(t.Context(), store.Position{}) {
		if last = err; err == nil {
			seen = append(seen, r.Position)
		}
	}
	require.Equal(t, []store.Position{store.At(1), store.At(2), store.At(2), store.At(3)}, seen)
	require.ErrorIs(t, last, store.ErrUnavailable)
}

func TestRandomFaultsNeverMakeTwoCopies(t *testing.T) {
	seed := storetest.Seed(t, 1)
	synctest.Test(t, func(t *testing.T) {
		inner := memory.New()
		l := storetest.Faulty(inner, &storetest.Faults{Append: storetest.RandomFaults(seed, 0.5), Steps: 2, Delay: time.Second})
		s := storetest.NewStream(id)
		for range 200 {
			entries := s.Next(1)
			for err := l.Append(t.Context(), id, entries...); err != nil; err = l.Append(t.Context(), id, entries...) {
				require.True(t, errors.Is(err, store.ErrUnknownOutcome) || errors.Is(err, store.ErrUnavailable), "%v", err)
			}
		}
		require.Equal(t, store.At(200), head(t, inner))
	})
}
