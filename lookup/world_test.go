package lookup

import (
	"context"
	"database/sql/driver"
	"fmt"
	"iter"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/query"
	"github.com/clewflow/clew/store"
)

var epoch = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// world makes up histories, and knows with package history what they amount to.
type world struct {
	dice       *rand.Rand
	ids        []history.ID
	states     map[history.ID]*history.State
	runs       map[history.ID][]*query.Row // as they should be found
	attributes map[history.ID]map[string]any
	requests   map[history.ID]map[string]took
	rules      map[string]*history.Policies // of each namespace
	position   store.Position
	now        time.Time
	records    []store.Record
}

// took is where a request took effect.
type took struct{ run, chain string }

func newWorld(seed uint64, executions int) *world {
	w := &world{
		dice: rand.New(rand.NewPCG(seed, 1)), states: map[history.ID]*history.State{}, runs: map[history.ID][]*query.Row{}, now: epoch,
		attributes: map[history.ID]map[string]any{}, requests: map[history.ID]map[string]took{},
		rules: map[string]*history.Policies{"main": {}, "other": {}},
	}
	for i := range executions {
		id := history.ID{Namespace: []string{"main", "main", "other"}[w.dice.IntN(3)], Workflow: fmt.Sprintf("%s-%d", []string{"order", "trip", "o'r\"d%_"}[w.dice.IntN(3)], i)}
		w.ids = append(w.ids, id)
		w.states[id], w.attributes[id], w.requests[id] = new(history.State), map[string]any{}, map[string]took{}
	}
	return w
}

// random prints the seed by which the test can be run again.
func random(t testing.TB, executions int) *world {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	return newWorld(seed, executions)
}

// append adds an entry to a history.
func (w *world) append(id history.ID, e history.Entry) {
	s := w.states[id]
	w.now = w.now.Add(time.Duration(w.dice.IntN(3)) * time.Second)
	e.Seq, e.At = s.Seq+1, w.now
	history.Seal(s.Hash, &e)
	s.Evolve(e)
	w.position = further(w.position, uint64(1+w.dice.IntN(3)))
	w.records = append(w.records, store.Record{Position: w.position, ID: id, Entry: e})
	w.note(id, e)
}

// note works out the row anew from the state.
func (w *world) note(id history.ID, e history.Entry) {
	s := w.states[id]
	row := &query.Row{}
	if started, ok := e.Event.(*history.Started); ok {
		clear(w.attributes[id])
		w.change(id, started.Attributes)
		row.Memo = memos[string(started.Memo.Data)]
		w.runs[id] = append(w.runs[id], row)
	}
	if set, ok := e.Event.(*history.AttributesSet); ok {
		w.change(id, set.Attributes)
	}
	if set, ok := e.Event.(*history.AttributesChanged); ok {
		w.change(id, set.Attributes)
	}
	if set, ok := e.Event.(*history.MemoChanged); ok {
		w.runs[id][len(w.runs[id])-1].Memo = memos[string(set.Memo.Data)]
	}
	if e.Request != "" {
		w.requests[id][e.Request] = took{s.Run.ID, s.Run.Chain}
	}
	row = w.runs[id][len(w.runs[id])-1]
	progressed, attempts, patches := row.Progressed, row.Attempts, row.Patches
	if kept, ok := e.Event.(*history.Kept); ok && kept.Gate && !slices.Contains(patches, kept.Name) {
		patches = append(patches, kept.Name)
	}
	switch e.Event.(type) {
	case *history.AttemptFailed, *history.AttemptLost, *history.AttemptOverdue:
		attempts++
	}
	if e.Event.Role() != history.Note {
		progressed, attempts = e.At, 0
	}
	*row = query.Row{
		Namespace: id.Namespace, ID: id.Workflow, Run: s.Run.ID, Type: s.Run.Type, Version: s.Run.Version, Number: s.Run.Number, Status: s.Status,
		Started: s.Run.Started, Closed: s.Run.Closed, Began: s.Run.Began, Seq: s.Seq, Parent: s.Run.Parent.ID, Root: s.Run.Root,
		Origin: s.Run.Origin.Kind, CorrelationID: s.Run.CorrelationID, Build: s.Build, Activities: len(s.Activities), Timers: len(s.Timers),
		Children: len(s.Children), Signals: s.Run.Signals, Entries: int(s.Seq - s.Run.Began + 1), Failure: failureOf(s), Memo: row.Memo, Waiting: waitingOf(s),
		Progressed: progressed, Attempts: attempts, Deadline: s.Run.Deadline,
		Depth: s.Run.Depth, Unread: s.Unread, Patches: patches,
	}
	for _, step := range slices.Sorted(maps.Keys(s.Activities)) {
		a := s.Activities[step]
		row.Attempt = max(row.Attempt, a.Attempt)
		if a.Queue != "" && !slices.Contains(row.Queues, a.Queue) {
			row.Queues = append(row.Queues, a.Queue)
		}
	}
	if d := s.Run.RunDeadline; !d.IsZero() && (row.Deadline.IsZero() || d.Before(row.Deadline)) {
		row.Deadline = d
	}
	if s.Run.Origin.ID != "" {
		row.Origin += ":" + s.Run.Origin.ID
	}
	if len(w.attributes[id]) > 0 {
		row.Attributes = maps.Clone(w.attributes[id])
	}
}

