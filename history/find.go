package history

import "time"

// Why a lookup cannot be answered, beside RefusedInvalid. The words are on the wire.
const (
	RefusedTooMany  = "too-many-rows"
	RefusedTooLarge = "too-large"
	RefusedTooLong  = "too-long"
)

// FindAsked is a question about runs that the code asks of the index.
type FindAsked struct {
	Step  Step
	Query Payload // as package query writes it
	Count bool    // only how many there are; else the rows
}

func (*FindAsked) Role() Role   { return Decision }
func (*FindAsked) Kind() string { return "find-asked" }
func (e *FindAsked) evolve(s *State, at *Entry) {
	if s.Finds == nil {
		s.Finds = map[Step]*Find{}
	}
	s.Finds[e.Step] = &Find{Step: e.Step, Count: e.Count, Seq: at.Seq, Asked: at.At}
	s.asked(e.Step)
}
func (e *FindAsked) put(w *writer) {
	w.num("step", uint64(e.Step))
	w.payload("query", e.Query)
	w.flag("count", e.Count)
}
func (e *FindAsked) take(r *reader, key string) bool {
	if key == "count" {
		e.Count = r.flag()
		return true
	}
	return takeStep(r, key, &e.Step) || takePayload(r, key, "query", &e.Query)
}

// FindAnswered tells the code what the index knows, or why it does not say.
type FindAnswered struct {
	Step     Step
	Found    uint64  // how many runs
	Position uint64  // in the log, up to which the answer has everything
	Rows     Payload // as package query writes them; absent if only their number was asked for
	Refused  string  // why there is no answer; empty: there is
	Message  string  // of the refusal, for people
}

func (*FindAnswered) Role() Role                  { return Input }
func (*FindAnswered) Kind() string                { return "find-answered" }
func (e *FindAnswered) evolve(s *State, _ *Entry) { delete(s.Finds, e.Step) }
func (e *FindAnswered) put(w *writer) {
	w.num("step", uint64(e.Step))
	w.num("found", e.Found)
	w.num("position", e.Position)
	w.payload("rows", e.Rows)
	w.text("refused", e.Refused)
	w.text("message", e.Message)
}
func (e *FindAnswered) take(r *reader, key string) bool {
	switch key {
	case "found":
		e.Found = r.num()
	case "position":
		e.Position = r.num()
	default:
		return takeStep(r, key, &e.Step) || takePayload(r, key, "rows", &e.Rows) || takeText(r, key, "refused", &e.Refused) ||
			takeText(r, key, "message", &e.Message)
	}
	return true
}

// Find is a question that is still to be answered.
type Find struct {
	Step  Step
	Count bool
	Seq   uint64 // of FindAsked, where the question is
	Asked time.Time
}

func (f *Find) waiting() Reason {
	what := "a lookup"
	if f.Count {
		what = "a count"
	}
	return Reason{Step: f.Step, Why: "the index answering " + what, Since: f.Asked}
}
