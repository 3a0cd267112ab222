package audit_test

import (
	"bytes"
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"

	"github.com/clewflow/clew/audit"
	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/store"
	"github.com/clewflow/clew/store/pebble"
)

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

// scribe records histories.
type scribe struct {
	t    *testing.T
	log  store.Log
	last map[history.ID]history.Entry
}

func newScribe(t *testing.T, log store.Log) *scribe {
	return &scribe{t, log, map[history.ID]history.Entry{}}
}

func id(name string) history.ID { return history.ID{Namespace: "shop", Workflow: name} }

func text(s string) history.Payload { return history.JSON(fmt.Appendf(nil, "%q", s)) }

// record appends events in one append.
func (s *scribe) record(of history.ID, events ...history.Event) []history.Entry {
	s.t.Helper()
	last := s.last[of]
	var all []history.Entry
	for _, event := range events {
		e := history.Entry{Seq: last.Seq + 1, At: noon.Add(time.Duration(last.Seq+1) * time.Second), By: history.Client, Node: "n-1", Request: "q", Event: event}
		history.Seal(last.Hash, &e)
		last = e
		all = append(all, e)
	}
	s.last[of] = last
	var tail *store.Tail
	state := history.Fold(s.read(of)...)
	for _, e := range all {
		state.Evolve(e)
	}
	tails, ok := s.log.(store.Tails)
	if !ok || of.Family() != "" {
		require.NoError(s.t, s.log.Append(s.t.Context(), of, all...))
		return all
	}
	if state.Open() {
		tail = &store.Tail{Began: state.Run.Began, Seq: last.Seq, Hash: last.Hash}
	}
	require.NoError(s.t, tails.AppendTail(s.t.Context(), of, tail, all...))
	return all
}

func (s *scribe) read(of history.ID) (all []history.Entry) {
	for r, err := range s.log.Read(s.t.Context(), of, 1) {
		require.NoError(s.t, err)
		all = append(all, r.Entry)
	}
	return all
}

func started(of history.ID, number int) *history.Started {
	run := fmt.Sprintf("%s-run-%d", of.Workflow, number)
	return &history.Started{ID: of, Run: run, Chain: run, Number: uint64(number), Type: "order", Version: 1, Input: text("input of " + run), Seed: 7}
}

// life is a run with some of everything.
func life(n int) (events []history.Event) {
	for step := range n {
		events = append(events,
			&history.ActivityScheduled{Step: history.Step(step + 1), Name: "charge", Input: text(fmt.Sprint("charge ", step)), Policy: &history.StandardPolicy},
			&history.ActivityCompleted{Try: history.Try{Step: history.Step(step + 1), Serial: 5, Attempt: 1, Started: noon}, Result: text(fmt.Sprint("charged ", step))},
			&history.Signaled{Name: "paid", Value: text(fmt.Sprint("paid ", step))})
	}
	return events
}

// world fills a log with executions that are open and closed, with acts of redaction and deletion, and with streams of clew's own.
func world(t *testing.T, log store.Log) *scribe {
	s := newScribe(t, log)
	eraser := log.(store.Eraser)
	admin := history.AdminOf("shop")
	for i := range 8 {
		of := id(fmt.Sprint("order-", i))
		s.record(of, started(of, 1))
		s.record(of, life(i%3+1)...)
		if i%2 == 0 {
			s.record(of, &history.Completed{Result: text("done")})
		}
	}
	runs := id("runs")
	s.record(runs, started(runs, 1))
	s.record(runs, append(life(1), &history.Continued{}, started(runs, 2))...)
	s.record(runs, append(life(1), &history.Continued{}, started(runs, 3))...)
	for _, e := range s.read(runs) { // the first run goes
		if _, ok := e.Event.(*history.Continued); ok {
			s.record(admin, &history.Deleted{ID: runs, From: 1, To: e.Seq, Hash: e.Hash, Runs: 1, Type: "order", Status: "continued", Reason: "old"})
			require.NoError(t, eraser.Cut(t.Context(), runs, e.Seq, e.Hash))
			break
		}
	}
	gone := id("gone")
	s.record(gone, started(gone, 1), &history.Terminated{Reason: "by hand"})
	last := s.last[gone]
	s.record(admin, &history.Deleted{ID: gone, From: 1, To: last.Seq, Hash: last.Hash, Runs: 1, Type: "order", Status: "terminated", Reason: "asked for"})
	require.NoError(t, eraser.Cut(t.Context(), gone, last.Seq, last.Hash))
	secret := s.read(id("order-2"))
	without, n := history.Redact(secret[0], "")
	require.Equal(t, 1, n)
	s.record(admin, &history.Redacted{ID: id("order-2"), From: 1, To: 1, Field: "input", Hash: secret[0].Hash, Reason: "asked for"})
	require.NoError(t, eraser.Redact(t.Context(), id("order-2"), without))
	s.record(admin, &history.Erased{Acts: []uint64{1, 2, 3}})
	s.record(history.ID{Namespace: "node@shop", Workflow: "n-1"}, &history.NodeAnnounced{Name: "n-1"}, &history.NodeLeft{})
	return s
}

func small(fs vfs.FS, readOnly bool) pebble.Options {
	return pebble.Options{FS: fs, Cache: 1 << 20, MemTable: 256 << 10, Ballast: -1, ReadOnly: readOnly}
}

// filled is the files of an embedded store with a world in it, and an anchor of that.
func filled(t *testing.T) (*vfs.MemFS, *audit.Anchor) {
	fs := vfs.NewCrashableMem()
	log, err := pebble.Open("db", small(fs, false))
	require.NoError(t, err)
	world(t, log)
	var b bytes.Buffer
	_, err = audit.Write(t.Context(), &b, log, noon)
	require.NoError(t, err)
	anchor, err := audit.Read(&b)
	require.NoError(t, err)
	require.NoError(t, log.Purge(t.Context()))
	require.NoError(t, log.Close())
	return fs, anchor
}

// verified opens files for reading only and verifies them.
func verified(ctx context.Context, fs vfs.FS, scope audit.Scope) (audit.Report, error) {
	log, err := pebble.Open("db", small(fs, true))
	if err != nil {
		return audit.Report{}, err
	}
	defer log.Close()
	return audit.Verify(ctx, log, scope)
}
