// Package choices selects.
package choices

import (
	"time"

	"github.com/clewflow/clew/workflow"
)

var (
	Upgrade = workflow.NewSignal[string]("upgrade")
	Stop    = workflow.NewSignal[string]("stop")
	Pause   = workflow.NewSignal[string]("pause")
)

type desk struct{ bell workflow.Timer }

func Missing(ctx workflow.Context, d, e *desk) error {
	renewal, other := workflow.NewTimer(ctx, time.Hour), workflow.NewTimer(ctx, 1)
	switch got, err := workflow.Select(ctx, Upgrade, renewal, d.bell, workflow.Default); got {
	case Upgrade, renewal, d.bell, workflow.Default:
	case Stop: // want `^Stop was not given to Select, so this case never comes; add it to the call$`
	case other, e.bell: // want `^other was not given` `^e.bell was not given`
	case nil:
		return err
	}
	got, err := workflow.SelectWithin(ctx, time.Hour, Upgrade)
	if err != nil {
		return err
	}
	switch got {
	case Upgrade, workflow.Timeout:
	case Pause: // want `^Pause was not given`
	}
	return nil
}

// Unseen is what cannot be seen.
func Unseen(ctx workflow.Context, cases []workflow.Case, fs map[int]workflow.Future[int]) {
	switch got, _ := workflow.Select(ctx, cases...); got {
	case Upgrade:
	}
	first := fs[0]
	switch got, _ := workflow.Select(ctx, fs[0], Stop); got {
	case first, Upgrade:
	}
	got, _ := workflow.Select(ctx, Stop)
	got, _ = workflow.Select(ctx, Upgrade)
	switch got {
	case Upgrade, Stop:
	}
	n := 1
	switch n {
	case 2:
	}
}

func Spins(ctx workflow.Context) error {
	n := 0
	for {
		switch got, err := workflow.Select(ctx, Upgrade, Stop, Pause); got {
		case Upgrade: // want `^the loop sees Upgrade and does not receive it, .*; take it: Upgrade.TryReceive\(ctx\)$`
			n++
			workflow.Logger(ctx).Info("upgrade")
		case Stop:
			return nil
		case Pause:
			Pause.TryReceive(ctx)
		case nil:
			return err
		}
	}
}

// Fine are loops that receive or end, or may.
func Fine(ctx workflow.Context, take func()) error {
	for done := false; !done; {
		switch got, err := workflow.Select(ctx, Upgrade, Stop); got {
		case Upgrade:
			done = true
		case Stop:
			drain(ctx)
		case nil:
			return err
		}
	}
	stopped := false
	for {
		switch got, err := workflow.Select(ctx, Upgrade, Stop); got {
		case Upgrade:
			stopped = true
		case Stop:
			take()
		case nil:
			return err
		}
		if stopped {
			return nil
		}
	}
}

// Once sees a signal and leaves it to others.
func Once(ctx workflow.Context) error {
	switch got, err := workflow.Select(ctx, Upgrade, Stop); got {
	case Upgrade:
	case nil:
		return err
	}
	return nil
}

func drain(ctx workflow.Context) { Stop.TryReceive(ctx) }
