package history

// Stalled says that the code at hand cannot go on: it panicked, does not fit the history, or is not there. Nothing is
// lost; the execution is tried again, and goes on when code arrives that fits. Written once per build and reason.
type Stalled struct {
	Reason string
	Detail Payload // {"stack": …, …}, for people
}

func (*Stalled) Role() Role   { return Note }
func (*Stalled) Kind() string { return "stalled" }
func (e *Stalled) evolve(s *State, at *Entry) {
	s.Stall = &Stall{Reason: e.Reason, Build: s.Build, Since: at.At, Seq: at.Seq}
	if s.Pause == nil {
		s.Status = StatusStalled
	}
}
func (e *Stalled) put(w *writer) {
	w.text("reason", e.Reason)
	w.payload("detail", e.Detail)
}
func (e *Stalled) take(r *reader, key string) bool {
	return takeText(r, key, "reason", &e.Reason) || takePayload(r, key, "detail", &e.Detail)
}

// Resumed says that an execution goes on after a stall, where nothing else shows it.
type Resumed struct{}

func (*Resumed) Role() Role                { return Note }
func (*Resumed) Kind() string              { return "resumed" }
func (*Resumed) evolve(s *State, _ *Entry) { s.lift() }
func (*Resumed) put(*writer)               {}
func (*Resumed) take(*reader, string) bool { return false }

// Told moves the mark up to which the code has been told, where the code asked nothing in answer and the input was
// recorded by somebody else.
type Told struct{}

func (*Told) Role() Role                { return Note }
func (*Told) Kind() string              { return "told" }
func (*Told) evolve(*State, *Entry)     {}
func (*Told) put(*writer)               {}
func (*Told) take(*reader, string) bool { return false }

// TriedAgain is somebody's wish that an execution which has stalled be tried at once.
type TriedAgain struct{ Reason string }

func (*TriedAgain) Role() Role                        { return Note }
func (*TriedAgain) Kind() string                      { return "tried-again" }
func (*TriedAgain) evolve(*State, *Entry)             {}
func (e *TriedAgain) put(w *writer)                   { w.text("reason", e.Reason) }
func (e *TriedAgain) take(r *reader, key string) bool { return takeText(r, key, "reason", &e.Reason) }
