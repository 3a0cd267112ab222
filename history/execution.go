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

// Parent is the run that asked for a child, and what is to become of the child when the parent's chain ends.
type Parent struct {
	ID      string // workflow id; empty: there is none
	Run     string
	Chain   string
	Step    Step
	OnClose ParentClose
}

// Budget is how much a run is to hold before it had better continue as new.
type Budget struct {
	Entries int
	Bytes   int
	Open    int // things asked for that have no outcome
}

// StandardBudget is the budget of runs whose history names no other. It is a promise: what the code is told of it must be the
// same in each replay.
var StandardBudget = Budget{Entries: 10_000, Bytes: 16 << 20, Open: 1000}

// OnFailure is the workflow that is started when a run has failed or timed out.
type OnFailure struct {
	Type       string // empty: none
	Terminated bool   // also when it was terminated
}

// After reports whether it is to be started after a run that ended with a status.
func (o OnFailure) After(status Status) bool {
	return o.Type != "" && (status&(StatusFailed|StatusTimedOut) != 0 || o.Terminated && status == StatusTerminated)
}

// Range is a stretch of entries of a history.
type Range struct{ From, To uint64 }

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
	Headers       Payload // a JSON object of texts
	Parent        Parent
	Root          string // workflow id of the topmost parent; empty: there is none
	Depth         int    // how many executions stand above it; 0: none, or a release began it that did not say so
	Pinned        bool   // the next runs are of the same version
	Route         string // why this version; empty: it is the newest
	RunTimeout    time.Duration
	From          Sources // of RunTimeout and Deadline; nothing is recorded of a run without them
	Budget        Budget  // zero: the standard one
	HadChildren   bool    // a run before in the chain had some
	Carried       []Range // unread signals of the runs before, which the code is told first
	Updates       []CarriedUpdate
	Adopts        *Adoption // nil: the run begins from the beginning
	Reason        string    // for which somebody began a further run
	OnFailure     OnFailure
	Key           string   // under which it counts for limits of open runs; empty: it has none
	Queued        bool     // there was no slot for it: it waits for one, which it is told with Begun
	Replaces      Replaced // to make room for it
}

func (*Started) Role() Role   { return Input }
func (*Started) Kind() string { return "started" }

func (e *Started) evolve(s *State, at *Entry) {
	run := Run{
		ID: e.Run, Chain: e.Chain, Number: e.Number, Type: e.Type, Version: e.Version, Origin: e.Origin,
		Began: at.Seq, Started: at.At, BeginAt: e.BeginAt, Queued: e.Queued, RunDeadline: e.RunDeadline, Deadline: e.Deadline,
		CorrelationID: e.CorrelationID, Seed: e.Seed, HadChildren: e.HadChildren,
		Lasting: Lasting{
			Memo: e.Memo, Headers: e.Headers, Parent: e.Parent, Root: e.Root, Depth: e.Depth, Pinned: e.Pinned, Route: e.Route, RunTimeout: e.RunTimeout, From: e.From,
			Budget: e.Budget, Adopts: e.Adopts, OnFailure: e.OnFailure, Key: e.Key, Replaces: e.Replaces,
		}.orNothing(),
	}
	for _, r := range e.Carried {
		run.Signals += int(r.To - r.From + 1)
	}
	s.begin(run)
	s.Unread = run.Signals
	s.Attributes = s.Attributes.With(e.Attributes)
	for _, u := range e.Updates {
		s.accept(&Update{ID: u.Update, Seq: u.Seq, Accepted: at.At})
	}
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
	w.payload("headers", e.Headers)
	e.Parent.put(w)
	w.text("root", e.Root)
	w.int("depth", e.Depth)
	w.flag("pinned", e.Pinned)
	w.text("route", e.Route)
	w.dur("run_timeout", e.RunTimeout)
	e.From.Asked.put(w, "asked")
	e.From.put(w)
	w.int("budget_entries", e.Budget.Entries)
	w.int("budget_bytes", e.Budget.Bytes)
	w.int("budget_open", e.Budget.Open)
	w.flag("had_children", e.HadChildren)
	if len(e.Carried) > 0 {
		w.nums("carried", bounds(e.Carried))
	}
	if len(e.Updates) > 0 {
		ids, seqs := make([]string, len(e.Updates)), make([]uint64, len(e.Updates))
		for i, u := range e.Updates {
			ids[i], seqs[i] = u.Update, u.Seq
		}
		w.texts("updates", ids)
		w.nums("updates_at", seqs)
	}
	if e.Adopts != nil {
		e.Adopts.put(w)
	}
	w.text("reason", e.Reason)
	w.text("on_failure", e.OnFailure.Type)
	w.flag("on_failure_terminated", e.OnFailure.Terminated)
	w.text("limit_key", e.Key)
	w.flag("queued", e.Queued)
	w.text("replaces", e.Replaces.ID)
	w.text("replaces_chain", e.Replaces.Chain)
}

