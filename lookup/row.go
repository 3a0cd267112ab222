package lookup

import (
	"bytes"
	"database/sql/driver"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/query"
	"github.com/clewflow/clew/store"
)

// run is a row of the table run: what a query shows, and what the fold needs beside. It depends on the entries of the run
// and on nothing else, so that an index that is built anew is equal to the one it replaces.
type run struct {
	query.Row
	position   store.Position // of the first record
	told       uint64         // see [history.State]
	input      uint64
	delayed    bool           // it has not begun
	sends      int            // messages to others that are not delivered
	stall      string         // why the code cannot go on
	waits      []history.Step // activities and children that are waited for when they are cancelled, rising
	attributes history.Attributes
	memo       []byte // the JSON object; only in a run that is new

	dirty bool         // among those to be written
	reset bool         // its attributes have changed
	was   query.Status // as it is in the table
}

// begin makes the run that a first entry begins. before is the build of the entry before it in the stream.
func begin(at store.Position, id history.ID, e history.Entry, s *history.Started, before string) *run {
	r := &run{position: at, dirty: true, delayed: !s.BeginAt.IsZero(), told: e.Told, input: e.Seq, attributes: readAttributes(s.Attributes), memo: object(s.Memo)}
	r.Row = query.Row{
		Namespace: id.Namespace, ID: id.Workflow, Run: s.Run, Type: s.Type, Version: s.Version, Number: s.Number, Status: query.Running,
		Started: e.At, Began: e.Seq, Seq: e.Seq, Origin: s.Origin.Kind, CorrelationID: s.CorrelationID, Build: e.Build,
		Parent: s.Parent.ID, Root: s.Root,
	}
	for _, c := range s.Carried {
		r.Signals += int(c.To - c.From + 1)
	}
	if s.Origin.ID != "" {
		r.Origin += ":" + s.Origin.ID
	}
	if r.Build == "" {
		r.Build = before
	}
	return r
}

// evolve folds the next entry of an open run, as [history.State.Evolve] does, but keeps counts and not what is counted.
func (r *run) evolve(e history.Entry) {
	r.Seq = e.Seq
	if e.Build != "" {
		r.Build = e.Build
	}
	if e.Told > 0 {
		r.told = e.Told
		r.lift()
	}
	if e.Event == nil {
		return
	}
	if e.Event.Role() == history.Input {
		r.input = e.Seq
	}
	switch event := e.Event.(type) {
	case *history.ActivityScheduled:
		r.Activities++
		if event.Policy != nil && event.Policy.OnCancel == history.WaitCancelled {
			r.wait(event.Step)
		}
	case *history.ActivityCompleted:
		r.settle(event.Step)
	case *history.ActivityFailed:
		r.settle(event.Step)
	case *history.ActivityTimedOut:
		r.settle(event.Step)
	case *history.ActivityCancelled:
		r.settle(event.Step)
	case *history.ActivityCancelRequested:
		if _, waits := slices.BinarySearch(r.waits, event.Step); !waits {
			r.settle(event.Step)
		}
	case *history.TimerStarted:
		r.Timers++
	case *history.TimerFired, *history.TimerCancelled:
		r.Timers = max(r.Timers-1, 0)
	case *history.Signaled:
		r.Signals++
	case *history.AttributesSet:
		r.attributes, r.reset = r.attributes.With(event.Attributes), true
	case *history.ChildAsked:
		r.Children++
		if event.OnCancel == history.WaitCancelled {
			r.wait(event.Step)
		}
	case *history.ChildRefused:
		r.settleChild(event.Step)
	case *history.ChildClosed:
		r.settleChild(event.Step)
	case *history.ChildCancelDelivered:
		if _, waits := slices.BinarySearch(r.waits, event.Step); !waits {
			r.settleChild(event.Step)
		}
	case *history.SendAsked:
		r.sends++
	case *history.Sent:
		r.sends = max(r.sends-1, 0)
	case *history.Continued:
		r.close(query.Continued, e.At)
	case *history.Begun:
		r.delayed = false
	case *history.Stalled:
		r.Status, r.stall = query.Stalled, event.Reason
	case *history.Resumed:
		r.lift()
	case *history.Completed:
		r.close(query.Completed, e.At)
	case *history.Failed:
		r.close(query.Failed, e.At)
		r.Failure = code(event.Failure)
	case *history.Cancelled:
		r.close(query.Cancelled, e.At)
		r.Failure = code(event.Failure)
	case *history.Terminated:
		r.close(query.Terminated, e.At)
	case *history.TimedOut:
		r.close(query.TimedOut, e.At)
	}
}

func (r *run) lift() {
	r.stall = ""
	if r.Status == query.Stalled {
		r.Status = query.Running
	}
}

func (r *run) wait(step history.Step) {
	if i, found := slices.BinarySearch(r.waits, step); !found {
		r.waits = slices.Insert(r.waits, i, step)
	}
}

func (r *run) settle(step history.Step) {
	r.Activities = max(r.Activities-1, 0)
	r.unwait(step)
}

func (r *run) settleChild(step history.Step) {
	r.Children = max(r.Children-1, 0)
	r.unwait(step)
}

func (r *run) unwait(step history.Step) {
	if i, found := slices.BinarySearch(r.waits, step); found {
		r.waits = slices.Delete(r.waits, i, i+1)
	}
}

