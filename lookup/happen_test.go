package lookup

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/clewflow/clew/history"
)

// What an attribute can be, as it is written and as it is shown. A nil takes it away.
var attributes = []struct {
	text  string
	shown any
}{
	{`"eu"`, "eu"}, {`""`, ""}, {`"<&\u2028>"`, "<&\u2028>"}, {`12.5`, 12.5}, {`7`, int64(7)}, {`9007199254740993`, int64(9007199254740993)}, {`1e20`, 1e20},
	{`true`, true}, {`false`, false}, {`["a","b"]`, []string{"a", "b"}}, {`[ ]`, []string{}}, {`[ "a", 1 ]`, []any{"a", int64(1)}},
	{`{ "time": "2026-01-02T03:04:05.000000006Z" }`, time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)},
	{`{"time":"0001-01-01T00:00:00Z"}`, time.Time{}}, {`{"time":"9999-12-31T00:00:00Z"}`, time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC)},
	{`{"duration":"4800h0m0.000000001s"}`, 4800*time.Hour + 1}, {`{"x":[1]}`, map[string]any{"x": []any{int64(1)}}},
	{`null`, nil}, {`null`, nil}, {`null`, nil}, {`null`, nil},
}

var attributeNames = []string{"region", "price", "n", "ü"}

// memos are memos as they are stored, and as they are shown.
var memos = map[string]map[string]any{
	`{ "note" : "keep", "n": 1 }`: {"note": "keep", "n": 1.0}, `{}`: nil, `7`: nil, `{"huge":1e999}`: nil,
}

type attribute struct {
	name  string
	shown any
}

// some makes attributes up; read is its inverse. What is no object changes nothing.
func (w *world) some() history.Payload {
	if w.dice.IntN(8) == 0 {
		return history.JSON([]byte([]string{`no json`, `7`, `{}`, `null`}[w.dice.IntN(4)]))
	}
	var all []string
	for _, name := range attributeNames {
		if w.dice.IntN(2) == 0 {
			all = append(all, fmt.Sprintf("%q : %s", name, attributes[w.dice.IntN(len(attributes))].text))
		}
	}
	return history.JSON([]byte("{ " + strings.Join(all, ",\n") + " }"))
}

func (w *world) read(p history.Payload) (all []attribute) {
	members, ok := strings.CutPrefix(string(p.Data), "{ ")
	if !ok || members == " }" {
		return nil
	}
	for member := range strings.SplitSeq(strings.TrimSuffix(members, " }"), ",\n") {
		name, text, _ := strings.Cut(member, " : ")
		for _, a := range attributes {
			if a.text == text {
				all = append(all, attribute{strings.Trim(name, `"`), a.shown})
				break
			}
		}
	}
	return all
}

// secret is a payload that a vault has closed.
func secret() history.Payload {
	p, err := history.Encoded("json+aes-256-gcm:1.a", []byte(`{"note":"never shown"}`))
	if err != nil {
		panic(err)
	}
	return p
}

// request makes the id of a request up: none, one of a client's that says when it was made, or a chosen one.
func (w *world) request() string {
	switch w.dice.IntN(8) {
	case 0:
		return uuid.Must(uuid.NewV7()).String()
	case 1:
		return fmt.Sprintf("request-%d", len(w.records))
	case 2:
		return uuid.NewSHA1(uuid.Nil, fmt.Append(nil, len(w.records))).String()
	}
	return ""
}

func (w *world) started(s *history.State) history.Entry {
	n := s.Run.Number + 1
	started := &history.Started{
		Run: fmt.Sprintf("run-%d-%d", len(w.records), n), Number: n, Type: []string{"order", "trip", "refund", "clew.batch"}[w.dice.IntN(4)], Version: w.dice.IntN(3),
		Origin:        []history.Origin{{Kind: "client"}, {Kind: "schedule", ID: "daily"}, {Kind: "parent", ID: "order-1"}}[w.dice.IntN(3)],
		CorrelationID: []string{"", "c-1"}[w.dice.IntN(2)],
	}
	started.Chain = started.Run
	if started.Origin.Kind == "parent" {
		started.Parent, started.Root, started.Depth = history.Parent{ID: "order-1", Run: "run-0", Chain: "run-0", Step: 1}, "order-0", 2+w.dice.IntN(2)
	}
	if w.dice.IntN(5) == 0 {
		started.BeginAt = w.now.Add(time.Hour)
	}
	if w.dice.IntN(5) == 0 && started.BeginAt.IsZero() {
		started.Queued, started.Key = true, []string{"", "ann"}[w.dice.IntN(2)]
	}
	if w.dice.IntN(4) == 0 {
		started.RunDeadline, started.Deadline = w.now.Add(time.Hour), w.now.Add(time.Duration(w.dice.IntN(2*3600))*time.Second)
	}
	if w.dice.IntN(2) == 0 {
		started.Attributes = w.some()
	}
	switch texts := slices.Sorted(maps.Keys(memos)); w.dice.IntN(3) {
	case 0:
		started.Memo = history.JSON([]byte(texts[w.dice.IntN(len(texts))]))
	case 1:
		started.Memo = secret()
	}
	return history.Entry{Event: started, Build: []string{"", "build-9"}[w.dice.IntN(2)], Request: w.request()}
}

