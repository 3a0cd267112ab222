package esdbtest

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/stretchr/testify/require"
)

// written is a file, how much of it there was before its last record, and what was in the log then.
type written struct {
	data   []byte
	before int
	events []Event
}

func write(t *testing.T, last func(*esdb.Client)) written {
	t.Helper()
	path := filepath.Join(t.TempDir(), "log")
	s, err := Start(Options{File: path})
	require.NoError(t, err)
	c := client(t, s.URL())
	require.NoError(t, push(t, c, "s", esdb.NoStream{}, 0, 1))
	require.NoError(t, push(t, c, "s", esdb.Revision(1), 2))
	before, err := os.ReadFile(path)
	require.NoError(t, err)
	w := written{before: len(before), events: s.Events()}
	last(c)
	require.NoError(t, s.Close())
	w.data, err = os.ReadFile(path)
	require.NoError(t, err)
	require.Greater(t, len(w.data), w.before)
	return w
}

// lasts are what the last record may be.
func lasts(t *testing.T) map[string]func(*esdb.Client) {
	return map[string]func(*esdb.Client){
		"append": func(c *esdb.Client) { require.NoError(t, push(t, c, "s", esdb.Revision(2), 3, 4)) },
		"delete": func(c *esdb.Client) {
			_, err := c.DeleteStream(t.Context(), "s", esdb.DeleteStreamOptions{ExpectedRevision: esdb.Any{}})
			require.NoError(t, err)
		},
		"tombstone": func(c *esdb.Client) {
			_, err := c.TombstoneStream(t.Context(), "s", esdb.TombstoneStreamOptions{ExpectedRevision: esdb.Any{}})
			require.NoError(t, err)
		},
	}
}

// TestATornRecordIsAsIfItHadNotBeen whichever byte is the last that was written.
func TestATornRecordIsAsIfItHadNotBeen(t *testing.T) {
	for name, last := range lasts(t) {
		t.Run(name, func(t *testing.T) {
			w := write(t, last)
			path := filepath.Join(t.TempDir(), "log")
			for cut := w.before; cut < len(w.data); cut++ {
				require.NoError(t, os.WriteFile(path, w.data[:cut], 0o600))
				s, err := Start(Options{File: path})
				require.NoError(t, err, "cut at byte %d", cut)
				require.Equal(t, w.events, s.Events(), "cut at byte %d", cut)
				c := client(t, s.URL())
				all, err := read(t, c, "s", esdb.ReadStreamOptions{From: esdb.Start{}}, 9)
				require.NoError(t, err)
				require.Len(t, all, 3)
				require.NoError(t, push(t, c, "s", esdb.Revision(2), 7), "it goes on behind the last whole record")
				require.NoError(t, c.Close())
				after := s.Events()
				require.NoError(t, s.Close())
				again, err := Start(Options{File: path})
				require.NoError(t, err, "cut at byte %d, and written behind", cut)
				require.Equal(t, after, again.Events())
				require.NoError(t, again.Close())
			}
		})
	}
}

// TestAWholeFileIsTakenOver is the other side of it: nothing is cut that was not torn.
func TestAWholeFileIsTakenOver(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	for name, last := range lasts(t) {
		w := write(t, last)
		require.NoError(t, os.WriteFile(path, w.data, 0o600))
		s := start(t, Options{File: path})
		_, err := read(t, client(t, s.URL()), "s", esdb.ReadStreamOptions{From: esdb.Start{}}, 9)
		switch name {
		case "append":
			require.NoError(t, err)
			require.Len(t, s.Events(), 5)
		case "delete":
			requireCode(t, err, esdb.ErrorCodeResourceNotFound)
		case "tombstone":
			requireCode(t, err, esdb.ErrorCodeStreamDeleted)
		}
		kept, err := os.ReadFile(path)
		require.NoError(t, err)
		require.Equal(t, w.data, kept)
	}
}

// TestGarbageIsCutOrNamed: what looks like the beginning of a record is taken for a torn one; what cannot be that is an error, and the
// file stays as it is.
func TestGarbageIsCutOrNamed(t *testing.T) {
	w := write(t, lasts(t)["append"])
	long := binary.LittleEndian.AppendUint32(nil, 1<<20)
	flipped := func(at int) []byte {
		b := bytes.Clone(w.data)
		b[at] ^= 0x40
		return b
	}
	last := len(w.data) - w.before
	for _, test := range []struct {
		name string
		data []byte
		says string // empty: it opens
	}{
		{"seven bytes", append(bytes.Clone(w.data), "garbage"...), ""},
		{"text", append(bytes.Clone(w.data), "garbage that goes on and on and on"...), ""},
		{"a length and nothing", append(bytes.Clone(w.data), long...), ""},
		{"a length and something else", append(append(bytes.Clone(w.data), long...), make([]byte, 999)...), ""},
		{"zeroes", append(bytes.Clone(w.data), make([]byte, 4096)...), "no JSON"},
		{"a record with a wrong sum", append(bytes.Clone(w.data), 2, 0, 0, 0, 1, 1, 1, 1, '{', '}'), "sum is wrong"},
		{"a changed byte in the last record", flipped(len(w.data) - last/2), "sum is wrong"},
		{"a changed byte in the first record", flipped(header + 10), "sum is wrong"},
		{"a first length that leads beyond the end", flipped(2), "whole ones follow"},
	} {
		t.Run(test.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "log")
			require.NoError(t, os.WriteFile(path, test.data, 0o600))
			s, err := Start(Options{File: path})
			if test.says != "" {
				require.ErrorContains(t, err, test.says)
				require.ErrorContains(t, err, path)
				kept, err := os.ReadFile(path)
				require.NoError(t, err)
				require.Equal(t, test.data, kept, "nothing is cut")
				return
			}
			require.NoError(t, err)
			require.Len(t, s.Events(), 5)
			require.NoError(t, push(t, client(t, s.URL()), "s", esdb.Revision(4), 9))
			after := s.Events()
			require.NoError(t, s.Close())
			require.Equal(t, after, start(t, Options{File: path}).Events())
		})
	}
}
