// Package workflowtest tests workflows in which waiting takes no time.
//
// [Run] runs a workflow on the real runtime and a log in memory, inside the virtual clock of testing/synctest: a workflow
// that sleeps for a year ends in milliseconds, and retries, limits and deadlines follow the same clock. What the world does
// is said by stubs, see [Stub], or done by real activities, see [Use]; what happens meanwhile by acts, see [At].
//
//	func TestApprovedAfterADay(t *testing.T) {
//		run := workflowtest.Run(t, order.Process, lamp,
//			workflowtest.Stub(order.Charge).Fails(errors.New("network down")).TimesOut().Returns(receipt),
//			workflowtest.Stub(order.Refund).Never(),
//			workflowtest.Stub(order.Ship).Takes(3*time.Hour).Returns(parcel),
//			workflowtest.At(24*time.Hour, workflowtest.Send(order.Approve.With(yes))),
//			workflowtest.At(25*time.Hour, workflowtest.Crash),
//		)
//		if got, err := run.Result(); got.Status != "shipped" || err != nil {
//			t.Errorf("got %v, %v", got, err)
//		}
//		run.Golden("testdata/approved.json")
//	}
//
// The clock begins at midnight UTC on 2000-01-01, and whatever else is random is the same in each run. What falls on the
// same moment is done one after the other: first what the runtime has to do, then the activities in the order of their
// steps, then the acts. So the history of a test is the same from run to run and from machine to machine, and can be kept:
// see [Ran.Golden] and [Replay].
//
// Each Run ends with checks of its own: the history replays from each of its entries on, strictly; it is the same when the
// test is run again and the execution forgotten and remembered after every step; its hashes are whole; and nothing is left running.
package workflowtest

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/runtime"
	"github.com/clewflow/clew/workflow"
)

// Option is a stub, or something of [Use], [ID] and [At].
type Option interface{ apply(*settings) }

type option func(*settings)

func (o option) apply(s *settings) { o(s) }

type settings struct {
	id          string
	start       []workflow.Option
	definitions []workflow.Definition
	stubs       []stub
	script      []cue
}

// cue is an act and when it is performed.
type cue struct {
	at  time.Duration
	act Act
}

// Use has definitions run for real: activities, bindings, other workflows. What is stubbed stays stubbed.
//
// The virtual clock stands still while an activity waits for the network. Begin servers outside of [Run], and keep no
// connection open (http.Transport.DisableKeepAlives): a goroutine that goes on reading stops the clock for good.
func Use(definitions ...workflow.Definition) Option {
	return option(func(s *settings) { s.definitions = append(s.definitions, definitions...) })
}

// ID sets the workflow id. Default "test".
func ID(id string) Option { return option(func(s *settings) { s.id = id }) }

// Start has the workflow started with options: attributes, headers, limits, a version, or those of package runtime.
func Start(options ...workflow.Option) Option {
	return option(func(s *settings) { s.start = append(s.start, options...) })
}

// At performs acts, in order, when d has passed on the virtual clock since the start. Acts run in the virtual clock, on
// its main goroutine; what one brings about has come to rest before the next is performed. The test is run twice, so acts
// are performed twice; [World].Again tells.
func At(d time.Duration, acts ...Act) Option {
	return option(func(s *settings) {
		for _, act := range acts {
			s.script = append(s.script, cue{d, act})
		}
	})
}

// Ran is a workflow that was run.
type Ran[Out any] struct {
	Elapsed time.Duration   // on the virtual clock, from the start to the end
	Entries []history.Entry // its history

	t   *testing.T
	out Out
	err error
}

// Result is what the workflow returned. The error is a *[workflow.Error].
func (r *Ran[Out]) Result() (Out, error) { return r.out, r.err }

// Run runs a workflow to its end, and performs all acts. A call of an activity that nobody expected, a call beyond the last
// outcome of a stub, outcomes that were not used, a stalled workflow, and one that waits for what never comes fail the test,
// which then ends. Run must not be called inside another bubble of testing/synctest.
func Run[In, Out any](t *testing.T, w workflow.Type[In, Out], in In, options ...Option) *Ran[Out] {
	t.Helper()
	s := &settings{id: "test"}
	for _, o := range options {
		o.apply(s)
	}
	slices.SortStableFunc(s.script, func(a, b cue) int { return int(a.at - b.at) })
	p := &play{
		settings: s, workflow: w,
		start: func(ctx context.Context, rt *runtime.Runtime) error {
			_, err := runtime.Start(ctx, rt, s.id, w, in, s.start...)
			return err
		},
	}
	ran := &Ran[Out]{t: t}
	for _, stub := range s.stubs {
		stub.begin()
	}
	var all, again map[string][]history.Entry
	first := p.perform(t, 0, nil, func(w *World) {
		ran.out, ran.err = runtime.Result[In, Out](w.Context, w.Runtime, s.id, p.workflow.(workflow.Type[In, Out]))
		ran.Entries, ran.Elapsed = w.entries(), w.elapsed()
		all = w.histories()
	})
	for _, stub := range s.stubs {
		if left := stub.unused(); left != "" {
			t.Errorf("%s\n%s", left, table(ran.Entries))
		}
	}
	for _, id := range slices.Sorted(maps.Keys(all)) {
		if err := p.check(all[id]); err != nil {
			t.Errorf("%s: %v\n%s", id, err, table(all[id]))
		}
	}
	if t.Failed() {
		return ran // a second time would say the same
	}
	memory := runtime.Forget
	if len(ran.Entries) > forgetful {
		memory = 0
	}
	p.perform(t, memory, first, func(w *World) { again = w.histories() })
	cover(t, p.codes, slices.Collect(maps.Values(all))...)
	for _, id := range slices.Sorted(maps.Keys(all)) {
		if d := difference("first", history.Marshal(all[id]), "again", history.Marshal(again[id])); d != "" {
			t.Errorf("the history of %s is another one when the test is run again, %s\n%s", id, how[memory], d)
		}
	}
	return ran
}

// forgetful is the length of a history beyond which an execution is not forgotten after each step, because remembering it
// each time would take long.
const forgetful = 500

var how = map[int]string{
	0: "in the same way", runtime.Forget: "where the execution is forgotten after each step and remembered from the log",
}

// play is a test that can be performed more than once.
type play struct {
	*settings
	workflow workflow.Definition
	start    func(context.Context, *runtime.Runtime) error
}

func (p *play) String() string { return fmt.Sprintf("workflow %s (%s)", p.id, p.workflow.Definition()) }
