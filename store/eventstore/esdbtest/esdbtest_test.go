package esdbtest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

func start(t testing.TB, o Options) *Server {
	t.Helper()
	s, err := Start(o)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

// client is the one that the makers of the server publish.
func client(t testing.TB, url string) *esdb.Client {
	t.Helper()
	cfg, err := esdb.ParseConnectionString(url)
	require.NoError(t, err)
	cfg.Logger = esdb.NoopLogging()
	c, err := esdb.NewClient(cfg)
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func events(ids ...int) (all []esdb.EventData) {
	for _, id := range ids {
		all = append(all, esdb.EventData{
			EventID: uuid.NewSHA1(uuid.Nil, fmt.Append(nil, id)), EventType: "t", ContentType: esdb.ContentTypeJson, Data: fmt.Appendf(nil, `{"n":%d}`, id),
		})
	}
	return all
}

func push(t testing.TB, c *esdb.Client, stream string, expected esdb.ExpectedRevision, ids ...int) error {
	t.Helper()
	_, err := c.AppendToStream(t.Context(), stream, esdb.AppendToStreamOptions{ExpectedRevision: expected}, events(ids...)...)
	return err
}

func requireCode(t testing.TB, err error, code esdb.ErrorCode) {
	t.Helper()
	var e *esdb.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, code, e.Code(), "%v", err)
}

func read(t testing.TB, c *esdb.Client, stream string, o esdb.ReadStreamOptions, count uint64) (all []string, err error) {
	t.Helper()
	r, err := c.ReadStream(t.Context(), stream, o, count)
	require.NoError(t, err)
	defer r.Close()
	for {
		e, err := r.Recv()
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return all, err
		}
		all = append(all, fmt.Sprintf("%d %s", e.Event.EventNumber, e.Event.Data))
	}
}

func TestAppendsFollowTheTable(t *testing.T) {
	s := start(t, Options{})
	c := client(t, s.URL())
	require.NoError(t, push(t, c, "s", esdb.NoStream{}, 0, 1, 2))
	for _, test := range []struct {
		name     string
		expected esdb.ExpectedRevision
		ids      []int
		ok       bool
		wrote    int
	}{
		{"the same again", esdb.NoStream{}, []int{0, 1, 2}, true, 0},
		{"a part of it", esdb.NoStream{}, []int{0, 1}, true, 0},
		{"a part in the middle", esdb.Revision(0), []int{1, 2}, true, 0},
		{"another first", esdb.NoStream{}, []int{9}, false, 0},
		{"another second", esdb.NoStream{}, []int{0, 9}, false, 0},
		{"more than there is", esdb.NoStream{}, []int{0, 1, 2, 3}, false, 0},
		{"too far", esdb.Revision(7), []int{9}, false, 0},
		{"at the end, whatever the ids", esdb.Revision(2), []int{2}, true, 1},
		{"any, known ids", esdb.Any{}, []int{0, 1}, true, 0},
		{"any, a known and a new one", esdb.Any{}, []int{1, 77}, false, 0},
		{"any, new ids", esdb.Any{}, []int{20}, true, 1},
		{"exists", esdb.StreamExists{}, []int{21}, true, 1},
	} {
		before := len(s.Stream("s"))
		err := push(t, c, "s", test.expected, test.ids...)
		if test.ok {
			require.NoError(t, err, test.name)
		} else {
			requireCode(t, err, esdb.ErrorCodeWrongExpectedVersion)
		}
		require.Equal(t, before+test.wrote, len(s.Stream("s")), test.name)
	}
	requireCode(t, push(t, c, "other", esdb.StreamExists{}, 1), esdb.ErrorCodeWrongExpectedVersion)
	s.Forget()
	before := len(s.Stream("s"))
	require.NoError(t, push(t, c, "s", esdb.Any{}, 20))
	require.Len(t, s.Stream("s"), before+1, "what was forgotten is written once more")
	require.NoError(t, push(t, c, "s", esdb.NoStream{}, 0, 1, 2), "but for exact expectations nothing is forgotten")
	require.Len(t, s.Stream("s"), before+1)
}

