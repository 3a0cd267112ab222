package history

// Closing is what all entries that end a run have in common. Nothing follows one but the Started of the next run.
type Closing struct {
	Unread    []uint64 // Seqs of the signals that the code had not received
	Abandoned int      // activities begun and not waited for, which are cancelled
	Children  int      // children that have not ended, which follow their policy
}

func (c *Closing) put(w *writer) {
	w.nums("unread", c.Unread)
	w.int("abandoned", c.Abandoned)
	w.int("children", c.Children)
}

func (c *Closing) take(r *reader, key string) bool {
	switch key {
	case "unread":
		c.Unread = r.nums()
	case "abandoned":
		c.Abandoned = r.int()
	case "children":
		c.Children = r.int()
	default:
		return false
	}
	return true
}

// Completed closes a run whose code returned a result.
type Completed struct {
	Result Payload
	Closing
}

func (*Completed) Role() Role   { return Decision }
func (*Completed) Kind() string { return "completed" }
func (e *Completed) evolve(s *State, at *Entry) {
	s.close(StatusCompleted, Outcome{Result: e.Result}, len(e.Unread), at)
}
func (e *Completed) put(w *writer) { w.payload("result", e.Result); e.Closing.put(w) }
func (e *Completed) take(r *reader, key string) bool {
	return takePayload(r, key, "result", &e.Result) || e.Closing.take(r, key)
}

// Continued closes a run whose code goes on in the next one, whose Started is the entry after it. That carries what was not
// received, so nothing is listed here as unread.
type Continued struct{ Closing }

func (*Continued) Role() Role   { return Decision }
func (*Continued) Kind() string { return "continued" }
func (e *Continued) evolve(s *State, at *Entry) {
	s.close(StatusContinued, Outcome{}, len(e.Unread), at)
}
func (e *Continued) put(w *writer)                   { e.Closing.put(w) }
func (e *Continued) take(r *reader, key string) bool { return e.Closing.take(r, key) }

// Failed closes a run whose code returned an error.
type Failed struct {
	Failure Payload // see [Failure]
	Closing
}

func (*Failed) Role() Role   { return Decision }
func (*Failed) Kind() string { return "failed" }
func (e *Failed) evolve(s *State, at *Entry) {
	s.close(StatusFailed, Outcome{Failure: e.Failure}, len(e.Unread), at)
}
func (e *Failed) put(w *writer) { w.payload("failure", e.Failure); e.Closing.put(w) }
func (e *Failed) take(r *reader, key string) bool {
	return takePayload(r, key, "failure", &e.Failure) || e.Closing.take(r, key)
}

// Cancelled closes a run whose code ended because it was asked to.
type Cancelled struct {
	Failure Payload // what the code returned
	Closing
}

func (*Cancelled) Role() Role   { return Decision }
func (*Cancelled) Kind() string { return "cancelled" }
func (e *Cancelled) evolve(s *State, at *Entry) {
	s.close(StatusCancelled, Outcome{Failure: e.Failure}, len(e.Unread), at)
}
func (e *Cancelled) put(w *writer) { w.payload("failure", e.Failure); e.Closing.put(w) }
func (e *Cancelled) take(r *reader, key string) bool {
	return takePayload(r, key, "failure", &e.Failure) || e.Closing.take(r, key)
}

// Terminated closes a run at once; the code is not asked.
type Terminated struct {
	Reason string
	Closing
}

func (*Terminated) Role() Role   { return Note }
func (*Terminated) Kind() string { return "terminated" }
func (e *Terminated) evolve(s *State, at *Entry) {
	s.close(StatusTerminated, Outcome{Reason: e.Reason}, len(e.Unread), at)
}
func (e *Terminated) put(w *writer) { w.text("reason", e.Reason); e.Closing.put(w) }
func (e *Terminated) take(r *reader, key string) bool {
	return takeText(r, key, "reason", &e.Reason) || e.Closing.take(r, key)
}

// TimedOut closes a run whose time is over; the code is not asked.
type TimedOut struct {
	Limit string // "run", "execution", or the limit of the activity whose policy says so
	Step  Step   // of that activity
	Closing
}

func (*TimedOut) Role() Role   { return Note }
func (*TimedOut) Kind() string { return "timed-out" }
func (e *TimedOut) evolve(s *State, at *Entry) {
	s.close(StatusTimedOut, Outcome{Reason: e.Limit, Step: e.Step}, len(e.Unread), at)
}
func (e *TimedOut) put(w *writer) {
	w.text("limit", e.Limit)
	w.num("step", uint64(e.Step))
	e.Closing.put(w)
}
func (e *TimedOut) take(r *reader, key string) bool {
	return takeText(r, key, "limit", &e.Limit) || takeStep(r, key, &e.Step) || e.Closing.take(r, key)
}
