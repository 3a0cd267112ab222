package eventstore

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/store"
	"github.com/clewflow/clew/store/storetest"
)

// What others did to a stream is told, with the stream and the revision, and is never passed over.
func TestDamageIsTold(t *testing.T) {
	replace := func(old, by string) func(*written) {
		return func(e *written) {
			e.data, e.meta = bytes.ReplaceAll(e.data, []byte(old), []byte(by)), bytes.ReplaceAll(e.meta, []byte(old), []byte(by))
		}
	}
	for _, test := range []struct {
		name    string
		damage  func(e *written)
		in      string // the error
		follows bool   // it is seen by those who follow too, who do not check hashes
	}{
		{"foreign type", func(e *written) { e.kind = "OrderPaid" }, `of the kind "signaled"`, true},
		{"foreign event", func(e *written) { e.kind, e.data, e.meta = "OrderPaid", []byte("{}"), nil }, "not written by clew", true},
		{"broken data", func(e *written) { e.data = e.data[:len(e.data)-3] }, "not those of an entry", true},
		{"broken metadata", func(e *written) { e.meta = e.meta[:len(e.meta)-3] }, "not those of an entry", true},
		{"no metadata", func(e *written) { e.meta = nil }, "not written by clew", true},
		{"unknown kind", func(e *written) { replace(`"signaled"`, `"from-the-future"`)(e); e.kind = "from-the-future" }, "unknown kind", true},
		{"another Seq", replace(`"seq":2`, `"seq":7`), "want 2", true},
		{"changed event", replace("paid", "lost"), "hash does not fit", false},
		{"changed payload", replace(`"n":2`, `"n":3`), "not the one that was recorded", false},
		{"changed time", replace("2026-01-01T", "2026-01-02T"), "hash does not fit", false},
		{"no position", func(e *written) { e.commit = max64 }, "22.6", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := newFake(t, 1)
			l := open(t, f.url(), Options{})
			require.NoError(t, l.Append(t.Context(), someID, storetest.NewStream(someID).Next(3)...))
			before := readAll(t, l, someID, 1)
			bad := f.streams["clew.x.n-w"][1]
			at := position(bad.commit, bad.commit)
			test.damage(bad)
			n, last := 0, error(nil)
			for _, err := range l.Read(t.Context(), someID, 1) {
				if last = err; err == nil {
					n++
				}
			}
			require.Equal(t, 1, n, "what is before it is read")
			require.ErrorIs(t, last, store.ErrCorrupt)
			require.ErrorContains(t, last, test.in)
			require.ErrorContains(t, last, "event 1 of stream clew.x.n-w")
			if !test.follows {
				return
			}
			for range 2 { // from the server, and from the ring
				var lines []string
				after := position(0, 0)
				for len(lines) < 2 {
					for r, err := range l.Follow(t.Context(), after) {
						if after = r.Position; err != nil {
							require.ErrorIs(t, err, store.ErrCorrupt)
							require.ErrorContains(t, err, "event 1 of stream clew.x.n-w")
							require.Equal(t, at, after, "so that one can go on behind it")
							break
						}
						if lines = append(lines, line(r)); len(lines) == 2 {
							break
						}
					}
				}
				require.Equal(t, []string{before[0], before[2]}, lines)
			}
		})
	}
}

func TestFieldsOfLaterReleasesAreKept(t *testing.T) {
	f := newFake(t, 1)
	l := open(t, f.url(), Options{})
	s := storetest.NewStream(someID)
	require.NoError(t, l.Append(t.Context(), someID, s.Next(1)...))
	e := f.streams["clew.x.n-w"][0]
	e.meta = []byte(strings.Replace(string(e.meta), `{"format":1,`, `{"format":1,"later":[1],`, 1))
	for r, err := range l.Follow(t.Context(), position(0, 0)) {
		require.NoError(t, err)
		require.True(t, strings.HasPrefix(string(history.AppendEntry(nil, r.Entry)), `{"later":[1],"seq":1,`))
		break
	}
}

// Somebody else's event in an empty stream makes the first entry the second event.
func TestStreamBegunByOthersIsAConflict(t *testing.T) {
	f := newFake(t, 1)
	l := open(t, f.url(), Options{})
	f.foreign("clew.x.n-w", "Mine")
	require.ErrorIs(t, l.Append(t.Context(), someID, storetest.NewStream(someID).Next(1)...), store.ErrConflict)
	for _, err := range l.Read(t.Context(), someID, 1) {
		require.ErrorIs(t, err, store.ErrCorrupt)
	}
}

func TestStreamOfOthersUnderTheRootIsTold(t *testing.T) {
	f := newFake(t, 1)
	l := open(t, f.url(), Options{})
	f.foreign("clew.stray", "Something")
	for r, err := range l.Follow(t.Context(), position(0, 0)) {
		require.ErrorIs(t, err, store.ErrCorrupt)
		require.ErrorContains(t, err, `"clew.stray" is no stream of clew's`)
		require.False(t, isStart(r.Position))
	}
}
