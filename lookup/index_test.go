package lookup

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/query"
	"github.com/clewflow/clew/store"
)

func TestRowsAreWhatTheHistoriesAmountTo(t *testing.T) {
	w := random(t, 20)
	x := open(t, memory)
	for batch := range w.batches(w.steps(700), 40) {
		require.NoError(t, x.Apply(batch))
	}
	require.ElementsMatch(t, w.rows(), all(t, x, query.Query{}))
}

func TestTheIndexIsTheSameHoweverItIsFed(t *testing.T) {
	w := random(t, 30)
	records := w.steps(500)
	path := filepath.Join(t.TempDir(), "index.db")

	live := open(t, path)
	for batch := range w.batches(records, 20) {
		require.NoError(t, live.Apply(batch))
	}
	want := dump(t, live)

	once := open(t, memory)
	require.NoError(t, once.Apply(records))
	require.Equal(t, want, dump(t, once))

	forgetful := open(t, memory)
	for batch := range w.batches(records, 20) {
		clear(forgetful.open)
		require.NoError(t, forgetful.Apply(batch))
	}
	require.Equal(t, want, dump(t, forgetful))

	require.NoError(t, live.Reset())
	require.Zero(t, live.Position())
	require.Empty(t, all(t, live, query.Query{}))
	require.NoError(t, live.Apply(records))
	require.Equal(t, want, dump(t, live))
}

func TestAnIndexGoesOnWhereItWasClosed(t *testing.T) {
	w := random(t, 10)
	path := filepath.Join(t.TempDir(), "a name with % and ?.db")
	once := open(t, memory)
	for batch := range w.batches(w.steps(400), 100) {
		x, err := Open(context.Background(), path, Options{})
		require.NoError(t, err)
		require.Equal(t, once.Position(), x.Position())
		require.NoError(t, x.Apply(batch))
		require.NoError(t, once.Apply(batch))
		require.NoError(t, x.Close())
	}
	require.Equal(t, dump(t, once), dump(t, open(t, path)))
	require.FileExists(t, path)
}

func TestARecordThatComesTwiceInABatchCountsOnce(t *testing.T) {
	w := random(t, 10)
	records := w.steps(200)
	var batch []store.Record
	for i, r := range records {
		if batch = append(batch, r); i%3 == 0 {
			batch = append(batch, records[i/2], r)
		}
	}
	twice, once := open(t, memory), open(t, memory)
	require.NoError(t, twice.Apply(batch))
	require.NoError(t, once.Apply(records))
	require.Equal(t, dump(t, once), dump(t, twice))
}

func TestDuplicatesChangeNothing(t *testing.T) {
	w := random(t, 10)
	records := w.steps(300)
	x := open(t, memory)
	require.NoError(t, x.Apply(records[:200]))
	before := dump(t, x)
	require.NoError(t, x.Apply(records[50:150]))
	require.NoError(t, x.Apply(nil))
	require.Equal(t, before, dump(t, x))
	require.NoError(t, x.Apply(records[100:])) // some known, some new
	once := open(t, memory)
	require.NoError(t, once.Apply(records))
	require.Equal(t, dump(t, once), dump(t, x))
}

func TestARunIsWrittenOncePerBatch(t *testing.T) {
	w := newWorld(1, 1)
	id := w.ids[0]
	x := open(t, memory)
	changes := func(records []store.Record) int64 {
		ask := func() (n int64) {
			require.NoError(t, x.read(context.Background(), func(c *conn, _ store.Position) (err error) {
				n, err = c.number(context.Background(), "SELECT total_changes()")
				return err
			}))
			return n
		}
		before := ask()
		require.NoError(t, x.Apply(records))
		return ask() - before
	}
	happen := func(events ...history.Event) []store.Record {
		from := len(w.records)
		for _, e := range events {
			w.append(id, history.Entry{Event: e})
		}
		return w.records[from:]
	}
	const andThePlace, andTheTally = 1, 2 // and that of the day
	require.EqualValues(t, 1+andThePlace+andTheTally, changes(happen(&history.Started{Run: "1", Number: 1}, &history.Signaled{}, &history.Completed{})), "opens and closes")
	require.EqualValues(t, 1+andThePlace+andTheTally, changes(happen(&history.Started{Run: "2", Number: 2}, &history.Signaled{})), "opens")
	require.EqualValues(t, 1+andThePlace, changes(happen(&history.Signaled{}, &history.Signaled{}, &history.Signaled{})), "goes on")
	require.EqualValues(t, 2+andThePlace+andTheTally, changes(happen(&history.Terminated{}, &history.Started{Run: "3", Number: 3})), "closes, and the next opens")
	require.ElementsMatch(t, w.rows(), all(t, x, query.Query{}))
}