func TestDeletedStreamsGoOnAndTombstonesDoNot(t *testing.T) {
	s := start(t, Options{})
	c := client(t, s.URL())
	require.NoError(t, push(t, c, "s", esdb.NoStream{}, 0, 1))
	_, err := c.DeleteStream(t.Context(), "s", esdb.DeleteStreamOptions{ExpectedRevision: esdb.Revision(7)})
	require.Error(t, err)
	_, err = c.DeleteStream(t.Context(), "s", esdb.DeleteStreamOptions{ExpectedRevision: esdb.Revision(1)})
	require.NoError(t, err)
	_, err = read(t, c, "s", esdb.ReadStreamOptions{From: esdb.Start{}}, 9)
	requireCode(t, err, esdb.ErrorCodeResourceNotFound)
	require.NoError(t, push(t, c, "s", esdb.NoStream{}, 5))
	all, err := read(t, c, "s", esdb.ReadStreamOptions{From: esdb.Start{}}, 9)
	require.NoError(t, err)
	require.Equal(t, []string{`2 {"n":5}`}, all)
	_, err = c.TombstoneStream(t.Context(), "s", esdb.TombstoneStreamOptions{ExpectedRevision: esdb.Any{}})
	require.NoError(t, err)
	requireCode(t, push(t, c, "s", esdb.NoStream{}, 6), esdb.ErrorCodeStreamDeleted)
	_, err = read(t, c, "s", esdb.ReadStreamOptions{From: esdb.Start{}}, 9)
	requireCode(t, err, esdb.ErrorCodeStreamDeleted)
}

func TestMetadataHideUntilScavenged(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	s := start(t, Options{Now: func() time.Time { return now }})
	c := client(t, s.URL())
	require.NoError(t, push(t, c, "s", esdb.NoStream{}, 0, 1, 2, 3, 4))
	for _, test := range []struct {
		set  func(*esdb.StreamMetadata)
		want []string
	}{
		{func(m *esdb.StreamMetadata) { m.SetTruncateBefore(3) }, []string{`3 {"n":3}`, `4 {"n":4}`}},
		{func(m *esdb.StreamMetadata) { m.SetMaxCount(1) }, []string{`4 {"n":4}`}},
		{func(m *esdb.StreamMetadata) { m.SetTruncateBefore(9) }, nil},
		{func(m *esdb.StreamMetadata) { m.SetMaxAge(time.Minute) }, nil},
	} {
		var m esdb.StreamMetadata
		test.set(&m)
		_, err := c.SetStreamMetadata(t.Context(), "s", esdb.AppendToStreamOptions{ExpectedRevision: esdb.Any{}}, m)
		require.NoError(t, err)
		now = now.Add(2 * time.Minute)
		all, err := read(t, c, "s", esdb.ReadStreamOptions{From: esdb.Start{}}, 9)
		require.NoError(t, err)
		require.Equal(t, test.want, all)
	}
	require.Len(t, s.Stream("s"), 5)
	s.Scavenge()
	require.Len(t, s.Stream("s"), 1, "the last one stays")
	require.NoError(t, push(t, c, "s", esdb.Revision(4), 5))
	requireCode(t, push(t, c, "s", esdb.Revision(0), 1), esdb.ErrorCodeWrongExpectedVersion)
}

func TestStreamsAreReadBothWays(t *testing.T) {
	s := start(t, Options{})
	c := client(t, s.URL())
	require.NoError(t, push(t, c, "s", esdb.NoStream{}, 0, 1, 2, 3))
	for _, test := range []struct {
		o     esdb.ReadStreamOptions
		count uint64
		want  []string
	}{
		{esdb.ReadStreamOptions{From: esdb.Start{}}, 2, []string{`0 {"n":0}`, `1 {"n":1}`}},
		{esdb.ReadStreamOptions{From: esdb.Revision(2)}, 9, []string{`2 {"n":2}`, `3 {"n":3}`}},
		{esdb.ReadStreamOptions{From: esdb.Revision(9)}, 9, nil},
		{esdb.ReadStreamOptions{From: esdb.End{}, Direction: esdb.Backwards}, 2, []string{`3 {"n":3}`, `2 {"n":2}`}},
		{esdb.ReadStreamOptions{From: esdb.Revision(1), Direction: esdb.Backwards}, 9, []string{`1 {"n":1}`, `0 {"n":0}`}},
	} {
		all, err := read(t, c, "s", test.o, test.count)
		require.NoError(t, err)
		require.Equal(t, test.want, all)
	}
	_, err := read(t, c, "none", esdb.ReadStreamOptions{From: esdb.Start{}}, 1)
	requireCode(t, err, esdb.ErrorCodeResourceNotFound)
}

