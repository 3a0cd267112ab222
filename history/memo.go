package history

// MemoChanged is somebody's change of the note that is kept with the run, of which its code is told nothing.
type MemoChanged struct {
	Memo   Payload // all of it as it is now; absent: there is none any more
	Reason string
}

func (*MemoChanged) Role() Role   { return Note }
func (*MemoChanged) Kind() string { return "memo-changed" }
func (e *MemoChanged) evolve(s *State, _ *Entry) {
	if s.Run.Lasting == nil {
		return // no run has begun
	}
	lasting := *s.Run.Lasting // which others may halt
	lasting.Memo = e.Memo
	s.Run.Lasting = lasting.orNothing()
}
func (e *MemoChanged) put(w *writer) {
	w.payload("memo", e.Memo)
	w.text("reason", e.Reason)
}
func (e *MemoChanged) take(r *reader, key string) bool {
	return takePayload(r, key, "memo", &e.Memo) || takeText(r, key, "reason", &e.Reason)
}
