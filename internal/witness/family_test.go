package witness

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/clewflow/clew/activity"
	"github.com/clewflow/clew/workflow"
)

const (
	familyKind = "family" // children under every policy; its input says how many generations follow that have children too
	kinKind    = "kin"    // a child that leads one of the lives
)

// A birth is the input of a child.
type birth struct {
	Life   string `json:"life"`
	Weight int    `json:"weight,omitempty"`
}

// The lives of a child.
const (
	brief   = "brief"
	renewed = "renewed" // goes on in another run
	failing = "failing"
	endless = "endless" // until it is asked to end, or ended
)

var errLife = errors.New("a life that fails")

var (
	family = workflow.Declare[int, outcome](familyKind)
	kin    = workflow.Declare[birth, outcome](kinKind)
)

var generation = workflow.NewAttribute[int]("generation")

// raise has children of every policy, waits for some, lets go of one, and leaves the others to their policies.
func raise(ctx workflow.Context, generations int) (out outcome, err error) {
	workflow.SetAttributes(ctx, generation.Set(generations))
	if err := out.step(ctx, familyKind); err != nil {
		return out, err
	}
	dice := workflow.Rand(ctx)
	short := birth{[]string{brief, renewed, failing}[dice.IntN(3)], dice.IntN(4) / 3 * heavy}
	awaited := workflow.BeginChild(ctx, kin, short, workflow.OnParentClose(workflow.TerminateChild))
	_ = workflow.BeginChild(ctx, kin, birth{Life: endless}, workflow.OnParentClose(workflow.CancelChild))
	_ = workflow.BeginChild(ctx, kin, birth{Life: endless}, workflow.OnParentClose(workflow.TerminateChild))
	_ = workflow.BeginChild(ctx, kin, birth{Life: brief}, workflow.OnParentClose(workflow.AbandonChild), workflow.OnCancel(activity.LeaveRunning))
	scope, letGo := workflow.WithCancel(ctx)
	released := workflow.BeginChild(scope, kin, birth{Life: endless}, workflow.OnCancel([]activity.Cancel{activity.WaitCancelled, activity.TryCancel}[dice.IntN(2)]))
	var next workflow.ChildFuture[outcome]
	if generations > 0 {
		next = workflow.BeginChild(ctx, family, generations-1)
	}
	_, err = awaited.Get(ctx)
	out.Children = append(out.Children, endOf(err))
	if err := workflow.Sleep(ctx, time.Duration(dice.IntN(200))*time.Millisecond); err != nil {
		letGo()
		return out, err
	}
	letGo()
	_, err = released.Get(ctx)
	out.Children = append(out.Children, endOf(err))
	if generations > 0 && dice.IntN(2) == 0 {
		_, err = next.Get(ctx)
		out.Children = append(out.Children, endOf(err))
	}
	return out, ctx.Err()
}

func endOf(err error) string {
	var e *workflow.Error
	switch {
	case err == nil:
		return "completed"
	case errors.As(err, &e):
		return fmt.Sprint("ended: ", e.ID)
	case errors.Is(err, workflow.ErrCancelled):
		return "let go"
	}
	return err.Error()
}

func live(ctx workflow.Context, b birth) (out outcome, err error) {
	if err := out.step(ctx, kinKind); err != nil {
		return out, err
	}
	switch b.Life {
	case brief:
		if err := workflow.Sleep(ctx, time.Duration(1+workflow.Rand(ctx).IntN(100))*time.Millisecond); err != nil {
			return out, err
		}
		if b.Weight > 0 {
			stamp, err := workflow.Do(ctx, carrying, weigh(workflow.Info(ctx).ID, b.Weight))
			out.Stamps = append(out.Stamps, stamp)
			return out, errors.Join(err, ctx.Err())
		}
		return out, nil
	case renewed:
		return out, workflow.ContinueAsNew(ctx, birth{brief, b.Weight})
	case failing:
		return out, errLife
	}
	err = workflow.Sleep(ctx, time.Hour)
	_ = out.step(workflow.WithoutCancel(ctx), "farewell")
	return out, err
}

// step makes a local step, whose result is a stamp.
func (out *outcome) step(ctx workflow.Context, name string) error {
	stamp, _ := workflow.Step(ctx, name, here.local, quick) // it may have crashed with its process too often
	out.Stamps = append(out.Stamps, stamp)
	return ctx.Err()
}

// carrying is an activity with a heavy input and a heavy result.
var carrying = activity.Declare[string, string]("carrying", quick)

func (p *process) carrying(ctx context.Context, load string) (string, error) {
	a := p.begin(ctx, 0)
	if !genuine(load) {
		p.tell(line{What: "spoilt", Key: a.IdempotencyKey, Number: a.Number})
	}
	pause(ctx, 10*time.Millisecond)
	stamp, err := p.ends(a)
	return weigh(stamp, heavy), err
}

func (p *process) local(ctx context.Context) (string, error) {
	a := p.begin(ctx, 0)
	pause(ctx, 10*time.Millisecond)
	return p.ends(a)
}
