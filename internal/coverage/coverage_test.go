package coverage_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/internal/coverage"
	"github.com/clewflow/clew/workflow"
)

// run is a history of events, which need not fit each other.
func run(events ...history.Event) (entries []history.Entry) {
	events = append([]history.Event{&history.Started{Type: "order"}}, events...)
	for i, e := range events {
		entries = append(entries, history.Entry{Seq: uint64(i + 1), Event: e})
	}
	return entries
}

func report(entries []history.Entry, sights ...workflow.Sight) *coverage.Report {
	r := new(coverage.Report)
	r.Add(entries, func(watch func(workflow.Sight)) {
		for _, s := range sights {
			watch(s)
		}
	})
	return r
}

// items are those of what begins with a word, each with how often it was seen.
func items(r *coverage.Report, of string) (all []string) {
	for _, w := range r.Workflows() {
		for _, i := range w.Items {
			if i.Of == of {
				all = append(all, fmt.Sprintf("%s %d", i.Case, i.Seen))
			}
		}
	}
	return all
}

func charge(change func(*history.Policy)) *history.ActivityScheduled {
	p := history.StandardPolicy
	change(&p)
	return &history.ActivityScheduled{Step: 1, Name: "charge", Policy: &p}
}

func standard(*history.Policy) {}

func TestWhatAnActivityComesToIsSeen(t *testing.T) {
	try := history.Try{Step: 1}
	for _, c := range []struct {
		event history.Event
		seen  []string
	}{
		{&history.ActivityCompleted{Try: try}, []string{"completed 1", "failed 0", "was tried again 0", "timed out 0", "was cancelled 0"}},
		{&history.ActivityFailed{Try: try}, []string{"completed 0", "failed 1", "was tried again 0", "timed out 0", "was cancelled 0"}},
		{&history.AttemptFailed{Try: try}, []string{"completed 0", "failed 0", "was tried again 1", "timed out 0", "was cancelled 0"}},
		{&history.AttemptFailed{Try: try, Limit: "heartbeat"}, []string{"completed 0", "failed 0", "was tried again 1", "timed out 1", "was cancelled 0"}},
		{&history.AttemptOverdue{Try: try, Limit: "heartbeat"}, []string{"completed 0", "failed 0", "was tried again 0", "timed out 1", "was cancelled 0"}},
		{&history.ActivityTimedOut{Try: try, Limit: "schedule-to-close"}, []string{"completed 0", "failed 0", "was tried again 0", "timed out 1", "was cancelled 0"}},
		{&history.ActivityCancelRequested{Step: 1}, []string{"completed 0", "failed 0", "was tried again 0", "timed out 0", "was cancelled 1"}},
		{&history.TimedOut{Step: 1, Limit: "start-to-close"}, []string{"completed 0", "failed 0", "was tried again 0", "timed out 1", "was cancelled 0"}},
		{&history.ActivityCompleted{Try: history.Try{Step: 2}}, []string{"completed 0", "failed 0", "was tried again 0", "timed out 0", "was cancelled 0"}},
	} {
		assert.Equal(t, c.seen, items(report(run(charge(standard), c.event)), "activity charge"), c.event.Kind())
	}
}

