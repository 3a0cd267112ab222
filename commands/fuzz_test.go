package commands

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/clewflow/clew/history"
)

// FuzzDecide gives random commands to states that came about by random commands. It never panics, and what must always
// hold does: see [world].
func FuzzDecide(f *testing.F) {
	f.Add([]byte{0, 0, 0, 1, 3, 0, 7, 1, 1, 9, 2, 20, 1, 1})
	f.Add([]byte("a run, some activities, timers that fire and attempts that are lost"))
	f.Fuzz(func(t *testing.T, data []byte) { playBytes(t, data) })
}

// A source makes choices from bytes. When they are used up every choice is the first.
type source struct{ b []byte }

func (s *source) upTo(n int) int {
	if len(s.b) == 0 {
		return 0
	}
	c := int(s.b[0]) % n
	s.b = s.b[1:]
	return c
}

func pick[T any](s *source, from ...T) T { return from[s.upTo(len(from))] }

// some is mostly the step of something open.
func some[T any](s *source, open map[history.Step]T, fresh history.Step) history.Step {
	if steps := slices.Sorted(maps.Keys(open)); len(steps) > 0 && s.upTo(4) > 0 {
		return steps[s.upTo(len(steps))]
	}
	return history.Step(1 + s.upTo(int(min(fresh, 6))))
}

// hops are how much time passes between commands. Mostly little: else little is ever open.
var hops = []time.Duration{
	0, 0, 0, 0, 0, time.Second, time.Second, 2 * time.Second, 2 * time.Second, 3 * time.Second, 5 * time.Second, 6 * time.Second, -time.Second,
	time.Minute, 20 * time.Minute, 25 * time.Hour,
}

// playBytes plays the commands that the bytes stand for.
func playBytes(t testing.TB, data []byte) *world {
	w, s := newWorld(t), &source{data[:min(len(data), 1000)]}
	w.sealed = true
	for len(s.b) > 0 {
		w.now = w.now.Add(pick(s, hops...))
		c := w.random(s)
		_, _ = w.do(c)
		w.unchanged()
		if _, wakes := c.(Wake); wakes {
			w.wakeUp(c)
		}
	}
	w.unchanged()
	w.reread()
	return w
}

// wakeUp wakes until nothing follows, which must come to an end, and nothing recorded may then be due.
func (w *world) wakeUp(c Command) {
	most := 4*(len(w.live.Activities)+len(w.live.Timers)) + 4
	for n := 0; ; n++ {
		events, err := w.do(c)
		if err != nil || n > most {
			w.failed("waking does not come to an end: %v", err)
		}
		if len(events) == 0 {
			break
		}
	}
	if due := w.live.Wake(); !due.IsZero() && !due.After(w.now) {
		w.failed("it is %s, and what is due at %s was not decided", w.now, due)
	}
}

// random makes a command that may or may not fit.
func (w *world) random(s *source) Command {
	run := w.live.Run
	fresh := run.Steps + 1 // the code never asks for a step twice
	a := w.attempt(s, some(s, w.live.Activities, fresh))
	payload := pick(s, history.Payload{}, history.JSON([]byte(`{"a":1}`)), history.JSON([]byte("null")))
	if !w.live.Open() && s.upTo(3) > 0 {
		return w.randomStart(s, payload)
	}
	if w.live.Run.Queued && s.upTo(3) == 0 {
		return Admit{Run: pick(s, w.live.Run.ID, "r0")}
	}
	switch s.upTo(34) {
	case 0:
		return w.randomStart(s, payload)
	case 1, 2, 3:
		return ScheduleActivity{Step: fresh, Name: "charge", Input: payload, Policy: randomPolicy(s), Local: s.upTo(4) == 1, Watch: s.upTo(2) == 1}
	case 4:
		return StartTimer{Step: fresh, After: pick(s, 0, time.Second, 5*time.Second, time.Hour)}
	case 5:
		return CancelTimer{Step: some(s, w.live.Timers, fresh)}
	case 6:
		return CancelActivity{Step: a.Step}
	case 7, 8:
		return BeginAttempt{a}
	case 9:
		return LeavePending{a}
	case 10, 11:
		return Beat{a}
	case 12:
		return CompleteActivity{Attempt: a, Result: payload}
	case 13, 14:
		return FailActivity{
			Attempt: a, Failure: payload, Codes: pick(s, nil, []string{"declined"}), Final: s.upTo(8) == 1,
			RetryAfter: pick(s, 0, time.Minute, -time.Second), Dice: float64(s.upTo(4)) / 4,
		}
	case 15:
		return LoseAttempt{a}
	case 16:
		return SettleCancelled{a}
	case 17:
		return Signal{Name: "paid", Value: payload, Unread: pick(s, 0, MaxUnread)}
	case 18:
		return Keep{Gate: s.upTo(2) == 1, Name: "v2", Call: s.upTo(3), Value: payload}
	case 19:
		if w.live.Stall != nil {
			return Resume{}
		}
		return pick[Command](s, Stall{Reason: pick(s, "no code", "\xff"), Build: "b1"}, Tell{})
	case 20:
		if s.upTo(3) > 0 {
			return RequestCancel{Chain: pick(s, "", run.Chain, "r0")}
		}
		return pick[Command](s, Terminate{Reason: "by hand", Unread: []uint64{1}}, Complete{Result: payload}, Fail{Cancelled: true}, Fail{})
	}
	if c := w.randomMessage(s, fresh, payload); c != nil {
		return c
	}
	facts := []Attempt{a}
	for range s.upTo(3) {
		facts = append(facts, w.attempt(s, some(s, w.live.Activities, fresh)))
	}
	return Wake{Overdue: facts[:s.upTo(len(facts)+1)], Dice: float64(s.upTo(4)) / 4, Limited: s.upTo(2) == 1}
}

