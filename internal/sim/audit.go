package sim

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/lookup"
	"github.com/clewflow/clew/query"
	"github.com/clewflow/clew/replay"
	"github.com/clewflow/clew/workflow"
)

// stuck says what does not end.
func (w *World) stuck() string {
	var b strings.Builder
	for _, c := range w.clients {
		if !c.isDone() {
			fmt.Fprintf(&b, "%s: %s; ", c.name, c.waits)
		}
	}
	w.judge.mu.Lock()
	defer w.judge.mu.Unlock()
	for _, id := range w.judge.ids() {
		s := w.judge.all[id]
		if !isOpen(&s.state) {
			continue
		}
		fmt.Fprintf(&b, "%s (run %s) waits for %v\n", id.Workflow, s.state.Run.ID, s.state.Waiting())
		for _, e := range s.entries[max(0, len(s.entries)-12):] {
			fmt.Fprintf(&b, "    %s", history.AppendEntry(nil, e))
		}
	}
	return b.String()
}

// audit judges what is left in the log: it replays from each of its entries on, the disk has what was stored, and the views are those of the log.
func (w *World) audit() {
	disk := w.disk.Open()
	for _, id := range w.judge.ids() {
		s, n := w.judge.all[id], 0
		for r, err := range disk.Read(w.t.Context(), id, 1) {
			if err != nil {
				w.wrong("%s cannot be read: %v", id.Workflow, err)
				break
			}
			if n >= len(s.entries) || r.Entry.Hash != s.entries[n].Hash {
				w.wrong("entry %d of %s on disk is not what was stored", r.Entry.Seq, id.Workflow)
			}
			n++
		}
		if n != len(s.entries) {
			w.wrong("the disk has %d entries of %s, and %d were stored", n, id.Workflow, len(s.entries))
		}
		if err := replays(s.entries, w.crowded); err != nil {
			w.wrong("%s does not replay: %v", id.Workflow, err)
		}
	}
	w.auditIndexes()
}

// replays holds a history against the code of the last process, from several of its entries on.
func replays(entries []history.Entry, crowded bool) error {
	b, _ := workflow.BodyOf(program.Bind((&interpreter{next: true, crowded: crowded}).run))
	codes := func(string, int) workflow.Code { return b.Code }
	if err := replay.Verify(codes, replay.Strict, entries); err != nil {
		return err
	}
	state := new(history.State)
	for rest := entries; len(rest) > 0; {
		run := replay.FirstRun(rest)
		config, err := replay.ConfigOf(replay.Config{Level: replay.Strict, Code: b.Code}, entries, run)
		if err != nil {
			return err
		}
		for n := 1; n <= len(run); n += 1 + len(run)/4 {
			m, err := replay.Remember(config, run[:n])
			if err == nil {
				err = unreadIs(state, entries, run[n-1].Seq, m)
			}
			if m != nil {
				m.Stop()
			}
			if err != nil {
				return fmt.Errorf("up to entry %d: %w", run[n-1].Seq, err)
			}
		}
		rest = rest[len(run):]
	}
	return nil
}

// unreadIs folds a history up to an entry, and holds the signals that the code has not received there against what is recorded of them.
func unreadIs(s *history.State, entries []history.Entry, to uint64, m *replay.Machine) error {
	for s.Seq < to {
		s.Evolve(entries[s.Seq])
	}
	if !s.Open() || s.Untold() || s.Suspended() || s.Run.Queued {
		return nil
	}
	if n := m.UnreadCount(); n != s.Unread {
		return fmt.Errorf("the code has %d signals to receive, and %d are recorded", n, s.Unread)
	}
	return nil
}

// auditIndexes holds the index that has followed the log all the time, and one that is built from nothing, against the histories.
func (w *World) auditIndexes() {
	fresh, err := lookup.Open(w.t.Context(), ":memory:", lookup.Options{})
	if err != nil {
		w.wrong("an index cannot be built: %v", err)
		return
	}
	defer fresh.Close()
	for _, index := range append(w.survivors, w.index, fresh) {
		w.auditIndex(index)
	}
}

func (w *World) auditIndex(index *lookup.Index) {
	disk := w.disk.Open()
	ctx, end := context.WithCancel(w.t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); _ = index.Run(ctx, disk) }()
	defer func() { end(); <-ended }()
	head, err := disk.Head(ctx)
	if err == nil {
		err = index.Reached(ctx, head)
	}
	if err != nil {
		w.wrong("an index does not reach the head: %v", err)
		return
	}
	found := 0
	for q := (query.Query{Namespace: namespace, Limit: query.MaxLimit}); ; {
		page, err := index.Find(ctx, q)
		if err != nil {
			w.wrong("the index cannot be asked: %v", err)
			return
		}
		for _, row := range page.Rows {
			found++
			w.auditRow(row)
		}
		if q.After = page.Next; q.After == "" {
			break
		}
	}
	if n := len(w.judge.runs()); n != found {
		w.wrong("the index has %d runs, and the log %d", found, n)
	}
}

func (w *World) auditRow(row query.Row) {
	s := w.judge.all[idOf(row.ID)]
	var state history.State
	for _, e := range s.entries {
		if started, ok := e.Event.(*history.Started); ok && state.Run.ID == row.Run && started.Run != row.Run {
			break
		}
		state.Evolve(e)
	}
	if state.Run.ID != row.Run || state.Status != row.Status || !state.Run.Started.Truncate(time.Millisecond).Equal(row.Started.Truncate(time.Millisecond)) {
		w.wrong("the index has run %s of %s as %s since %s, and the log as %s since %s", row.Run, row.ID, row.Status, row.Started, state.Status, state.Run.Started)
	}
	if row.Seq != state.Seq || row.Entries != state.Entries() || row.Signals != state.Run.Signals || row.Activities != len(state.Activities) || row.Timers != len(state.Timers) {
		w.wrong("the index has run %s of %s up to entry %d, with %d entries, %d signals, %d activities and %d timers, and the log up to entry %d, with %d, %d, %d and %d",
			row.Run, row.ID, row.Seq, row.Entries, row.Signals, row.Activities, row.Timers, state.Seq, state.Entries(), state.Run.Signals, len(state.Activities), len(state.Timers))
	}
	if row.Depth != state.Run.Depth || row.Unread != state.Unread || row.Attempt != highest(state.Activities) {
		w.wrong("the index has run %s of %s at depth %d with %d signals unread and attempt %d, and the log at %d, with %d and %d",
			row.Run, row.ID, row.Depth, row.Unread, row.Attempt, state.Run.Depth, state.Unread, highest(state.Activities))
	}
	if slices.Contains([]history.Status{history.StatusCompleted, history.StatusFailed}, row.Status) && row.Closed.IsZero() {
		w.wrong("the index has run %s of %s as ended, and not when", row.Run, row.ID)
	}
}

// highest is the highest number of an attempt among activities.
func highest(activities map[history.Step]*history.Activity) (n int) {
	for _, a := range activities {
		n = max(n, a.Attempt)
	}
	return n
}