func TestWhatCannotHappenDoesNotCount(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*history.Policy)
		sight  []workflow.Sight
		items  []string
	}{
		"one attempt":          {func(p *history.Policy) { p.Retry.MaxAttempts = 1 }, nil, []string{"completed 0", "failed 0", "timed out 0", "was cancelled 0"}},
		"no time for a second": {func(p *history.Policy) { p.Retry.Initial = p.ScheduleToClose }, nil, []string{"completed 0", "failed 0", "timed out 0", "was cancelled 0"}},
		"left running":         {func(p *history.Policy) { p.OnCancel = history.LeaveRunning }, nil, []string{"completed 0", "failed 0", "was tried again 0", "timed out 0"}},
		"without cancel":       {standard, []workflow.Sight{{Kind: workflow.SeenEndless, Step: 1, Came: -1}}, []string{"completed 0", "failed 0", "was tried again 0", "timed out 0"}},
		"a limit that was set": {func(p *history.Policy) { p.StartToClose, p.Assumed = time.Minute, false }, nil, []string{"completed 0", "failed 0", "was tried again 0", "timed out (start-to-close) 0", "was cancelled 0"}},
		"two limits":           {func(p *history.Policy) { p.StartToClose, p.Assumed, p.Heartbeat = time.Hour, false, time.Minute }, nil, []string{"completed 0", "failed 0", "was tried again 0", "timed out (heartbeat) 0", "timed out (start-to-close) 0", "was cancelled 0"}},
		"one behind another":   {func(p *history.Policy) { p.StartToClose, p.Assumed, p.Heartbeat = time.Hour, false, 2*time.Hour }, nil, []string{"completed 0", "failed 0", "was tried again 0", "timed out (start-to-close) 0", "was cancelled 0"}},
		"both behind the last one": {func(p *history.Policy) {
			p.StartToClose, p.Assumed, p.Heartbeat, p.ScheduleToClose = time.Hour, false, time.Hour, time.Hour
		}, nil, []string{"completed 0", "failed 0", "was tried again 0", "timed out (schedule-to-close) 0", "was cancelled 0"}},
		"too few to last so long": {func(p *history.Policy) {
			p.StartToClose, p.Assumed, p.Retry.MaxAttempts, p.ScheduleToClose = time.Minute, false, 3, time.Hour
		}, nil, []string{"completed 0", "failed 0", "was tried again 0", "timed out (start-to-close) 0", "was cancelled 0"}},
		"enough to last so long": {func(p *history.Policy) {
			p.StartToClose, p.Assumed, p.Retry.MaxAttempts, p.ScheduleToClose = time.Minute, false, 3, 3*time.Minute
		}, nil, []string{"completed 0", "failed 0", "was tried again 0", "timed out (schedule-to-close) 0", "timed out (start-to-close) 0", "was cancelled 0"}},
		"nobody can miss a start": {func(p *history.Policy) { p.ScheduleToStart = time.Hour }, nil, []string{"completed 0", "failed 0", "was tried again 0", "timed out 0", "was cancelled 0"}},
	} {
		assert.Equal(t, c.items, items(report(run(charge(c.change)), c.sight...), "activity charge"), name)
	}
	step := charge(func(p *history.Policy) { p.StartToClose, p.Assumed = 10*time.Second, false })
	step.Local = true
	assert.Equal(t, []string{"completed 0", "failed 0", "was tried again 0", "was cancelled 0"}, items(report(run(step)), "step charge"))
	step = charge(standard)
	step.Local = true
	assert.Equal(t, []string{"completed 0", "failed 0", "was tried again 0", "timed out 0", "was cancelled 0"}, items(report(run(step)), "step charge"), "it is completed from outside")
}

func TestHowRunsEndIsSeen(t *testing.T) {
	assert.Equal(t, []string{"completed 0", "failed 0", "was cancelled 0"}, items(report(run()), "run"))
	assert.Equal(t, []string{"completed 1", "failed 0", "was cancelled 0"}, items(report(run(&history.Completed{})), "run"))
	assert.Equal(t, []string{"completed 0", "failed 1", "was cancelled 0"}, items(report(run(&history.Failed{})), "run"))
	assert.Equal(t, []string{"completed 0", "failed 0", "was cancelled 1"}, items(report(run(&history.Cancelled{})), "run"))
	assert.Equal(t, []string{"completed 0", "failed 0", "timed out 1", "was cancelled 0"}, items(report(run(&history.TimedOut{Limit: "run"})), "run"))
	assert.Equal(t, []string{"completed 0", "continued as new 1", "failed 0", "was cancelled 0"}, items(report(run(&history.Continued{})), "run"), "nothing says that a run can, until one has")
	bounded := run()
	bounded[0].Event = &history.Started{Type: "order", RunDeadline: time.Unix(1, 0)}
	assert.Equal(t, []string{"completed 0", "failed 0", "timed out 0", "was cancelled 0"}, items(report(bounded), "run"))
}

