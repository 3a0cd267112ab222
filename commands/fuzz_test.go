package commands

import (
	"fmt"
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

// playBytes plays the commands that the bytes stand for.
func playBytes(t testing.TB, data []byte) {
	w, s := newWorld(t), &source{data[:min(len(data), 1000)]}
	w.sealed = true
	for len(s.b) > 0 {
		w.now = w.now.Add(pick(s, 0, 0, 0, time.Second, 2*time.Second, 5*time.Second, time.Minute, -time.Second, 20*time.Minute, 25*time.Hour))
		c := w.random(s)
		_, _ = w.do(c)
		w.unchanged()
		if _, wakes := c.(Wake); wakes {
			w.wakeUp(c)
		}
	}
	w.unchanged()
	w.reread()
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
	step := history.Step(1 + s.upTo(int(min(fresh, 6))))
	a := w.attempt(s, step)
	payload := pick(s, history.Payload{}, history.JSON([]byte(`{"a":1}`)), history.JSON([]byte("null")))
	switch s.upTo(26) {
	case 0:
		return Start{
			Run: fmt.Sprintf("r%d", run.Number+1), Type: "order", Input: payload, After: pick(s, 0, 0, time.Second, time.Hour),
			RunTimeout: pick(s, 0, time.Minute, 30*time.Hour), ExecutionTimeout: pick(s, 0, 2*time.Minute),
			IfRunning: IfRunning(s.upTo(3)), IfClosed: IfClosed(s.upTo(3)),
		}
	case 1, 2, 3:
		return ScheduleActivity{Step: fresh, Name: "charge", Input: payload, Policy: randomPolicy(s)}
	case 4:
		return StartTimer{Step: fresh, After: pick(s, 0, time.Second, 5*time.Second, time.Hour)}
	case 5:
		return CancelTimer{Step: step}
	case 6:
		return CancelActivity{Step: step}
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
		return Keep{Gate: s.upTo(2) == 1, Name: "v2", Value: payload}
	case 19:
		return pick[Command](s, Stall{Reason: pick(s, "no code", "\xff"), Build: "b1"}, Resume{}, Tell{})
	case 20:
		return pick[Command](s, RequestCancel{}, Terminate{Reason: "by hand", Unread: []uint64{1}}, Complete{Result: payload}, Fail{Cancelled: true}, Fail{})
	}
	facts := []Attempt{a}
	for range s.upTo(3) {
		facts = append(facts, w.attempt(s, history.Step(1+s.upTo(int(min(fresh, 6))))))
	}
	return Wake{Overdue: facts[:s.upTo(len(facts)+1)], Dice: float64(s.upTo(4)) / 4}
}

func (w *world) attempt(s *source, step history.Step) Attempt {
	ago := pick(s, 0, time.Second, 4*time.Second, time.Hour)
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
