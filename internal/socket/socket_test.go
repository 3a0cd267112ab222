package socket

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clewflow/clew/audit"
	"github.com/clewflow/clew/commands"
	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/query"
	"github.com/clewflow/clew/store"
)

type standing struct{ Entries int }

// fake has one execution.
type fake struct {
	entries []history.Entry
	err     error       // after the entries
	asked   query.Query // last
	acts    []Act
	reached chan struct{} // if not nil, closed after the entries, and the history goes on for as long as somebody reads
}

func (f *fake) FindPage(_ context.Context, q query.Query) (query.Page, error) {
	f.asked = q
	if err := q.Check(); err != nil {
		return query.Page{}, err
	}
	return query.Page{Rows: []query.Row{{ID: "a", Status: query.Failed}}, Next: "n", Position: 7}, nil
}

func (f *fake) Verify(_ context.Context, q Verification) (audit.Report, error) {
	if len(q.Anchor) == 0 {
		return audit.Report{}, fmt.Errorf("%w: it is empty", audit.ErrAnchor)
	}
	return audit.Report{Entries: len(q.Anchor), Findings: []audit.Finding{{ID: q.Only, Kind: audit.Missing}}}, nil
}

func (f *fake) Anchor(context.Context) ([]byte, error) { return []byte("an anchor\n"), nil }

func (f *fake) Acts(_ context.Context, _ string, question json.RawMessage) (json.RawMessage, error) {
	return question, nil
}

func (f *fake) Export(_ context.Context, w io.Writer, act Act) error {
	_, err := w.Write(act.Operation)
	return errors.Join(err, f.err)
}

func (f *fake) Erase(_ context.Context, act Act) (json.RawMessage, error) { return act.Operation, nil }

func (f *fake) Operate(_ context.Context, act Act) (string, error) {
	if act.ID.Workflow != "a" {
		return "", fmt.Errorf("%w: %s", commands.ErrNotRunning, act.ID)
	}
	f.acts = append(f.acts, act)
	return "r-2", nil
}

func (f *fake) Describe(_ context.Context, id history.ID) (standing, error) {
	if id.Workflow != "a" {
		return standing{}, fmt.Errorf("%w: %s", commands.ErrNotFound, id)
	}
	return standing{len(f.entries)}, nil
}

func (f *fake) History(ctx context.Context, _ history.ID, _ string) iter.Seq2[history.Entry, error] {
	return func(yield func(history.Entry, error) bool) {
		for _, e := range f.entries {
			if !yield(e, nil) {
				return
			}
		}
		if f.reached != nil {
			close(f.reached)
			<-ctx.Done()
			f.err = ctx.Err()
		}
		if f.err != nil {
			yield(history.Entry{}, f.err)
		}
	}
}

func sealed(n int) (entries []history.Entry) {
	hash := history.Hash{}
	for i := range n {
		e := history.Entry{Seq: uint64(i + 1), At: time.Unix(int64(i+1), 0).UTC(), Event: &history.Signaled{Name: "s", Value: history.JSON([]byte(`"\u001b<>\n"`))}}
		history.Seal(hash, &e)
		hash = e.Hash
		entries = append(entries, e)
	}
	return entries
}

func serve(t *testing.T, dir string, f *fake) (*Client[standing], *http.Server) {
	t.Helper()
	l, err := Listen(dir)
	require.NoError(t, err)
	server := &http.Server{Handler: Handler[standing](f)}
	go server.Serve(l)
	t.Cleanup(func() { server.Close(); l.Close() })
	c, err := Dial[standing](t.Context(), dir)
	require.NoError(t, err)
	t.Cleanup(func() { c.Close() })
	return c, server
}

func collect(entries iter.Seq2[history.Entry, error]) (all []history.Entry, err error) {
	for e, err := range entries {
		if err != nil {
			return all, err
		}
		all = append(all, e)
	}
	return all, nil
}

func TestTheOtherSideAnswersAsIfItWereHere(t *testing.T) {
	f := &fake{entries: sealed(5000)}
	c, _ := serve(t, t.TempDir(), f)
	q := query.Query{Namespace: "n", ID: "ü/ x", Status: query.Open, Since: time.Unix(1, 5).UTC(), Last: time.Hour, Limit: 3}
	page, err := c.FindPage(t.Context(), q)
	require.NoError(t, err)
	assert.Equal(t, q, f.asked)
	assert.Equal(t, query.Page{Rows: []query.Row{{ID: "a", Status: query.Failed}}, Next: "n", Position: 7}, page)
	d, err := c.Describe(t.Context(), history.ID{Namespace: "n", Workflow: "a"})
	require.NoError(t, err)
	assert.Equal(t, standing{5000}, d)
	all, err := collect(c.History(t.Context(), history.ID{Namespace: "n", Workflow: "a"}, "ann"))
	require.NoError(t, err)
	assert.Equal(t, string(history.Marshal(f.entries)), string(history.Marshal(all)))
	for range c.History(t.Context(), history.ID{}, "ann") {
		break // nothing hangs
	}
}

