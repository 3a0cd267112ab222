package pebble

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"github.com/stretchr/testify/require"

	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/store"
	"github.com/clewflow/clew/store/storetest"
)

func id(i int) history.ID { return history.ID{Namespace: "n", Workflow: fmt.Sprint(i)} }

// read returns what the log holds of an execution.
func read(t *testing.T, l store.Log, id history.ID) (entries []history.Entry, err error) {
	t.Helper()
	for r, err := range l.Read(t.Context(), id, 1) {
		if err != nil {
			return entries, err
		}
		entries = append(entries, r.Entry)
	}
	return entries, nil
}

// requireSame holds a history against what must be there, and what may be there beyond.
func requireSame(t *testing.T, l store.Log, id history.ID, must, may []history.Entry) {
	t.Helper()
	got, err := read(t, l, id)
	require.NoError(t, err)
	require.GreaterOrEqual(t, len(got), len(must), "acknowledged entries of %s are gone", id)
	require.LessOrEqual(t, len(got), len(may), "%s", id)
	require.Equal(t, string(history.Marshal(may[:len(got)])), string(history.Marshal(got)))
}

func TestCrashLosesNothingAcknowledged(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(storetest.Seed(t, 1), 0))
	l := open(t, "db", small(vfs.NewCrashableMem()))
	var streams []*storetest.Stream
	all := map[history.ID][]history.Entry{}
	for i := range 20 {
		if i%5 == 0 {
			streams = append(streams, storetest.NewStream(id(i)))
		}
		s := streams[rng.IntN(len(streams))]
		entries := s.Sized(rng.IntN(30_000)).Next(1 + rng.IntN(3))
		require.NoError(t, l.Append(t.Context(), s.ID, entries...))
		all[s.ID] = append(all[s.ID], entries...)
		for _, percent := range []int{0, 50} {
			fs := l.opts.FS.(*vfs.MemFS).CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: percent, RNG: rng})
			after := open(t, "db", small(fs))
			for _, s := range streams {
				requireSame(t, after, s.ID, all[s.ID], all[s.ID])
			}
			require.NoError(t, after.Close())
		}
	}
}

func TestCrashWhileManyAppendLosesNothingAcknowledged(t *testing.T) {
	t.Parallel()
	seed := storetest.Seed(t, 1)
	for round := range uint64(5) {
		rng := rand.New(rand.NewPCG(seed, round))
		l := open(t, "db", small(vfs.NewCrashableMem()))
		const appenders = 8
		var acknowledged [appenders]atomic.Uint64
		var all [appenders][]history.Entry
		for a := range appenders {
			all[a] = storetest.NewStream(id(a)).Sized(5000).Next(100)
		}
		enough := make(chan struct{}, 1)
		done := make(chan error, appenders)
		for a := range appenders {
			go func() {
				for i := range all[a] {
					if err := l.Append(t.Context(), id(a), all[a][i]); err != nil {
						done <- err
						return
					}
					if acknowledged[a].Store(uint64(i + 1)); a == 0 && i == 10+5*int(round) {
						enough <- struct{}{}
					}
				}
				done <- nil
			}()
		}
		<-enough
		var must [appenders]uint64
		for a := range appenders {
			must[a] = acknowledged[a].Load()
		}
		fs := l.opts.FS.(*vfs.MemFS).CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: rng.IntN(101), RNG: rng})
		for range appenders {
			require.NoError(t, <-done)
		}
		after := open(t, "db", small(fs))
		for a := range appenders {
			requireSame(t, after, id(a), all[a][:must[a]], all[a])
		}
		require.NoError(t, after.Close())
		require.NoError(t, l.Close())
	}
}

// faults makes the n-th of some operations fail.
type faults struct {
	kind  func(errorfs.Op) bool
	left  atomic.Int64 // operations until the first that fails
	many  int64        // how many fail
	err   error
	fired atomic.Bool
}

func (f *faults) MaybeError(op errorfs.Op) error {
	if !f.kind(op) {
		return nil
	}
	if left := f.left.Add(-1); left < 0 && left >= -f.many {
		f.fired.Store(true)
		return f.err
	}
	return nil
}

func (f *faults) String() string { return "faults" }