// change folds attributes as their texts say.
func (w *world) change(id history.ID, changes history.Payload) {
	for _, c := range w.read(changes) {
		if c.shown == nil {
			delete(w.attributes[id], c.name)
			continue
		}
		w.attributes[id][c.name] = c.shown
	}
}

func failureOf(s *history.State) string {
	if s.Outcome.Failure.Absent() || s.Outcome.Failure.Closed() {
		return ""
	}
	return "declined"
}

func waitingOf(s *history.State) string {
	switch {
	case !s.Open():
		return ""
	case s.Stall != nil:
		return "stalled: " + s.Stall.Reason
	case s.Run.Queued:
		return "a slot"
	case !s.Run.BeginAt.IsZero():
		return "its beginning"
	}
	var all []string
	if s.Due() {
		all = append(all, "the code")
	}
	for _, n := range []struct {
		n         int
		one, many string
	}{
		{len(s.Activities), "1 activity", "activities"}, {len(s.Timers), "1 timer", "timers"}, {len(s.Children), "1 child", "children"},
		{len(s.Sends), "1 message to be delivered", "messages to be delivered"}, {len(s.Finds), "1 lookup to be answered", "lookups to be answered"},
		{len(s.Updates), "1 update to be answered", "updates to be answered"},
	} {
		if n.n == 1 {
			all = append(all, n.one)
		} else if n.n > 1 {
			all = append(all, fmt.Sprint(n.n, " ", n.many))
		}
	}
	if all == nil {
		return "a signal"
	}
	return strings.Join(all, ", ")
}

// step lets something happen to some execution.
func (w *world) step() {
	id := w.ids[w.dice.IntN(len(w.ids))]
	s := w.states[id]
	if !s.Open() {
		w.append(id, w.started(s))
		return
	}
	e := history.Entry{Event: w.event(s), Request: w.request()}
	if w.dice.IntN(3) == 0 {
		e.Told, e.Unread = s.Seq, w.dice.IntN(3)
	}
	if w.dice.IntN(5) == 0 {
		e.Build = fmt.Sprintf("build-%d", w.dice.IntN(3))
	}
	before := *s
	before.Updates = maps.Clone(s.Updates)
	w.append(id, e)
	switch e.Event.(type) {
	case *history.Continued:
		w.append(id, w.continued(&before))
	case *history.Terminated: // by a start that ends what runs
		if e.Request != "" {
			next := w.started(s)
			next.Request = e.Request
			w.append(id, next)
		}
	}
}