func subscribe(t testing.TB, c *esdb.Client, from esdb.AllPosition) *esdb.Subscription {
	t.Helper()
	sub, err := c.SubscribeToAll(t.Context(), esdb.SubscribeToAllOptions{
		From: from, Filter: &esdb.SubscriptionFilter{Type: esdb.StreamFilterType, Prefixes: []string{"clew."}}, MaxSearchWindow: 10, CheckpointInterval: 1,
	})
	require.NoError(t, err)
	t.Cleanup(func() { _ = sub.Close() })
	return sub
}

func next(t testing.TB, sub *esdb.Subscription) (event *esdb.RecordedEvent, checkpoints int) {
	t.Helper()
	for {
		e := sub.Recv()
		switch {
		case e.EventAppeared != nil:
			return e.EventAppeared.Event, checkpoints
		case e.CheckPointReached != nil:
			checkpoints++
		case e.SubscriptionDropped != nil:
			require.NoError(t, e.SubscriptionDropped.Error)
		}
	}
}

func TestSubscriptionsFilterAndCheckpoint(t *testing.T) {
	s := start(t, Options{})
	c := client(t, s.URL())
	require.NoError(t, push(t, c, "clew.a", esdb.NoStream{}, 0, 1))
	for range 35 {
		s.Write("$stats-x", "$stats")
	}
	require.NoError(t, push(t, c, "clew.b", esdb.NoStream{}, 2))
	sub := subscribe(t, c, esdb.Start{})
	var last *esdb.RecordedEvent
	for i, want := range []string{"clew.a", "clew.a", "clew.b"} {
		e, checkpoints := next(t, sub)
		require.Equal(t, want, e.StreamID)
		require.Equal(t, i == 2, checkpoints >= 3, "a checkpoint every ten events that were looked at")
		if last != nil {
			require.Greater(t, e.Position.Commit, last.Position.Commit)
		}
		last = e
	}
	require.NoError(t, push(t, c, "clew.c", esdb.NoStream{}, 3))
	e, _ := next(t, sub)
	require.Equal(t, "clew.c", e.StreamID, "live")
	again := subscribe(t, c, last.Position)
	e, _ = next(t, again)
	require.Equal(t, "clew.c", e.StreamID, "the position itself is excluded")
}

func TestFollowersSendToTheLeader(t *testing.T) {
	s := start(t, Options{Nodes: 3})
	c := client(t, s.URL()+"&gossipTimeout=2&nodePreference=leader")
	require.NoError(t, push(t, c, "s", esdb.NoStream{}, 0))
	s.Lead(2)
	require.NoError(t, push(t, c, "s", esdb.Revision(0), 1), "a follower passes on what does not insist on the leader")
	require.Len(t, s.Stream("s"), 2)
}

func TestAppendsGoWrongAsTold(t *testing.T) {
	for _, test := range []struct {
		do     Action
		stored int
		code   esdb.ErrorCode
	}{
		{FailBefore, 0, esdb.ErrorUnavailable}, {TimeOut, 0, esdb.ErrorAborted}, {Hang, 0, esdb.ErrorCodeDeadlineExceeded},
		{CommitThenFail, 1, esdb.ErrorUnavailable}, {CommitThenHang, 1, esdb.ErrorCodeDeadlineExceeded}, {CommitThenCut, 1, esdb.ErrorUnavailable},
		{CommitLate, 0, esdb.ErrorUnavailable},
	} {
		s := start(t, Options{})
		c := client(t, s.URL()+"&defaultDeadline=300")
		s.Inject(Fault{Do: test.do, Stream: "s", Times: 1})
		requireCode(t, push(t, c, "s", esdb.NoStream{}, 0), test.code)
		require.Len(t, s.Stream("s"), test.stored, "action %d", test.do)
		s.Arrive()
		require.Eventually(t, func() bool { return push(t, c, "s", esdb.NoStream{}, 0) == nil }, 10*time.Second, 10*time.Millisecond)
		require.Len(t, s.Stream("s"), 1, "action %d", test.do)
	}
}