// continued begins the run that continues one that stood as before says.
func (w *world) continued(before *history.State) history.Entry {
	e := w.started(before)
	e.Request = ""
	started := e.Event.(*history.Started)
	started.Chain, started.Type, started.Origin, started.Parent, started.Root, started.Depth = before.Run.Chain, before.Run.Type, before.Run.Origin, before.Run.Parent, before.Run.Root, before.Run.Depth
	started.HadChildren, started.BeginAt, started.Queued = before.Run.HadChildren, time.Time{}, false
	if w.dice.IntN(2) == 0 {
		started.Carried = []history.Range{{From: 1, To: 1 + before.Seq/3}, {From: 2 + before.Seq/2, To: 2 + before.Seq/2}}
	}
	for _, id := range slices.Sorted(maps.Keys(before.Updates)) {
		started.Updates = append(started.Updates, history.CarriedUpdate{Update: id, Seq: before.Updates[id].Seq})
	}
	return e
}

// event is something that can happen to an open run now.
func (w *world) event(s *history.State) history.Event {
	can := slices.Concat(w.activity(s), w.timer(s), w.child(s), w.send(s), w.find(s), w.update(s), w.rest(s))
	if w.dice.IntN(5) == 0 {
		can = w.end()
	}
	return can[w.dice.IntN(len(can))]
}

// one is an open thing; ok is false if there is none.
func one[K ~uint64 | ~string, V any](w *world, of map[K]V) (key K, v V, ok bool) {
	if len(of) == 0 {
		return key, v, false
	}
	keys := slices.Sorted(maps.Keys(of))
	key = keys[w.dice.IntN(len(keys))]
	return key, of[key], true
}

func (w *world) onCancel() history.Cancel {
	return []history.Cancel{history.TryCancel, history.WaitCancelled, history.LeaveRunning}[w.dice.IntN(3)]
}

func (w *world) failure() history.Payload {
	if w.dice.IntN(3) == 0 {
		return secret()
	}
	return history.Failure{Message: "no", Causes: []history.Failure{{Code: "declined"}}}.Payload()
}

func (w *world) activity(s *history.State) []history.Event {
	policy := history.StandardPolicy
	policy.OnCancel = w.onCancel()
	asks := &history.ActivityScheduled{Step: s.Run.Steps + 1, Name: "charge", Queue: []string{"", "", "gpu", "cpu"}[w.dice.IntN(4)], Policy: &policy, Local: w.dice.IntN(5) == 0}
	step, _, ok := one(w, s.Activities)
	if !ok {
		return []history.Event{asks, asks}
	}
	try := history.Try{Step: step, Attempt: 1, Serial: 1}
	return []history.Event{
		asks, &history.ActivityCompleted{Try: try}, &history.ActivityFailed{Try: try, Failure: w.failure()}, &history.ActivityTimedOut{Try: try},
		&history.ActivityCancelRequested{Step: step}, &history.ActivityCancelRequested{Step: step}, &history.ActivityCancelled{Try: try},
		&history.AttemptFailed{Try: try, RetryAt: w.now}, &history.AttemptLost{Try: try}, &history.Heartbeat{Try: try, Beat: w.now},
		&history.AttemptFailed{Try: try, RetryAt: w.now}, &history.ActivityChanged{Step: step, Reset: true},
		&history.ActivityProgressed{Heartbeat: history.Heartbeat{Try: try, Beat: w.now}},
	}
}

func (w *world) timer(s *history.State) []history.Event {
	asks := &history.TimerStarted{Step: s.Run.Steps + 1, After: time.Second, Due: w.now.Add(time.Second)}
	step, _, ok := one(w, s.Timers)
	if !ok {
		return []history.Event{asks}
	}
	return []history.Event{asks, &history.TimerFired{Step: step}, &history.TimerCancelled{Step: step}}
}

