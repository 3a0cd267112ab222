// Package activitytest tests activities alone, without a workflow and without a runtime.
//
// An activity is a plain function, and may be called as one. What a runtime would give it beside its input is made here:
// [Run] makes attempts until the activity is settled, by its own policy, and returns what became of each; [Once] makes one.
//
//	func TestAnotherAttemptGoesOnAtTheCheckpoint(t *testing.T) {
//		synctest.Test(t, func(t *testing.T) {
//			ran := activitytest.Run(t, fileimport.Load, towns,
//				activitytest.Use(loader.Definitions()...),
//				activitytest.Checkpoint(fileimport.Position{Offset: 25, Rows: 3}),
//				activitytest.CancelAfter(time.Minute),
//			)
//			report, err := ran.Result()
//			…
//		})
//	}
//
// The rules are those of production, by the same code: what follows of a failure, a limit or a cancellation is decided by
// package commands, and attempts are handed out by package dispatch. Inputs, results, checkpoints and errors are encoded and
// decoded on their way, so what does not survive that is found. Delays between attempts are those of the policy without its
// jitter.
//
// The clock is that of the caller: in a bubble of testing/synctest waiting takes no time, and outside of one it is the real
// one, which is what activities want that talk to real servers.
package activitytest

import (
	"testing"
	"time"

	"github.com/clewflow/clew/activity"
	"github.com/clewflow/clew/history"
)

// Ran is an activity that was run.
type Ran[Out any] struct {
	Attempts []*Try        // in order
	Elapsed  time.Duration // from when the activity was asked for until it was settled

	out Out
	err error
}

// Result is what a workflow would get: the value, or an error that came through the log, which is an *[activity.Error] unless
// the activity was given up. It is [activity.Pending] if the last attempt goes on outside.
func (r *Ran[Out]) Result() (Out, error) { return r.out, r.err }

// Run makes attempts of an activity until it is settled, as its policy says, or goes on outside. The body is that of a, or
// is given by [Use]. It fails the test if the input does not encode, the result does not decode, or an attempt goes on
// though its context has ended.
func Run[In, Out any](t testing.TB, a activity.Type[In, Out], in In, options ...Option) *Ran[Out] {
	t.Helper()
	return run(t, a, in, &settings{}, options)
}

// Once is [Run] that ends with the first attempt it makes, whatever the policy says about further ones.
func Once[In, Out any](t testing.TB, a activity.Type[In, Out], in In, options ...Option) *Ran[Out] {
	t.Helper()
	return run(t, a, in, &settings{once: true}, options)
}

func run[In, Out any](t testing.TB, a activity.Type[In, Out], in In, s *settings, options []Option) *Ran[Out] {
	t.Helper()
	for _, o := range options {
		o.apply(s)
	}
	body := s.body(a)
	switch {
	case body.Err != nil:
		t.Fatalf("activity %s: %v", body.Name, body.Err)
	case body.Handler == nil:
		t.Fatalf("activity %s has no body here: give it with Use(%s.Bind(…))", body.Name, body.Name)
	}
	call, err := activity.Resolve(a, s.options)
	if err != nil {
		t.Fatalf("activity %s: %v", body.Name, err)
	}
	if most := call.Policy.Retry.MaxAttempts; most > 0 && s.number() > most {
		t.Fatalf("attempt %d of activity %s cannot be, its policy allows %d", s.number(), body.Name, most)
	}
	input, err := history.Encode(in)
	if err != nil {
		t.Fatalf("the input of activity %s does not encode: %v", body.Name, err)
	}
	l := newLife(t, s, body.Handler)
	l.live(call, input)
	ran := &Ran[Out]{Attempts: l.tries, Elapsed: l.settled.Sub(l.began), err: l.err}
	if l.err == nil {
		if err := l.result.Decode(&ran.out); err != nil {
			t.Fatalf("the result of activity %s does not decode, so a workflow would stall: %v", body.Name, err)
		}
	}
	return ran
}