func (r *run) close(status query.Status, at time.Time) {
	r.Status, r.Closed = status, at
	r.Activities, r.Timers, r.Children, r.sends, r.waits, r.stall, r.delayed = 0, 0, 0, 0, nil, "", false
	r.told = r.Seq
}

func (r *run) open() bool { return r.Status&query.Open != 0 }

// waiting says what an open run waits for.
func (r *run) waiting() string {
	switch {
	case !r.open():
		return ""
	case r.stall != "":
		return "stalled: " + r.stall
	case r.Status == query.Stalled:
		return "stalled"
	case r.delayed:
		return "its beginning"
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

// code finds the first code in the tree of a failure; most failures have none.
func code(p history.Payload) (code string) {
	if p.Absent() || p.Redacted() {
		return ""
	}
	f := history.ReadFailure(p)
	f.Any(func(f *history.Failure) bool {
		code = f.Code
		return code != ""
	})
	return code
}

// object returns a payload's text if it is a JSON object with something in it that Go can hold. It never shares memory
// with the entry.
func object(p history.Payload) []byte {
	text := bytes.TrimSpace(p.Data)
	if len(text) == 0 || text[0] != '{' {
		return nil
	}
	var all map[string]any
	var b bytes.Buffer
	if json.Unmarshal(text, &all) != nil || len(all) == 0 || json.Compact(&b, text) != nil {
		return nil
	}
	return b.Bytes()
}

// readAttributes are the attributes in a payload. They never share memory with the entry.
func readAttributes(p history.Payload) history.Attributes {
	if text := object(p); text != nil {
		return history.Attributes(nil).With(history.JSON(text))
	}
	return nil
}

// typed are attributes as rows show them.
func typed(attributes history.Attributes) map[string]any {
	all := make(map[string]any, len(attributes))
	for name, text := range attributes {
		if v, err := query.ReadAttribute(text); err == nil {
			all[name] = v
		}
	}
	return all
}

// fixed, standing and moving append the columns of their group in the order of the table.
func (r *run) fixed(to []driver.Value) []driver.Value {
	return append(to, int64(r.position), r.Namespace, r.ID, r.Run, r.Type, num(r.Version), num(r.Number), r.Started.UnixNano(), int64(r.Began),
		text(r.Parent), text(r.Root), text(r.Origin), text(r.CorrelationID), text(string(r.memo)), text(string(r.attributes.Payload().Data)))
}

func (r *run) standing(to []driver.Value) []driver.Value {
	var closed driver.Value
	if !r.Closed.IsZero() {
		closed = r.Closed.UnixNano()
	}
	return append(to, int64(r.Status), closed, text(r.Failure))
}

func (r *run) moving(to []driver.Value) []driver.Value {
	delayed := 0
	if r.delayed {
		delayed = 1
	}
	return append(to, int64(r.Seq), text(r.Build), num(r.told), num(r.input), num(delayed), num(r.Activities), num(r.Timers),
		num(r.Children), num(r.sends), num(r.Signals),
		text(r.stall), text(list(r.waits)), text(r.waiting()))
}

// scan is the inverse of fixed, standing and moving.
func scan(row []driver.Value) (*run, error) {
	next := 0
	take := func() driver.Value { next++; return row[next-1] }
	str := func() string { s, _ := take().(string); return s }
	integer := func() int64 { n, _ := take().(int64); return n }
	r := &run{position: store.Position(integer())}
	r.Namespace, r.ID, r.Run, r.Type = str(), str(), str(), str()
	r.Version, r.Number, r.Started, r.Began = int(integer()), uint64(integer()), time.Unix(0, integer()).UTC(), uint64(integer())
	r.Parent, r.Root, r.Origin, r.CorrelationID = str(), str(), str(), str()
	if memo := str(); memo != "" {
		if err := json.Unmarshal([]byte(memo), &r.Memo); err != nil {
			return nil, fmt.Errorf("memo of %s/%s: %w", r.Namespace, r.ID, err)
		}
	}
	if attributes := str(); attributes != "" {
		r.attributes = readAttributes(history.JSON([]byte(attributes)))
		r.Attributes = typed(r.attributes)
	}
	r.Status = query.Status(integer())
	r.was = r.Status
	if closed := integer(); closed != 0 {
		r.Closed = time.Unix(0, closed).UTC()
	}
	r.Failure, r.Seq, r.Build, r.told, r.input, r.delayed = str(), uint64(integer()), str(), uint64(integer()), uint64(integer()), integer() == 1
	r.Activities, r.Timers, r.Children, r.sends, r.Signals = int(integer()), int(integer()), int(integer()), int(integer()), int(integer())
	r.stall, r.waits, r.Waiting = str(), steps(str()), str()
	r.Entries = int(r.Seq - r.Began + 1)
	return r, nil
}

func text(s string) driver.Value {
	if s == "" {
		return nil
	}
	return s
}

func num[N int | uint64](n N) driver.Value {
	if n == 0 {
		return nil
	}
	return int64(n)
}

func list(steps []history.Step) string {
	var b []byte
	for i, s := range steps {
		if i > 0 {
			b = append(b, ' ')
		}
		b = strconv.AppendUint(b, uint64(s), 10)
	}
	return string(b)
}

func steps(list string) (all []history.Step) {
	for field := range strings.FieldsSeq(list) {
		if n, err := strconv.ParseUint(field, 10, 64); err == nil {
			all = append(all, history.Step(n))
		}
	}
	return all
}
