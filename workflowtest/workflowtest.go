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
// see [Ran.Golden], [Replay] and [ReplayDir].
//
// Histories of the past tell whether today's code still fits runs that are open: keep golden files of releases, and now and
// then an export of production,
//
//	clew export --all -o testdata/production.jsonl
//
//	func TestTodaysCodeFits(t *testing.T) {
//		workflowtest.ReplayDir(t, "testdata", workflowtest.Use(order.Process, order.ProcessV2))
//	}
//
// Each Run ends with checks of its own: the history replays from each of its entries on, strictly; it is the same when the
// test is run again and the execution forgotten and remembered after every step; its hashes are whole; and nothing is left running.
//
// [Explore] runs a workflow under many schedules in which other things go wrong each time, and holds it against what must be so
// however it comes:
//
//	func TestWhateverGoesWrong(t *testing.T) {
//		workflowtest.Explore(t, order.Process, lamp,
//			workflowtest.Stub(order.Charge).Returns(receipt), …,
//			workflowtest.Once(order.Charge),
//			workflowtest.Within(30*24*time.Hour),
//		)
//	}
//
// The page docs/testing.md leads from the first test to the gate before a deploy.
package workflowtest

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/query"
	"github.com/clewflow/clew/runtime"
	"github.com/clewflow/clew/workflow"
)

// Option is a stub, something of [Use], [ID], [Rows], [Start], [At], [When] and [StubValue], or, for [Explore] only, of [Each], [Invariant],
// [Once], [Or], [Schedule], [Schedules], [Undoes] and [Within].
type Option interface{ apply(*settings) }

type option func(*settings)

func (o option) apply(s *settings) { o(s) }

type settings struct {
	id          string
	start       []workflow.Option
	definitions []workflow.Definition
	stubs       []stub
	rows        func(query.Query) []query.Row              // nil: the index answers
	values      map[string]func() (history.Payload, error) // that stand in for those of workflow.Value
	awaited     []condition
	script      []cue
	exploration exploration
	past        []history.Entry // of the execution, which is run again; see WhatIf
}

func settingsOf(options []Option) *settings {
	s := &settings{id: "test"}
	for _, o := range options {
		o.apply(s)
	}
	for i := range s.script {
		s.script[i].number = i + 1
	}
	return s
}

// cue is an act and when it is performed.
type cue struct {
	at     time.Duration
	act    Act
	number int  // in the order in which acts are written down, from 1
	first  bool // before what waits at the same moment
}

// Use has definitions run for real: activities, bindings, other workflows. What is stubbed stays stubbed.
//
// The virtual clock stands still while an activity waits for the network. Begin servers outside of [Run], and keep no
// connection open (http.Transport.DisableKeepAlives): a goroutine that goes on reading stops the clock for good.
//
// For [ReplayDir] it says which workflows there are; several versions of one may be given.
func Use(definitions ...workflow.Definition) Definitions { return definitions }

// Definitions is an [Option] and a [ReplayOption], see [Use].
type Definitions []workflow.Definition

func (d Definitions) apply(s *settings) { s.definitions = append(s.definitions, d...) }
func (d Definitions) corpus(c *corpus)  { c.definitions = append(c.definitions, d...) }

// ID sets the workflow id. Default "test".
func ID(id string) Option { return option(func(s *settings) { s.id = id }) }

// Rows says what workflow.Find answers, and how many workflow.Count counts: the rows that find returns for what the workflow asks, whatever
// the query says of them. Without it the index of the test answers, which knows the workflow, its children and what acts start. find may be
// called by several goroutines, and is to answer the same each time.
func Rows(find func(query.Query) []query.Row) Option {
	return option(func(s *settings) { s.rows = find })
}

// Start has the workflow started with options: attributes, headers, limits, a version, or those of package runtime.
func Start(options ...workflow.Option) Option {
	return option(func(s *settings) { s.start = append(s.start, options...) })
}

// At performs acts, in order, when d has passed on the virtual clock since the start. Acts run in the virtual clock, one
// after the other; what one brings about has come to rest before the next is performed. The test is run twice, so acts
// are performed twice; [World].Again tells.
func At(d time.Duration, acts ...Act) Option {
	return option(func(s *settings) {
		for _, act := range acts {
			s.script = append(s.script, cue{at: d, act: act})
		}
	})
}

// When performs acts, in order, as soon as a condition holds: whenever the workflow has come to rest and something has changed it is
// tried, like an act, so it may ask whatever acts may. A condition that never holds fails the test.
func When(holds func(*World) bool, acts ...Act) Option {
	return option(func(s *settings) { s.awaited = append(s.awaited, condition{holds, acts}) })
}

// condition is what has to hold before acts are performed.
type condition struct {
	holds func(*World) bool
	acts  []Act
}

// Ran is a workflow that was run.
type Ran[Out any] struct {
	Elapsed time.Duration   // on the virtual clock, from the start to the end
	Entries []history.Entry // its history
	Row     query.Row       // how a lookup finds its last run: status, version, attributes; empty where a test explores

	performance
	out Out
	err error
}

// performance is what is known of a play that was performed, whatever the workflow returns.
type performance struct {
	t         *testing.T
	id        string                     // workflow id
	all       map[string][]history.Entry // all histories, by workflow id
	effects   []effect
	made      recording
	elapsed   time.Duration
	completed bool
	logged    string
	at        finding
}