func TestVersionsOfWhichThereIsNoRunAreNotSeen(t *testing.T) {
	second := run()
	second[0].Event.(*history.Started).Version = 2
	r := report(second)
	r.Bound("order", 0)
	r.Bound("order", 2)
	r.Bound("order", 3)
	all := items(r, "run")
	assert.Contains(t, all, "was of version 2 1")
	assert.Contains(t, all, "was of version 3 0")
	assert.NotContains(t, all, "was of version 0 0", "which is of those that have none")
}

func TestChildrenMessagesAndTimersAreSeen(t *testing.T) {
	child := &history.ChildAsked{Step: 1, Type: "parcel", OnCancel: history.TryCancel, RunTimeout: time.Hour}
	for status, seen := range map[history.Status][]string{
		history.StatusCompleted: {"completed 1", "failed 0", "timed out 0", "was cancelled 0"},
		history.StatusFailed:    {"completed 0", "failed 1", "timed out 0", "was cancelled 0"},
		history.StatusTimedOut:  {"completed 0", "failed 0", "timed out 1", "was cancelled 0"},
		history.StatusCancelled: {"completed 0", "failed 0", "timed out 0", "was cancelled 1"},
	} {
		assert.Equal(t, seen, items(report(run(child, &history.ChildClosed{Step: 1, Status: status})), "child parcel"), status)
	}
	assert.Equal(t, []string{"completed 0", "failed 0", "timed out 0"}, items(report(run(child), workflow.Sight{Kind: workflow.SeenEndless, Step: 1, Came: -1}), "child parcel"))
	send := &history.SendAsked{Step: 1, Name: "hurry"}
	assert.Equal(t, []string{"was delivered 1", "was refused 0"}, items(report(run(send, &history.Sent{Step: 1})), "message hurry"))
	assert.Equal(t, []string{"was delivered 0", "was refused 1"}, items(report(run(send, &history.Sent{Step: 1, Refused: "not-found"})), "message hurry"))

	timer := workflow.Sight{Kind: workflow.SeenTimer, Step: 1, Place: "/home/ann/order.go:7 (example.com/order.process)", Cases: []string{"fired", "was stopped"}, Came: -1}
	const of = "timer example.com/order/order.go:7"
	assert.Equal(t, []string{"fired 1", "was stopped 0"}, items(report(run(&history.TimerFired{Step: 1}), timer), of))
	assert.Equal(t, []string{"fired 0", "was stopped 1"}, items(report(run(&history.TimerCancelled{Step: 1}), timer), of))
	assert.Equal(t, []string{"fired 0", "was stopped 0"}, items(report(run(&history.TimerFired{Step: 2}), timer), of), "one that a select has started for itself")
}

func TestWhatLookupsComeToIsSeen(t *testing.T) {
	lookup := workflow.Sight{Kind: workflow.SeenFind, Place: "/home/ann/sla.go:7 (example.com/sla.check)", Cases: []string{"found runs", "found none"}, Came: -1}
	none := lookup
	none.Came = 1
	r := report(run(), lookup, lookup, none)
	assert.Equal(t, []string{"found none 1", "found runs 0"}, items(r, "lookup example.com/sla/sla.go:7"))
	var b bytes.Buffer
	require.NoError(t, r.Text(&b))
	assert.Contains(t, b.String(), "lookup sla.go:7  never found runs")
	assert.Contains(t, b.String(), "Rows(func(query.Query) []query.Row { … })")
}

func TestMessagesThatNobodyReceivedAreNotSeen(t *testing.T) {
	poke := workflow.Sight{Kind: workflow.SeenSignal, Name: "poke", Cases: []string{"was received"}, Came: -1}
	assert.Equal(t, []string{"was received 0"}, items(report(run(), poke), "signal poke"), "it was listened for")
	assert.Equal(t, []string{"was received 0"}, items(report(run(&history.Signaled{Name: "poke"})), "signal poke"), "it came")
	received := poke
	received.Came = 0
	assert.Equal(t, []string{"was received 1"}, items(report(run(&history.Signaled{Name: "poke"}), poke, received), "signal poke"))

	update := workflow.Sight{Kind: workflow.SeenUpdate, Name: "price", Cases: []string{"was accepted"}, Came: -1}
	assert.Equal(t, []string{"was accepted 0"}, items(report(run(), update), "update price"))
	assert.Equal(t, []string{"was accepted 1"}, items(report(run(&history.UpdateAccepted{Name: "price"}), update), "update price"))

	query := report(run(), workflow.Sight{Kind: workflow.SeenQuery, Name: "status", Cases: []string{"was asked"}, Came: -1})
	assert.Equal(t, []string{"was asked 0"}, items(query, "query status"))
	query.Asked("order", "status")
	assert.Equal(t, []string{"was asked 1"}, items(query, "query status"))
}