// rule lays down a rule, most often one that halts runs, or takes it back.
func (w *world) rule() {
	namespace := pick(w.dice, []string{"main", "other"})
	p, id := w.rules[namespace], history.PolicyID(namespace)
	set := &history.PolicySet{Subject: pick(w.dice, []history.Subject{
		{Of: history.OfNamespace}, {Of: history.OfWorkflow, Name: "order"}, {Of: history.OfWorkflow, Name: "trip"}, {Of: history.OfActivity, Name: "order"},
	})}
	if set.After.Halt = w.dice.IntN(3) > 0; w.dice.IntN(4) == 0 {
		set.After = history.Rule{RunTimeout: time.Hour}
	}
	e := history.Entry{Seq: p.Version + 1, At: w.now, Event: set}
	history.Seal(p.Hash, &e)
	w.rules[namespace] = p.With(e)
	w.position = further(w.position, 1)
	w.records = append(w.records, store.Record{Position: w.position, ID: id, Entry: e})
}

func (w *world) steps(n int) []store.Record {
	from := len(w.records)
	for range n {
		w.step()
	}
	return w.records[from:]
}

// rows are all runs as they should be found, in no order.
func (w *world) rows() (all []query.Row) {
	for _, id := range w.ids {
		for _, row := range w.runs[id] {
			all = append(all, *row)
		}
	}
	return all
}

// shuffle cuts records into batches of random sizes.
func (w *world) batches(records []store.Record, size int) iter.Seq[[]store.Record] {
	return func(yield func([]store.Record) bool) {
		for len(records) > 0 {
			n := min(len(records), 1+w.dice.IntN(size))
			if !yield(records[:n]) {
				return
			}
			records = records[n:]
		}
	}
}

func open(t testing.TB, path string) *Index {
	t.Helper()
	x, err := Open(context.Background(), path, Options{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, x.Close()) })
	return x
}

// dump is everything that is in the index, row for row.
func dump(t testing.TB, x *Index) string {
	t.Helper()
	var b strings.Builder
	err := x.read(context.Background(), func(c *conn, _ store.Position) error {
		for _, text := range []string{"SELECT * FROM run ORDER BY position", "SELECT * FROM attribute ORDER BY run, name, place", "SELECT * FROM request ORDER BY namespace, id, digest", "SELECT * FROM tally WHERE runs > 0 ORDER BY namespace, type, status", "SELECT * FROM place"} {
			err := c.query(context.Background(), text, nil, func(row []driver.Value) error {
				fmt.Fprintf(&b, "%#v\n", row)
				return nil
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
	require.NoError(t, err)
	return b.String()
}

// all turns the pages.
func all(t testing.TB, x *Index, q query.Query) (rows []query.Row) {
	t.Helper()
	for {
		page, err := x.Find(context.Background(), q)
		require.NoError(t, err)
		require.LessOrEqual(t, len(page.Rows), q.PageSize())
		rows = append(rows, page.Rows...)
		if page.Next == "" {
			return rows
		}
		q.After = page.Next
	}
}

// tape is a log that can be followed and no more.
type tape struct {
	store.Log
	mu      sync.Mutex
	records []store.Record
	grown   chan struct{}
	failing error // of the next Follow
}

func newTape(records ...store.Record) *tape {
	return &tape{records: records, grown: make(chan struct{})}
}

func (l *tape) add(records ...store.Record) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.records = append(l.records, records...)
	close(l.grown)
	l.grown = make(chan struct{})
}

func (l *tape) Head(context.Context) (store.Position, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.records) == 0 {
		return store.Position{}, nil
	}
	return l.records[len(l.records)-1].Position, nil
}

func (l *tape) Follow(ctx context.Context, after store.Position) iter.Seq2[store.Record, error] {
	return func(yield func(store.Record, error) bool) {
		for next := 0; ctx.Err() == nil; {
			l.mu.Lock()
			records, grown, err := l.records[next:], l.grown, l.failing
			l.failing = nil
			l.mu.Unlock()
			if err != nil {
				yield(store.Record{}, err)
				return
			}
			for _, r := range records {
				next++
				if r.Position.After(after) && !yield(r, nil) {
					return
				}
			}
			select {
			case <-grown:
			case <-ctx.Done():
			}
		}
	}
}

// further is a position n places on.
func further(p store.Position, n uint64) store.Position { return store.At(p.Commit + n) }
