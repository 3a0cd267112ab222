package witness

import (
	"context"
	"time"

	"github.com/clewflow/clew/activity"
	"github.com/clewflow/clew/workflow"
)

// The kinds of executions in the load. A kind is the name of its workflow.
const (
	sequenceKind = "sequence" // three activities, some of which fail at first
	collectKind  = "collect"  // signals against a timer
	gateKind     = "gate"     // signals until the last
	chainKind    = "chain"    // timers one after the other
	fanKind      = "fan"      // ten activities at once
	beatsKind    = "beats"    // one that beats and resumes
	onceKind     = "once"     // one that may be made once
	outsideKind  = "outside"  // one that is completed by its token
	cleanupKind  = "cleanup"  // waits to be cancelled, and cleans up
)

// quick tries again soon, so that a round sees several attempts.
var quick = activity.Retry{Initial: 20 * time.Millisecond, Max: 200 * time.Millisecond}

// The activities. Their bodies are methods of a process. Each returns a stamp that no other attempt returns, except that
// the one outside returns what the witness sends.
var (
	flaky    = activity.Declare[int, string]("flaky", quick) // the input says how often it fails
	beating  = activity.Declare[int, string]("beating", quick, activity.HeartbeatWithin(600*time.Millisecond))
	single   = activity.Declare[int, string]("single", activity.MaxAttempts(1))
	outside  = activity.Declare[int, string]("outside", quick)
	tireless = activity.Declare[int, string]("tireless", quick, activity.HeartbeatWithin(2*time.Second), activity.OnCancel(activity.WaitCancelled))
)

var (
	note  = workflow.NewSignal[string]("note")
	notes = workflow.NewQuery[int]("notes")
)

// last is the signal after which a gate opens.
const last = "last"

// outcome is what an execution of any kind returns.
type outcome struct {
	Stamps []string `json:"stamps,omitempty"` // what activities returned, in the order of their steps; empty: it failed
	Notes  []string `json:"notes,omitempty"`  // signals, in the order in which they were received, without their weight
	UUID   string   `json:"uuid,omitempty"`

	Children []string `json:"children,omitempty"` // how those ended that were waited for
	Sent     []string `json:"sent,omitempty"`     // what became of messages
}

var workflows = []workflow.Definition{
	sequence, collect, gate, chain, fan, beats, once, outsideWork, cleanup,
	family.Bind(raise), kin.Bind(live), relay, courier, trip,
}

var sequence = workflow.Define(sequenceKind, func(ctx workflow.Context, failures int) (out outcome, err error) {
	for i := range 3 {
		stamp, _ := workflow.Do(ctx, flaky, max(0, failures-i)) // it may have crashed with its process too often
		out.Stamps = append(out.Stamps, stamp)
	}
	return out, ctx.Err()
})

var collect = workflow.Define(collectKind, func(ctx workflow.Context, most int) (out outcome, err error) {
	timer := workflow.NewTimer(ctx, 1500*time.Millisecond)
	for len(out.Notes) < most {
		got, err := workflow.Select(ctx, note, timer)
		if err != nil {
			return out, err
		}
		if got == workflow.Case(timer) {
			return out, nil
		}
		v, _ := note.TryReceive(ctx)
		out.Notes = append(out.Notes, light(v))
	}
	timer.Stop()
	return out, nil
})

var gate = workflow.Define(gateKind, func(ctx workflow.Context, _ int) (out outcome, err error) {
	notes.Handle(ctx, func() int { return len(out.Notes) + note.Unread(ctx) })
	for {
		v, err := note.Receive(ctx)
		if err != nil {
			return out, err
		}
		out.Notes = append(out.Notes, light(v))
		if v == last {
			return out, nil
		}
		if len(out.Notes)%3 == 0 {
			stamp, err := workflow.Do(ctx, flaky, 0)
			if ctx.Err() != nil {
				return out, err
			}
			out.Stamps = append(out.Stamps, stamp)
		}
	}
})