// some is a report of two workflows.
func some() *coverage.Report {
	choice := func(line, came int) workflow.Sight {
		return workflow.Sight{
			Kind: workflow.SeenSelect, Place: fmt.Sprintf(`C:\src\order.go:%d (example.com/order.process.func1)`, line), Came: came,
			Cases: []string{"took signal approve", "ran out of time", "ended with its scope"},
		}
	}
	r := report(run(charge(standard), &history.ActivityCompleted{Try: history.Try{Step: 1}}, &history.Completed{}), choice(10, -1), choice(9, 1), choice(10, 0))
	other := run(&history.Completed{})
	other[0].Event = &history.Started{Type: "audit"}
	r.Merge(report(other))
	return r
}

func TestTheReportIsReadAtOnce(t *testing.T) {
	var text bytes.Buffer
	require.NoError(t, some().Text(&text))
	assert.Equal(t, `29% of what can happen to 2 workflows was seen (5 of 17)

order  28%  4 of 14 in 1 run
  run                 never failed                let an activity fail whose error the code returns
                      was never cancelled         At(d, Cancel)
  activity charge     never failed                Stub(…).Fails(activity.NonRetryable(err))
                      was never tried again       Stub(…).Fails(err).Returns(…)
                      never timed out             Stub(…).TimesOut()
                      was never cancelled         At(d, Cancel) while Stub(…).Takes(2*d)
  select order.go:9   never took signal approve   At(d, Send(….With(…))) while it waits here
                      never ended with its scope  At(d, Cancel) while it waits here
  select order.go:10  never ran out of time       let nothing come before its time
                      never ended with its scope  At(d, Cancel) while it waits here

audit  33%  1 of 3 in 1 run
  run  never failed         let an activity fail whose error the code returns
       was never cancelled  At(d, Cancel)
`, text.String())
}

func TestAReportIsTheSameAfterItWasWrittenAndRead(t *testing.T) {
	text, err := json.Marshal(some())
	require.NoError(t, err)
	var read coverage.Report
	require.NoError(t, json.Unmarshal(text, &read))
	again, err := json.Marshal(&read)
	require.NoError(t, err)
	assert.JSONEq(t, string(text), string(again))
	assert.ErrorContains(t, json.Unmarshal([]byte(`{"coverage": 3}`), &read), "no report")
}

func TestMergingAddsInWhicheverOrder(t *testing.T) {
	seen := report(run(charge(standard), &history.ActivityFailed{Try: history.Try{Step: 1}}, &history.Failed{}))
	parts := []*coverage.Report{some(), seen, report(run(charge(func(p *history.Policy) { p.Retry.MaxAttempts = 1 })))}
	for _, limit := range []time.Duration{2 * time.Hour, time.Hour} { // the tests that would show them differ
		parts = append(parts, report(run(&history.ChildAsked{Step: 1, Type: "parcel", RunTimeout: limit})))
	}
	var texts []string
	for range 2 {
		all := new(coverage.Report)
		for _, part := range parts {
			all.Merge(part)
		}
		assert.Equal(t, []string{"completed 1", "failed 1", "was tried again 0", "timed out 0", "was cancelled 0"}, items(all, "activity charge"))
		text, err := json.Marshal(all)
		require.NoError(t, err)
		texts = append(texts, string(text))
		slices.Reverse(parts)
	}
	assert.Equal(t, texts[0], texts[1])
}

func TestNothingIsAllSeen(t *testing.T) {
	assert.Equal(t, 100.0, new(coverage.Report).Percent())
	assert.Equal(t, "99%", coverage.Percentage(99.99))
}
