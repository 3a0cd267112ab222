package history

import "time"

// ParentClose says what becomes of a child when the chain of its parent ends.
type ParentClose string

// What becomes of a child when its parent ends.
const (
	CancelChild    ParentClose = "cancel" // it is asked to end
	TerminateChild ParentClose = "terminate"
	AbandonChild   ParentClose = "abandon" // nothing
)

// ChildAsked is an execution that the code wants to be started. It holds all that the start needs.
type ChildAsked struct {
	Step             Step
	ID               string // workflow id
	Type             string
	Version          int // 0: whichever is newest when it starts
	Input            Payload
	OnParentClose    ParentClose
	OnCancel         Cancel
	RunTimeout       time.Duration
	ExecutionTimeout time.Duration
	CorrelationID    string
	Memo             Payload
	Attributes       Payload
	Headers          Payload
	Once             bool   // only if the id was never used
	LimitKey         string // for whom it is; empty: as its definition says
	WhenFull         Full   // what becomes of it if a limit allows no further run; empty: as its definition says
}

func (*ChildAsked) Role() Role   { return Decision }
func (*ChildAsked) Kind() string { return "child-asked" }
func (e *ChildAsked) evolve(s *State, at *Entry) {
	if s.Children == nil {
		s.Children = map[Step]*Child{}
	}
	s.Children[e.Step] = &Child{
		Step: e.Step, Run: s.asker(at), ID: e.ID, Type: e.Type, Seq: at.Seq, Asked: at.At, OnCancel: e.OnCancel, OnParentClose: e.OnParentClose,
	}
	s.Run.HadChildren = true
	s.asked(e.Step)
}
func (e *ChildAsked) put(w *writer) {
	w.num("step", uint64(e.Step))
	w.text("id", e.ID)
	w.text("type", e.Type)
	w.int("version", e.Version)
	w.payload("input", e.Input)
	w.text("on_parent_close", string(e.OnParentClose))
	w.text("on_cancel", string(e.OnCancel))
	w.dur("run_timeout", e.RunTimeout)
	w.dur("execution_timeout", e.ExecutionTimeout)
	w.text("correlation_id", e.CorrelationID)
	w.payload("memo", e.Memo)
	w.payload("attributes", e.Attributes)
	w.payload("headers", e.Headers)
	w.flag("once", e.Once)
	w.text("limit_key", e.LimitKey)
	w.text("when_full", string(e.WhenFull))
}
func (e *ChildAsked) take(r *reader, key string) bool {
	switch key {
	case "step":
		e.Step = Step(r.num())
	case "id":
		e.ID = r.text()
	case "type":
		e.Type = r.text()
	case "version":
		e.Version = r.int()
	case "input":
		r.payload(key, &e.Input)
	case "once":
		e.Once = r.flag()
	case "limit_key":
		e.LimitKey = r.text()
	case "when_full":
		e.WhenFull = Full(r.text())
	case "on_parent_close":
		e.OnParentClose = ParentClose(r.text())
	case "on_cancel":
		e.OnCancel = Cancel(r.text())
	case "run_timeout":
		e.RunTimeout = r.dur()
	case "execution_timeout":
		e.ExecutionTimeout = r.dur()
	case "correlation_id":
		e.CorrelationID = r.text()
	case "memo":
		r.payload(key, &e.Memo)
	case "attributes":
		r.payload(key, &e.Attributes)
	case "headers":
		r.payload(key, &e.Headers)
	default:
		return false
	}
	return true
}

// ChildStarted tells the code that a child exists.
type ChildStarted struct {
	Step  Step
	Chain string // of the child: the id of its first run
}

func (*ChildStarted) Role() Role   { return Input }
func (*ChildStarted) Kind() string { return "child-started" }
func (e *ChildStarted) evolve(s *State, _ *Entry) {
	if c := s.Children[e.Step]; c != nil {
		c.Chain, c.Again = e.Chain, false
	}
}
func (e *ChildStarted) put(w *writer) { w.num("step", uint64(e.Step)); w.text("chain", e.Chain) }
func (e *ChildStarted) take(r *reader, key string) bool {
	return takeStep(r, key, &e.Step) || takeText(r, key, "chain", &e.Chain)
}

// Why something asked of another execution was refused.
const (
	RefusedRunning    = "already-running"
	RefusedExists     = "already-exists"
	RefusedNotFound   = "not-found"
	RefusedNotRunning = "not-running"
	RefusedFull       = "too-many-signals"
	RefusedInvalid    = "invalid"
	RefusedLimit      = "limit" // of open runs
)

// ChildRefused tells the code that a child could not be started.
type ChildRefused struct {
	Step    Step
	Reason  string // one of those above
	Message string
}