var chain = workflow.Define(chainKind, func(ctx workflow.Context, links int) (out outcome, err error) {
	out.UUID = workflow.NewUUID(ctx)
	for range links {
		pause := time.Duration(50+workflow.Rand(ctx).IntN(250)) * time.Millisecond
		if err := workflow.Sleep(ctx, pause); err != nil {
			return out, err
		}
	}
	return out, nil
})

var fan = workflow.Define(fanKind, func(ctx workflow.Context, _ int) (out outcome, err error) {
	width := workflow.Value(ctx, "width", func() int { return 8 + int(time.Now().UnixNano()%3) })
	var all []workflow.Future[string]
	for i := range width {
		all = append(all, workflow.Begin(ctx, flaky, i%3))
	}
	ends, err := workflow.AllSettled(ctx, all...)
	for _, end := range ends {
		out.Stamps = append(out.Stamps, end.Value)
	}
	return out, err
})

var beats = workflow.Define(beatsKind, func(ctx workflow.Context, pieces int) (out outcome, err error) {
	stamp, _ := workflow.Do(ctx, beating, pieces)
	out.Stamps = append(out.Stamps, stamp)
	return out, ctx.Err()
})

var once = workflow.Define(onceKind, func(ctx workflow.Context, _ int) (out outcome, err error) {
	for range 2 {
		stamp, _ := workflow.Do(ctx, single, 0)
		out.Stamps = append(out.Stamps, stamp)
	}
	return out, ctx.Err()
})

var outsideWork = workflow.Define(outsideKind, func(ctx workflow.Context, _ int) (out outcome, err error) {
	stamp, _ := workflow.Do(ctx, outside, 0)
	out.Stamps = append(out.Stamps, stamp)
	return out, ctx.Err()
})

var cleanup = workflow.Define(cleanupKind, func(ctx workflow.Context, _ int) (out outcome, err error) {
	stamp, waited := workflow.Do(ctx, tireless, 0)
	out.Stamps = append(out.Stamps, stamp)
	if ctx.Err() == nil {
		waited = workflow.Sleep(ctx, time.Hour) // the activity crashed with its process too often
	}
	after := workflow.WithoutCancel(ctx)
	if _, err := workflow.Do(after, flaky, 1); err == nil {
		_ = workflow.Sleep(after, 20*time.Millisecond)
	}
	if ctx.Err() != nil {
		return out, ctx.Err()
	}
	return out, waited
})

// Bodies of activities.

func (p *process) flaky(ctx context.Context, failures int) (string, error) {
	a := p.begin(ctx, 0)
	if a.Number <= failures {
		return "", p.fails(a)
	}
	pause(ctx, 30*time.Millisecond)
	return p.ends(a)
}

// beating works through pieces, and goes on where the attempt before was.
func (p *process) beating(ctx context.Context, pieces int) (string, error) {
	from, _ := activity.Checkpoint[int](ctx)
	a := p.begin(ctx, from)
	for i := from + 1; i <= pieces; i++ {
		pause(ctx, 20*time.Millisecond)
		if err := activity.Heartbeat(ctx, i); err != nil {
			return "", err
		}
	}
	return p.ends(a)
}

func (p *process) undoing(ctx context.Context, _ int) (string, error) {
	a := p.begin(ctx, 0)
	pause(ctx, 10*time.Millisecond)
	return p.ends(a)
}

func (p *process) single(ctx context.Context, _ int) (string, error) {
	a := p.begin(ctx, 0)
	pause(ctx, 40*time.Millisecond)
	return p.ends(a)
}

func (p *process) outside(ctx context.Context, _ int) (string, error) {
	a := p.begin(ctx, 0)
	p.tell(line{What: tokenLine, ID: a.Execution, Key: a.IdempotencyKey, Number: a.Number, Value: activity.Token(ctx)})
	pause(ctx, 10*time.Millisecond)
	return "", activity.Pending
}

func (p *process) tireless(ctx context.Context, _ int) (string, error) {
	p.begin(ctx, 0)
	for {
		pause(ctx, 100*time.Millisecond)
		if err := activity.Heartbeat(ctx, nil); err != nil {
			return "", err
		}
	}
}

// pause takes some of the time d, as work does.
func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d/2 + time.Duration(time.Now().UnixNano())%(d/2))
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
