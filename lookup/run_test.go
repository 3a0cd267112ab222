package lookup

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/query"
	"github.com/clewflow/clew/store"
)

// follow runs x until the test ends.
func follow(t *testing.T, x *Index, log store.Log) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- x.Run(ctx, log) }()
	t.Cleanup(func() {
		cancel()
		require.NoError(t, <-ended)
	})
}

func reach(t *testing.T, x *Index, position store.Position) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	require.NoError(t, x.Reached(ctx, position))
}

func fedAtOnce(t *testing.T, records []store.Record) string {
	x := open(t, memory)
	require.NoError(t, x.Apply(records))
	return dump(t, x)
}

func TestRunFollowsTheLog(t *testing.T) {
	w := random(t, 20)
	log := newTape(w.steps(200)...)
	x := open(t, filepath.Join(t.TempDir(), "index.db"))
	follow(t, x, log)
	for range 8 {
		log.add(w.steps(20)...)
		reach(t, x, w.position)
		require.ElementsMatch(t, w.rows(), all(t, x, query.Query{}))
	}
	require.Equal(t, fedAtOnce(t, w.records), dump(t, x))
}

func TestWhoWaitsNeedNotWaitForTheBatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(1, 5)
		log := newTape()
		x := open(t, memory)
		follow(t, x, log)
		began := time.Now()
		for range 10 {
			log.add(w.steps(3)...)
			reach(t, x, w.position)
		}
		require.Zero(t, time.Since(began))
	})
}

func TestRecordsAreAppliedSoonAndNotOneByOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(1, 5)
		log := newTape()
		x := open(t, memory)
		follow(t, x, log)
		time.Sleep(time.Second)
		log.add(w.steps(1)...)
		time.Sleep(prompt)
		synctest.Wait()
		require.Equal(t, w.position, x.Position(), "after a silence")
		first := x.Position()
		log.add(w.steps(1)...)
		time.Sleep(longest - time.Millisecond)
		synctest.Wait()
		require.Equal(t, first, x.Position(), "gathered")
		time.Sleep(time.Millisecond)
		synctest.Wait()
		require.Equal(t, w.position, x.Position())
	})
}

func TestALogThatCannotBeReadIsTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(1, 5)
		log := newTape(w.steps(10)...)
		log.failing = store.ErrUnavailable
		x := open(t, memory)
		follow(t, x, log)
		reach(t, x, w.position)
	})
}

func TestAClosedLogEndsRun(t *testing.T) {
	log := newTape()
	log.failing = store.ErrClosed
	require.ErrorIs(t, open(t, memory).Run(context.Background(), log), store.ErrClosed)
}

func TestCloseEndsRunAndWaitsForIt(t *testing.T) {
	x, err := Open(context.Background(), memory, Options{})
	require.NoError(t, err)
	var running sync.WaitGroup
	began := make(chan struct{})
	running.Go(func() {
		close(began)
		if err := x.Run(context.Background(), newTape()); !errors.Is(err, ErrClosed) {
			t.Error(err)
		}
	})
	<-began
	require.NoError(t, x.Close())
	running.Wait()
}

func TestOnlyOneRunIsUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := open(t, memory)
		follow(t, x, newTape())
		synctest.Wait()
		require.ErrorContains(t, x.Run(context.Background(), newTape()), "already")
	})
}

func TestAFullDiskIsTriedAgainAndLosesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(1, 100)
		x := open(t, memory)
		pages := func(limit string) {
			c, err := x.take(context.Background(), x.writer)
			require.NoError(t, err)
			require.NoError(t, c.pragmas("max_page_count = "+limit))
			x.writer <- c
		}
		pages("1") // as many as there are
		log := newTape(w.steps(1000)...)
		follow(t, x, log)
		time.Sleep(time.Minute)
		require.Zero(t, x.Position())
		pages("1000000")
		reach(t, x, w.position)
		require.Equal(t, fedAtOnce(t, w.records), dump(t, x))
	})
}

func TestResetFollowsTheLogFromItsBeginning(t *testing.T) {
	w := random(t, 10)
	log := newTape(w.steps(200)...)
	x := open(t, filepath.Join(t.TempDir(), "index.db"))
	follow(t, x, log)
	for range 5 {
		require.NoError(t, x.Reset())
		log.add(w.steps(20)...)
		reach(t, x, w.position)
		require.Equal(t, fedAtOnce(t, w.records), dump(t, x))
	}
}

func TestAFileThatIsOfNoUseIsBuiltAnew(t *testing.T) {
	w := random(t, 20)
	w.steps(300)
	want := fedAtOnce(t, w.records)
	sound := filepath.Join(t.TempDir(), "sound.db")
	x, err := Open(context.Background(), sound, Options{})
	require.NoError(t, err)
	require.NoError(t, x.Apply(w.records))
	require.NoError(t, x.Close())
	file, err := os.ReadFile(sound)
	require.NoError(t, err)

	for what, spoil := range map[string]func(file []byte) []byte{
		"missing":   func([]byte) []byte { return nil },
		"empty":     func([]byte) []byte { return []byte{} },
		"garbage":   func([]byte) []byte { return []byte(strings.Repeat("garbage ", 1000)) },
		"no header": func(f []byte) []byte { return append(make([]byte, 100), f[100:]...) },
		"cut":       func(f []byte) []byte { return f[:len(f)/2] },
		"zeroes in the middle": func(f []byte) []byte {
			return append(append(bytes.Clone(f[:4096]), make([]byte, 8*4096)...), f[9*4096:]...)
		},
		"another version": func(f []byte) []byte { f = bytes.Clone(f); f[63] = 99; return f },
	} {
		t.Run(what, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "index.db")
			if spoilt := spoil(file); spoilt != nil {
				require.NoError(t, os.WriteFile(path, spoilt, 0o600))
			}
			x := open(t, path)
			follow(t, x, newTape(w.records...))
			_, err := x.Find(context.Background(), query.Query{}) // may notice the damage, may come too soon to see all
			if err != nil {
				require.ErrorIs(t, err, ErrAnew)
			}
			_, err = x.Count(context.Background(), query.Query{Type: "order"})
			if err != nil {
				require.ErrorIs(t, err, ErrAnew)
			}
			reach(t, x, w.position)
			require.Equal(t, want, dump(t, x))
		})
	}
}