func syncs(op errorfs.Op) bool {
	return op.Kind == errorfs.OpFileSync || op.Kind == errorfs.OpFileSyncData || op.Kind == errorfs.OpFileSyncTo
}

func writes(op errorfs.Op) bool {
	return op.Kind == errorfs.OpFileWrite || op.Kind == errorfs.OpFileWriteAt
}

func changes(op errorfs.Op) bool { return op.Kind.ReadOrWrite() == errorfs.OpIsWrite }

// TestFailedOperationIsNeverAcknowledged lets the n-th operation fail, and one after the other many, for every n until
// the work is done before it comes to that.
func TestFailedOperationIsNeverAcknowledged(t *testing.T) {
	for name, kind := range map[string]func(errorfs.Op) bool{"syncs": syncs, "writes": writes, "changes": changes} {
		for _, many := range []int64{1, 7} {
			t.Run(fmt.Sprintf("%s/%d", name, many), func(t *testing.T) {
				t.Parallel()
				n := int64(0)
				for step := int64(1); failAt(t, kind, n, many, errors.New("input/output error")); n += step {
					step = 1 + n/8
				}
				require.Greater(t, n, int64(10))
			})
		}
	}
}

func failAt(t *testing.T, kind func(errorfs.Op) bool, n, many int64, failure error) (fired bool) {
	disk := vfs.NewCrashableMem()
	f := &faults{kind: kind, many: many, err: failure}
	f.left.Store(n)
	o := small(errorfs.Wrap(disk, f))
	o.MemTable = 64 << 10 // so that it is flushed and rotated now and then
	l, err := Open("db", o)
	for ; err != nil; l, err = Open("db", o) {
		require.True(t, f.fired.Load(), "%v", err)
		require.NotErrorIs(t, err, store.ErrCorrupt)
	}
	s := storetest.NewStream(id(1)).Sized(6000)
	var all []history.Entry
	checked := false
	for range 16 {
		entries := s.Next(2)
		err := l.Append(t.Context(), s.ID, entries...)
		for ; err != nil; err = l.Append(t.Context(), s.ID, entries...) {
			require.True(t, f.fired.Load(), "%v", err)
			if !errors.Is(err, store.ErrUnavailable) && !errors.Is(err, store.ErrUnknownOutcome) {
				require.NoError(t, err, "it is not typed")
			}
			runtime.Gosched()
		}
		if all = append(all, entries...); f.fired.Load() && !checked {
			checked = true
			after := open(t, "db", small(disk.CrashClone(vfs.CrashCloneCfg{})))
			requireSame(t, after, s.ID, all, all)
			require.NoError(t, after.Close())
		}
	}
	got, err := read(t, l, s.ID)
	for ; err != nil; got, err = read(t, l, s.ID) {
		require.ErrorIs(t, err, store.ErrUnavailable)
		runtime.Gosched()
	}
	require.Equal(t, string(history.Marshal(all)), string(history.Marshal(got)))
	if err := l.Close(); err != nil {
		require.True(t, f.fired.Load(), "%v", err)
	}
	after := open(t, "db", small(disk.CrashClone(vfs.CrashCloneCfg{})))
	requireSame(t, after, s.ID, all, all)
	require.NoError(t, after.Close())
	return f.fired.Load()
}

func TestFullDiskIsSaidAndRiddenOut(t *testing.T) {
	disk := vfs.NewMem()
	f := &faults{kind: writes, err: syscall.ENOSPC, many: 1}
	f.left.Store(1 << 60)
	l := open(t, "db", small(errorfs.Wrap(disk, f)))
	s := storetest.NewStream(id(1))
	first := s.Next(2)
	require.NoError(t, l.Append(t.Context(), s.ID, first...))
	_, err := disk.Stat("db/log/BALLAST")
	require.NoError(t, err)

	// The write that finds the disk full is made in the room of the ballast, those after it are refused.
	f.many = 1 << 60
	full := atomic.Bool{}
	full.Store(true)
	f.kind = func(op errorfs.Op) bool {
		if !full.Load() || !writes(op) {
			return false
		}
		_, err := disk.Stat("db/log/BALLAST")
		return err == nil || op.Path == "db/log/BALLAST"
	}
	f.left.Store(0)
	second := s.Next(2)
	require.NoError(t, l.Append(t.Context(), s.ID, second...))
	third := s.Next(1)
	require.ErrorIs(t, l.Append(t.Context(), s.ID, third...), store.ErrUnavailable)
	all := append(first, second...)
	requireSame(t, l, s.ID, all, all)

	full.Store(false)
	for err := l.Append(t.Context(), s.ID, third...); err != nil; err = l.Append(t.Context(), s.ID, third...) {
		require.ErrorIs(t, err, store.ErrUnavailable)
		runtime.Gosched()
	}
	_, err = disk.Stat("db/log/BALLAST")
	require.NoError(t, err)
	requireSame(t, l, s.ID, append(all, third...), append(all, third...))
}

