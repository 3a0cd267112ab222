package lookup

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/query"
)

// run is a row of the table run: what a query shows, and what the fold needs beside. It depends on the entries of the run
// and on nothing else, so that an index that is built anew is equal to the one it replaces. Only the build, which entries leave
// out where it has not changed, may come from the run before.
type run struct {
	query.Row
	position uint64 // of the first record
	chain    string // id of the first run of the chain; empty: it is this one
	told     uint64 // see [history.State]
	input    uint64
	delayed  delay          // why it has not begun
	key      string         // under which it counts for limits of open runs
	sends    int            // messages to others that are not delivered
	finds    int            // questions that are not answered
	updates  int            // accepted and not answered
	wake     time.Time      // when something is due, where the log says so; see [store.Record]
	stall    string         // why the code cannot go on
	pause    string         // why it is held
	odd      odd            // what of it stands in the table of attributes
	waits    []history.Step // activities and children that are waited for when they are cancelled, rising

	// Long texts, which are left in the table while nobody changes them.
	loaded     bool // attributes are those of the run
	attributes history.Attributes
	memo       []byte // the JSON object; only in a run that is new, or whose memo has changed

	changes []change     // of what is odd, which are to be written
	dirty   bool         // among those to be written
	reset   bool         // its attributes have changed
	rememo  bool         // its memo has
	moved   bool         // its version has changed
	from    int          // the version that it has in the table, if that has changed
	was     query.Status // as it is in the table
}

// begin makes the run that a first entry begins. fields are those of its input that it did not record, before is the build of the entry before it in the stream.
func begin(at uint64, id history.ID, e history.Entry, s *history.Started, fields history.Attributes, before string) *run {
	r := &run{
		position: at, dirty: true, delayed: delayOf(s), key: s.Key, told: e.Told, input: e.Seq, updates: len(s.Updates),
		loaded: true, attributes: fields.With(s.Attributes), memo: object(s.Memo),
	}
	r.Row = query.Row{
		Namespace: id.Namespace, ID: id.Workflow, Run: s.Run, Type: s.Type, Version: s.Version, Number: s.Number, Status: query.Running,
		Started: e.At, Began: e.Seq, Seq: e.Seq, Parent: s.Parent.ID, Root: s.Root, Depth: s.Depth, Origin: s.Origin.Kind, CorrelationID: s.CorrelationID, Build: e.Build,
		Deadline: history.Nearest(s.RunDeadline, s.Deadline), Progressed: e.At,
	}
	if s.Chain != s.Run {
		r.chain = s.Chain
	}
	for _, c := range s.Carried {
		r.Signals += int(c.To - c.From + 1)
	}
	if r.Unread = r.Signals; e.Told > 0 {
		r.Unread = e.Unread
	}
	if s.Origin.ID != "" {
		r.Origin += ":" + s.Origin.ID
	}
	if r.Build == "" {
		r.Build = before
	}
	return r
}

func (r *run) open() bool { return r.Status&query.Open != 0 }

// waiting says what an open run waits for.
func (r *run) waiting() string {
	switch {
	case !r.open():
		return ""
	case r.pause != "":
		return "paused: " + r.pause
	case r.Status == query.Paused:
		return "paused"
	case r.stall != "":
		return "stalled: " + r.stall
	case r.Status == query.Stalled:
		return "stalled"
	case r.delayed == until:
		return "its beginning"
	case r.delayed != 0:
		return "a slot"
	}
	var all []string
	if r.input > r.told {
		all = append(all, "the code")
	}
	if r.Activities > 0 {
		all = append(all, count(r.Activities, "activity", "activities"))
	}
	if r.Timers > 0 {
		all = append(all, count(r.Timers, "timer", "timers"))
	}
	if r.Children > 0 {
		all = append(all, count(r.Children, "child", "children"))
	}
	if r.sends > 0 {
		all = append(all, count(r.sends, "message", "messages")+" to be delivered")
	}
	if r.finds > 0 {
		all = append(all, count(r.finds, "lookup", "lookups")+" to be answered")
	}
	if r.updates > 0 {
		all = append(all, count(r.updates, "update", "updates")+" to be answered")
	}
	if len(all) == 0 {
		return "a signal"
	}
	return strings.Join(all, ", ")
}

func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// code finds the first code in the tree of a failure; most failures have none. What cannot be read has none.
func code(p history.Payload) (code string) {
	if p.Absent() || p.Redacted() || p.Closed() {
		return ""
	}
	f := history.ReadFailure(p)
	f.Any(func(f *history.Failure) bool {
		code = f.Code
		return code != ""
	})
	return code
}

// object returns a payload's text if it is a JSON object with something in it that Go can hold, and nobody has closed it. It
// never shares memory with the entry.
func object(p history.Payload) []byte {
	if p.Encoding != "" {
		return nil
	}
	var all map[string]any
	var b bytes.Buffer
	if json.Unmarshal(p.Data, &all) != nil || len(all) == 0 || json.Compact(&b, p.Data) != nil {
		return nil
	}
	return b.Bytes()
}