func TestSubscriptionsGoWrongAsTold(t *testing.T) {
	for _, do := range []Action{Drop, TooSlow} {
		s := start(t, Options{})
		c := client(t, s.URL())
		require.NoError(t, push(t, c, "clew.a", esdb.NoStream{}, 0, 1))
		s.Inject(Fault{Do: do, After: 1, Times: 1})
		sub := subscribe(t, c, esdb.Start{})
		next(t, sub)
		for e := sub.Recv(); ; e = sub.Recv() {
			require.Nil(t, e.EventAppeared)
			if e.SubscriptionDropped != nil {
				require.Error(t, e.SubscriptionDropped.Error)
				break
			}
		}
	}
}

func TestTheFileSurvivesTheServer(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	s, err := Start(Options{File: path})
	require.NoError(t, err)
	c := client(t, s.URL())
	require.NoError(t, push(t, c, "s", esdb.NoStream{}, 0, 1))
	require.NoError(t, push(t, c, "gone", esdb.NoStream{}, 2))
	_, err = c.TombstoneStream(t.Context(), "gone", esdb.TombstoneStreamOptions{ExpectedRevision: esdb.Any{}})
	require.NoError(t, err)
	before := s.Events()
	require.NoError(t, s.Close())
	again := start(t, Options{File: path})
	require.Equal(t, before, again.Events())
	c = client(t, again.URL())
	require.NoError(t, push(t, c, "s", esdb.NoStream{}, 0, 1), "a repetition is known after a restart")
	require.Len(t, again.Stream("s"), 2)
	requireCode(t, push(t, c, "gone", esdb.NoStream{}, 3), esdb.ErrorCodeStreamDeleted)
}

func TestTLSAndPasswords(t *testing.T) {
	s := start(t, Options{TLS: true, Users: map[string]User{"ann": {Password: "a", ReadAll: true}, "bob": {Password: "b"}}})
	ca := filepath.Join(t.TempDir(), "ca.crt")
	require.NoError(t, writeFile(ca, s.CA()))
	c := client(t, s.URL("ann")+"&tlsCaFile="+ca)
	require.NoError(t, push(t, c, "s", esdb.NoStream{}, 0))
	r, err := client(t, s.URL("bob")+"&tlsCaFile="+ca).ReadAll(t.Context(), esdb.ReadAllOptions{From: esdb.Start{}}, 1)
	if err == nil {
		_, err = r.Recv()
	}
	requireCode(t, err, esdb.ErrorCodeAccessDenied)
	cfg, err := esdb.ParseConnectionString(s.URL("ann") + "&tlsCaFile=" + ca)
	require.NoError(t, err)
	cfg.Password, cfg.Logger = "wrong", esdb.NoopLogging()
	wrong, err := esdb.NewClient(cfg)
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	_, err = wrong.AppendToStream(ctx, "s", esdb.AppendToStreamOptions{}, events(1)...)
	require.Error(t, err)
}

func TestAppendsThatAreTooLargeAreRefusedEarly(t *testing.T) {
	s := start(t, Options{MaxAppend: 1000})
	c := client(t, s.URL())
	e := events(0)
	e[0].Data = make([]byte, 2000)
	_, err := c.AppendToStream(t.Context(), "s", esdb.AppendToStreamOptions{}, e...)
	require.Error(t, err)
	require.Empty(t, s.Events())
}

func writeFile(path string, data []byte) error { return os.WriteFile(path, data, 0o600) }
