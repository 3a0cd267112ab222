package history

// Signaled is a message for the code.
type Signaled struct {
	Name  string
	Value Payload
}

func (*Signaled) Role() Role                   { return Input }
func (*Signaled) Kind() string                 { return "signaled" }
func (e *Signaled) evolve(s *State, at *Entry) { s.Run.Signals++; s.Unread++ }
func (e *Signaled) put(w *writer) {
	w.text("name", e.Name)
	w.payload("value", e.Value)
}
func (e *Signaled) take(r *reader, key string) bool {
	return takeText(r, key, "name", &e.Name) || takePayload(r, key, "value", &e.Value)
}
