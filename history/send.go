package history

import "time"

// SendAsked is something that the code wants to tell another execution: a signal, or that it is to end.
type SendAsked struct {
	Step   Step
	ID     string // workflow id of the other execution
	Cancel bool   // it is to end; else a signal
	Name   string // of the signal
	Value  Payload
}

func (*SendAsked) Role() Role   { return Decision }
func (*SendAsked) Kind() string { return "send-asked" }
func (e *SendAsked) evolve(s *State, at *Entry) {
	if s.Sends == nil {
		s.Sends = map[Step]*Send{}
	}
	s.Sends[e.Step] = &Send{Step: e.Step, Run: s.asker(at), ID: e.ID, Cancel: e.Cancel, Name: e.Name, Seq: at.Seq, Asked: at.Time()}
	s.asked(e.Step)
}
func (e *SendAsked) put(w *writer) {
	w.num("step", uint64(e.Step))
	w.text("id", e.ID)
	w.flag("cancel", e.Cancel)
	w.text("name", e.Name)
	w.payload("value", e.Value)
}
func (e *SendAsked) take(r *reader, key string) bool {
	if key == "cancel" {
		e.Cancel = r.flag()
		return true
	}
	return takeStep(r, key, &e.Step) || takeText(r, key, "id", &e.ID) || takeText(r, key, "name", &e.Name) ||
		takePayload(r, key, "value", &e.Value)
}

// Sent tells the code what became of it.
type Sent struct {
	Step    Step
	Refused string // why; empty: it was delivered
}

func (*Sent) Role() Role                  { return Input }
func (*Sent) Kind() string                { return "sent" }
func (e *Sent) evolve(s *State, _ *Entry) { delete(s.Sends, e.Step) }
func (e *Sent) put(w *writer)             { w.num("step", uint64(e.Step)); w.text("refused", e.Refused) }
func (e *Sent) take(r *reader, key string) bool {
	return takeStep(r, key, &e.Step) || takeText(r, key, "refused", &e.Refused)
}

// Send is something that is still to be told another execution.
type Send struct {
	Step   Step
	Run    string // that asked for it
	ID     string
	Cancel bool
	Name   string
	Seq    uint64    // of SendAsked, where the value is
	Asked  time.Time // first: of one that is adopted, by the run that asked it; its request is looked for from then on
}