func TestErrorsAreFoundOnTheOtherSide(t *testing.T) {
	f := &fake{entries: sealed(2)}
	c, _ := serve(t, t.TempDir(), f)
	_, err := c.FindPage(t.Context(), query.Query{Limit: -1})
	assert.ErrorIs(t, err, query.ErrInvalid)
	assert.ErrorContains(t, err, "query: Limit is -1, want 1 to 1000")
	_, err = c.Describe(t.Context(), history.ID{Workflow: "ü\n%"})
	assert.ErrorIs(t, err, commands.ErrNotFound)
	assert.ErrorContains(t, err, "/ü\n%")
	for _, want := range []error{store.ErrCorrupt, store.ErrUnavailable, history.ErrUnknownKind, commands.ErrInvalid} {
		f.err = fmt.Errorf("line\n: %w", want)
		all, err := collect(c.History(t.Context(), history.ID{}, "ann"))
		assert.Len(t, all, 2)
		assert.ErrorIs(t, err, want)
		assert.NotErrorIs(t, err, commands.ErrNotFound)
		assert.EqualError(t, err, f.err.Error())
	}
}

func TestAHistoryThatIsCutOffIsAnError(t *testing.T) {
	f := &fake{entries: sealed(2), reached: make(chan struct{})}
	c, server := serve(t, t.TempDir(), f)
	go func() {
		<-f.reached
		server.Close()
	}()
	_, err := collect(c.History(t.Context(), history.ID{}, "ann"))
	assert.ErrorIs(t, err, ErrInterrupted)
	_, err = c.FindPage(t.Context(), query.Query{})
	assert.ErrorIs(t, err, ErrInterrupted)
}

func TestTheSocketIsItsOwnersAlone(t *testing.T) {
	for name, dir := range map[string]string{"short": t.TempDir(), "long": filepath.Join(t.TempDir(), strings.Repeat("d", 120))} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("TMPDIR", t.TempDir())
			require.NoError(t, os.MkdirAll(dir, 0o755))
			path := filepath.Join(dir, Name)
			l, err := Listen(dir)
			require.NoError(t, err)
			info, err := os.Stat(path)
			require.NoError(t, err)
			assert.Equal(t, os.ModeSocket|0o600, info.Mode())
			if target, err := os.Readlink(path); err == nil {
				info, err := os.Stat(filepath.Dir(target))
				require.NoError(t, err)
				assert.Equal(t, os.ModeDir|0o700, info.Mode())
			}
			require.NoError(t, l.Close())
			left, err := os.ReadDir(dir)
			require.NoError(t, err)
			assert.Empty(t, left)
			left, err = os.ReadDir(os.TempDir())
			require.NoError(t, err)
			assert.Empty(t, left)
		})
	}
}

func TestWhatADeadProcessLeftIsNoObstacle(t *testing.T) {
	for name, dir := range map[string]string{"short": t.TempDir(), "long": filepath.Join(t.TempDir(), strings.Repeat("d", 120))} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("TMPDIR", t.TempDir())
			require.NoError(t, os.MkdirAll(dir, 0o755))
			_, err := Dial[standing](t.Context(), dir)
			require.Error(t, err)
			l, err := Listen(dir)
			require.NoError(t, err)
			require.NoError(t, l.Listener.Close()) // and nothing is removed, as when the process dies
			require.FileExists(t, filepath.Join(dir, Name))
			_, err = Dial[standing](t.Context(), dir)
			require.Error(t, err)
			require.NoError(t, os.WriteFile(filepath.Join(dir, birth), nil, 0o600)) // it died at the worst moment

			c, _ := serve(t, dir, &fake{entries: sealed(1)})
			all, err := collect(c.History(t.Context(), history.ID{}, "ann"))
			require.NoError(t, err)
			assert.Len(t, all, 1)
			if name == "long" {
				left, err := os.ReadDir(os.TempDir())
				require.NoError(t, err)
				assert.Len(t, left, 1)
			}
		})
	}
}

func TestAnEndOfTheContextEndsTheAsking(t *testing.T) {
	f := &fake{entries: sealed(1), reached: make(chan struct{})}
	c, _ := serve(t, t.TempDir(), f)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-f.reached
		cancel()
	}()
	_, err := collect(c.History(ctx, history.ID{}, "ann"))
	assert.True(t, errors.Is(err, context.Canceled), err)
}

func (f *fake) Group(_ context.Context, q query.Query, by ...string) (query.Groups, error) {
	if q.Type == "broken" {
		return query.Groups{}, query.ErrTooLong
	}
	return query.Groups{By: by, Groups: []query.Group{{Keys: []any{q.Type, nil}, Count: 7}}, Position: 9}, nil
}

