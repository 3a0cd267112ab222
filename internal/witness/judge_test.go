package witness

import (
	"context"
	"fmt"
	"maps"
	"path/filepath"
	"strings"

	"github.com/stretchr/testify/require"

	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/query"
	"github.com/clewflow/clew/replay"
	"github.com/clewflow/clew/runtime"
	"github.com/clewflow/clew/store"
	"github.com/clewflow/clew/store/pebble"
	"github.com/clewflow/clew/vault"
	"github.com/clewflow/clew/workflow"
)

// judge opens the directory and holds what is there against what the witness knows.
func (w *witness) judge() {
	histories := w.histories()
	all := errandsOf(histories)
	for id, entries := range histories {
		x := w.executions[id]
		if x == nil && all.wanted(id) {
			x = &execution{id: id, kind: kindAt(entries), child: true}
		}
		if x == nil {
			w.wrong("%s is there, and nobody asked for it", id)
			continue
		}
		w.judgeStream(x, entries)
		w.judgeDemands(x, all.without(id, entries))
		for _, c := range chainsOf(entries) {
			w.judgeChain(x, c)
		}
	}
	w.judgeErrands(all)
	for _, x := range w.order {
		if histories[x.id] == nil {
			w.judgeDemands(x, nil)
		}
	}
	w.judgeAttempts(histories)
	w.judgeIndex(histories)
}

// histories reads the whole log, in its order and history by history.
func (w *witness) histories() map[string][]history.Entry {
	log, err := pebble.Open(w.dir, pebble.Options{})
	require.NoError(w.t, err)
	defer func() { require.NoError(w.t, log.Close()) }()
	ctx, enough := context.WithCancel(context.Background())
	defer enough()
	head, err := log.Head(ctx)
	require.NoError(w.t, err)
	v := w.vault()
	all, chains := map[string][]history.Entry{}, map[string]*history.Chain{}
	for record, err := range log.Follow(ctx, store.Position{}) {
		require.NoError(w.t, err)
		id := record.ID.Workflow
		if chains[id] == nil {
			chains[id] = new(history.Chain)
		}
		if err := chains[id].Check(record.Entry); err != nil {
			w.wrong("%s: %v", id, err)
		}
		all[id] = append(all[id], w.opened(v, record))
		if !head.After(record.Position) {
			enough()
		}
	}
	for id, entries := range all {
		n := 0
		for record, err := range log.Read(context.Background(), history.ID{Namespace: "default", Workflow: id}, 1) {
			require.NoError(w.t, err)
			if n >= len(entries) || record.Entry.Hash != entries[n].Hash {
				w.wrong("%s: entry %d is another when the history is read than when the log is followed", id, record.Entry.Seq)
				break
			}
			n++
		}
		if n != len(entries) {
			w.wrong("%s has %d entries when it is read, and %d when the log is followed", id, n, len(entries))
		}
	}
	for tail, err := range log.AllTails(context.Background()) {
		require.NoError(w.t, err)
		w.wrong("%s has ended, and the log still has it among the open ones", tail.ID)
	}
	return all
}

// vault is what the payloads in the directory are opened with.
func (w *witness) vault() *vault.Vault {
	blobs, err := vault.OpenBlobs(filepath.Join(w.dir, "blobs"))
	require.NoError(w.t, err)
	v, err := vault.New(vault.Options{Blobs: blobs})
	require.NoError(w.t, err)
	files, err := filepath.Glob(filepath.Join(w.dir, "blobs", "??", "*"))
	require.NoError(w.t, err)
	w.seen["blobs"] = len(files)
	return v
}

// opened is an entry with its payloads open.
func (w *witness) opened(v *vault.Vault, record store.Record) history.Entry {
	e := record.Entry
	if !e.Encoded() {
		return e
	}
	event, err := v.Unwrap(context.Background(), record.ID, e.Seq, e.Event)
	if err != nil {
		w.wrong("%s: entry %d, %s, cannot be opened: %v", record.ID.Workflow, e.Seq, e.Event.Kind(), err)
		return e
	}
	return e.With(event)
}

func codes(name string, version int) workflow.Code {
	for _, d := range workflows {
		if b, _ := workflow.BodyOf(d); b.Name == name && b.Settings.Version == version {
			return b.Code
		}
	}
	return nil
}

