package activitytest

import (
	"cmp"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/clewflow/clew/activity"
	"github.com/clewflow/clew/commands"
	"github.com/clewflow/clew/dispatch"
	"github.com/clewflow/clew/history"
)

// The activity is the first thing that its run asks for.
const step history.Step = 1

const runID = "test-run"

var (
	errSettled   = fmt.Errorf("%w: its outcome came from elsewhere", commands.ErrSettled)
	errLost      = errors.New("activity: the attempt was lost")
	errRunClosed = fmt.Errorf("%w: its run was closed", activity.ErrCancelled)
)

// patience is how long a body may go on after its context has ended.
const patience = time.Minute

// life is that of one activity, from when it is asked for until it is settled. Its state is a history like any other, kept
// nowhere.
type life struct {
	*settings
	t     testing.TB
	body  activity.Handler
	name  string
	input history.Payload
	queue *dispatch.Queue
	key   dispatch.Key
	news  chan struct{} // something has happened

	mu      sync.Mutex
	state   history.State
	began   time.Time
	tries   []*Try
	making  int  // bodies that have not returned
	exited  bool // a body has ended its goroutine, as t.FailNow does
	settled time.Time
	result  history.Payload
	err     error
}

func newLife(t testing.TB, s *settings, body activity.Handler) *life {
	if s.files == nil {
		s.files = NewFiles()
	}
	return &life{
		settings: s, t: t, body: body, queue: dispatch.New(16), news: make(chan struct{}, 1),
		key: dispatch.Key{ID: history.ID{Namespace: "test", Workflow: cmp.Or(s.execution, "test")}, Step: step},
	}
}

// live makes attempts until the activity is settled, and waits for them.
func (l *life) live(call activity.Call, input history.Payload) {
	l.t.Helper()
	l.begin(call, input)
	for l.turn() {
	}
	if l.hasExited() {
		l.t.FailNow()
	}
	for alarm := time.NewTimer(patience); l.busy(); {
		select {
		case <-l.news:
		case <-alarm.C:
			l.t.Fatalf("activity %s: a body still runs %s after its context has ended: wait for ctx.Done() too, and return", l.name, patience)
		}
	}
}

func (l *life) hasExited() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.exited
}

func (l *life) busy() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.making > 0
}

// begin asks for the activity, with the attempts that came before.
func (l *life) begin(call activity.Call, input history.Payload) {
	l.t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.began, l.name, l.input = time.Now().UTC(), call.Name, input
	headers, err := history.Encode(l.headers)
	if err != nil || l.headers == nil {
		headers = history.Payload{}
	}
	l.record(&history.Started{ID: l.key.ID, Run: runID, Chain: runID, Number: 1, Type: "test", Headers: headers})
	l.record(&history.ActivityScheduled{Step: step, Name: call.Name, Queue: call.Queue, Input: input, Policy: call.Policy})
	var checkpoint, failure history.Payload
	if l.checkpoint != nil {
		if checkpoint, err = history.Encode(l.checkpoint); err != nil {
			l.t.Fatalf("the checkpoint of activity %s does not encode: %v", call.Name, err)
		}
	}
	if l.lastFailure != nil {
		failure = activity.Record(l.lastFailure).Payload()
	}
	for n := 1; n < l.number(); n++ {
		l.record(&history.AttemptFailed{Try: history.Try{Step: step, Attempt: n, Started: l.began}, Failure: failure, Checkpoint: checkpoint, RetryAt: l.began})
	}
	l.offer()
}

// turn does what is due and then waits for the next thing. It returns false when nothing more is to be done.
func (l *life) turn() bool {
	next, open := l.due()
	if !open {
		return false
	}
	alarm := time.NewTimer(time.Until(next))
	defer alarm.Stop()
	select {
	case <-alarm.C:
	case <-l.news:
	}
	return true
}

// due does what is due, and says when the next thing is.
func (l *life) due() (next time.Time, open bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now().UTC()
	for len(l.cues) > 0 && l.open() && now.Sub(l.began) >= l.cues[0].after {
		happens := l.cues[0].happens
		l.cues = l.cues[1:]
		happens(l)
	}
	_ = l.decide(commands.Wake{Overdue: l.queue.Facts(l.key.ID), Dice: middle})
	earlier := func(t time.Time) {
		if !t.IsZero() && (next.IsZero() || t.Before(next)) {
			next = t
		}
	}
	earlier(l.take(now))
	_, limit := l.queue.Overdue(now) // also of what was just taken
	earlier(limit)
	earlier(l.state.Wake())
	if len(l.cues) > 0 {
		earlier(l.began.Add(l.cues[0].after))
	}
	return next, l.open()
}

// open reports whether more is to be done. The caller holds l.mu, as for all below and for what is in the files attempt.go and
// outcome.go, but for bodies.
func (l *life) open() bool { return l.settled.IsZero() && !l.exited }

// middle is the dice that leave a delay as it is, without jitter.
const middle = 0.5

// decide records what follows of a command, and does it. The error says that the command came too late.
func (l *life) decide(c commands.Command) error {
	for {
		events, err := commands.Decide(&l.state, c, time.Now().UTC())
		if err != nil {
			return err
		}
		for _, e := range events {
			l.record(e)
			l.follow(e)
		}
		if !commands.Again(c, events) {
			return nil
		}
	}
}

func (l *life) record(e history.Event) {
	l.state.Evolve(history.Entry{Seq: l.state.Seq + 1, At: time.Now().UTC(), Event: e})
}
