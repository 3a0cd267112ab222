package history

// Kept is an answer that the code could not work out twice: a value, or which way it went at a gate. It has no step; it
// is found by name, anywhere in the run, and the first of a name stands for the whole run.
type Kept struct {
	Gate  bool   // whether it is a gate's
	Name  string // of the gate or value
	Call  int    // of a value that may change: the call, from 1, at which it had changed; 0: it never does
	Value Payload
}

func (*Kept) Role() Role   { return Decision }
func (*Kept) Kind() string { return "kept" }
func (e *Kept) evolve(s *State, at *Entry) {
	if e.Gate {
		s.Run.Gates++
	}
}
func (e *Kept) put(w *writer) {
	w.flag("gate", e.Gate)
	w.text("name", e.Name)
	w.int("call", e.Call)
	w.payload("value", e.Value)
}
func (e *Kept) take(r *reader, key string) bool {
	switch key {
	case "gate":
		e.Gate = r.flag()
		return true
	case "call":
		e.Call = r.int()
		return true
	}
	return takeText(r, key, "name", &e.Name) || takePayload(r, key, "value", &e.Value)
}