func TestStreamsWithoutARunLeaveNoRow(t *testing.T) {
	x := open(t, memory)
	e := history.Entry{Seq: 1, At: epoch, Event: &history.Signaled{Name: "redacted"}}
	history.Seal(history.Hash{}, &e)
	require.NoError(t, x.Apply([]store.Record{{Position: store.At(7), ID: history.ID{Namespace: "main", Workflow: "clew.admin.main"}, Entry: e}}))
	require.Empty(t, all(t, x, query.Query{}))
	require.Equal(t, store.At(7), x.Position())
}

func TestAttributesCanBeSearched(t *testing.T) {
	w := newWorld(1, 1)
	attributes := history.JSON([]byte(`{"region":"eu","n":9007199254740993,"price":1.5,"urgent":true,"tags":["a",1,"b"],"deep":{"x":1},"none":null}`))
	w.append(w.ids[0], history.Entry{Event: &history.Started{Run: "1", Number: 1, Attributes: attributes}})
	x := open(t, memory)
	require.NoError(t, x.Apply(w.records))
	for _, where := range []string{
		`name = 'attr.region' AND kind = 'text' AND text = 'eu'`, `name = 'attr.n' AND kind = 'number' AND num = 9007199254740993`, `name = 'attr.price' AND num > 1.4`,
		`name = 'attr.urgent' AND kind = 'bool' AND num = 1`, `name = 'attr.tags' AND kind = 'list' AND text = 'b'`,
	} {
		require.NoError(t, x.read(context.Background(), func(c *conn, _ store.Position) error {
			n, err := c.number(context.Background(), "SELECT count(*) FROM attribute WHERE run = ? AND "+where, int64(w.position.Commit))
			assert.EqualValues(t, 1, n, where)
			return err
		}))
	}
	row := all(t, x, query.Query{})[0]
	require.Equal(t, map[string]any{"x": int64(1)}, row.Attributes["deep"])
}

func TestAttributesThatAreNoObjectAreLeftOut(t *testing.T) {
	for _, bad := range []string{``, `null`, `7`, `[1]`, `{`, `{}`, "\xff"} {
		w := newWorld(1, 1)
		w.append(w.ids[0], history.Entry{Event: &history.Started{Run: "1", Number: 1, Attributes: history.JSON([]byte(bad))}})
		x := open(t, memory)
		require.NoError(t, x.Apply(w.records), bad)
		require.Nil(t, all(t, x, query.Query{})[0].Attributes, bad)
	}
}

func TestStrangeTextsComeBackAsTheyWere(t *testing.T) {
	x := open(t, memory)
	var records []store.Record
	strange := []string{"'; DROP TABLE run; --", "nul\x00inside", "\xff\xfe", "ünïcödé ☃", " ", "%", "?1"}
	for i, s := range strange {
		e := history.Entry{Seq: 1, At: epoch, Event: &history.Started{Run: s, Number: 1, Type: s, CorrelationID: s}}
		history.Seal(history.Hash{}, &e)
		records = append(records, store.Record{Position: store.At(uint64(i) + 1), ID: history.ID{Namespace: s, Workflow: s}, Entry: e})
	}
	require.NoError(t, x.Apply(records))
	for _, s := range strange {
		rows := all(t, x, query.Query{Namespace: s, ID: s, IDPrefix: s, Run: s, Type: s, CorrelationID: s})
		require.Len(t, rows, 1, "%q", s)
		require.Equal(t, s, rows[0].ID)
	}
}

func TestReachedSaysHowFarBehindTheIndexIs(t *testing.T) {
	w := newWorld(1, 3)
	x := open(t, memory)
	require.NoError(t, x.Apply(w.steps(10)))
	require.NoError(t, x.Reached(context.Background(), x.Position()))
	ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
	defer cancel()
	err := x.Reached(ctx, further(x.Position(), 42))
	require.ErrorIs(t, err, ErrBehind)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.ErrorContains(t, err, "42 behind")
	gone, cancel := context.WithCancel(context.Background())
	cancel()
	require.ErrorIs(t, x.Reached(gone, further(x.Position(), 1)), context.Canceled)
}

func TestAClosedIndexSaysSo(t *testing.T) {
	x, err := Open(context.Background(), memory, Options{})
	require.NoError(t, err)
	waiting := make(chan error)
	go func() { waiting <- x.Reached(context.Background(), store.At(1)) }()
	require.NoError(t, x.Close())
	require.NoError(t, x.Close())
	require.ErrorIs(t, <-waiting, ErrClosed)
	_, err = x.Find(context.Background(), query.Query{})
	require.ErrorIs(t, err, ErrClosed)
	require.ErrorIs(t, x.Apply(newWorld(1, 1).steps(1)), ErrClosed)
	require.ErrorIs(t, x.Reset(), ErrClosed)
	require.ErrorIs(t, x.Run(context.Background(), newTape()), ErrClosed)
}
