package history

import (
	"cmp"
	"time"
)

// Origin says what began a run.
type Origin struct {
	Kind string // "client", "parent", "schedule", "operator"
	ID   string // of the parent, the schedule, …
}

// Started begins a run. It holds everything that outlives a run.
type Started struct {
	ID            ID     // of the execution, so that a history says whose it is wherever it is taken
	Run           string // id of this run
	Chain         string // id of the first run of this execution's chain
	Number        uint64 // of this run in the stream, from 1
	Type          string // of the workflow
	Version       int    // of the code that the run is pinned to
	Input         Payload
	Seed          uint64 // of the run's random numbers
	Origin        Origin
	BeginAt       time.Time // zero: at once. The code is told with Begun
	RunDeadline   time.Time // zero: none
	Deadline      time.Time // of the execution, over all its runs; zero: none
	CorrelationID string
	Memo          Payload // a JSON object
	Attributes    Payload // a JSON object
}

func (*Started) Role() Role   { return Input }
func (*Started) Kind() string { return "started" }

func (e *Started) evolve(s *State, at *Entry) {
	run := Run{
		ID: e.Run, Chain: e.Chain, Number: e.Number, Type: e.Type, Version: e.Version, Origin: e.Origin,
		Began: at.Seq, Started: at.At, BeginAt: e.BeginAt, RunDeadline: e.RunDeadline, Deadline: e.Deadline,
		CorrelationID: e.CorrelationID, Seed: e.Seed,
	}
	s.begin(run)
}

func (e *Started) put(w *writer) {
	w.text("namespace", e.ID.Namespace)
	w.text("id", e.ID.Workflow)
	w.text("run", e.Run)
	if e.Chain != e.Run {
		w.text("chain", e.Chain)
	}
	w.num("number", e.Number)
	w.text("type", e.Type)
	w.int("version", e.Version)
	w.payload("input", e.Input)
	w.num("seed", e.Seed)
	w.text("origin", e.Origin.Kind)
	w.text("origin_id", e.Origin.ID)
	w.time("begin_at", e.BeginAt)
	w.time("run_deadline", e.RunDeadline)
	w.time("deadline", e.Deadline)
	w.text("correlation_id", e.CorrelationID)
	w.payload("memo", e.Memo)
	w.payload("attributes", e.Attributes)
}

func (e *Started) take(r *reader, key string) bool {
	switch key {
	case "namespace":
		e.ID.Namespace = r.text()
	case "id":
		e.ID.Workflow = r.text()
	case "run":
		e.Run = r.text()
		if e.Chain == "" {
			e.Chain = e.Run
		}
	case "chain":
		e.Chain = cmp.Or(r.text(), e.Chain)
	case "number":
		e.Number = r.num()
	case "type":
		e.Type = r.text()
	case "version":
		e.Version = r.int()
	case "input":
		r.payload(key, &e.Input)
	case "seed":
		e.Seed = r.num()
	case "origin":
		e.Origin.Kind = r.text()
	case "origin_id":
		e.Origin.ID = r.text()
	case "begin_at":
		e.BeginAt = r.time()
	case "run_deadline":
		e.RunDeadline = r.time()
	case "deadline":
		e.Deadline = r.time()
	case "correlation_id":
		e.CorrelationID = r.text()
	case "memo":
		r.payload(key, &e.Memo)
	case "attributes":
		r.payload(key, &e.Attributes)
	default:
		return false
	}
	return true
}

// Begun ends the delay of a run that was not to begin at once. Now the code is told its input.
type Begun struct{}

func (*Begun) Role() Role                { return Input }
func (*Begun) Kind() string              { return "begun" }
func (*Begun) put(*writer)               {}
func (*Begun) take(*reader, string) bool { return false }
func (*Begun) evolve(s *State, at *Entry) {
	s.Run.BeginAt = time.Time{}
	s.wakeRun()
}

// CancelRequested tells the code that somebody wants the run to end. The code may clean up, or go on.
type CancelRequested struct{ Reason string }

func (*CancelRequested) Role() Role                   { return Input }
func (*CancelRequested) Kind() string                 { return "cancel-requested" }
func (e *CancelRequested) evolve(s *State, at *Entry) { s.Run.CancelRequested = true }
func (e *CancelRequested) put(w *writer)              { w.text("reason", e.Reason) }
func (e *CancelRequested) take(r *reader, key string) bool {
	return takeText(r, key, "reason", &e.Reason)
}
