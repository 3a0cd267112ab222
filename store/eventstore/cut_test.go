package eventstore

import (
	"context"
	"errors"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/store"
	"github.com/clewflow/clew/store/eventstore/esdbtest"
	"github.com/clewflow/clew/store/storetest"
)

// stopping is a server that a process loses before its n-th change.
type stopping struct {
	server
	left int
}

var errStopped = errors.New("the process died")

func (s *stopping) change() error {
	if s.left--; s.left < 0 {
		return errStopped
	}
	return nil
}

func (s *stopping) append(ctx context.Context, stream string, expected int64, events []proposal) (uint64, error) {
	if err := s.change(); err != nil {
		return 0, err
	}
	return s.server.append(ctx, stream, expected, events)
}

func (s *stopping) setMetadata(ctx context.Context, stream string, expected int64, id uuid.UUID, metadata []byte) error {
	if err := s.change(); err != nil {
		return err
	}
	return s.server.setMetadata(ctx, stream, expected, id, metadata)
}

// TestACutThatWasInterruptedIsDoneByTheNext: whoever dies in the middle, another does the rest, and no reader ever sees a part.
func TestACutThatWasInterruptedIsDoneByTheNext(t *testing.T) {
	for _, to := range []int{3, 5} {
		for steps := range 4 {
			f := serve(t, esdbtest.Options{})
			l, other := open(t, f.URL(), Options{}), open(t, f.URL(), Options{})
			all := storetest.NewStream(someID).Next(5)
			require.NoError(t, l.Append(t.Context(), someID, all...))
			beside := history.ID{Namespace: "n", Workflow: "beside"}
			require.NoError(t, l.Append(t.Context(), beside, storetest.NewStream(beside).Next(1)...))
			whole := readAll(t, other, someID, 1)
			l.server = &stopping{l.server, steps}
			hash := all[to-1].Hash
			err := l.Cut(t.Context(), someID, uint64(to), hash)
			require.Equal(t, steps < 3, err != nil, "%d", steps)
			if got := readAll(t, other, someID, 1); len(got) > 0 {
				require.Contains(t, [][]string{whole, whole[to:]}, got)
			}
			require.NoError(t, other.Cut(t.Context(), someID, uint64(to), hash))
			require.NoError(t, other.Cut(t.Context(), someID, uint64(to), hash))
			require.Equal(t, whole[to:], append([]string{}, readAll(t, other, someID, 1)...))
			fresh := open(t, f.URL(), Options{})
			require.Len(t, followed(t, fresh, position(0, 0), 6-to), 6-to, "what is hidden and not scavenged is not shown")
			f.Scavenge()
			require.Len(t, f.Stream("clew.x.n-w"), max(1, 5-to), "all that was cut is gone, and a mark stays where it was the whole")
			require.Equal(t, whole[to:], append([]string{}, readAll(t, open(t, f.URL(), Options{}), someID, 1)...))
			require.Len(t, followed(t, open(t, f.URL(), Options{}), position(0, 0), 6-to), 6-to)
			if to < 5 {
				continue
			}
			// The id begins anew, and who knows of the old history alone finds that out.
			require.ErrorIs(t, fresh.Append(t.Context(), someID, storetest.Continue(someID, all).Next(1)...), store.ErrConflict)
			again := storetest.NewStream(someID).Vary("new")
			first := again.Next(2)
			require.NoError(t, fresh.Append(t.Context(), someID, first...))
			require.NoError(t, open(t, f.URL(), Options{}).Append(t.Context(), someID, first...), "the same once more")
			require.NoError(t, other.Append(t.Context(), someID, again.Next(1)...))
			require.Len(t, readAll(t, open(t, f.URL(), Options{}), someID, 2), 2)
			require.NoError(t, other.Truncate(t.Context(), someID, 2))
			require.Len(t, readAll(t, open(t, f.URL(), Options{}), someID, 1), 2)
		}
	}
}

// TestACutLosesAgainstWhatIsAppended: what another appends while a history is cut whole stays.
func TestACutLosesAgainstWhatIsAppended(t *testing.T) {
	f := serve(t, esdbtest.Options{})
	l, other := open(t, f.URL(), Options{}), open(t, f.URL(), Options{})
	s := storetest.NewStream(someID)
	all := s.Next(5)
	require.NoError(t, l.Append(t.Context(), someID, all[:4]...))
	l.server = &between{l.server, func() { require.NoError(t, other.Append(t.Context(), someID, all[4])) }}
	require.NoError(t, l.Cut(t.Context(), someID, 4, all[3].Hash))
	require.Len(t, readAll(t, other, someID, 1), 1)
	require.Contains(t, readAll(t, other, someID, 1)[0], `"seq":5`)
}

// between is a server to which something happens before it is changed.
type between struct {
	server
	happens func()
}

func (b *between) append(ctx context.Context, stream string, expected int64, events []proposal) (uint64, error) {
	if b.happens != nil {
		happens := b.happens
		b.happens = nil
		happens()
	}
	return b.server.append(ctx, stream, expected, events)
}