func TestDiskThatIsFullAtAnyMomentLosesNothing(t *testing.T) {
	t.Parallel()
	n := int64(0)
	for step := int64(1); failAt(t, writes, n, 9, syscall.ENOSPC); n += step {
		step = 1 + n/8
	}
}

// filled returns a directory with a closed log of some entries, and those.
func filled(t *testing.T, o Options, turns, size int) (dir string, all map[history.ID][]history.Entry) {
	t.Helper()
	dir = t.TempDir()
	l, err := Open(dir, o)
	require.NoError(t, err)
	all = fill(t, l, turns, size)
	require.NoError(t, l.Close())
	return dir, all
}

func fill(t *testing.T, l *Log, turns, size int) map[history.ID][]history.Entry {
	all := map[history.ID][]history.Entry{}
	for i := range turns {
		s := storetest.Continue(id(i%7), all[id(i%7)]).Sized(size)
		entries := s.Next(1 + i%3)
		require.NoError(t, l.AppendTail(t.Context(), s.ID, &store.Tail{ID: s.ID, Seq: s.Seq()}, entries...))
		all[s.ID] = append(all[s.ID], entries...)
	}
	return all
}

// check opens a directory in which something may be damaged, and fails if anything it says is wrong. It returns the
// errors that it met.
func check(t *testing.T, dir string, o Options, all map[history.ID][]history.Entry, what string) (found []error) {
	t.Helper()
	l, err := Open(dir, o)
	if err != nil {
		return []error{err}
	}
	defer l.Close()
	for id, want := range all {
		got, err := read(t, l, id)
		if err != nil {
			found = append(found, err)
			continue
		}
		require.Equal(t, string(history.Marshal(want)), string(history.Marshal(got)), "%s: %s is silently wrong", what, id)
	}
	return found
}

func flip(t *testing.T, path string, offset int64) {
	t.Helper()
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	data[offset] ^= 1 << (offset % 8)
	require.NoError(t, os.WriteFile(path, data, 0o600))
}

func glob(t *testing.T, dir, pattern string) string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "log", pattern))
	require.NoError(t, err)
	require.NotEmpty(t, paths)
	return paths[len(paths)-1]
}

func TestFlippedBitInATableIsFound(t *testing.T) {
	t.Parallel()
	o := small(nil)
	dir, all := filled(t, o, 100, 500)
	table := glob(t, dir, "*.sst")
	info, err := os.Stat(table)
	require.NoError(t, err)
	found := 0
	for offset := int64(0); offset < info.Size(); offset += 997 {
		flip(t, table, offset)
		// A read-only copy, because opening changes the directory.
		copied := t.TempDir()
		require.NoError(t, os.CopyFS(copied, os.DirFS(dir)))
		for _, err := range check(t, copied, o, all, fmt.Sprintf("offset %d", offset)) {
			require.ErrorIs(t, err, store.ErrCorrupt)
			found++
		}
		flip(t, table, offset)
	}
	require.Positive(t, found)
	require.Empty(t, check(t, dir, o, all, "as it was"))
}