var (
	attributes  = history.JSON([]byte(`{"a":1,"b":null}`))
	trace       = history.JSON([]byte(`{"trace":"t-1"}`))
	parentClose = []history.ParentClose{history.CancelChild, history.TerminateChild, history.AbandonChild}
)

// randomMessage makes a command about what goes on between executions, about updates, or about what is shown of the run; or
// none.
func (w *world) randomMessage(s *source, fresh history.Step, payload history.Payload) Command {
	id := pick(s, w.live.Run.ID, w.live.Run.ID, w.live.Run.ID, "r0")
	update := fmt.Sprint("u", s.upTo(3))
	if open := slices.Sorted(maps.Keys(w.live.Updates)); len(open) > 0 && s.upTo(2) == 1 {
		update = open[0]
	}
	step := some(s, w.live.Children, fresh)
	switch s.upTo(19) {
	case 18:
		of := some(s, w.live.Activities, fresh)
		return pick[Command](s, ChangeActivity{Step: of, Reset: s.upTo(2) == 1, Input: pick(s, history.Payload{}, payload)}, GiveOutcome{Step: of, Result: payload}, ApplyPolicies{Policies: laid(s), Subject: history.Subject{Of: history.OfNamespace}, Dice: 0.5},
			GiveOutcome{Step: of, Failure: payload})
	case 17:
		return pick[Command](s, Move{Version: s.upTo(3)}, TryAgain{}, ChangeAttributes{Attributes: attributes}, ChangeMemo{Memo: attributes},
			Pause{TimersOn: s.upTo(2) == 1, HoldLimits: s.upTo(3) > 0}, Unpause{})
	case 0, 1:
		return AskChild{
			Step: fresh, ID: "c1", Type: "parcel", Input: payload, OnParentClose: pick(s, parentClose...), OnCancel: pick(s, history.TryCancel, history.WaitCancelled, history.LeaveRunning),
			Attributes: pick(s, history.Payload{}, attributes),
		}
	case 2:
		return NoteChildStarted{Run: id, Step: step, Chain: "k1"}
	case 3:
		return RefuseChild{Run: id, Step: step, Reason: history.RefusedRunning}
	case 4:
		return CancelChild{Step: step}
	case 5:
		return NoteChildCancelled{Run: id, Step: step}
	case 6:
		return CloseChild{Run: id, Step: step, Last: "k2", Status: pick(s, history.StatusCompleted, history.StatusFailed), Outcome: history.Outcome{Result: payload}}
	case 7:
		return Send{Step: fresh, ID: "w2", Cancel: s.upTo(2) == 1, Name: "paid", Value: payload}
	case 8:
		return NoteSent{Run: id, Step: some(s, w.live.Sends, fresh), Refused: pick(s, "", history.RefusedNotFound)}
	case 9:
		return Update{Update: update, Name: "change-plan", Input: payload, Most: pick(s, 0, 0, 12)}
	case 10:
		return CompleteUpdate{Update: update, Result: payload}
	case 11:
		return FailUpdate{Update: update, Failure: payload}
	case 12:
		return pick[Command](s, SetAttributes{Attributes: attributes}, Publish{View: payload})
	case 13:
		return w.randomContinuation(s, payload)
	case 15:
		return pick[Command](s, Find{Step: fresh, Query: payload, Count: s.upTo(2) == 1}, AnswerFind{Run: id, Step: some(s, w.live.Finds, fresh), Found: 1, Rows: payload})
	case 14:
		return FollowParent{Chain: pick(s, "p1", "p0"), Run: pick(s, "p1", "p2"), Unread: []uint64{1}}
	}
	return nil
}

