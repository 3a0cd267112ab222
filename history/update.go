package history

import "time"

// UpdateAccepted is a request that the code has agreed to answer.
type UpdateAccepted struct {
	Update string // its id
	Name   string
	Input  Payload
	Reason string // for which somebody has asked for it
}

func (*UpdateAccepted) Role() Role   { return Input }
func (*UpdateAccepted) Kind() string { return "update-accepted" }
func (e *UpdateAccepted) evolve(s *State, at *Entry) {
	s.accept(&Update{ID: e.Update, Name: e.Name, Seq: at.Seq, Accepted: at.At})
}
func (e *UpdateAccepted) put(w *writer) {
	w.text("update", e.Update)
	w.text("name", e.Name)
	w.payload("input", e.Input)
	w.text("reason", e.Reason)
}
func (e *UpdateAccepted) take(r *reader, key string) bool {
	return takeText(r, key, "update", &e.Update) || takeText(r, key, "name", &e.Name) || takePayload(r, key, "input", &e.Input) ||
		takeText(r, key, "reason", &e.Reason)
}

// UpdateCompleted is the code's answer to an update.
type UpdateCompleted struct {
	Update string
	Result Payload
}

func (*UpdateCompleted) Role() Role                   { return Decision }
func (*UpdateCompleted) Kind() string                 { return "update-completed" }
func (e *UpdateCompleted) evolve(s *State, at *Entry) { s.answer(e.Update, at) }
func (e *UpdateCompleted) put(w *writer)              { w.text("update", e.Update); w.payload("result", e.Result) }
func (e *UpdateCompleted) take(r *reader, key string) bool {
	return takeText(r, key, "update", &e.Update) || takePayload(r, key, "result", &e.Result)
}

// UpdateFailed is the error with which the code has answered an update.
type UpdateFailed struct {
	Update  string
	Failure Payload
}

func (*UpdateFailed) Role() Role                   { return Decision }
func (*UpdateFailed) Kind() string                 { return "update-failed" }
func (e *UpdateFailed) evolve(s *State, at *Entry) { s.answer(e.Update, at) }
func (e *UpdateFailed) put(w *writer)              { w.text("update", e.Update); w.payload("failure", e.Failure) }
func (e *UpdateFailed) take(r *reader, key string) bool {
	return takeText(r, key, "update", &e.Update) || takePayload(r, key, "failure", &e.Failure)
}

// Update is an accepted update that is not answered.
type Update struct {
	ID       string
	Name     string
	Seq      uint64 // of UpdateAccepted
	Accepted time.Time
}

func (s *State) accept(u *Update) {
	if s.Updates == nil {
		s.Updates = map[string]*Update{}
	}
	s.Updates[u.ID] = u
}

func (s *State) answer(update string, at *Entry) {
	delete(s.Updates, update)
	if s.answers == nil {
		s.answers = map[[16]byte]uint64{}
	}
	s.answers[digest(update)] = at.Seq
}

// Answered returns the Seq of the entry in which the current run answered an update.
func (s *State) Answered(update string) (seq uint64, ok bool) {
	seq, ok = s.answers[digest(update)]
	return seq, ok
}

// CarriedUpdate is an update that was accepted in an earlier run and is to be answered in this one.
type CarriedUpdate struct {
	Update string
	Seq    uint64 // of UpdateAccepted
}