// TestFlippedBitIsNeverSilent flips a bit at a time in every file of a small log that was closed.
func TestFlippedBitIsNeverSilent(t *testing.T) {
	t.Parallel()
	o := small(nil)
	o.Ballast = -1
	dir, all := filled(t, o, 20, 10)
	paths, err := filepath.Glob(filepath.Join(dir, "log", "*"))
	require.NoError(t, err)
	rng := rand.New(rand.NewPCG(storetest.Seed(t, 1), 0))
	for _, path := range paths {
		info, err := os.Stat(path)
		require.NoError(t, err)
		for range min(info.Size(), 40) {
			offset := rng.Int64N(info.Size())
			copied := t.TempDir()
			require.NoError(t, os.CopyFS(copied, os.DirFS(dir)))
			flip(t, filepath.Join(copied, "log", filepath.Base(path)), offset)
			check(t, copied, o, all, fmt.Sprintf("%s at %d", path, offset))
		}
	}
}

// killed returns the files of a log that was not closed, whose last append was followed by an empty record.
func killed(t *testing.T, turns, size int) (*vfs.MemFS, string, []byte, map[history.ID][]history.Entry) {
	t.Helper()
	o := small(vfs.NewCrashableMem())
	o.MemTable = 8 << 20
	l := open(t, "db", o)
	all := fill(t, l, turns, size)
	fs := crash(l)
	names, err := fs.List("db/log")
	require.NoError(t, err)
	newest := ""
	for _, name := range names {
		if strings.HasSuffix(name, ".log") && name > newest {
			newest = name
		}
	}
	path := "db/log/" + newest
	return fs, path, contents(t, fs, path), all
}

func contents(t *testing.T, fs vfs.FS, path string) []byte {
	t.Helper()
	f, err := fs.Open(path)
	require.NoError(t, err)
	defer f.Close()
	data, err := io.ReadAll(f)
	require.NoError(t, err)
	return data
}

func TestDamageIsToldInALine(t *testing.T) {
	t.Parallel()
	var lines bytes.Buffer
	o := small(nil)
	dir, all := filled(t, o, 100, 500)
	table := glob(t, dir, "*.sst")
	flip(t, table, 997)
	o.Logger = slog.New(slog.NewTextHandler(&lines, &slog.HandlerOptions{Level: slog.LevelError}))
	found := check(t, dir, o, all, "a flipped bit")
	require.NotEmpty(t, found)
	for _, err := range found {
		require.ErrorContains(t, err, filepath.Base(table)+": ")
		require.NotContains(t, err.Error(), "carrier")
	}
	require.Contains(t, lines.String(), "log is damaged")
	require.NotContains(t, lines.String(), "goroutine")
	require.NotContains(t, lines.String(), "stack trace")
}

// with returns a copy of a disk in which a file has other contents.
func with(t *testing.T, disk *vfs.MemFS, path string, data []byte) *vfs.MemFS {
	t.Helper()
	fs := disk.CrashClone(vfs.CrashCloneCfg{})
	f, err := fs.Create(path, vfs.WriteCategoryUnspecified)
	require.NoError(t, err)
	_, err = f.Write(bytes.Clone(data)) // the file system may overwrite what it is given
	require.NoError(t, err)
	require.NoError(t, errors.Join(f.Sync(), f.Close()))
	return fs
}

func TestDamagedWriteAheadLogIsRefused(t *testing.T) {
	t.Parallel()
	for _, size := range []int{10, 3000} {
		disk, path, data, all := killed(t, 60, size)
		lastRecord := lastBegin(data)
		require.Empty(t, check(t, "db", small(with(t, disk, path, data)), all, "as it was"))
		refused := 0
		for offset := 0; offset < lastRecord; offset += 1 + lastRecord/300 {
			bad := append([]byte(nil), data...)
			bad[offset] ^= 1 << (offset % 8)
			found := check(t, "db", small(with(t, disk, path, bad)), all, fmt.Sprintf("offset %d", offset))
			for _, err := range found {
				require.ErrorIs(t, err, store.ErrCorrupt)
				if strings.Contains(err.Error(), path) && strings.Contains(err.Error(), "offset") {
					refused++
				}
			}
		}
		require.Greater(t, refused, 250, "nearly every bit is part of a chunk")
	}
}