func (*ChildRefused) Role() Role                  { return Input }
func (*ChildRefused) Kind() string                { return "child-refused" }
func (e *ChildRefused) evolve(s *State, _ *Entry) { delete(s.Children, e.Step) }
func (e *ChildRefused) put(w *writer) {
	w.num("step", uint64(e.Step))
	w.text("reason", e.Reason)
	w.text("message", e.Message)
}
func (e *ChildRefused) take(r *reader, key string) bool {
	return takeStep(r, key, &e.Step) || takeText(r, key, "reason", &e.Reason) || takeText(r, key, "message", &e.Message)
}

// ChildCancelRequested is the code's wish that a child end. Unless it waits for how the child ends, that settles it for
// the code; for the runtime the wish remains to be delivered.
type ChildCancelRequested struct{ Step Step }

func (*ChildCancelRequested) Role() Role   { return Decision }
func (*ChildCancelRequested) Kind() string { return "child-cancel-requested" }
func (e *ChildCancelRequested) evolve(s *State, at *Entry) {
	if c := s.Children[e.Step]; c != nil {
		c.CancelRequested, c.CancelSeq = true, at.Seq
	}
}
func (e *ChildCancelRequested) put(w *writer)                   { w.num("step", uint64(e.Step)) }
func (e *ChildCancelRequested) take(r *reader, key string) bool { return takeStep(r, key, &e.Step) }

// ChildCancelDelivered tells the code that a child has been asked to end, or had ended before. A run that is to end waits for
// it where nothing else would end the child.
type ChildCancelDelivered struct{ Step Step }

func (*ChildCancelDelivered) Role() Role   { return Input }
func (*ChildCancelDelivered) Kind() string { return "child-cancel-delivered" }
func (e *ChildCancelDelivered) evolve(s *State, _ *Entry) {
	if c := s.Children[e.Step]; c != nil {
		c.CancelDelivered = true
		if c.Settled() {
			delete(s.Children, e.Step)
		}
	}
}
func (e *ChildCancelDelivered) put(w *writer)                   { w.num("step", uint64(e.Step)) }
func (e *ChildCancelDelivered) take(r *reader, key string) bool { return takeStep(r, key, &e.Step) }

// ChildClosed tells the code how the chain of a child ended.
type ChildClosed struct {
	Step    Step
	Run     string // the last one of the child
	Status  Status
	Result  Payload
	Failure Payload
	Reason  string // of a termination; the limit of a time-out
}

func (*ChildClosed) Role() Role                  { return Input }
func (*ChildClosed) Kind() string                { return "child-closed" }
func (e *ChildClosed) evolve(s *State, _ *Entry) { delete(s.Children, e.Step) }
func (e *ChildClosed) put(w *writer) {
	w.num("step", uint64(e.Step))
	w.text("run", e.Run)
	w.text("status", e.Status.String())
	w.payload("result", e.Result)
	w.payload("failure", e.Failure)
	w.text("reason", e.Reason)
}
func (e *ChildClosed) take(r *reader, key string) bool {
	switch key {
	case "run":
		e.Run = r.text()
	case "status":
		name := r.text()
		if status, ok := ParseStatus(name); ok && status&(status-1) == 0 {
			e.Status = status
		} else {
			r.fail("no status is called %q", name)
		}
	case "result":
		r.payload(key, &e.Result)
	case "failure":
		r.payload(key, &e.Failure)
	default:
		return takeStep(r, key, &e.Step) || takeText(r, key, "reason", &e.Reason)
	}
	return true
}

// Child is an execution that the code asked for and of which something remains to be done or to be told.
type Child struct {
	Step            Step
	Run             string // that asked for it
	ID              string // workflow id
	Type            string
	Seq             uint64 // of ChildAsked
	Asked           time.Time
	OnParentClose   ParentClose
	OnCancel        Cancel
	Chain           string // empty: it is not known to have started
	CancelRequested bool
	CancelSeq       uint64 // of ChildCancelRequested
	CancelDelivered bool
	Again           bool // it was adopted without its end: it is to be asked for again, unless it is under way or has completed
}

// Settled reports whether the code waits for it no more.
func (c *Child) Settled() bool { return c.CancelRequested && c.OnCancel != WaitCancelled }

// ParentChanged says to a child that another run of its parent's has adopted it, and waits for it now.
type ParentChanged struct{ Run string }

func (*ParentChanged) Role() Role   { return Note }
func (*ParentChanged) Kind() string { return "parent-changed" }
func (e *ParentChanged) evolve(s *State, _ *Entry) {
	if s.Run.Lasting == nil {
		return // nothing has started
	}
	lasting := *s.Run.Lasting
	lasting.Parent.Run = e.Run
	s.Run.Lasting = &lasting
}
func (e *ParentChanged) put(w *writer)                   { w.text("run", e.Run) }
func (e *ParentChanged) take(r *reader, key string) bool { return takeText(r, key, "run", &e.Run) }
