package history

// Disclosed says that somebody was shown what is recorded of an execution, with its payloads. It is an entry of the stream that
// [DisclosedOf] names, and stands there before anything is shown.
type Disclosed struct {
	ID     ID     // of the execution
	How    string // such as "export" or "history"
	Keys   bool   // the keys of its payloads were given away too, wrapped
	Reason string
}

// DisclosedOf is the stream that says who was shown payloads of the executions of a namespace.
func DisclosedOf(namespace string) ID {
	return ID{Namespace: adminFamily + "@" + namespace, Workflow: "disclosed"}
}

func (*Disclosed) Role() Role            { return Note }
func (*Disclosed) Kind() string          { return "disclosed" }
func (*Disclosed) evolve(*State, *Entry) {}
func (e *Disclosed) put(w *writer) {
	w.text("namespace", e.ID.Namespace)
	w.text("id", e.ID.Workflow)
	w.text("how", e.How)
	w.flag("keys", e.Keys)
	w.text("reason", e.Reason)
}
func (e *Disclosed) take(r *reader, key string) bool {
	if key == "keys" {
		e.Keys = r.flag()
		return true
	}
	return takeText(r, key, "namespace", &e.ID.Namespace) || takeText(r, key, "id", &e.ID.Workflow) || takeText(r, key, "how", &e.How) ||
		takeText(r, key, "reason", &e.Reason)
}