// judgeStream looks at a history by itself.
func (w *witness) judgeStream(x *execution, entries []history.Entry) {
	if entries[0].Seq != 1 {
		w.wrong("%s begins with entry %d", x.id, entries[0].Seq)
	}
	for _, e := range entries {
		w.seen[e.Event.Kind()]++
	}
	for _, run := range runsOf(entries) {
		w.judgeRun(x, run)
	}
	if s := history.Fold(entries...); s.Open() {
		w.wrong("%s has not ended: it is %s and waits for %v", x.id, s.Status, s.Waiting())
	}
	if err := replay.Verify(codes, replay.Strict, entries); err != nil {
		w.wrong("%s does not replay: %v\n%s", x.id, err, written(entries))
	}
}

func runsOf(entries []history.Entry) (runs [][]history.Entry) {
	for i, e := range entries {
		if _, begins := e.Event.(*history.Started); begins || i == 0 {
			runs = append(runs, nil)
		}
		last := len(runs) - 1
		runs[last] = append(runs[last], e)
	}
	return runs
}

// written is a history in short, for whoever has to find out.
func written(entries []history.Entry) string {
	var b strings.Builder
	for _, e := range entries {
		fmt.Fprintf(&b, "\t%d %s %s by %q told %d request %q %+v\n", e.Seq, e.At.Format("05.000000"), e.Event.Kind(), e.By, e.Told, e.Request, abridged(e.Event))
	}
	return b.String()
}

func abridged(e history.Event) string {
	switch e := e.(type) {
	case *history.ActivityScheduled:
		return fmt.Sprintf("%s step %d", e.Name, e.Step)
	case *history.AttemptStarted:
		return fmt.Sprintf("%+v pending %v", e.Try, e.Pending)
	case *history.AttemptLost:
		return fmt.Sprintf("%+v", e.Try)
	case *history.AttemptFailed:
		return fmt.Sprintf("%+v %s", e.Try, e.Limit)
	case *history.ActivityCompleted:
		return fmt.Sprintf("%+v %s", e.Try, e.Result.Data[:min(60, len(e.Result.Data))])
	case *history.ActivityFailed:
		return fmt.Sprintf("%+v %s %s", e.Try, e.Final, e.Failure.Data)
	case *history.Signaled:
		return string(e.Value.Data[:min(60, len(e.Value.Data))])
	case *history.SendAsked:
		return fmt.Sprintf("step %d to %s", e.Step, e.ID)
	case *history.Sent:
		return fmt.Sprintf("step %d %s", e.Step, e.Refused)
	case *history.ChildAsked:
		return fmt.Sprintf("step %d %s %s %s", e.Step, e.ID, e.OnParentClose, e.OnCancel)
	case *history.ChildStarted:
		return fmt.Sprintf("step %d chain %s", e.Step, e.Chain)
	case *history.ChildCancelRequested:
		return fmt.Sprint("step ", e.Step)
	case *history.ChildCancelDelivered:
		return fmt.Sprint("step ", e.Step)
	case *history.ChildClosed:
		return fmt.Sprintf("step %d %s %s", e.Step, e.Status, e.Reason)
	case *history.UpdateAccepted:
		return e.Update
	case *history.UpdateCompleted:
		return e.Update
	case *history.CancelRequested:
		return e.Reason
	case *history.Terminated:
		return e.Reason
	case *history.Stalled:
		return e.Reason
	case *history.TimerFired:
		return fmt.Sprint("step ", e.Step)
	}
	return ""
}

// judgeIndex holds every row of the index against the history of its run.
func (w *witness) judgeIndex(histories map[string][]history.Entry) {
	rt, err := runtime.Open(context.Background(), runtime.Config{Store: w.dir})
	require.NoError(w.t, err)
	defer func() { require.NoError(w.t, rt.Close()) }()
	rows := map[string]query.Row{}
	for row, err := range rt.Find(context.Background(), query.Query{Limit: query.MaxLimit}) {
		require.NoError(w.t, err)
		rows[row.Run] = row
	}
	runs := 0
	for id, entries := range histories {
		for _, run := range runsOf(entries) {
			runs++
			s := history.Fold(run...)
			if row, ok := rows[s.Run.ID]; !ok || row.ID != id || row.Status != s.Status || row.Seq != s.Seq || row.Number != s.Run.Number ||
				row.Parent != s.Run.Parent.ID || row.Root != s.Run.Root || !maps.Equal(row.Attributes, query.AttributesOf(s.Attributes)) {
				w.wrong("run %s of %s is %s with entry %d; the index has %+v", s.Run.ID, id, s.Status, s.Seq, row)
			}
		}
	}
	if len(rows) != runs {
		w.wrong("the index has %d runs, the histories %d", len(rows), runs)
	}
}
