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
	dice     *rand.Rand
	ids      []history.ID
	states   map[history.ID]*history.State
	runs     map[history.ID][]*query.Row // as they should be found
	position store.Position
	now      time.Time
	records  []store.Record
}

func newWorld(seed uint64, executions int) *world {
	w := &world{dice: rand.New(rand.NewPCG(seed, 1)), states: map[history.ID]*history.State{}, runs: map[history.ID][]*query.Row{}, now: epoch}
	for i := range executions {
		id := history.ID{Namespace: []string{"main", "main", "other"}[w.dice.IntN(3)], Workflow: fmt.Sprintf("%s-%d", []string{"order", "trip", "o'r\"d%_"}[w.dice.IntN(3)], i)}
		w.ids = append(w.ids, id)
		w.states[id] = new(history.State)
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
	w.position += store.Position(1 + w.dice.IntN(3))
	w.records = append(w.records, store.Record{Position: w.position, ID: id, Entry: e})
	w.note(id, e)
}

// note works out the row anew from the state.
func (w *world) note(id history.ID, e history.Entry) {
	s := w.states[id]
	if started, ok := e.Event.(*history.Started); ok {
		row := &query.Row{Attributes: attributesOf(started.Attributes)}
		w.runs[id] = append(w.runs[id], row)
	}
	all := w.runs[id]
	row := all[len(all)-1]
	*row = query.Row{
		Namespace: id.Namespace, ID: id.Workflow, Run: s.Run.ID, Type: s.Run.Type, Version: s.Run.Version, Number: s.Run.Number, Status: s.Status,
		Started: s.Run.Started, Closed: s.Run.Closed, Began: s.Run.Began, Seq: s.Seq, Origin: s.Run.Origin.Kind, CorrelationID: s.Run.CorrelationID,
		Build: s.Build, Activities: len(s.Activities), Timers: len(s.Timers), Signals: s.Run.Signals, Entries: int(s.Seq - s.Run.Began + 1),
		Failure: failureOf(s), Attributes: row.Attributes, Waiting: waitingOf(s), Parent: s.Run.Parent.ID, Root: s.Run.Root,
	}
	if s.Run.Origin.ID != "" {
		row.Origin += ":" + s.Run.Origin.ID
	}
}

func attributesOf(p history.Payload) map[string]any {
	switch string(p.Data) {
	case `{"region":"eu","price":12.5,"urgent":true,"tags":["a","b"],"n":9007199254740993}`:
		return map[string]any{"region": "eu", "price": 12.5, "urgent": true, "tags": []string{"a", "b"}, "n": int64(9007199254740993)}
	case `{ "region" : "us" }`:
		return map[string]any{"region": "us"}
	}
	return nil
}

func failureOf(s *history.State) string {
	if s.Outcome.Failure.Absent() {
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
	}{{len(s.Activities), "activity", "activities"}, {len(s.Timers), "timer", "timers"}} {
		if n.n == 1 {
			all = append(all, "1 "+n.one)
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
	e := history.Entry{Event: w.event(s)}
	if w.dice.IntN(3) == 0 {
		e.Told = s.Seq
	}
	if w.dice.IntN(5) == 0 {
		e.Build = fmt.Sprintf("build-%d", w.dice.IntN(3))
	}
	w.append(id, e)
}

func (w *world) started(s *history.State) history.Entry {
	n := s.Run.Number + 1
	started := &history.Started{
		Run: fmt.Sprintf("run-%d-%d", len(w.records), n), Number: n, Type: []string{"order", "trip", "refund"}[w.dice.IntN(3)], Version: w.dice.IntN(3),
		Origin:        []history.Origin{{Kind: "client"}, {Kind: "schedule", ID: "daily"}, {Kind: "parent", ID: "order-1"}}[w.dice.IntN(3)],
		CorrelationID: []string{"", "c-1"}[w.dice.IntN(2)],
	}
	started.Chain = started.Run
	if started.Origin.Kind == "parent" {
		started.Parent, started.Root = history.Parent{ID: "order-1", Run: "run-0", Chain: "run-0", Step: 1}, "order-0"
	}
	if w.dice.IntN(5) == 0 {
		started.BeginAt = w.now.Add(time.Hour)
	}
	if a := []string{"", `{"region":"eu","price":12.5,"urgent":true,"tags":["a","b"],"n":9007199254740993}`, `{ "region" : "us" }`, `{}`, `no json`}[w.dice.IntN(5)]; a != "" {
		started.Attributes = history.JSON([]byte(a))
	}
	return history.Entry{Event: started, Build: []string{"", "build-9"}[w.dice.IntN(2)]}
}

func (w *world) event(s *history.State) history.Event {
	activities, timers := slices.Sorted(maps.Keys(s.Activities)), slices.Sorted(maps.Keys(s.Timers))
	next := s.Run.Steps + 1
	policy := history.StandardPolicy
	policy.OnCancel = []history.Cancel{history.TryCancel, history.WaitCancelled, history.LeaveRunning}[w.dice.IntN(3)]
	failure := history.Failure{Message: "no", Causes: []history.Failure{{Code: "declined"}}}.Payload()
	for {
		roll := w.dice.IntN(40)
		if len(activities) > 0 {
			step := activities[w.dice.IntN(len(activities))]
			try := history.Try{Step: step, Attempt: 1, Serial: 1}
			switch roll {
			case 0, 1:
				return &history.ActivityCompleted{Try: try}
			case 2:
				return &history.ActivityFailed{Try: try, Failure: failure}
			case 3:
				return &history.ActivityTimedOut{Try: try}
			case 4, 5, 6:
				return &history.ActivityCancelRequested{Step: step}
			case 7:
				return &history.ActivityCancelled{Try: try}
			case 8:
				return &history.AttemptFailed{Try: try, RetryAt: w.now}
			case 9:
				return &history.Heartbeat{Try: try, Beat: w.now}
			}
		}
		if len(timers) > 0 {
			step := timers[w.dice.IntN(len(timers))]
			switch roll {
			case 10, 11:
				return &history.TimerFired{Step: step}
			case 12:
				return &history.TimerCancelled{Step: step}
			}
		}
		switch roll {
		case 13, 14, 15, 16, 17:
			return &history.ActivityScheduled{Step: next, Name: "charge", Policy: &policy}
		case 18, 19, 20:
			return &history.TimerStarted{Step: next, After: time.Second, Due: w.now.Add(time.Second)}
		case 21, 22:
			return &history.Signaled{Name: "go"}
		case 23:
			return &history.Stalled{Reason: "it panicked"}
		case 24:
			return &history.Resumed{}
		case 25:
			return &history.Told{}
		case 26, 27:
			return &history.Kept{Name: "x"}
		case 28:
			return &history.CancelRequested{}
		case 29:
			if !s.Run.BeginAt.IsZero() {
				return &history.Begun{}
			}
		case 30, 31:
			return &history.Completed{}
		case 32:
			return &history.Failed{Failure: failure}
		case 33:
			return &history.Cancelled{Failure: failure}
		case 34:
			return &history.Terminated{Reason: "because"}
		case 35:
			return &history.TimedOut{Limit: "run"}
		}
	}
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
		for _, text := range []string{"SELECT * FROM run ORDER BY position", "SELECT * FROM attribute ORDER BY run, name, place", "SELECT * FROM place"} {
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
		return 0, nil
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
				if r.Position > after && !yield(r, nil) {
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
