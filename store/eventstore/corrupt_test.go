package eventstore

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/store"
	"github.com/clewflow/clew/store/eventstore/esdbtest"
	"github.com/clewflow/clew/store/storetest"
)

// What others did to a stream is told, with the stream and the revision, and is never passed over.
func TestDamageIsTold(t *testing.T) {
	replace := func(old, by string) func(*proposal) {
		return func(e *proposal) {
			e.data, e.meta = bytes.ReplaceAll(e.data, []byte(old), []byte(by)), bytes.ReplaceAll(e.meta, []byte(old), []byte(by))
		}
	}
	for _, test := range []struct {
		name    string
		damage  func(e *proposal)
		in      string // the error
		follows bool   // it is seen by those who follow too, who do not check hashes
	}{
		{"foreign type", func(e *proposal) { e.kind = "OrderPaid" }, `of the kind "signaled"`, true},
		{"foreign event", func(e *proposal) { e.kind, e.data, e.meta = "OrderPaid", []byte("{}"), nil }, "not written by clew", true},
		{"broken data", func(e *proposal) { e.data = e.data[:len(e.data)-3] }, "not those of an entry", true},
		{"broken metadata", func(e *proposal) { e.meta = e.meta[:len(e.meta)-3] }, "not those of an entry", true},
		{"no metadata", func(e *proposal) { e.meta = nil }, "not written by clew", true},
		{"unknown kind", func(e *proposal) { replace(`"signaled"`, `"from-the-future"`)(e); e.kind = "from-the-future" }, "unknown kind", true},
		{"another Seq", replace(`"seq":2`, `"seq":7`), "want 2", true},
		{"changed event", replace("paid", "lost"), "hash does not fit", false},
		{"changed payload", replace(`"n":2`, `"n":3`), "not the one that was recorded", false},
		{"changed time", replace("2026-01-01T", "2026-01-02T"), "hash does not fit", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := serve(t, esdbtest.Options{})
			l := open(t, f.URL(), Options{})
			var events []proposal
			for _, e := range storetest.NewStream(someID).Next(3) {
				events = append(events, propose("clew.x.n-w", e, nil))
			}
			test.damage(&events[1])
			_, err := l.server.append(t.Context(), "clew.x.n-w", noStream, events)
			require.NoError(t, err)
			bad := f.Stream("clew.x.n-w")[1]
			at := position(bad.Position, bad.Position)
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
				require.Contains(t, lines[0], `"seq":1`)
				require.Contains(t, lines[1], `"seq":3`)
			}
		})
	}
}

func TestFieldsOfLaterReleasesAreKept(t *testing.T) {
	f := serve(t, esdbtest.Options{})
	l := open(t, f.URL(), Options{})
	e := propose("clew.x.n-w", storetest.NewStream(someID).Next(1)[0], nil)
	e.meta = []byte(strings.Replace(string(e.meta), `{"format":1,`, `{"format":1,"later":[1],`, 1))
	_, err := l.server.append(t.Context(), "clew.x.n-w", noStream, []proposal{e})
	require.NoError(t, err)
	for r, err := range l.Follow(t.Context(), position(0, 0)) {
		require.NoError(t, err)
		require.True(t, strings.HasPrefix(string(history.AppendEntry(nil, r.Entry)), `{"later":[1],"seq":1,`))
		break
	}
}

// Somebody else's event in an empty stream makes the first entry the second event.
func TestStreamBegunByOthersIsAConflict(t *testing.T) {
	f := serve(t, esdbtest.Options{})
	l := open(t, f.URL(), Options{})
	f.Write("clew.x.n-w", "Mine")
	require.ErrorIs(t, l.Append(t.Context(), someID, storetest.NewStream(someID).Next(1)...), store.ErrConflict)
	for _, err := range l.Read(t.Context(), someID, 1) {
		require.ErrorIs(t, err, store.ErrCorrupt)
	}
}

func TestStreamOfOthersUnderTheRootIsTold(t *testing.T) {
	f := serve(t, esdbtest.Options{})
	l := open(t, f.URL(), Options{})
	f.Write("clew.stray", "Something")
	for r, err := range l.Follow(t.Context(), position(0, 0)) {
		require.ErrorIs(t, err, store.ErrCorrupt)
		require.ErrorContains(t, err, `"clew.stray" is no stream of clew's`)
		require.False(t, isStart(r.Position))
	}
}

func TestServerThatTellsNoPositionIsNoServer(t *testing.T) {
	e := propose("clew.x.n-w", storetest.NewStream(someID).Next(1)[0], nil)
	r := recorded{stream: "clew.x.n-w", kind: e.kind, at: position(12, 12), data: e.data, meta: e.meta}
	_, err := names{"clew."}.record(r)
	require.NoError(t, err)
	r.at = position(max64, max64)
	_, err = names{"clew."}.record(r)
	require.ErrorIs(t, err, store.ErrCorrupt)
	require.ErrorContains(t, err, "22.6")
}