// lastBegin returns where the last record of a write-ahead log begins.
func lastBegin(data []byte) (at int) {
	number := int64(data[7]) | int64(data[8])<<8
	for base := 0; base < len(data); base += blockSize {
		block := data[base:min(base+blockSize, len(data))]
		for i := 0; i < len(block); {
			size, begins := chunkAt(block[i:], number)
			if size == 0 {
				break
			}
			if begins {
				at = base + i
			}
			i += size
		}
	}
	return at
}

func TestTruncatedWriteAheadLogEndsWithAWholeAppend(t *testing.T) {
	if testing.Short() {
		t.Skip("it cuts a file at each byte, alone")
	}
	t.Parallel()
	disk, path, data, all := killed(t, 40, 10)
	last := len(data)
	before := -1
	for n := max(0, last-4096); n <= last; n++ {
		if n < last-250 && n%83 > 0 {
			continue // the last append lies behind this
		}
		l, err := Open("db", small(with(t, disk, path, data[:n])))
		require.NoError(t, err, "%d bytes of %d", n, last)
		total := 0
		for id, want := range all {
			got, err := read(t, l, id)
			require.NoError(t, err)
			require.Equal(t, string(history.Marshal(want[:len(got)])), string(history.Marshal(got)))
			if tail, ok, err := l.Tail(t.Context(), id); err != nil || ok {
				require.NoError(t, err)
				require.Equal(t, uint64(len(got)), tail.Seq, "the row is as old as the history")
			}
			total += len(got)
		}
		require.GreaterOrEqual(t, total, before)
		before = total
		require.NoError(t, l.Close())
	}
	want := 0
	for _, entries := range all {
		want += len(entries)
	}
	require.Equal(t, want, before)
}

func TestSecondOpenIsRefused(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir, small(nil))
	for _, again := range []string{dir, dir + "/.", filepath.Join(dir, "log", "..")} {
		_, err := Open(again, small(nil))
		require.ErrorIs(t, err, store.ErrInUse)
		require.ErrorContains(t, err, dir)
	}
	link := filepath.Join(t.TempDir(), "link")
	require.NoError(t, os.Symlink(dir, link))
	_, err := Open(link, small(nil))
	require.ErrorIs(t, err, store.ErrInUse)
	require.NoError(t, l.Close())
	open(t, dir, small(nil))
	info, err := os.Stat(dir + "/log")
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o700), info.Mode().Perm())
}

func TestShorterLogThanAtCloseIsRefused(t *testing.T) {
	o := small(nil)
	dir, _ := filled(t, o, 5, 10)
	require.NoError(t, writeMark(vfs.Default, filepath.Join(dir, "log"), 1000))
	_, err := Open(dir, o)
	require.ErrorIs(t, err, store.ErrCorrupt)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "log", markFile), []byte("12 00000000\n"), 0o600))
	_, err = Open(dir, o)
	require.ErrorIs(t, err, store.ErrCorrupt)
}

func TestTooLargeAppendIsRefused(t *testing.T) {
	if testing.Short() {
		t.Skip("it makes appends of many megabytes")
	}
	t.Parallel()
	l := open(t, "db", small(vfs.NewMem()))
	s := storetest.NewStream(id(1)).Sized(maxAppend)
	require.ErrorIs(t, l.Append(t.Context(), s.ID, s.Next(1)...), store.ErrTooLarge)
	s = storetest.NewStream(id(1)).Sized(maxAppend - 1000)
	entries := s.Next(1)
	require.NoError(t, l.Append(t.Context(), s.ID, entries...))
	requireSame(t, l, s.ID, entries, entries)
}

func TestFollowerThatFallsBehindReadsFromDisk(t *testing.T) {
	t.Parallel()
	l := open(t, "db", small(vfs.NewMem()))
	s := storetest.NewStream(id(1)).Sized(100_000)
	const n = 350 // more than recentBytes
	for range n {
		require.NoError(t, l.Append(t.Context(), s.ID, s.Next(1)...))
	}
	require.LessOrEqual(t, l.recent.bytes, recentBytes)
	seen := uint64(0)
	for r, err := range l.Follow(t.Context(), store.Position{}) {
		require.NoError(t, err)
		seen++
		require.Equal(t, seen, r.Entry.Seq)
		require.Equal(t, store.At(uint64(seen)), r.Position)
		if seen == n {
			break
		}
	}
}