func (p *performance) performed() *performance { return p }

// notes are what there is to say of the entries of an execution.
func (p *performance) notes(execution string) []note {
	if p.at.execution != execution {
		return nil
	}
	return []note{p.at.note}
}

// Published is the view of itself that the workflow published last, see workflow.Publish; ok is false if there is none that a T can
// hold.
func Published[T any](ran Performed) (view T, ok bool) {
	p := ran.performed()
	s := history.Fold(p.all[p.id]...)
	if s.View.Absent() {
		return view, false
	}
	err := s.View.Decode(&view)
	return view, err == nil
}

// shown is the history, and what was logged.
func (r *Ran[Out]) shown() (text string) {
	if len(r.Entries) > 0 {
		text = "\n" + table(r.Entries, r.notes(r.id)...)
	}
	if other := r.at.execution; other != "" && other != r.id {
		text += fmt.Sprintf("\n%s:\n%s", other, table(r.all[other], r.notes(other)...))
	}
	if r.logged != "" {
		text += "\nlogged:\n" + r.logged
	}
	return text
}

// Result is what the workflow returned. The error is a *[workflow.Error].
func (r *Ran[Out]) Result() (Out, error) { return r.out, r.err }

// Run runs a workflow to its end, and performs all acts. A call of an activity that nobody expected, a call beyond the last
// outcome of a stub, outcomes that were not used, a stalled workflow, and one that waits for what never comes fail the test,
// which then ends. Run must not be called inside another bubble of testing/synctest.
func Run[In, Out any](t *testing.T, w workflow.Type[In, Out], in In, options ...Option) *Ran[Out] {
	t.Helper()
	p := playOf(w, in, settingsOf(options))
	if p.exploration.asked() {
		t.Fatal("Run does not look at Each, Invariant, Once, Or, Schedule, Schedules, Undoes and Within; give them to Explore")
	}
	ran, problem := perform[In, Out](t, p, staging{})
	if problem != "" {
		t.Fatal(problem + ran.shown())
	}
	for _, stub := range p.stubs {
		if left := stub.unused(); left != "" {
			t.Errorf("%s\n%s", left, table(ran.Entries))
		}
	}
	if wrong := p.check(ran.all, observations); wrong != "" {
		t.Error(wrong)
	}
	if t.Failed() {
		return ran // a second time would say the same
	}
	memory := runtime.Forget
	if len(ran.Entries) > forgetful {
		memory = 0
	}
	again, problem := perform[In, Out](t, p, staging{memory: memory, back: ran.made})
	if problem != "" {
		t.Fatalf("the test fails when it is run again, %s: %s%s", how[memory], problem, again.shown())
	}
	coverBound(p.code(p.last))
	cover(p.codes, slices.Collect(maps.Values(ran.all))...)
	coverWritten(t)
	for _, id := range slices.Sorted(maps.Keys(ran.all)) {
		if d := difference("first", history.Marshal(ran.all[id]), "again", history.Marshal(again.all[id])); d != "" {
			t.Errorf("the history of %s is another one when the test is run again, %s\n%s", id, how[memory], d)
		}
	}
	return ran
}

// perform performs a play, and returns what came of it and why it could not be performed to its end; empty: it was.
func perform[In, Out any](t *testing.T, p *play, s staging) (ran *Ran[Out], problem string) {
	t.Helper()
	if s.back == nil {
		for _, stub := range p.stubs {
			stub.begin(s.plot != nil)
		}
	}
	ran = &Ran[Out]{performance: performance{t: t, id: p.id}}
	result := func(w *World) {
		_ = w.Try(func(rt *runtime.Runtime) error {
			ran.out, ran.err = runtime.Result[In, Out](w.Context, rt, p.id, p.workflow.(workflow.Type[In, Out]))
			return ran.err
		})
		if s.plot == nil {
			for _, row := range Find(w, query.Query{ID: p.id, Limit: 1}) {
				ran.Row = row
			}
		}
	}
	problem, ran.logged = p.perform(t, s, result, func(w *World) {
		if w.known.over(w.id()) {
			ran.Elapsed = w.known.elapsed(w.id())
			ran.elapsed, ran.completed = ran.Elapsed, ran.err == nil
		}
		ran.Entries, ran.all = w.known.entries(w.id()), w.known.histories()
		ran.effects, ran.made, ran.at = w.cast.effects, w.cast.recorded, w.known.at
	})
	return ran, problem
}

// forget is [runtime.Forget].
const forget = runtime.Forget

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
	last     []workflow.Definition // what was deployed when it was performed last
	start    func(context.Context, *runtime.Runtime, runtime.Option) error
}

func playOf[In, Out any](w workflow.Type[In, Out], in In, s *settings) *play {
	slices.SortStableFunc(s.script, func(a, b cue) int { return int(a.at - b.at) })
	return &play{
		settings: s, workflow: w,
		start: func(ctx context.Context, rt *runtime.Runtime, named runtime.Option) error {
			_, err := runtime.Start(ctx, rt, s.id, w, in, append(slices.Clone(s.start), named)...)
			return err
		},
	}
}

func (p *play) String() string { return fmt.Sprintf("workflow %s (%s)", p.id, p.workflow.Definition()) }
