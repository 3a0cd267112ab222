package workflowtest

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/clewflow/clew/activity"
	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/runtime"
	"github.com/clewflow/clew/workflow"
)

// WhatIf runs a recorded execution again from a place in its last run, as runtime.Rerun does, in memory and with activities that are stubbed: what
// would have come of it, with other results or with other code? file is an export of the execution, as clew export writes it. Nothing is
// done outside.
//
// What is before the place is told to the code as it was. An activity asked for behind it that has no stub gets the outcome that is recorded
// for the same activity with the same input; if none is left that fits, the test fails and says so. Waiting takes no time. The last run of
// Entries is the history that it would make, and clew compare says of two exports how they differ.
//
// Options: as of [Run]; [ID] means nothing, the execution has its own.
func WhatIf[In, Out any](t *testing.T, file string, w workflow.Type[In, Out], from runtime.Place, options ...Option) *Ran[Out] {
	t.Helper()
	all, err := readHistories(file)
	if err != nil {
		t.Fatal(err)
	}
	if len(all) != 1 {
		t.Fatalf("%s holds %d executions, want one", file, len(all))
	}
	for _, e := range all[0].Entries {
		if e.Encoded() {
			t.Fatalf("%s: entry %d has a payload that is compressed or encrypted; export it with its payloads in the clear", file, e.Seq)
		}
		if err := unreadable(e); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
	}
	s := settingsOf(options)
	if s.id = all[0].ID.Workflow; s.id == "" {
		s.id = "test"
	}
	s.past = all[0].Entries
	s.answerAsRecorded(t)
	var none In
	p := playOf(w, none, s)
	p.start = func(ctx context.Context, rt *runtime.Runtime, _ runtime.Option) error {
		_, err := rt.Rerun(ctx, s.id, from, runtime.TerminateFirst(), runtime.Reason("what if"))
		return err
	}
	ran, problem := perform[In, Out](t, p, staging{})
	if problem != "" {
		t.Fatal(problem + ran.shown())
	}
	return ran
}

// answerAsRecorded stubs the activities of the last run that are neither stubbed nor to be run.
func (s *settings) answerAsRecorded(t *testing.T) {
	var known []string
	for _, one := range s.stubs {
		if named, is := one.(interface{ name() string }); is {
			known = append(known, named.name())
		}
	}
	for _, d := range s.definitions {
		known = append(known, d.Definition())
	}
	r := &recordedOutcomes{t: t}
	for _, e := range lastRun(s.past) {
		r.take(e)
	}
	for _, name := range r.names {
		if slices.Contains(known, name) {
			continue
		}
		s.stubs = append(s.stubs, Stub(activity.Declare[json.RawMessage, json.RawMessage](name)).Calls(func(_ context.Context, in json.RawMessage) (json.RawMessage, error) {
			return r.answer(name, in)
		}))
	}
}

func (s *Stubbed[In, Out]) name() string { return s.activity.Name() }

// lastRun are the entries of the last run of a history.
func lastRun(all []history.Entry) []history.Entry {
	for i := len(all) - 1; i > 0; i-- {
		if _, begins := all[i].Event.(*history.Started); begins {
			return all[i:]
		}
	}
	return all
}

// recordedOutcomes are how the activities of a run ended, each used once.
type recordedOutcomes struct {
	t     *testing.T
	names []string

	mu    sync.Mutex
	asked []*recordedOutcome
}

type recordedOutcome struct {
	step   history.Step
	name   string
	input  string
	result history.Payload
	failed *history.Failure
	ended  bool
}

func (r *recordedOutcomes) take(e history.Entry) {
	settle := func(step history.Step, result history.Payload, failed *history.Failure) {
		for _, one := range r.asked {
			if one.step == step {
				one.result, one.failed, one.ended = result, failed, true
			}
		}
	}
	switch v := e.Event.(type) {
	case *history.ActivityScheduled:
		if !slices.Contains(r.names, v.Name) {
			r.names = append(r.names, v.Name)
		}
		r.asked = append(r.asked, &recordedOutcome{step: v.Step, name: v.Name, input: string(v.Input.Data)})
	case *history.ActivityCompleted:
		settle(v.Step, v.Result, nil)
	case *history.ActivityFailed:
		f := history.ReadFailure(v.Failure)
		settle(v.Step, history.Payload{}, &f)
	}
}

func (r *recordedOutcomes) answer(name string, in json.RawMessage) (json.RawMessage, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i, one := range r.asked {
		if one.name != name || !one.ended || one.input != string(in) {
			continue
		}
		r.asked = slices.Delete(r.asked, i, i+1)
		if one.failed != nil {
			return nil, activity.NonRetryable(activity.NewError(one.failed.Code, one.failed.Message))
		}
		if one.result.Absent() {
			return json.RawMessage("null"), nil
		}
		return json.RawMessage(one.result.Data), nil
	}
	err := fmt.Errorf("no outcome is recorded for activity %s with %s that is left: give it a stub", name, in)
	r.t.Error(err)
	return nil, activity.NonRetryable(err)
}

// offset is what the clock is ahead of the virtual one, so that what is recorded is not of the future.
func (p *play) offset(began time.Time) time.Duration {
	if len(p.past) == 0 {
		return 0
	}
	return p.past[len(p.past)-1].At.Sub(began)
}