func (f *fake) Feed(_ context.Context, namespace string, after uint64, goOn bool) iter.Seq2[query.Changed, error] {
	return func(yield func(query.Changed, error) bool) {
		if yield(query.Changed{Row: &query.Row{Namespace: namespace, ID: "a", Status: query.Running}, Position: after}, nil) && yield(query.Changed{Gone: "b", Position: after + 1}, nil) && goOn {
			yield(query.Changed{}, store.ErrUnavailable)
		}
	}
}

func TestFeedsTravel(t *testing.T) {
	server := httptest.NewServer(Handler[standing](&fake{}))
	defer server.Close()
	c := &Client[standing]{&http.Client{Transport: elsewhere(server.URL)}}
	for _, goOn := range []bool{false, true} {
		var all []query.Changed
		var end error
		for changed, err := range c.Feed(t.Context(), "n", 7, goOn) {
			if end = err; err == nil {
				all = append(all, changed)
			}
		}
		require.Equal(t, []query.Changed{{Row: &query.Row{Namespace: "n", ID: "a", Status: query.Running}, Position: 7}, {Gone: "b", Position: 8}}, all)
		if goOn {
			require.ErrorIs(t, end, store.ErrUnavailable)
		} else {
			require.NoError(t, end)
		}
	}
}

func (f *fake) Measure(_ context.Context, q query.Query, of string, by ...string) (query.Measures, error) {
	return query.Measures{Of: of, By: by, Measures: []query.Measure{{Keys: []any{q.Type}, Count: 7, Unit: query.Seconds, P90: 1.5}}, Position: 9}, nil
}

func TestMeasuresTravel(t *testing.T) {
	server := httptest.NewServer(Handler[standing](&fake{}))
	defer server.Close()
	c := &Client[standing]{&http.Client{Transport: elsewhere(server.URL)}}
	measures, err := c.Measure(t.Context(), query.Query{Type: "order"}, "duration", "type")
	require.NoError(t, err)
	require.Equal(t, query.Measures{Of: "duration", By: []string{"type"}, Measures: []query.Measure{{Keys: []any{"order"}, Count: 7, Unit: query.Seconds, P90: 1.5}}, Position: 9}, measures)
}

func TestActsTravel(t *testing.T) {
	f := &fake{}
	server := httptest.NewServer(Handler[standing](f))
	defer server.Close()
	c := &Client[standing]{&http.Client{Transport: elsewhere(server.URL)}}
	act := Act{ID: history.ID{Namespace: "n", Workflow: "a"}, Operation: []byte(`{"do":"pause","timers_on":true}`), Reason: "why", By: "ann", Request: "r-1"}
	run, err := c.Operate(t.Context(), act)
	require.NoError(t, err)
	require.Equal(t, "r-2", run)
	require.Equal(t, []Act{act}, f.acts)
	act.ID.Workflow = "b"
	_, err = c.Operate(t.Context(), act)
	require.ErrorIs(t, err, commands.ErrNotRunning)
}

func TestVerificationsTravel(t *testing.T) {
	server := httptest.NewServer(Handler[standing](&fake{}))
	defer server.Close()
	c := &Client[standing]{&http.Client{Transport: elsewhere(server.URL)}}
	anchor, err := c.Anchor(t.Context())
	require.NoError(t, err)
	only := history.ID{Namespace: "n", Workflow: "a"}
	report, err := c.Verify(t.Context(), Verification{Only: only, Anchor: anchor})
	require.NoError(t, err)
	require.Equal(t, audit.Report{Entries: len(anchor), Findings: []audit.Finding{{ID: only, Kind: audit.Missing}}}, report)
	_, err = c.Verify(t.Context(), Verification{})
	require.ErrorIs(t, err, audit.ErrAnchor)
}

func TestGroupsTravel(t *testing.T) {
	server := httptest.NewServer(Handler[standing](&fake{}))
	defer server.Close()
	c := &Client[standing]{&http.Client{Transport: elsewhere(server.URL)}}
	groups, err := c.Group(t.Context(), query.Query{Type: "order"}, "type", "build")
	require.NoError(t, err)
	require.Equal(t, query.Groups{By: []string{"type", "build"}, Groups: []query.Group{{Keys: []any{"order", nil}, Count: 7}}, Position: 9}, groups)
	_, err = c.Group(t.Context(), query.Query{Type: "broken"})
	require.ErrorIs(t, err, query.ErrTooLong)
}

// elsewhere sends requests to a server by its address.
type elsewhere string

func (e elsewhere) RoundTrip(r *http.Request) (*http.Response, error) {
	at, err := url.Parse(string(e))
	if err != nil {
		return nil, err
	}
	r = r.Clone(r.Context())
	r.URL.Scheme, r.URL.Host = at.Scheme, at.Host
	return http.DefaultTransport.RoundTrip(r)
}