func (p *Parent) put(w *writer) {
	if p.ID == "" {
		return
	}
	w.object("parent", func() {
		w.text("id", p.ID)
		w.text("run", p.Run)
		w.text("chain", p.Chain)
		w.num("step", uint64(p.Step))
		w.text("on_close", string(p.OnClose))
	})
}

func (p *Parent) take(r *reader) {
	r.object(func(key string) bool {
		switch key {
		case "id":
			p.ID = r.text()
		case "run":
			p.Run = r.text()
		case "chain":
			p.Chain = r.text()
		case "on_close":
			p.OnClose = ParentClose(r.text())
		default:
			return takeStep(r, key, &p.Step)
		}
		return true
	})
	if p.ID == "" {
		*p = Parent{} // of nobody nothing is said
	}
}

// bounds writes ranges as pairs of their ends.
func bounds(ranges []Range) (all []uint64) {
	for _, r := range ranges {
		all = append(all, r.From, r.To)
	}
	return all
}

// maxCarried bounds what a range that was read may stretch over, so that damaged bytes cannot ask for much.
const maxCarried = 1 << 24

func (r *reader) ranges() (all []Range) {
	ends := r.nums()
	if len(ends)%2 != 0 {
		r.fail("want pairs of numbers")
		return nil
	}
	for i := 0; i < len(ends); i += 2 {
		if ends[i] == 0 || ends[i+1] < ends[i] || ends[i+1]-ends[i] >= maxCarried {
			r.fail("%d to %d is no range", ends[i], ends[i+1])
			return nil
		}
		all = append(all, Range{ends[i], ends[i+1]})
	}
	return all
}

// Ranges gathers Seqs, which rise, into ranges.
func Ranges(seqs []uint64) (all []Range) {
	for _, seq := range seqs {
		if n := len(all); n > 0 && all[n-1].To+1 == seq {
			all[n-1].To = seq
			continue
		}
		all = append(all, Range{seq, seq})
	}
	return all
}

func (e *Started) update(i int) *CarriedUpdate {
	for len(e.Updates) <= i {
		e.Updates = append(e.Updates, CarriedUpdate{})
	}
	return &e.Updates[i]
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
	case "headers":
		r.payload(key, &e.Headers)
	case "parent":
		e.Parent.take(r)
	case "root":
		e.Root = r.text()
	case "depth":
		e.Depth = r.int()
	case "pinned":
		e.Pinned = r.flag()
	case "route":
		e.Route = r.text()
	case "run_timeout":
		e.RunTimeout = r.dur()
	case "asked":
		e.From.Asked = takeFields(r)
	case "from":
		e.From.take(r)
	case "budget_entries":
		e.Budget.Entries = r.int()
	case "budget_bytes":
		e.Budget.Bytes = r.int()
	case "budget_open":
		e.Budget.Open = r.int()
	case "had_children":
		e.HadChildren = r.flag()
	case "carried":
		e.Carried = r.ranges()
	case "adopts":
		e.Adopts = new(Adoption)
		e.Adopts.take(r)
	case "reason":
		e.Reason = r.text()
	case "on_failure":
		e.OnFailure.Type = r.text()
	case "on_failure_terminated":
		e.OnFailure.Terminated = r.flag()
	case "limit_key":
		e.Key = r.text()
	case "queued":
		e.Queued = r.flag()
	case "replaces":
		e.Replaces.ID = r.text()
	case "replaces_chain":
		e.Replaces.Chain = r.text()
	case "updates":
		for i, id := range r.texts() {
			e.update(i).Update = id
		}
	case "updates_at":
		for i, seq := range r.nums() {
			e.update(i).Seq = seq
		}
	default:
		return false
	}
	return true
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

// Moved puts a run on another version of its code, which fits what is recorded.
type Moved struct {
	Version int
	Reason  string
}

func (*Moved) Role() Role                   { return Note }
func (*Moved) Kind() string                 { return "moved" }
func (e *Moved) evolve(s *State, at *Entry) { s.Run.Version = e.Version }
func (e *Moved) put(w *writer)              { w.int("version", e.Version); w.text("reason", e.Reason) }
func (e *Moved) take(r *reader, key string) bool {
	if key == "version" {
		e.Version = r.int()
		return true
	}
	return takeText(r, key, "reason", &e.Reason)
}

// VersionOf is the version of the code that a run, whose entries begin with its Started, is of now.
func VersionOf(run []Entry) (version int) {
	for _, e := range run {
		switch v := e.Event.(type) {
		case *Started:
			version = v.Version
		case *Moved:
			if e.Adopted == nil {
				version = v.Version
			}
		}
	}
	return version
}