func (w *world) child(s *history.State) []history.Event {
	can := []history.Event{&history.ChildAsked{
		Step: s.Run.Steps + 1, ID: "child", Type: "trip", OnCancel: w.onCancel(),
		OnParentClose: []history.ParentClose{history.CancelChild, history.TerminateChild, history.AbandonChild}[w.dice.IntN(3)],
	}}
	step, c, ok := one(w, s.Children)
	if !ok {
		return append(can, can...)
	}
	if c.Chain == "" {
		can = append(can, &history.ChildStarted{Step: step, Chain: "child-1"})
	}
	if c.CancelRequested && !c.CancelDelivered {
		can = append(can, &history.ChildCancelDelivered{Step: step}, &history.ChildCancelDelivered{Step: step})
	}
	if !c.CancelRequested {
		can = append(can, &history.ChildCancelRequested{Step: step}, &history.ChildCancelRequested{Step: step})
	}
	switch {
	case c.Settled():
	case c.Chain == "":
		can = append(can, &history.ChildRefused{Step: step, Reason: history.RefusedRunning})
	default:
		can = append(can, &history.ChildClosed{Step: step, Run: "child-2", Status: history.StatusFailed, Failure: w.failure()})
	}
	return can
}

func (w *world) send(s *history.State) []history.Event {
	asks := &history.SendAsked{Step: s.Run.Steps + 1, ID: "order-1", Name: "go", Cancel: w.dice.IntN(2) == 0}
	step, _, ok := one(w, s.Sends)
	if !ok {
		return []history.Event{asks}
	}
	return []history.Event{asks, &history.Sent{Step: step}, &history.Sent{Step: step, Refused: history.RefusedNotFound}}
}

func (w *world) find(s *history.State) []history.Event {
	asks := &history.FindAsked{Step: s.Run.Steps + 1, Count: w.dice.IntN(2) == 0}
	step, _, ok := one(w, s.Finds)
	if !ok {
		return []history.Event{asks}
	}
	return []history.Event{asks, &history.FindAnswered{Step: step, Found: 1}, &history.FindAnswered{Step: step, Refused: history.RefusedTooLong}}
}

func (w *world) update(s *history.State) []history.Event {
	accepts := &history.UpdateAccepted{Update: fmt.Sprintf("update-%d", len(w.records)), Name: "rename"}
	id, _, ok := one(w, s.Updates)
	if !ok {
		return []history.Event{accepts}
	}
	return []history.Event{accepts, &history.UpdateCompleted{Update: id}, &history.UpdateFailed{Update: id, Failure: w.failure()}}
}

func (w *world) rest(s *history.State) []history.Event {
	can := []history.Event{
		&history.Signaled{Name: "go"}, &history.Stalled{Reason: "it panicked"}, &history.Resumed{}, &history.Told{}, &history.Kept{Name: "x"}, &history.CancelRequested{},
		&history.Published{View: history.JSON([]byte(`{"done":1}`))}, &history.AttributesSet{Attributes: w.some()}, &history.AttributesChanged{Attributes: w.some()},
		&history.MemoChanged{Memo: history.JSON([]byte([]string{`{ "note" : "keep", "n": 1 }`, `{}`, `7`}[w.dice.IntN(3)]))},
		&history.Moved{Version: 3}, &history.Kept{Gate: true, Name: []string{"gift", "tax", "o'r"}[w.dice.IntN(3)]}, &history.TriedAgain{}, &history.ActivityChanged{Step: 1, Reset: true},
	}
	if a := s.Activities[1]; a != nil {
		after := *a.Policy
		after.Retry.MaxAttempts++
		can = append(can, &history.PolicyApplied{Step: 1, Before: a.Policy, After: &after})
	}
	if !s.Run.BeginAt.IsZero() {
		can = append(can, &history.Begun{}, &history.Postponed{Deadline: s.Run.Deadline})
	}
	if s.Run.Queued {
		can = append(can, &history.Begun{RunDeadline: w.now.Add(time.Minute)})
	}
	return can
}

func (w *world) end() []history.Event {
	unread := history.Closing{Unread: []uint64{1, 2}[:w.dice.IntN(3)]}
	return []history.Event{
		&history.Completed{}, &history.Completed{Closing: unread}, &history.Terminated{Closing: unread}, &history.Failed{Failure: w.failure()}, &history.Cancelled{Failure: w.failure()}, &history.Terminated{Reason: "because"},
		&history.TimedOut{Limit: "run"}, &history.Continued{}, &history.Continued{},
	}
}
