package history

// Held says that nothing of the record of an execution may be taken away, whoever asks, until it is released. An execution may be
// held under several names, and is held until all are released. It is an entry of the stream that [AdminOf] names, so that it outlives
// what it is about, and is in one order with what it forbids.
type Held struct {
	ID     ID     // of the execution
	Name   string // of the hold, such as the number of a case
	Reason string
}

func (*Held) Role() Role            { return Note }
func (*Held) Kind() string          { return "held" }
func (*Held) evolve(*State, *Entry) {}
func (e *Held) put(w *writer) {
	putHold(w, e.ID, e.Name, e.Reason)
}
func (e *Held) take(r *reader, key string) bool {
	return takeHold(r, key, &e.ID, &e.Name, &e.Reason)
}

// Released takes a hold back.
type Released struct {
	ID     ID     // of the execution
	Name   string // of the hold
	Reason string
}

func (*Released) Role() Role            { return Note }
func (*Released) Kind() string          { return "released" }
func (*Released) evolve(*State, *Entry) {}
func (e *Released) put(w *writer) {
	putHold(w, e.ID, e.Name, e.Reason)
}
func (e *Released) take(r *reader, key string) bool {
	return takeHold(r, key, &e.ID, &e.Name, &e.Reason)
}

func putHold(w *writer, id ID, name, reason string) {
	w.text("namespace", id.Namespace)
	w.text("id", id.Workflow)
	w.text("name", name)
	w.text("reason", reason)
}

func takeHold(r *reader, key string, id *ID, name, reason *string) bool {
	return takeText(r, key, "namespace", &id.Namespace) || takeText(r, key, "id", &id.Workflow) || takeText(r, key, "name", name) ||
		takeText(r, key, "reason", reason)
}