func (w *world) randomContinuation(s *source, payload history.Payload) Command {
	var updates []history.CarriedUpdate
	for _, id := range slices.Sorted(maps.Keys(w.live.Updates)) {
		if s.upTo(2) == 0 {
			updates = append(updates, history.CarriedUpdate{Update: id, Seq: w.live.Updates[id].Seq})
		}
	}
	return ContinueAsNew{
		Run: fmt.Sprintf("r%d", w.live.Run.Number+1), Input: payload, Version: s.upTo(3), RunTimeout: pick(s, 0, 0, time.Minute),
		ExecutionTimeout: pick(s, 0, 0, time.Hour), Attributes: pick(s, history.Payload{}, attributes), Unread: pick(s, nil, []uint64{1, 2, 4}), Updates: updates,
	}
}

func (w *world) randomStart(s *source, payload history.Payload) Command {
	return Start{
		Again: s.upTo(2) == 1,
		Run:   fmt.Sprintf("r%d", w.live.Run.Number+1), Type: "order", Input: payload, After: pick(s, 0, 0, time.Second, time.Hour),
		RunTimeout: pick(s, 0, time.Minute, 30*time.Hour), ExecutionTimeout: pick(s, 0, 2*time.Minute),
		IfRunning: IfRunning(s.upTo(3)), IfClosed: IfClosed(s.upTo(3)), Headers: pick(s, history.Payload{}, trace), Budget: pick(s, history.Budget{}, history.Budget{Open: 3}),
		Parent:     pick(s, history.Parent{}, history.Parent{ID: "w0", Run: pick(s, "p1", "p2"), Chain: "p1", Step: 1, OnClose: pick(s, parentClose...)}),
		Attributes: pick(s, history.Payload{}, attributes), Pinned: s.upTo(2) == 1, Version: s.upTo(3), Slot: Slot{Queued: s.upTo(3) == 1, Key: pick(s, "", "ann")},
	}
}

func (w *world) attempt(s *source, step history.Step) Attempt {
	ago := pick(s, 0, time.Second, 4*time.Second, 8*time.Second, time.Hour)
	return Attempt{
		Run: pick(s, w.live.Run.ID, w.live.Run.ID, w.live.Run.ID, "r0"), Step: step, Serial: history.Serial(s.upTo(6)), Started: w.now.Add(-ago),
		Beat: w.now.Add(-ago / 2), Checkpoint: pick(s, history.Payload{}, history.JSON([]byte(`"half"`))), Newest: pick(s, history.Serial(0), 0, 3),
	}
}

func randomPolicy(s *source) *history.Policy {
	p := history.StandardPolicy
	p.ScheduleToStart = pick(s, 0, 2*time.Second)
	p.StartToClose = pick(s, p.StartToClose, 0, 5*time.Second)
	p.Assumed = s.upTo(2) == 0
	p.ScheduleToClose = pick(s, p.ScheduleToClose, 10*time.Second)
	p.Heartbeat = pick(s, 0, 3*time.Second)
	p.Retry = history.Retry{
		MaxAttempts: s.upTo(4), Backoff: pick(s, history.Exponential, history.Linear, history.Fixed), Initial: pick(s, time.Second, 0, time.Minute),
		Factor: pick(s, 2.0, 1, 1e300), Max: pick(s, time.Minute, 0), Jitter: pick(s, 0.2, 0, 1),
	}
	p.NeverRetry = pick(s, nil, []string{"declined"})
	p.OnTimeout = pick(s, history.ThenRetry, history.ThenReturn, history.ThenFailRun, history.ThenAlert)
	p.OnCancel = pick(s, history.TryCancel, history.WaitCancelled)
	return &p
}

// laid are policies that somebody has laid down for the namespace.
func laid(s *source) *history.Policies {
	rule := history.Rule{
		ScheduleToClose: pick(s, 0, 5*time.Second, time.Hour), StartToClose: pick(s, 0, time.Second), Heartbeat: pick(s, 0, 2*time.Second),
		Retry: history.Retry{MaxAttempts: s.upTo(3), Initial: pick(s, 0, 2*time.Second)}, OnTimeout: pick(s, "", history.ThenAlert), Priority: s.upTo(3), Force: s.upTo(2) == 0,
	}
	return &history.Policies{Version: 4, Rules: map[history.Subject]history.Standing{{Of: history.OfNamespace}: {Rule: rule, Version: 4}}}
}
