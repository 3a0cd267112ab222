package workflowtest

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/clewflow/clew/activity"
	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/internal/stage"
	"github.com/clewflow/clew/runtime"
)

// Effect is that an attempt of an activity came to its end without an error, whether or not that was ever recorded: the card
// was charged, though the process may have died before it could say so.
type Effect[In, Out any] struct {
	Input  In
	Output Out
	// Key is the idempotency key: the same for all attempts of one call.
	Key       string
	Execution string // workflow id
	Step      uint64
	Attempt   int // from 1
	At        time.Time
}

// effect is an Effect of any type.
type effect struct {
	place         stage.Place
	key           string
	input, output history.Payload
	at            time.Time
}

// Performed is a *[Ran] of any type.
type Performed interface{ performed() *performance }

// Effects are those of an activity, in the order in which they happened, also those that the history knows nothing of.
func Effects[In, Out any](ran Performed, a activity.Type[In, Out]) (all []Effect[In, Out]) {
	for _, e := range ran.performed().effects {
		if e.place.What != a.Name() {
			continue
		}
		x := Effect[In, Out]{Key: e.key, Execution: e.place.Execution, Step: e.place.Step, Attempt: e.place.Number, At: e.at}
		if err := errors.Join(decode(e.input, &x.Input), decode(e.output, &x.Output)); err != nil {
			ran.performed().t.Fatalf("the effects of activity %s cannot be read as those of %T: %v", a.Name(), a, err)
		}
		all = append(all, x)
	}
	return all
}

func decode(p history.Payload, into any) error {
	if p.Absent() {
		return nil
	}
	return p.Decode(into)
}

// make makes an attempt as the plot has it.
func (a *attempt) make(ctx context.Context, m *making, body activity.Handler) {
	w := a.life.world
	t := w.plot.attempt(w, a)
	act := func() {
		m.make(ctx, body, a.input)
		if m.err == nil {
			w.cast.happened(effect{a.place, a.key, a.input, m.result, time.Now()})
		}
	}
	lose := func(err error) {
		if m.err == nil { // else that is what became of it
			m.result, m.err = history.Payload{}, err
		}
	}
	wait := func() error {
		<-ctx.Done()
		return context.Cause(ctx)
	}
	switch t.what {
	case fails:
		lose(errExplored)
	case failsAfter:
		act()
		lose(errExplored)
	case failsForGood:
		lose(activity.NonRetryable(errExplored))
	case silent:
		lose(wait())
	case silentAfter:
		if act(); m.err == nil {
			lose(wait())
		}
	case panics:
		lose(&activity.PanicError{Message: errExplored.Error()})
	case takes:
		if err := a.pass(ctx, t.lasts()); err != nil {
			lose(err)
		} else {
			act()
		}
	case late:
		if act(); m.err == nil {
			_ = wait() // and returns what it has
		}
	case twice:
		if act(); m.err == nil {
			_ = a.complete(ctx, m.result)
		}
	case diesBefore:
		lose(a.die(ctx))
	case diesAfter:
		if act(); m.err == nil {
			lose(a.die(ctx))
		}
	default:
		act()
	}
}

var errExplored = errors.New("it fails because this schedule has it so")

// pass lets time pass, silently.
func (a *attempt) pass(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// complete completes an attempt by its token, though it is about to return.
func (a *attempt) complete(ctx context.Context, result history.Payload) error {
	raw := activity.Declare[activity.None, json.RawMessage](a.place.What)
	return runtime.Complete(ctx, a.life.rt, raw, activity.Token(ctx), json.RawMessage(result.Data))
}

// die lets the process die that an attempt is made in.
func (a *attempt) die(ctx context.Context) error {
	end := a.place
	end.Rank = deaths
	_, _ = a.life.world.stage.Wait(ctx, end)
	<-ctx.Done()
	return context.Cause(ctx)
}

// happened takes note of an effect.
func (c *cast) happened(e effect) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.effects = append(c.effects, e)
}