func TestDamageIsNoticedWhileTheIndexIsOpen(t *testing.T) {
	w := random(t, 20)
	records := w.steps(300)
	path := filepath.Join(t.TempDir(), "index.db")
	var logged bytes.Buffer
	x, err := Open(context.Background(), path, Options{Logger: slog.New(slog.NewTextHandler(&logged, nil))})
	require.NoError(t, err)
	require.NoError(t, x.Apply(records[:150]))
	require.NoError(t, x.Close())
	x, err = Open(context.Background(), path, Options{Logger: slog.New(slog.NewTextHandler(&logged, nil))})
	require.NoError(t, err)
	defer x.Close()

	f, err := os.OpenFile(path, os.O_RDWR, 0)
	require.NoError(t, err)
	size, err := f.Seek(0, 2)
	require.NoError(t, err)
	_, err = f.WriteAt(bytes.Repeat([]byte{0xa5}, int(size)-4096), 4096)
	require.NoError(t, err)
	require.NoError(t, f.Close())

	err = x.Apply(records[150:])
	require.ErrorIs(t, err, ErrAnew)
	require.Zero(t, x.Position())
	require.Contains(t, logged.String(), "damaged")
	require.NoError(t, x.Apply(records))
	require.Equal(t, fedAtOnce(t, records), dump(t, x))
}

func TestADatabaseOfSomethingElseIsLeftAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "mine.db")
	c, err := connect(path)
	require.NoError(t, err)
	require.NoError(t, c.exec(context.Background(), "CREATE TABLE mine (x)"))
	require.NoError(t, c.close())
	before, err := os.ReadFile(path)
	require.NoError(t, err)
	_, err = Open(context.Background(), path, Options{})
	require.ErrorIs(t, err, errForeign)
	after, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, before, after)
}

func TestLookupsGoOnWhileTheIndexBeginsAnew(t *testing.T) {
	w := random(t, 10)
	w.steps(300)
	x := open(t, filepath.Join(t.TempDir(), "index.db"))
	follow(t, x, newTape(w.records...))
	var asking sync.WaitGroup
	for range 3 {
		asking.Go(func() {
			for range 15 {
				page, err := x.Find(context.Background(), query.Query{Status: history.StatusOpen})
				if err != nil || len(page.Rows) > 10 {
					t.Error(err, len(page.Rows))
				}
			}
		})
	}
	for range 5 {
		require.NoError(t, x.Reset())
	}
	asking.Wait()
	reach(t, x, w.position)
	require.ElementsMatch(t, w.rows(), all(t, x, query.Query{}))
}

// TestARebuildInMemoryIsTheSame: much is read first, and the indexes are made then.
func TestARebuildInMemoryIsTheSame(t *testing.T) {
	before := much
	much = 10
	t.Cleanup(func() { much = before })
	w := random(t, 20)
	log := newTape(w.steps(400)...)
	x := open(t, memory)
	follow(t, x, log)
	reach(t, x, w.position)
	log.add(w.steps(10)...)
	reach(t, x, w.position)
	require.Equal(t, fedAtOnce(t, w.records), dump(t, x))
	var n int64
	require.NoError(t, x.read(context.Background(), func(c *conn, _ store.Position) (err error) {
		n, err = c.number(context.Background(), "SELECT count(*) FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL")
		return err
	}))
	require.EqualValues(t, len(secondary)+1, n)
}

// TestACrashAtAnyPointLeavesEqualRows: the file as it is after any transaction, or before the first after an append, goes on to the
// same rows.
func TestACrashAtAnyPointLeavesEqualRows(t *testing.T) {
	w := random(t, 15)
	w.steps(300)
	want := fedAtOnce(t, w.records)
	dir := t.TempDir()
	path := filepath.Join(dir, "index.db")
	x := open(t, path)
	n := 0
	for batch := range w.batches(w.records, 40) {
		require.NoError(t, x.Apply(batch))
		n++
		crashed := filepath.Join(dir, "crashed", fmt.Sprint(n), "index.db")
		require.NoError(t, os.MkdirAll(filepath.Dir(crashed), 0o700))
		for _, suffix := range []string{"", "-wal"} { // as a process that dies leaves them
			data, err := os.ReadFile(path + suffix)
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(crashed+suffix, data, 0o600))
		}
		again := open(t, crashed)
		require.Equal(t, x.Position(), again.Position())
		follow(t, again, newTape(w.records...))
		reach(t, again, w.position)
		require.Equal(t, want, dump(t, again))
	}
	require.Greater(t, n, 5)
}
