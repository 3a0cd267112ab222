package history

import "bytes"

// An archive is an export of one or several executions with a line before all others and one behind them, which begin in this way. They are
// no entries: whoever reads an export passes over them. Package audit writes and verifies them.
const archiveLine = `{"archive":`

// IsArchiveLine reports whether a line of an export is the first or the last of an archive.
func IsArchiveLine(line []byte) bool { return bytes.HasPrefix(line, []byte(archiveLine)) }

// Imported says that a history is taken over from an archive, as it was recorded elsewhere. It is an entry of the stream that [AdminOf]
// names, and stands there before that is done; the history itself is what the archive has, to the byte.
type Imported struct {
	ID       ID     // of the execution here
	From     ID     // as it was called there
	To       uint64 // its last entry
	Hash     Hash   // of that entry
	Redacted int    // payloads that came without their bytes
	Reason   string
	Undone   string // why it was not taken over after all, though an entry before says so; empty: it was
}

func (*Imported) Role() Role            { return Note }
func (*Imported) Kind() string          { return "imported" }
func (*Imported) evolve(*State, *Entry) {}
func (e *Imported) put(w *writer) {
	putTarget(w, e.ID, 0, e.To, e.Hash)
	w.text("fromNamespace", e.From.Namespace)
	w.text("fromID", e.From.Workflow)
	w.int("redacted", e.Redacted)
	w.text("reason", e.Reason)
	w.text("undone", e.Undone)
}
func (e *Imported) take(r *reader, key string) bool {
	if key == "redacted" {
		e.Redacted = r.int()
		return true
	}
	var from uint64 // there is none
	return takeTarget(r, key, &e.ID, &from, &e.To, &e.Hash) || takeText(r, key, "fromNamespace", &e.From.Namespace) ||
		takeText(r, key, "fromID", &e.From.Workflow) || takeText(r, key, "reason", &e.Reason) ||
		takeText(r, key, "undone", &e.Undone)
}
